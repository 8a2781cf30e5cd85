"""Messages of a container's log, each with the time that the API puts before it.

Without a terminal a message comes in a frame: a byte for the stream it was written to, three of zero, four of length
(Docker Engine API, "Attach to a container", "Stream format"). With one there are no frames; a message is a line. A
message isn't always a line: Docker cuts longer ones at 16 KiB and puts the time before each piece.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from attrs import define

HEADER: Final = 8
"""Bytes of a frame's header."""
CUT: Final = 16384
"""Bytes at which Docker cuts lines."""
LONGEST_STAMP: Final = 36
"""Bytes of a message's time at most: 2026-11-25T03:12:02.364783938+01:00 and a blank."""
_STAMP: Final = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ")


class Piece(NamedTuple):
    """A piece of a message, which comes in as many as it was read in."""

    time: int
    """Nanoseconds since the epoch, by the API; those of the message before if this one has no time."""
    text: bytes
    begins: bool
    ends: bool


@lru_cache(maxsize=64)
def _seconds(clock: bytes, zone: bytes) -> int:
    return int(datetime.fromisoformat((clock + zone).decode("ascii")).timestamp())


@define(eq=False)
class Messages:
    """A log's body without frames, as of a container with a terminal."""

    _held: bytes = b""
    _time: int = 0
    _size: int = -1  # of the current message so far; -1: between two

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Yield the pieces in these bytes; `ValueError` if they are no such body."""
        data = self._held + data
        at = 0
        while at < len(data):
            if self._size < 0:
                if len(data) - at < LONGEST_STAMP and b"\n" not in data[at:]:
                    break
                at, self._size = self._stamp(data, at, len(data)), 0
            end = data.find(b"\n", at, at + CUT - self._size) + 1 or min(len(data), at + CUT - self._size)
            text, begins = data[at:end], not self._size
            if not text:
                break
            self._size += len(text)
            ends = text.endswith(b"\n") or self._size == CUT
            if ends:
                self._size = -1
            yield Piece(self._time, text, begins, ends)
            at = end
        self._held = data[at:]

    def rest(self) -> Iterator[Piece]:
        """Yield the short message that may be left at the body's end."""
        if self._held:
            at = self._stamp(self._held, 0, len(self._held))
            yield Piece(self._time, self._held[at:], True, True)

    def _stamp(self, data: bytes, at: int, end: int) -> int:
        """Take note of the time that stands here, and return where the text begins."""
        found = _STAMP.match(data, at, end)
        if found is None:
            return at
        try:
            seconds = _seconds(found[1], found[3])
        except ValueError:
            return at
        self._time = seconds * 10**9 + int((found[2] or b"0").ljust(9, b"0"))
        return found.end()


@define(eq=False)
class FramedMessages(Messages):
    """A log's body in frames, as of a container without a terminal."""

    _left: int = 0  # of the current frame
    _begins: bool = True  # whether nothing of it was given yet

    def feed(self, data: bytes) -> Iterator[Piece]:
        data = self._held + data
        at = 0
        while True:
            if not self._left:
                if len(data) - at < HEADER:
                    break
                if data[at] > 3 or data[at + 1 : at + 4] != b"\0\0\0":
                    raise ValueError("an invalid frame")
                size = int.from_bytes(data[at + 4 : at + HEADER], "big")
                if len(data) - at - HEADER < min(size, LONGEST_STAMP):
                    break
                begin = self._stamp(data, at + HEADER, min(len(data), at + HEADER + size))
                self._left = size - (begin - at - HEADER)
                at, self._begins = begin, True
            text = data[at : at + self._left]
            if not text and self._left:
                break
            at += len(text)
            self._left -= len(text)
            yield Piece(self._time, text, self._begins, not self._left)
            self._begins = False
        self._held = data[at:]

    def rest(self) -> Iterator[Piece]:
        """Yield nothing: a frame that isn't whole was none."""
        return iter(())
