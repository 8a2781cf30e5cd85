"""Channels at an agent: each is a stream of its own in every list and limit, within one that carries them all.

Those of a target that is shown by SPICE are the connections of one session, and one stream together.
"""

from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from attrs import define, field
from msgspec import structs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from streamrelay.agent.summoned_stream import SummonedStream, let_go
from streamrelay.agent.targets.kind import Target
from streamrelay.channels.carrier import Carrier, Leg
from streamrelay.channels.channel_end import ChannelEnd
from streamrelay.datapath.connection import Connection, Feed
from streamrelay.errors import TargetError
from streamrelay.logs import Logger, Seldom, Several
from streamrelay.protocol.close import FINISHED, CloseCode, Outcome, outcome
from streamrelay.protocol.control import Met
from streamrelay.protocol.limits import CHANNELS_TAKEN
from streamrelay.protocol.summons import SPICE_LINKS, Refusal, Summons

log = Logger()

MOST: Final = 256
"""Channels of one stream that may be open at once."""
KINDS: Final = ("tcp", "unix")
"""Kinds of targets of which a client may want many connections."""
AT_ONCE: Final = 8
"""Channels that are begun in one turn of the reactor, so that a flood of them leaves the others theirs."""

CLOSES: Final = {
    Refusal.TARGET_REFUSED: CloseCode.TARGET_REFUSED,
    Refusal.TARGET_UNREACHABLE: CloseCode.TARGET_UNREACHABLE,
    Refusal.BUSY: CloseCode.OVERLOADED,
}


def most_channels(summons: Summons, target: Target) -> int:
    """Return how many channels a stream may have open at once; 0 if it can't carry any."""
    if not summons.channels or summons.links > 1 or summons.view:
        return 0
    if target.viewer == "spice":
        return SPICE_LINKS
    return MOST if target.kind in KINDS else 0


class FirstLeg(Protocol):
    """A leg that was met, which is not joined yet."""

    @property
    def leg(self) -> Leg: ...

    def hand_over(self, feed: Feed) -> None:
        """Tell the feed, now joined, what has come since it was met."""


class Host(Protocol):
    """The streams of this host, as much of them as channels need."""

    @property
    def reactor(self) -> Any: ...

    def admit(self, summons: Summons, over: Callable[[], None]) -> SummonedStream:
        """Let one more stream in, or raise `TargetError`; `over` is called when nothing of it is left."""

    def find(self, summons: Summons) -> Target:
        """Return the target of a stream that was let in, or raise `TargetError`."""

    async def splice(
        self,
        summoned: SummonedStream,
        met: Met,
        leg: Connection,
        connection: Connection,
        hand_over: Callable[[Feed], None],
    ) -> None:
        """Join a leg and a target, and return when both hold nothing any more."""


async def carry(host: Host, summoned: SummonedStream, met: Met, first: FirstLeg, connection: Connection) -> None:
    """See a stream's channels through until its leg holds nothing any more; channel 1 is the given connection."""
    summons, leg = summoned.summons, first.leg
    carried = summoned.carrying = Carried(host, summoned, met, Carrier(leg, host.reactor, summoned.channels))
    log.info(
        "stream {name} to {target} carries channels for {user} from {client}",
        name=summons.stream,
        target=summons.target,
        user=summons.user or "somebody",
        client=met.from_,
    )
    carried.start(connection)
    first.hand_over(carried.carrier)
    await carried.gone
    log.info(
        "stream {name} to {target} carries nothing any more: {how}, after {count}",
        name=summons.stream,
        target=summons.target,
        how=str(carried.carrier.outcome or FINISHED),
        count=Several(carried.carrier.last, "channel"),
    )


