"""Keys and sizes of terminals, wherever their commands run."""

from typing import Final

from streamrelay.errors import PeerError
from streamrelay.protocol.control import decode_control

END_OF_INPUT: Final = b"\x04"
"""Key that a terminal's line discipline takes for an end of file (VEOF, Ctrl-D)."""


def end_of_input(last: bytes) -> bytes:
    """Return the keys that end a terminal's input behind this last byte: once ends an empty line's read, within a line
    it takes two."""
    return END_OF_INPUT if last == b"\n" else END_OF_INPUT * 2


def told_size(message: bytes) -> tuple[int, int] | None:
    """Return columns and rows, if that is what a control message tells.

    One that can't be read tells nothing: it has passed the leg's own check, so only a newer peer's words get here.
    """
    try:
        return decode_control(message).resize
    except PeerError:
        return None
