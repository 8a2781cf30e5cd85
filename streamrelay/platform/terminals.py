"""The kept terminals of one host at a time, as its agent tells of them: asked for when somebody wants to know.

All who ask at about the same time share an answer, so that pages which look again and again cost an agent little.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from attrs import define, field
from msgspec import UNSET

from streamrelay.errors import Refused, printable
from streamrelay.platform.asking import Asking
from streamrelay.platform.live_streams import LONGEST_TEXT
from streamrelay.platform.refusals import refused
from streamrelay.platform.shared_answer import Shared
from streamrelay.protocol.subjects import end_subject
from streamrelay.protocol.summons import Answer, Refusal
from streamrelay.protocol.terminals import TerminalInfo, TerminalsAnswer

FRESH: Final = 1.0
"""Seconds for which an answer is good."""
OLD: Final = 60.0
"""Seconds for which an agent that knows no terminals isn't asked again, as each question is a warning in its log."""
MOST_HOSTS: Final = 1000
"""Hosts whose answers are kept; over that all are forgotten."""


@define(eq=False)
class Terminals:
    """The kept terminals of hosts. `clock` gives monotonic seconds."""

    asking: Asking
    clock: Callable[[], float]
    _hosts: dict[str, Shared[list[TerminalInfo]]] = field(factory=dict)
    _old: dict[str, tuple[float, str]] = field(factory=dict)
    """Until when a host isn't asked, and what its agent has said."""

    async def listed(self, host: str, anew: bool = False) -> list[TerminalInfo]:
        """Return those of a host, or raise `Refused`; with `anew` by a question from now on."""
        until, said = self._old.get(host, (0.0, ""))
        if self.clock() < until:
            raise _too_old(host, said)
        if host not in self._hosts:
            if len(self._hosts) >= MOST_HOSTS:
                self._hosts.clear()
                self._old.clear()
            self._hosts[host] = Shared(partial(self._ask, host), self.clock, lambda: FRESH)
        shared = self._hosts[host]
        return list(await (shared.anew() if anew else shared.answer()))

    def forget(self, host: str) -> None:
        """Have a host asked anew by who wants to know next, as something has changed there."""
        if host in self._hosts:
            self._hosts[host].outdate()

    def confirmed(self, host: str, stream: str, terminal: str, answer: Answer) -> Answer:
        """Return the answer to a summons for a terminal, or for none (empty), if it is that; or raise `Refused`, and
        have the stream ended: an agent that knows none of them has started a program of its own for it."""
        if terminal and answer.terminal != terminal:
            self.asking.tell(host, "end", {"stream": stream})
            raise _too_old(host)
        return answer

    async def end(self, host: str, terminal: str) -> None:
        """End a terminal, or raise `Refused`."""
        try:
            await self.asking.ask(end_subject(host), host, "end_terminal", {"terminal": terminal})
        except Refused as refusal:
            if refusal.code == Refusal.NO_SUCH_TERMINAL:
                raise Refused(404, refusal.reason, code=refusal.code) from None
            raise
        finally:
            self.forget(host)

    async def _ask(self, host: str) -> list[TerminalInfo]:
        answer = await self.asking.answer(end_subject(host), host, "terminals", {"terminals": True}, TerminalsAnswer)
        if answer.refused == Refusal.BAD_SUMMONS:
            self._old[host] = self.clock() + OLD, answer.reason
            raise _too_old(host, answer.reason)
        self._old.pop(host, None)
        if answer.refused:
            raise refused(Answer(refused=answer.refused, reason=answer.reason))
        return [info for info in answer.terminals if _could_be(info, host)]


def _too_old(host: str, reason: str = "") -> Refused:
    """Return what is told of an agent that knows no terminals; `reason` is what it says itself, as it may be another
    one."""
    said = f"; it says: {printable(reason)}" if reason else ""
    return Refused(502, f"the agent of {host} is of before kept terminals, so it has none{said}", code="too_old")


def _could_be(info: TerminalInfo, host: str) -> bool:
    texts = (info.terminal, info.target, info.user, *(text for one in info.people for text in (one.user, one.stream)))
    spans = (info.seconds, 0.0 if info.detached is UNSET else info.detached)
    return info.host == host and max(map(len, texts)) <= LONGEST_TEXT and all(0 <= span < 1e12 for span in spans)
