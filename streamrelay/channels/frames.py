"""Frames of channels within the bytes of one stream (protocol.rst, "Channels"), on buffers and without I/O.

A relay may split and merge the messages of a stream, so the format is one of bytes: what a frame is doesn't depend on
where a message begins. Nothing is held but a header or a short payload that came in pieces; data pass as they come.
"""

import struct
from collections.abc import Sequence
from typing import Final, TypeAlias

from streamrelay.datapath.limits import first
from streamrelay.errors import PeerError, printable
from streamrelay.protocol.close import EXPLAIN, CloseCode, Outcome

OPEN: Final = 1
DATA: Final = 2
EOF: Final = 3
END: Final = 4
WINDOW: Final = 5

HEADER: Final = 8
"""Bytes of a header: type, length of the payload, number of the channel."""
MOST_DATA: Final = 32 * 1024
"""Bytes of data in one frame, so that no channel keeps the leg from others for long."""
MOST_REASON: Final = 123
"""Bytes of the words of an end, as in a close frame."""

Event: TypeAlias = tuple[int, int, memoryview | bytes]
"""A frame's type, its channel and its payload; of DATA a piece, the others' are whole."""

_LENGTHS: Final = {OPEN: (0, 0), DATA: (1, MOST_DATA), EOF: (0, 0), END: (2, 2 + MOST_REASON), WINDOW: (4, 4)}
"""Least and most bytes of each type's payload."""

_HEADER = struct.Struct("!II")
_U16 = struct.Struct("!H")
_U32 = struct.Struct("!I")


def header(kind: int, number: int, length: int = 0) -> bytes:
    return _HEADER.pack(kind << 24 | length, number)


def window(number: int, credit: int) -> bytes:
    """Make a frame that lets the peer send so many bytes more."""
    return header(WINDOW, number, 4) + _U32.pack(credit)


def end(number: int, how: Outcome) -> bytes:
    """Make a channel's last frame; its words are cut to what fits, at a character's end."""
    words = how.reason.encode("utf-8", "replace")[:MOST_REASON].decode("utf-8", "ignore").encode()
    payload = _U16.pack(how.code) + words
    return header(END, number, len(payload)) + payload


def data_frames(number: int, data: Sequence[memoryview], size: int) -> list[bytes | memoryview]:
    """Return frames with all of the data, as buffers to be sent one after the other; the data aren't copied."""
    buffers: list[bytes | memoryview] = []
    while size > MOST_DATA:
        buffers.append(header(DATA, number, MOST_DATA))
        buffers += first(data, MOST_DATA)
        data, size = without(data, MOST_DATA), size - MOST_DATA
    return [*buffers, header(DATA, number, size), *data]


def without(data: Sequence[memoryview], size: int) -> list[memoryview]:
    """Return what follows the first `size` bytes of buffers that hold more."""
    rest: list[memoryview] = []
    for view in data:
        if size < len(view):
            rest.append(view[size:])
        size = max(0, size - len(view))
    return rest


def credit_of(payload: bytes | memoryview) -> int:
    """Return the bytes that a WINDOW frame allows."""
    credit: int = _U32.unpack(payload)[0]
    if not credit:
        raise PeerError(CloseCode.PROTOCOL, "a window of no bytes")
    return credit


def outcome_of(payload: bytes | memoryview) -> Outcome:
    """Return how a channel ended, as its END frame says; the words in one line."""
    (code,) = _U16.unpack_from(payload)
    if code not in EXPLAIN and not 3000 <= code <= 4999:
        raise PeerError(CloseCode.PROTOCOL, f"a channel's end with code {code}")
    try:
        return Outcome(code, printable(bytes(payload[2:]).decode("utf-8")))
    except UnicodeDecodeError:
        raise PeerError(CloseCode.BAD_UTF8, "words of a channel's end that are not UTF-8") from None


class ChannelFrameReader:
    """A reader of the frames of one stream, in one direction."""

    __slots__ = ("_header", "_held", "_kind", "_left", "_number")

    def __init__(self) -> None:
        self._header = bytearray()  # the beginning of one that came in pieces
        self._held = bytearray()  # of a short payload
        self._kind = self._number = 0
        self._left = 0  # payload bytes of this frame still to come

    @property
    def holds(self) -> int:
        """Bytes that are held until the rest of them comes."""
        return len(self._header) + len(self._held)

    def feed(self, view: memoryview) -> list[Event]:
        """Read what `view` means, in order; the views given back live as long as it.

        Raise `PeerError` at the first header that breaks the protocol. The events before it are the error's `before`.
        """
        events: list[Event] = []
        at, end = 0, len(view)
        try:
            while at < end:
                if self._left:
                    piece = view[at : at + self._left]
                    at += len(piece)
                    self._piece(piece, events)
                elif self._header or end - at < HEADER:
                    piece = view[at : at + HEADER - len(self._header)]
                    at += len(piece)
                    self._header += piece
                    if len(self._header) == HEADER:
                        self._begin(self._header, 0, events)
                        self._header.clear()
                else:
                    self._begin(view, at, events)
                    at += HEADER
        except PeerError as error:
            error.before = events
            raise
        return events

    def _piece(self, piece: memoryview, events: list[Event]) -> None:
        self._left -= len(piece)
        if self._kind == DATA:
            events.append((DATA, self._number, piece))
            return
        self._held += piece
        if not self._left:
            events.append((self._kind, self._number, bytes(self._held)))
            self._held.clear()

    def _begin(self, buffer: bytearray | memoryview, at: int, events: list[Event]) -> None:
        word, self._number = _HEADER.unpack_from(buffer, at)
        self._kind, self._left = word >> 24, word & 0xFFFFFF
        least, most = _LENGTHS.get(self._kind, (1, 0))
        if not least <= self._left <= most:
            known = self._kind in _LENGTHS
            what = f"a frame of {self._left} bytes of type" if known else "a frame of unknown type"
            raise PeerError(CloseCode.PROTOCOL, f"channels: {what} {self._kind}")
        if not self._left:
            events.append((self._kind, self._number, b""))