@define(eq=False)
class Carried:
    """All channels of one stream."""

    host: Host
    summoned: SummonedStream
    met: Met
    carrier: Carrier
    gone: "Deferred[None]" = field(factory=Deferred)
    open: int = 0
    _waiting: deque[ChannelEnd] = field(factory=deque)
    _turn: IDelayedCall | None = None
    _read: int = 0  # the leg's last read that has opened some
    _begun: int = 0  # by that read, at once
    _until: IDelayedCall | None = None  # when no more are taken
    _refused: Seldom = field(init=False)  # a client may ask for thousands a second

    def __attrs_post_init__(self) -> None:
        self._refused = Seldom(self.host.reactor, self._say_refused)

    def start(self, connection: Connection) -> None:
        carrier = self.carrier
        carrier.opened, carrier.on_over, carrier.on_forgotten = self._opened, self._over, self._forgotten
        carrier.on_gone = self._gone
        self._until = self.host.reactor.callLater(CHANNELS_TAKEN, self._take_no_more)
        carrier.join()
        self._begin(carrier.first, connection)

    def end(self, why: Outcome) -> None:
        self.carrier.end(why)

    def abort(self) -> None:
        self.carrier.abort()

    def _opened(self, end: ChannelEnd) -> None:
        if self._until is None:
            end.close(outcome(CloseCode.LEG_LOST, "the stream that carries it was opened too long ago"))
            return
        if self._read != self.carrier.turn:
            self._read, self._begun = self.carrier.turn, 0
        if self._begun < AT_ONCE and not self._waiting:
            self._begun += 1
            self._begin(end)
            return
        self._waiting.append(end)
        if self._turn is None:
            self._turn = self.host.reactor.callLater(0, self._next)

    def _next(self) -> None:
        """Begin some channels, and the others in a later turn of the reactor."""
        self._turn = None
        begun = 0
        while self._waiting and begun < AT_ONCE:
            end = self._waiting.popleft()
            if not end.ended:  # by who has opened it, for nothing
                begun += 1
                self._begin(end)
        self._turn = self.host.reactor.callLater(0, self._next) if self._waiting else None

    def _begin(self, end: ChannelEnd, connection: Connection | None = None) -> None:
        own = self.summoned.summons
        if not self.summoned.apart:
            self.summoned.begin(self._serve(self.summoned, end, connection))
            return
        summons = structs.replace(own, stream=f"{own.stream}.{end.number}", channels=False)
        self.open += 1  # before it is let in, as it counts in place of the stream that carries it
        try:
            channel = self.host.admit(summons, self._closed)
        except TargetError as error:
            self._closed()
            self._refuse(end, error)
            if connection is not None:
                self.summoned.begin(let_go(connection))
            return
        end.before = channel.end
        channel.begin(self._serve(channel, end, connection))

    async def _serve(self, channel: SummonedStream, end: ChannelEnd, connection: Connection | None) -> None:
        try:
            if connection is None:
                connection = await channel.connect(self.host.find(channel.summons))
        except TargetError as error:
            self._refuse(end, error, channel.outcome)
            return
        except Exception:
            end.close(outcome(CloseCode.OUR_FAULT))
            raise
        if end.ended:  # by its client, while it was connected
            await let_go(connection)
            return
        try:
            await self.host.splice(channel, self.met, end, connection, lambda feed: None)
        except Exception:
            end.abort()
            connection.abort()
            raise

    def _refuse(self, end: ChannelEnd, error: TargetError, ended: Outcome | None = None) -> None:
        """End a channel that can't be had; `ended` is why, if it was ended here meanwhile."""
        if self.carrier.outcome is None:
            self._refused.count(error.reason)
        end.close(ended or outcome(CLOSES.get(error.code, CloseCode.TARGET_REFUSED), error.reason))

    def _say_refused(self, counts: Counter[str]) -> None:
        (reason, _), *others = counts.most_common()
        log.info(
            "channels of stream {stream} to {target} refused, since the last such line {count}: {reason}{others}",
            stream=self.summoned.summons.stream,
            target=self.summoned.summons.target,
            count=counts.total(),
            reason=reason,
            others=f"; and for {Several(len(others), 'more reason')}" if others else "",
        )

    def _closed(self) -> None:
        self.open -= 1

    def take_no_more(self) -> None:
        """Open no new channel; the stream ends with its last one."""
        if self._until is not None and self._until.active():
            self._until.cancel()
            self._take_no_more()

    def _take_no_more(self) -> None:
        self._until = None
        self._forgotten()

    def _forgotten(self) -> None:
        """End a stream that takes no new channels and has none."""
        if self._until is None and not self.carrier.ends:
            self.carrier.end(FINISHED)

    def _over(self, how: Outcome) -> None:
        for call in (self._until, self._turn):
            if call is not None and call.active():
                call.cancel()
        self._until = self._turn = None
        self._waiting.clear()
        self._refused.stop()

    def _gone(self) -> None:
        self.gone.callback(None)
