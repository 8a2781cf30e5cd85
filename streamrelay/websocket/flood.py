"""Bounds of what a peer's frames cost: how many control frames it may send, and how much of it is read at once."""

from typing import Final

from attrs import define

from streamrelay.datapath.channel import READ, Channel
from streamrelay.datapath.heartbeat import BEAT
from streamrelay.errors import PeerError
from streamrelay.protocol.close import EXPLAIN, CloseCode
from streamrelay.protocol.control import CONTROL_BURST, CONTROL_RATE

FIRST_READ: Final = 16 * 1024
"""Bytes of a connection's first read; the next ones grow as long as it sends more than headers."""
MOST_HEADERS: Final = 2048
"""Bytes of a read that may be headers and control frames. Whoever sends more, as with messages of one byte, is read
in such small pieces that no piece (341 frames at most) keeps the reactor from others for long."""


@define(eq=False)
class FloodLimit:
    """Bounds what one peer's frames cost."""

    channel: Channel
    _credit: float = CONTROL_BURST
    _expected: int = 0  # control frames that we have asked for
    _dense: bool = False  # it sent little but headers, since it was last renewed

    def __attrs_post_init__(self) -> None:
        self.channel.read_size = FIRST_READ

    def spend(self) -> None:
        """A control frame has come; raise `PeerError` 1008 if it was one too many."""
        if self._expected:
            self._expected -= 1
            return
        self._credit -= 1
        if self._credit < 0:
            raise PeerError(CloseCode.FLOODING, EXPLAIN[CloseCode.FLOODING])

    def expect(self) -> None:
        """A peer that isn't read was pinged. Its pong, and a ping of its own, come together with many of their kind
        once it is read again."""
        self._expected += 2

    def renew(self) -> None:
        """A beat has passed."""
        self._credit = min(CONTROL_BURST, self._credit + BEAT * CONTROL_RATE)
        self._dense = False

    def measure(self, size: int, headers: int) -> None:
        """Read less at once of a peer whose frames are tiny, and more of one that uses what is read."""
        channel = self.channel
        if headers > MOST_HEADERS:
            self._dense = True
            channel.read_size = max(MOST_HEADERS, size * MOST_HEADERS // headers)
        elif size * 2 > channel.read_size < READ and not self._dense:
            channel.read_size = min(READ, channel.read_size * 2)

    def starve(self) -> None:
        """Nothing that still comes counts, so it may not cost much either."""
        self.channel.read_size = MOST_HEADERS
