"""One stream of this host, from its summons until nothing that was taken for it is held any more."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Protocol, TypeVar

from attrs import define, field
from msgspec import UNSET
from twisted.internet.defer import Deferred

from streamrelay.agent.targets.kind import Target
from streamrelay.agent.targets.view_only import check_view, view_only
from streamrelay.agent.waiting_leg import WaitingLeg
from streamrelay.datapath.connection import Connection, Drain, Feed
from streamrelay.datapath.limits import Bounds
from streamrelay.datapath.splice import Splice
from streamrelay.errors import TargetError, first_line
from streamrelay.logs import Logger
from streamrelay.net.peer import stems_from_full
from streamrelay.protocol.close import CloseCode, Outcome
from streamrelay.protocol.summons import Answer, Refusal, StreamInfo, Summons

log = Logger()
T = TypeVar("T")

_REFUSALS: Final = {CloseCode.OPERATOR: Refusal.NOT_ALLOWED, CloseCode.LEG_LOST: Refusal.BUSY}
"""Answers to a summons whose stream is ended before it is opened, by the code of its end."""


class Carrying(Protocol):
    """The channels of a stream that carries some."""

    @property
    def open(self) -> int:
        """Streams that are its channels: being opened, live, or still holding something."""

    def end(self, why: Outcome) -> None:
        """End all channels, and the leg."""

    def take_no_more(self) -> None:
        """Open no new channel; the stream ends with its last one."""

    def abort(self) -> None:
        """Cut the leg."""


@define(eq=False)
class SummonedStream:
    """The stream of one summons, with all its legs and connections: opening, waiting for its client, or live.

    `done` is told once, when the last work for it has come to its end and holds nothing any more.
    """

    summons: Summons
    reactor: Any
    bounds: Bounds
    """Limits of the stream, which all its legs share."""
    done: Callable[["SummonedStream"], None]
    outcome: Outcome | None = None
    """Outcome with which the stream was ended here, if it was."""
    waiting_legs: set[WaitingLeg] = field(factory=set)
    """Legs that aren't spliced, but wait for the client or for the target."""
    splices: set[Splice] = field(factory=set)
    up: int = 0
    """Bytes towards the target in splices that are over; `down` is the other direction."""
    down: int = 0
    channels: int = 0
    """Channels that it may carry at once; 0: it carries none."""
    apart: bool = True
    """True if each channel is a stream of its own; else they are connections of one session, and one stream."""
    carrying: "Carrying | None" = None
    """The stream's channels, once its client has come."""
    answer: Answer = field(factory=Answer)
    """Answer to its summons, once it is ready."""
    hold_time: float = 0
    """Seconds for which it is held without legs; 0: it ends with them."""
    detached_at: float | None = None
    """Seconds of the clock at which it lost its legs; None while it has some."""
    terminal: str = ""
    """Id of the kept terminal that it is attached to; empty: of none."""
    shared: bool = False
    """True if another user has started that terminal."""
    met: bool = False
    """True once the stream's client has come."""
    has_confirmed: Callable[[], bool] | None = None
    """Tells whether the client has confirmed anything that it was sent; None: the clients of this stream don't."""
    began: float = field(init=False)
    _work: int = 0
    _connecting: "set[Deferred[Connection]]" = field(factory=set)

    def __attrs_post_init__(self) -> None:
        self.began = self.reactor.seconds()

    def info(self, host: str) -> StreamInfo:
        summons, seconds = self.summons, self.reactor.seconds() - self.began
        up = self.up + sum(splice.outward.count for splice in self.splices)
        down = self.down + sum(splice.inward.count for splice in self.splices)
        carried = self.carrying.open if self.carrying is not None and self.apart else UNSET
        detached = UNSET if self.detached_at is None else self.reactor.seconds() - self.detached_at
        about = summons.stream, host, summons.target, summons.user, seconds, up, down, not self.met
        return StreamInfo(*about, detached=detached, channels=carried)

    @property
    def carries(self) -> bool:
        """True if its channels are streams that are listed, counted and ended by themselves."""
        return self.carrying is not None and self.apart

    @property
    def counts(self) -> bool:
        """True unless others count in its place, as it carries them."""
        return self.carrying is None or not self.carrying.open

    async def hold(self, work: Coroutine[Any, Any, T]) -> T:
        """Do a part of the stream's work; as long as one is under way, the stream counts."""
        self._work += 1
        try:
            return await work
        finally:
            self._work -= 1
            if not self._work:
                self.done(self)

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do a part of the stream's work for which nobody waits; an error is logged."""
        Deferred.fromCoroutine(self.hold(work)).addErrback(
            lambda failure: log.failure("an error in stream {stream}", failure, stream=self.summons.stream)
        )

    async def connect(self, target: Target) -> Connection:
        """Connect the target, or raise `TargetError`; what only this host's log may say is said there."""
        try:
            if self.summons.view:
                check_view(target.viewer)
            connection = await self._connect(target)
        except (OSError, ValueError, OverflowError) as error:  # of a name, a path, an argument of the target
            raise self._own_lack(error) or TargetError(
                Refusal.TARGET_REFUSED, f"{self.summons.target}: {first_line(error)}"
            ) from None
        except TargetError as error:
            if error.detail:
                log.warn("stream {name}: {detail}", name=self.summons.stream, detail=error.detail)
            raise self._own_lack(error) or error from None
        return view_only(connection, target.viewer, self.reactor) if self.summons.view else connection

    def _own_lack(self, error: Exception) -> TargetError | None:
        """Return the error of an agent without descriptors, if that is what a target's error stems from."""
        if not stems_from_full(error):
            return None
        return TargetError(Refusal.BUSY, f"{self.summons.target}: the agent has no file descriptor left")

    async def _connect(self, target: Target) -> Connection:
        if self.outcome is not None:
            raise self._ended(self.outcome)
        connecting = Deferred.fromCoroutine(target.connect(self.reactor, self.summons.terms))
        self._connecting.add(connecting)
        try:
            connection = await connecting
        except Exception:  # of many kinds, where it was cancelled
            if self.outcome is None:
                raise
            raise self._ended(self.outcome) from None
        finally:
            self._connecting.discard(connecting)
        if self.outcome is not None:
            self.begin(let_go(connection))
            raise self._ended(self.outcome)
        return connection

    def _ended(self, why: Outcome) -> TargetError:
        return TargetError(_REFUSALS.get(CloseCode(why.code), Refusal.BUSY), why.reason)

    def watch(self, waiting_leg: WaitingLeg) -> None:
        """Let the stream's end be this leg's, too."""
        self.waiting_legs.add(waiting_leg)
        if self.outcome is not None:
            waiting_leg.leave(self.outcome)

    def came(self, waiting_leg: WaitingLeg | None = None) -> None:
        """Take note that a leg waits no longer; with the first one the client has come."""
        if not self.met:
            self.met, self.began = True, self.reactor.seconds()
        if waiting_leg is not None:
            self.waiting_legs.discard(waiting_leg)

    def parted(self, splice: Splice) -> None:
        """Take note that a splice holds nothing any more; its bytes still count."""
        self.splices.discard(splice)
        self.up += splice.outward.count
        self.down += splice.inward.count

    def end(self, why: Outcome) -> None:
        """End all of the stream, whatever it is at; of several reasons the first one is the outcome."""
        if self.outcome is None:
            self.outcome = why
        for connecting in tuple(self._connecting):
            connecting.cancel()  # as its own timeout does
        for waiting_leg in tuple(self.waiting_legs):
            waiting_leg.leave(why)
        if self.carrying is not None:
            self.carrying.end(why)
        for splice in tuple(self.splices):
            splice.end(why)

    def abort(self) -> None:
        """Cut all of the stream's legs and splices, as it has had its time to end."""
        for waiting_leg in tuple(self.waiting_legs):
            waiting_leg.leg.abort()
        if self.carrying is not None:
            self.carrying.abort()
        for splice in tuple(self.splices):
            splice.abort()


@define(eq=False)
class Parting(Feed, Drain):
    """A feed that hears of a connection only that it is gone."""

    left: "Deferred[None]" = field(factory=Deferred)

    def received(self, data: Sequence[memoryview], size: int) -> None: ...

    def control(self, message: bytes) -> None: ...

    def eof(self) -> None: ...

    def over(self, outcome: Outcome) -> None: ...

    def drained(self) -> None: ...

    def gone(self) -> None:
        self.left.callback(None)


async def let_go(connection: Connection) -> None:
    """Abort a connection that nobody wants; return when it holds nothing any more, as its process has ended."""
    parting = Parting()
    connection.join(parting, parting)
    connection.abort()
    await parting.left
