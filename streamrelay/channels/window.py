"""Windows: how many bytes of a channel the peer may have sent that have not gone out to their sink here.

A window that is too small for a long way keeps bulk slow; one that is too large lets a slow line fill with the bytes of
one channel, behind which all others wait. So it grows only as long as it passes in little time.
"""

from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

START: Final = 128 * 1024
"""Bytes of each window at first."""
MOST: Final = 2 << 20
"""Bytes of a window at most."""
SPARE: Final = 8 << 20
"""Bytes by which the windows of one stream's channels may have grown, together."""
PACE: Final = 0.4
"""Seconds in which a whole window has passed if it is to be doubled: at most twice so much of the line's time waits."""


@define(eq=False)
class Spare:
    """Room into which the windows of one stream may grow."""

    left: int = SPARE


@define(eq=False)
class Window:
    """The window of one channel, at its receiver."""

    clock: IReactorTime
    spare: Spare
    size: int = START
    left: int = START
    """Bytes that the peer may still send."""
    stalled: bool = False
    """True if its sink didn't keep up, since the window was last looked at."""
    _out: int = 0  # bytes that went out to the sink, for which nothing was granted yet
    _passed: int = 0  # bytes that were granted since `_since`
    _since: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._since = self.clock.seconds()

    def went_out(self, size: int) -> int:
        """Count bytes that the sink has taken, and return how many more the peer may send: 0 until it is worth it."""
        self._out += size
        if self._out * 2 < self.size:
            return 0
        grant, self._out = self._out, 0
        self._passed += grant
        if self._passed >= self.size:
            grant += self._grow()
        self.left += grant
        return grant

    def _grow(self) -> int:
        """Return by how much the window grows, now that all of it has passed."""
        now = self.clock.seconds()
        quick = now - self._since <= PACE and not self.stalled
        self._since, self._passed, self.stalled = now, 0, False
        more = min(self.size, MOST - self.size, self.spare.left) if quick else 0
        self.size += more
        self.spare.left -= more
        return more

    def close(self) -> None:
        """Give back the room that it has grown into."""
        self.spare.left += self.size - START
        self.size = START
