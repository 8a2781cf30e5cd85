"""Keys and sizes of terminals, wherever their commands run."""

from collections.abc import Callable
from typing import Final

from attrs import define
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.errors import PeerError
from streamrelay.protocol.control import decode_control

END_OF_INPUT: Final = b"\x04"
"""Key that a terminal's line discipline takes for an end of file (VEOF, Ctrl-D)."""

FIRST_WAIT: Final = 0.5
"""Seconds until an end of file is typed again; each further wait is twice as long, up to `LONGEST_WAIT`."""
LONGEST_WAIT: Final = 10.0


def end_of_input(last: bytes) -> bytes:
    """Return the keys that end a terminal's input behind this last byte: once ends an empty line's read, within a line
    it takes two."""
    return END_OF_INPUT if last == b"\n" else END_OF_INPUT * 2


@define(eq=False)
class EndOfInput:
    """The end of a client's input, which every later read is to meet, while a terminal tells an end to one read alone.

    And a program that takes the terminal (TCSAFLUSH) drops what was typed before. So it is typed again as long as the
    command lives, unless what was typed before has yet to go in: `unsent` tells how much.
    """

    clock: IReactorTime
    type: Callable[[bytes], None]
    unsent: Callable[[], int]
    _next: IDelayedCall | None = None

    def begin(self, last: bytes) -> None:
        """Type it behind this last byte."""
        self.stop()
        self.type(end_of_input(last))
        self._later(FIRST_WAIT)

    def stop(self) -> None:
        """Type nothing any more."""
        if self._next is not None and self._next.active():
            self._next.cancel()

    def _later(self, wait: float) -> None:
        self._next = self.clock.callLater(wait, self._again, wait)

    def _again(self, wait: float) -> None:
        self._later(min(2 * wait, LONGEST_WAIT))
        if not self.unsent():
            self.type(END_OF_INPUT)


def told_size(message: bytes) -> tuple[int, int] | None:
    """Return columns and rows, if that is what a control message tells.

    One that can't be read tells nothing: it has passed the leg's own check, so only a newer peer's words get here.
    """
    try:
        return decode_control(message).resize
    except PeerError:
        return None
