"""Flood limit of a peer: how many control frames it may send, and how much of it is read at once."""

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

ANSWERED: Final = 64 * 1024
"""Bytes sent to a peer for which it may send one control message more."""
MOST_ANSWERED: Final = 4 << 20
"""Bytes of which that counts later, at most."""


@define(eq=False)
class FloodLimit:
    """The flood limit of one peer (protocol.rst, "Rate")."""

    channel: Channel
    sent: int = 0
    """Bytes sent to the peer for which it has sent no control message; its owner adds them."""
    _credit: float = CONTROL_BURST
    _expected: int = 0  # control frames that we have asked for
    _dense: bool = False  # it sent little but headers, since it was last renewed

    def __attrs_post_init__(self) -> None:
        self.channel.read_size = FIRST_READ

    def spend(self) -> None:
        """Count a control frame that has come, or raise `PeerError` 1008 if it is one too many."""
        if self._expected:
            self._expected -= 1
            return
        if self.sent >= ANSWERED:
            self.sent = min(self.sent, MOST_ANSWERED) - ANSWERED
            return
        self._credit -= 1
        if self._credit < 0:
            raise PeerError(CloseCode.FLOODING, EXPLAIN[CloseCode.FLOODING])

    def expect(self) -> None:
        """Let two frames more be free, as a peer that isn't read was pinged: its pong, and a ping of its own, come
        together with many of their kind once it is read again."""
        self._expected += 2

    def renew(self) -> None:
        """Give back what a beat's time allows; to be called at every beat."""
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
        """Read little at once from now on: nothing that still comes counts, so it may not cost much either."""
        self.channel.read_size = MOST_HEADERS
