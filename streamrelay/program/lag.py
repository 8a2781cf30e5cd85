"""The lag of the event loop: how late a timer of ours is called, as whatever holds the loop holds all streams."""

from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.program.histogram import LAGS, Histogram

EACH: Final = 0.1
"""Seconds between two looks: a turn that takes longer is always seen."""


@define(eq=False)
class LoopLag:
    """A timer that looks how late it is."""

    clock: IReactorTime
    seen: Histogram = field(factory=lambda: Histogram(LAGS))
    _due: float = 0.0
    _timer: IDelayedCall | None = None

    def start(self) -> None:
        self._due = self.clock.seconds() + EACH
        self._timer = self.clock.callLater(EACH, self._look)

    def stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _look(self) -> None:
        self.seen.observe(max(0.0, self.clock.seconds() - self._due))
        self.start()
