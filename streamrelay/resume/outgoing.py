"""The bytes that one end of a stream which resumes has sent, kept until they are confirmed. No time, no I/O."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from attrs import define, evolve, field

from streamrelay.errors import PeerError
from streamrelay.protocol.close import CloseCode
from streamrelay.resume import buffers

OVERHEAD: Final = 128
"""Bytes that each piece weighs beside its own, as there may be many small ones."""


class OutOfReach(Exception):
    """A position at which nothing can go on: what is behind it was never sent, or isn't kept any more."""


@define
class Piece:
    """Bytes that are sent together, or one control message, which counts as one position. It doesn't change; its size
    and weight are reckoned once, as there is one for each read."""

    data: bytes | memoryview
    is_control: bool = False
    buffer: bytearray | None = None
    """Buffer in which the data lie, if that is to be released."""
    size: int = field(init=False)
    """Positions that it takes."""
    weight: int = field(init=False)
    """Bytes that it keeps."""

    def __attrs_post_init__(self) -> None:
        length = len(self.data)
        self.size = 1 if self.is_control else length
        self.weight = (length if self.buffer is None else len(self.buffer)) + OVERHEAD

    @classmethod
    def keep(cls, data: Sequence[memoryview], size: int) -> "Piece":
        """Return a piece of bytes that are the caller's, who doesn't change them during this call of it."""
        kept, buffer = buffers.kept(data, size)
        return cls(kept, buffer=buffer)

    def release(self) -> None:
        """Let go of it, as nobody wants it any more."""
        if self.buffer is not None:
            buffers.release(self.buffer)


@define(eq=False)
class Memory:
    """Bytes that all streams of a process keep together. Beyond `most` each keeps little more than `SPARE`."""

    most: float
    kept: int = 0
    whole: "Memory | None" = None
    """Memory of which this is one user's part."""

    @property
    def is_full(self) -> bool:
        return self.kept > self.most or (self.whole is not None and self.whole.is_full)

    def weigh(self, more: int) -> None:
        """Count bytes that are kept, or none any more."""
        self.kept += more
        if self.whole is not None:
            self.whole.kept += more


UNBOUNDED: Final = float("inf")
WINDOW: Final = 4 << 20
"""Bytes that one end keeps at most for the other one, beside those of one read."""
LEAST: Final = 256 * 1024
"""Bytes that are confirmed at a time."""
SPARE: Final = 2 * LEAST
"""What a stream may keep however full the memory is: enough to be confirmed, so that it goes on."""


@define(eq=False)
class Outgoing:
    """One direction of a stream, at the end that sends. Whoever has put as much as `window` is to wait; what is put all
    the same is kept, too."""

    window: int
    memory: Memory = field(factory=lambda: Memory(UNBOUNDED))
    end: int = 0
    """Position behind all that was put here."""
    reached: int = 0
    """Highest position that has gone out by any leg."""
    sent: int = 0
    """Position up to which it has gone out by this leg."""
    confirmed: int = 0
    """Position up to which the other end has it."""
    taken: int = 0
    """Position up to which it has left the other end's hands, as it has said by an ack."""
    weight: int = 0
    """Bytes that are kept."""
    _kept: deque[Piece] = field(factory=deque)
    _start: int = 0  # position of the first of them
    _out: int = 0  # number of them that have gone out by this leg

    @property
    def is_delivered(self) -> bool:
        """True if all has left the other end's hands, but for our end itself, of which nothing depends."""
        return self.taken >= self.end - 1

    @property
    def is_full(self) -> bool:
        """True while nothing more should be put."""
        if self.weight >= SPARE and self.memory.is_full:
            return True
        return self.weight >= self.window or self.end - self.taken >= self.window

    @property
    def beyond(self) -> int:
        """Bytes that were put though nothing more should have been."""
        return max(0, self.weight - self.window)

    @property
    def is_caught_up(self) -> bool:
        """True if all has gone out by this leg."""
        return self.sent == self.end

    def put(self, piece: Piece) -> None:
        self._kept.append(piece)
        self.end += piece.size
        self._weigh(piece.weight)

    def next(self) -> Piece | None:
        """Return what is to go out next, and take it for sent; None if all is out."""
        if self.is_caught_up:
            return None
        piece = self._kept[self._out]
        self._out += 1
        self.sent += piece.size
        self.reached = max(self.reached, self.sent)
        return piece

    def confirm(self, position: int, taken: bool = True) -> None:
        """Forget what the other end has, and has taken, or else has dropped, as its end was said before; or raise
        `PeerError` 1002 for what it can't have."""
        if position > self.sent:
            raise PeerError(CloseCode.PROTOCOL, f"position {position} is confirmed, and {self.sent} was sent")
        if taken:
            self.taken = max(self.taken, position)
        self._forget(position)

    def rewind(self, position: int) -> None:
        """Go on at a position, by a new leg; or raise `OutOfReach`."""
        self.check(position)
        self._forget(position)
        self._out, self.sent = 0, position
        if self._kept and self._start < position:
            piece = self._kept[0]
            rest = self._kept[0] = evolve(piece, data=piece.data[position - self._start :])
            self._weigh(rest.weight - piece.weight)
            self._start = position

    def check(self, position: int) -> None:
        """Raise `OutOfReach` if nothing can go on at a position."""
        if not self.confirmed <= position <= self.reached:
            kept = f"{self.confirmed} to {self.reached}"
            raise OutOfReach(f"position {position} is none at which the stream can go on (those are {kept})")

    def clear(self) -> None:
        """Keep nothing any more, as the stream is over."""
        self._weigh(-self.weight)
        for piece in self._kept:
            piece.release()
        self._kept.clear()
        self._out, self.sent, self.taken = 0, self.end, self.end

    def _forget(self, position: int) -> None:
        self.confirmed = max(self.confirmed, position)
        kept, weight, count = self._kept, 0, 0
        while kept and self._start + kept[0].size <= position:
            piece = kept.popleft()
            self._start += piece.size
            weight += piece.weight
            count += 1
            piece.release()
        if count:
            self._out = max(0, self._out - count)
            self._weigh(-weight)

    def _weigh(self, more: int) -> None:
        self.weight += more
        self.memory.weigh(more)
