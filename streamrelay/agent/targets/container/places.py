"""Places in a container's log: a time, how many messages of that very time came before, and a digest of the last ones.

A log can be asked for from a time on, that is all. Docker's times are nanoseconds, nearly always unique; podman's are
whole seconds. So the messages of a place's time are counted, and compared when a stream goes on there: the log may have
been cut short meanwhile, and a first place within a second doesn't know what of that second was before it.
"""

from collections import deque
from typing import Final
from zlib import crc32

from attrs import define, field

from streamrelay.agent.targets.container.messages import Piece

COMPARED: Final = 32
"""Messages at most that a place has a digest of, the last ones before it."""
SLACK: Final = 10**9
"""Nanoseconds by which a message may come late: Docker takes the time of what is written to standard output and to
standard error in two threads, and a log isn't in the order of its times."""


@define(frozen=True)
class Position:
    """A position behind `count` messages from the first one of a time on, the latest time that was seen.

    Count 0: before a message of that time, of which the digest is; before the first one of all if that is 0, too.
    """

    time: int = 0
    count: int = 0
    digest: int = 0

    def __str__(self) -> str:
        return f"{self.time}.{self.count}.{self.digest}"

    @classmethod
    def read(cls, text: str) -> "Position":
        """Read what `str` gave; `ValueError` if it is something else."""
        time, count, digest = map(int, text.split("."))
        return cls(time, count, digest)

    @classmethod
    def before(cls, piece: Piece) -> "Position":
        """Make the position before the message that begins with this piece."""
        return cls(piece.time, 0, crc32(piece.text) if piece.ends else 0)

    def is_before(self, piece: Piece) -> bool:
        """Tell whether the position is before the message that this piece begins."""
        if self.count or not piece.begins:
            return False
        if not self.digest:
            return piece.time >= self.time
        return self.time == piece.time and piece.ends and crc32(piece.text) == self.digest

    @property
    def anywhere(self) -> bool:
        """True if a log without messages has this position."""
        return not self.count and not self.digest

    @property
    def since(self) -> str:
        """Time from which the API is asked for a log: `SLACK` before the position's."""
        since = max(0, self.time - SLACK)
        return f"{since // 10**9}.{since % 10**9:09}"


@define(eq=False)
class Track:
    """A count of the messages that went by, and the position behind them."""

    time: int = 0
    count: int = 0
    last: deque[int] = field(factory=lambda: deque(maxlen=COMPARED))
    _sum: int = 0  # of the current message

    def heard(self, piece: Piece) -> None:
        """Take a piece of a message, which counts when it ends."""
        self._sum = crc32(piece.text, self._sum)
        if not piece.ends:
            return
        if piece.time > self.time:
            self.time, self.count = piece.time, 0
            self.last.clear()
        self.count += 1
        self.last.append(self._sum)
        self._sum = 0

    def position(self) -> Position:
        return Position(self.time, self.count, self._digest(self.count))

    def reaches(self, position: Position) -> bool:
        """Tell whether this stands behind a position, if all messages from its time on went by.

        As many messages as were counted, or more: the first place of a stream began within its time.
        """
        if self.time != position.time or not 0 < position.count <= self.count:
            return False
        return self._digest(position.count) == position.digest

    def _digest(self, count: int) -> int:
        """Digest the last `count` messages, or as many as are kept."""
        last = list(self.last)[-min(count, COMPARED) :]
        return crc32(b"".join(each.to_bytes(4, "big") for each in last))
