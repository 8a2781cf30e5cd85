"""The opening of one stream: its agent is summoned to a relay, and to another one if it can't use that."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from attrs import define, field

from streamrelay.errors import Refused
from streamrelay.logs import Logger
from streamrelay.platform.new_stream import Early, NewStream, Opened
from streamrelay.platform.relays import PickedRelay, RelayChoice
from streamrelay.protocol.limits import SUMMONS_LIFE, carrying
from streamrelay.protocol.summons import LOOKED_AT, Answer, Refusal, Terms
from streamrelay.protocol.tokens import Signer

log = Logger()

MOST_RELAYS: Final = 3
"""Relays to which an agent is summoned for one stream, one after the other."""
AGAIN_TIME: Final = 7.0
"""Seconds after a request in which another relay may be tried: behind them an agent may still take all the time that
it has for its target, and a client waits for 20."""
DIAL_TIME: Final = 3.0
"""Seconds that an agent gives a relay in whose place another one can be tried."""
ELSEWHERE: Final = (Refusal.DIAL_FAILED, Refusal.RELAY_BUSY)
"""An agent's words that it can't use its relay."""


@define(eq=False)
class Opening:
    """One stream that is being opened."""

    signer: Signer | None
    choice: RelayChoice
    ask: Callable[[dict[str, Any]], Coroutine[Any, Any, Answer]]
    """Sends a summons, and returns the agent's answer that it is ready, or raises `Refused`."""
    clock: Callable[[], float]
    now: Callable[[], float]
    about: dict[str, Any]
    """Claims of both tokens: host, target, user, and the stream's limits."""
    terms: Terms
    links: int
    channels: bool
    early: Callable[[Early], None] | None
    zone: str = ""
    stream: str = ""
    """Id of the stream; empty: a new one."""
    _told: Early | None = None
    _tried: list[str] = field(factory=list)

    @property
    def host(self) -> str:
        return str(self.about["host"])

    async def run(self) -> Opened:
        """Open it, or raise `Refused`."""
        began = self.clock()
        relay = await self.choice.first(self.host, self.zone)
        stream = self.stream
        while True:
            self._tried.append(relay.id)
            new = NewStream.mint(self.signer, relay.url, relay.id, self.about, self.links, self.channels, stream)
            self._tell(new)
            stream, another = new.stream, self._another(began)
            try:
                return self._opened(new, await self.ask(new.summons(self.terms, self.channels, self._dial(another))))
            except Refused as refusal:
                if refusal.code not in ELSEWHERE:
                    raise
                self.choice.avoid(self.host, relay.id)
                another = another and self._another(began)  # as it is by now
                self._failed(stream, relay, another, refusal)
                if another is None:
                    raise
                relay = another

    def _dial(self, another: PickedRelay | None) -> float:
        return DIAL_TIME if another is not None else 0

    def _another(self, began: float) -> PickedRelay | None:
        """Return a relay that may be tried if this one fails; None if there is none, or no time."""
        if len(self._tried) >= MOST_RELAYS or self.clock() - began > AGAIN_TIME:
            return None
        return self.choice.pick(self.host, self.zone, self._tried)

    def _failed(self, stream: str, relay: PickedRelay, another: PickedRelay | None, refusal: Refused) -> None:
        if self.choice.fixed is None:
            log.info(
                "stream {stream}: host {host} can't use relay {relay}: {why}; {what}",
                stream=stream,
                host=self.host,
                relay=relay.id,
                why=refusal.reason,
                what=f"relay {another.id} is tried" if another is not None else "no other one is tried",
            )

    def _tell(self, new: NewStream) -> None:
        """Tell the client where to go, if it is to know by now; it isn't told again, but by the answer."""
        if self.early is not None and self._told is None:
            self._told = Early(new.stream, new.url(1), self.now() + SUMMONS_LIFE)
            self.early(self._told)

    def _opened(self, new: NewStream, answer: Answer) -> Opened:
        if self.terms.view and answer.viewer not in LOOKED_AT:  # an agent that knows no terms opens it for more
            raise Refused(502, f"host {self.host} did not confirm that it is opened view-only", code="bad_answer")
        links = new.fit(answer.links)
        carried = answer.channels if self.channels else 0
        told = self._told if len(self._tried) == 1 else None
        told = told or Early(new.stream, new.url(links, carried > 0), self.now() + SUMMONS_LIFE)
        about = told.stream, told.url, answer.kind, told.expires, answer.viewer, links, self.terms.view, carried
        return Opened(*about, resume=answer.resume, received=answer.received, terminal=answer.terminal)


def is_settled(bounds: dict[str, Any], terms: Terms, channels: bool) -> bool:
    """Tell whether a client may have its URL before its agent has answered: not if that has to confirm that it looks
    only, nor where there are limits which channels have each, as the claims of its token depend on the agent then."""
    return not terms.view and (not channels or carrying(bounds) == bounds)
