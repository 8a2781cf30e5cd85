"""One stream of this host, from its summons until nothing that was taken for it is held any more."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred

from streamrelay.endings import Close, Ending
from streamrelay.errors import TargetError
from streamrelay.limits import Bounds
from streamrelay.logs import Logger
from streamrelay.splice import Connection, Drain, Feed, Splice
from streamrelay.targets.catalogue import Target
from streamrelay.targets.view import check_view, view_only
from streamrelay.vigil import Vigil
from streamrelay.wire import Refusal, StreamInfo, Summons

log = Logger()
T = TypeVar("T")

_REFUSALS: Final = {Close.OPERATOR: Refusal.NOT_ALLOWED, Close.LEG_LOST: Refusal.BUSY}
"""What is answered to a summons whose stream is ended before it is opened."""


@define(eq=False)
class Errand:
    """What one summons asks for, with all its legs and connections: opening, waiting for its client, or live.

    `done` is told once, when the last work for it has come to its end and holds nothing any more.
    """

    summons: Summons
    reactor: Any
    bounds: Bounds
    """What all its legs share."""
    done: Callable[["Errand"], None]
    ending: Ending | None = None
    """How it was ended here, if it was."""
    vigils: set[Vigil] = field(factory=set)
    """Legs that aren't spliced: they wait for the client, or for the target."""
    splices: set[Splice] = field(factory=set)
    up: int = 0
    """Bytes of splices that are over."""
    down: int = 0
    met: bool = False
    """Whether its client has come."""
    began: float = field(init=False)
    _work: int = 0
    _connecting: "Deferred[Connection] | None" = None

    def __attrs_post_init__(self) -> None:
        self.began = self.reactor.seconds()

    def info(self, host: str) -> StreamInfo:
        summons, seconds = self.summons, self.reactor.seconds() - self.began
        up = self.up + sum(splice.outward.count for splice in self.splices)
        down = self.down + sum(splice.inward.count for splice in self.splices)
        return StreamInfo(summons.stream, host, summons.target, summons.user, seconds, up, down, not self.met)

    async def hold(self, work: Coroutine[Any, Any, T]) -> T:
        """Do a part of it; as long as one is under way, the stream counts."""
        self._work += 1
        try:
            return await work
        finally:
            self._work -= 1
            if not self._work:
                self.done(self)

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do a part of it for which nobody waits."""
        Deferred.fromCoroutine(self.hold(work)).addErrback(
            lambda failure: log.failure("stream {stream} failed", failure, stream=self.summons.stream)
        )

    async def connect(self, target: Target) -> Connection:
        """A connection to the target, or `TargetError`; what only this host's log may say is said there."""
        try:
            if self.summons.view:
                check_view(target.viewer)
            connection = await self._connect(target)
        except TargetError as error:
            if error.detail:
                log.warn("stream {name}: {detail}", name=self.summons.stream, detail=error.detail)
            raise
        return view_only(connection, target.viewer, self.reactor) if self.summons.view else connection

    async def _connect(self, target: Target) -> Connection:
        self._connecting = Deferred.fromCoroutine(target.connect(self.reactor, self.summons.terms))
        try:
            connection = await self._connecting
        except Exception:  # of many kinds, where it was cancelled
            if self.ending is None:
                raise
            raise self._ended(self.ending) from None
        finally:
            self._connecting = None
        if self.ending is not None:
            self.begin(let_go(connection))
            raise self._ended(self.ending)
        return connection

    def _ended(self, why: Ending) -> TargetError:
        return TargetError(_REFUSALS.get(Close(why.code), Refusal.BUSY), why.reason)

    def watch(self, vigil: Vigil) -> None:
        """Its end is this leg's, too."""
        self.vigils.add(vigil)
        if self.ending is not None:
            vigil.leave(self.ending)

    def spliced(self, vigil: Vigil, splice: Splice) -> None:
        """A leg waits no longer."""
        if not self.met:
            self.met, self.began = True, self.reactor.seconds()
        self.vigils.discard(vigil)
        self.splices.add(splice)

    def parted(self, splice: Splice) -> None:
        """A splice holds nothing any more."""
        self.splices.discard(splice)
        self.up += splice.outward.count
        self.down += splice.inward.count

    def end(self, why: Ending) -> None:
        """End all of it, whatever it is at."""
        if self.ending is None:
            self.ending = why
        if self._connecting is not None:
            self._connecting.cancel()  # as its own timeout does
        for vigil in tuple(self.vigils):
            vigil.leave(why)
        for splice in tuple(self.splices):
            splice.end(why)

    def abort(self) -> None:
        """It has had its time to end."""
        for vigil in tuple(self.vigils):
            vigil.leg.abort()
        for splice in tuple(self.splices):
            splice.abort()


@define(eq=False)
class Parting(Feed, Drain):
    """Hears of a connection only that it is gone."""

    left: "Deferred[None]" = field(factory=Deferred)

    def received(self, data: Sequence[memoryview], size: int) -> None: ...

    def control(self, message: bytes) -> None: ...

    def eof(self) -> None: ...

    def over(self, ending: Ending) -> None: ...

    def drained(self) -> None: ...

    def gone(self) -> None:
        self.left.callback(None)


async def let_go(connection: Connection) -> None:
    """Abort a connection that nobody wants; done when it holds nothing any more, a process has ended."""
    parting = Parting()
    connection.join(parting, parting)
    connection.abort()
    await parting.left
