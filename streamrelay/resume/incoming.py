"""Confirming what has come of a stream that resumes: when the other end is told."""

from collections.abc import Callable
from typing import Final

from attrs import define
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.resume.outgoing import LEAST

MUCH: Final = 1 << 20
"""Bytes that are confirmed at once. On their way a confirmation costs as much as a tenth of that does."""
SOON: Final = 0.002
"""Seconds after which `LEAST` bytes are confirmed, so that no window is full for long."""
CONFIRM_TIME: Final = 1.0
"""Seconds after which anything that has come is confirmed."""


@define(eq=False)
class Incoming:
    """One direction of a stream, at the end that receives. `tell` confirms a position to the other end."""

    clock: IReactorTime
    tell: Callable[[int], None]
    received: int = 0
    """Position up to which everything has come."""
    waits: bool = False
    """True while what has come waits in our own hands, which isn't confirmed."""
    _told: int = 0
    _later: IDelayedCall | None = None
    _soon: bool = False  # that is as soon as it gets

    def came(self) -> None:
        """Confirm what has come, once there is enough of it, or in a while."""
        if self.waits or self.received == self._told:
            return
        size = self.received - self._told
        if size >= MUCH:
            self.confirm()
        elif self._later is None:
            self._soon = size >= LEAST
            self._later = self.clock.callLater(SOON if self._soon else CONFIRM_TIME, self._time)
        elif size >= LEAST and not self._soon:
            self._soon = True
            self._later.reset(SOON)

    def went_on(self) -> None:
        """Take note that nothing waits any more."""
        self.waits = False
        self.came()

    def confirm(self) -> None:
        """Confirm all that has come."""
        self.stop()
        if self.received > self._told:
            self._told = self.received
            self.tell(self._told)

    def attached(self) -> None:
        """Take note that the other end was told the position, as there is a new leg."""
        self._told = self.received

    def stop(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None

    def _time(self) -> None:
        self._later = None
        if not self.waits:
            self.confirm()
