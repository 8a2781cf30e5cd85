"""A stream held to its limits: idle time, lifetime, bytes (protocol.rst, "Limits").

Relay and agent each hold a stream by themselves. All links of a stream are held together. Without a quota the bytes go
through the same halves as ever; idle time is found at the beats of the process' one heartbeat, from the counts that the
halves keep anyway; only a lifetime has a timer of its own.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.datapath.connection import Connection
from streamrelay.datapath.heartbeat import BEAT, Heartbeat
from streamrelay.datapath.splice import Half, Splice
from streamrelay.logs import Several
from streamrelay.protocol.close import CloseCode, Outcome, outcome
from streamrelay.protocol.limits import Limits


@define(eq=False)
class Bounds:
    """Limits of one stream, and what is left of them from its first splice on."""

    limits: Limits
    clock: IReactorTime
    heartbeat: Heartbeat
    left: int = field(init=False)
    """Bytes of the quota that are left."""
    splices: set[Splice] = field(factory=set)
    """Splices that are not gone, one for each link."""
    _until: float | None = None  # when its lifetime is over
    _timer: IDelayedCall | None = None
    _seen: int = -1  # what `_moved` was at the last beat
    _quiet: int = 0  # beats since that changed

    def __attrs_post_init__(self) -> None:
        self.left = self.limits.quota

    def splice(self, near: Connection, far: Connection, on_end: Callable[[Splice], None]) -> Splice:
        """Return one more splice of the stream, to be started by the caller; it is held to the limits from now on."""
        if not self.limits.claims():
            return Splice(near, far, on_end)

        def ended(splice: Splice) -> None:
            self._let_go(splice)
            on_end(splice)

        splice = Splice(near, far, ended, partial(Metered, bounds=self) if self.limits.quota else Half)
        self.splices.add(splice)
        self._watch()
        return splice

    def end(self, why: Outcome) -> None:
        """End all splices that live, as a limit is reached."""
        for splice in tuple(self.splices):
            if splice.outcome is None:
                splice.end(why)

    def beat(self) -> None:
        """Count the beats in which nothing moved: so many that no byte came for at least `idle` seconds."""
        moved = self._moved()
        if moved != self._seen:
            self._seen, self._quiet = moved, 0
            return
        self._quiet += 1
        if self._quiet >= ceil(self.limits.idle / BEAT):
            self.end(outcome(CloseCode.IDLE, f"no byte for {self.limits.idle:g} s"))

    def _moved(self) -> int:
        """Return a number that grows with every byte that comes, and with every one that a slow reader takes."""
        moved = 0
        for splice in self.splices:
            for half in (splice.outward, splice.inward):
                moved += 2 * half.count - half.sink.unsent
        return moved

    def _watch(self) -> None:
        if self.limits.idle:
            self._seen, self._quiet = -1, 0
            self.heartbeat.add(self)
        if self.limits.lifetime and self._timer is None:
            now = self.clock.seconds()
            if self._until is None:
                self._until = now + self.limits.lifetime
            self._timer = self.clock.callLater(max(0.0, self._until - now), self._too_old)

    def _too_old(self) -> None:
        self._timer = None
        self.end(outcome(CloseCode.LIFETIME, f"its limit is {self.limits.lifetime:g} s"))

    def _let_go(self, splice: Splice) -> None:
        self.splices.discard(splice)
        if self.splices:
            return
        self.heartbeat.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


@define(eq=False)
class Metered(Half):
    """One direction of a stream that has a quota: exactly so many bytes pass, however they come."""

    bounds: Bounds = field(kw_only=True)

    def received(self, data: Sequence[memoryview], size: int) -> None:
        left = self.bounds.left
        if size <= left:
            self.bounds.left = left - size
            Half.received(self, data, size)
            return
        self.bounds.left = 0
        if left:
            Half.received(self, first(data, left), left)
        self.bounds.end(outcome(CloseCode.QUOTA, f"its limit is {Several(self.bounds.limits.quota, 'byte')}"))


def first(data: Sequence[memoryview], size: int) -> list[memoryview]:
    """Return the first `size` bytes of buffers that hold more."""
    taken = []
    for view in data:
        taken.append(view[:size])
        size -= len(taken[-1])
        if not size:
            break
    return taken
