"""A time limit of one connection, which may be set anew."""

from collections.abc import Callable

from attrs import define
from twisted.internet.interfaces import IDelayedCall, IReactorTime


@define(eq=False)
class Deadline:
    """Calls `missed` when its time is over; leaves no timer behind once it is stopped."""

    clock: IReactorTime
    missed: Callable[[], None]
    _timer: IDelayedCall | None = None

    def set(self, seconds: float) -> None:
        """Begin anew, from now."""
        self.stop()
        self._timer = self.clock.callLater(seconds, self._over)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _over(self) -> None:
        self._timer = None
        self.missed()
