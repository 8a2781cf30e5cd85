"""The terminals of a host: started and attached to by streams, counted, listed, ended."""

from collections.abc import Callable
from typing import Any, Final

from attrs import define, field
from twisted.internet.task import deferLater

from streamrelay.agent.config import AgentConfig
from streamrelay.agent.goodbye import ANSWERED, GOODBYE, SHUTTING_DOWN
from streamrelay.agent.summoned_stream import SummonedStream
from streamrelay.agent.targets.kind import Target, Variant
from streamrelay.agent.terminals.attachment import Attachment
from streamrelay.agent.terminals.model import Pieces
from streamrelay.agent.terminals.terminal import Terminal
from streamrelay.datapath.connection import Connection
from streamrelay.errors import TargetError
from streamrelay.logs import Logger
from streamrelay.protocol.close import CloseCode, Outcome, outcome
from streamrelay.protocol.summons import Refusal, Terms
from streamrelay.protocol.terminals import MOST_PEOPLE, TerminalInfo
from streamrelay.protocol.tokens import new_id

log = Logger()

MOST_IN_LIST: Final = 2000
"""Streams of all terminals together of which a list tells, as a message on the bus has a bound."""
NONE: Final = "no such terminal"


@define(eq=False)
class Terminals:
    """All terminals of a host, each from the start of its program until nothing of it is left. `find` finds a target
    by its name, or raises `TargetError`."""

    config: AgentConfig
    reactor: Any
    find: Callable[[str], Target]
    terminals: dict[str, Terminal] = field(factory=dict)
    stopping: bool = False
    """True once no terminal is kept any more, as the agent stops."""
    refused: int = 0
    """Summonses that `max_terminals` has refused."""
    pieces: Pieces = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.pieces = Pieces(self.reactor)

    def kept(self, summoned: SummonedStream, target: Target) -> Target:
        """Return what a stream connects: its target itself, or a terminal of it that is kept."""
        summons = summoned.summons
        if not summons.terminal and not (target.keep and summons.user and not summons.view):
            return target
        return KeptTarget(target, self, summoned)

    def infos(self) -> list[TerminalInfo]:
        """Return all terminals as the bus is told of them, the oldest first."""
        running = [each for each in self.terminals.values() if each.is_running]
        most = max(1, min(MOST_PEOPLE, MOST_IN_LIST // max(1, len(running))))
        return [terminal.info(self.config.host, most) for terminal in running]

    def end(self, terminal: str, user: str | None, why: Outcome) -> bool:
        """End a terminal; return False if there is none of this id, or another user has started it."""
        found = self.terminals.get(terminal)
        if found is None or not found.is_running or user not in (None, found.user):
            return False
        found.end(why)
        return True

    def look(self) -> None:
        """End what nobody can attach to any more, as the targets were read again."""
        for terminal in tuple(self.terminals.values()):
            if terminal.detached_at is not None and not self._keep(terminal):
                terminal.end(outcome(CloseCode.LEG_LOST, "its target keeps no terminals any more"))

    async def stop(self) -> None:
        """End all terminals, in order if they take no longer than streams may."""
        self.stopping = True
        for terminal in tuple(self.terminals.values()):
            if terminal.is_running:
                terminal.end(outcome(CloseCode.LEG_LOST, SHUTTING_DOWN))
        end = self.reactor.seconds() + GOODBYE
        while self.terminals and self.reactor.seconds() < end:
            await deferLater(self.reactor, ANSWERED / 10)

    def attach(self, summoned: SummonedStream) -> Attachment:
        """Return a stream's end at the terminal that it names, or raise `TargetError`: one, whatever the reason."""
        summons = summoned.summons
        terminal = self.terminals.get(summons.terminal)
        if terminal is None or not terminal.is_running or terminal.target != summons.target:
            raise TargetError(Refusal.NO_SUCH_TERMINAL, NONE)
        if not summons.share and (not summons.user or terminal.user != summons.user):
            raise TargetError(Refusal.NO_SUCH_TERMINAL, NONE)
        log.info(
            "stream {stream} of {user} is attached to terminal {id} of {starter}",
            stream=summons.stream,
            user=summons.user or "somebody",
            id=terminal.id,
            starter=terminal.user,
        )
        return self._attachment(summoned, terminal)

    async def start(self, summoned: SummonedStream, target: Target) -> Attachment:
        """Start a terminal for a stream, and return the stream's end at it, or raise `TargetError`."""
        summons = summoned.summons
        if full := self._full(summons.user, summons.target, target.max_streams):
            raise TargetError(Refusal.BUSY, full)
        terminal = Terminal(new_id(), summons.target, summons.user, self.reactor, self.pieces, self._keep, self._forget)
        self.terminals[terminal.id] = terminal
        try:
            program = await target.connect(self.reactor, summons.terms)
        except BaseException:
            self._forget(terminal)
            raise
        terminal.started(program, *target.size)
        about = {"id": terminal.id, "target": terminal.target, "user": terminal.user, "stream": summons.stream}
        log.info("terminal {id} of {target} started for {user}, by stream {stream}", **about)
        return self._attachment(summoned, terminal)

    def _attachment(self, summoned: SummonedStream, terminal: Terminal) -> Attachment:
        summons = summoned.summons
        summoned.terminal, summoned.shared = terminal.id, terminal.user != summons.user
        attachment = Attachment(terminal, summons.user, summons.view, summons.stream, lambda: summoned.has_confirmed)
        terminal.expect(attachment)
        return attachment

    def _full(self, user: str, target: str, most_of_target: int) -> str:
        """Say why no terminal more may be started; empty if one may."""
        most, all_ = self.config.max_terminals, self.terminals.values()
        if len(all_) >= most:
            self.refused += 1
            return "too many terminals on this host (max_terminals)"
        if sum(1 for each in all_ if each.user == user) >= max(1, most // 2):
            self.refused += 1
            return "too many terminals of this user on this host (half of max_terminals)"
        if most_of_target and sum(1 for each in all_ if each.target == target) >= most_of_target:
            return "too many terminals of this target (its max_streams)"
        return ""

    def _keep(self, terminal: Terminal) -> float:
        """Return for how many seconds a terminal is kept: as its target says by now, if there is one yet."""
        if self.stopping:
            return 0.0
        try:
            return self.find(terminal.target).keep
        except TargetError:
            return 0.0

    def _forget(self, terminal: Terminal) -> None:
        self.terminals.pop(terminal.id, None)


@define(frozen=True)
class KeptTarget(Variant[Target]):
    """A target whose connection is one stream's end at a terminal."""

    terminals: Terminals
    summoned: SummonedStream

    async def connect(self, reactor: Any, terms: Terms) -> Connection:
        if self.summoned.summons.terminal:
            return self.terminals.attach(self.summoned)
        return await self.terminals.start(self.summoned, self.settings)
