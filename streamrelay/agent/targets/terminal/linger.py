"""Terminals whose command has ended, while others still have them open: they never end by themselves.

A shell's jobs in the background, and whatever has left its session, may have the terminal for ever. What the command
has said is there within moments of its end; so the terminal is read until it is silent, and hung up then.
"""

from collections.abc import Callable
from typing import Final

from attrs import define
from twisted.internet.interfaces import IDelayedCall, IReactorTime

SILENCE: Final = 0.5
"""Seconds of silence until such a terminal is hung up."""
LONGEST: Final = 3.0
"""Seconds for which it is read in all, whatever still comes."""


@define(eq=False)
class Linger:
    """The time that a terminal gets behind its command's end; it stands still while nobody reads."""

    clock: IReactorTime
    hang_up: Callable[[], None]
    _ended: bool = False
    _reading: bool = False
    _left: float = LONGEST
    _since: float = 0.0
    _timer: IDelayedCall | None = None

    def begin(self) -> None:
        """Begin, as the command has ended."""
        self._ended = True
        self._wait()

    def read(self, reading: bool) -> None:
        """Take note that the terminal is read from now on, or isn't."""
        self._reading = reading
        self._wait()

    def heard(self) -> None:
        """Take note that something has come."""
        if self._ended:
            self._wait()

    def stop(self) -> None:
        """Hang up nothing any more."""
        self._ended = False
        self._wait()

    def _wait(self) -> None:
        now = self.clock.seconds()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
            self._left -= now - self._since
        if self._ended and self._reading:
            self._since = now
            self._timer = self.clock.callLater(max(0.0, min(SILENCE, self._left)), self.hang_up)
