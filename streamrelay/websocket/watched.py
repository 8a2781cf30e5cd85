"""A websocket whose peer can't ping, so asks by control messages whether the link lives (protocol.rst, "Liveness").

A page sees no pings, and no bytes but whole messages. So its `ping` is answered by a `pong`; where its ping may lie
unread behind what it has sent, a pong is said unasked; and what goes to it goes in pieces, so that on a slow link one
comes now and then.
"""

from collections.abc import Sequence
from typing import Final

from attrs import define

from streamrelay.protocol.control import decode_ping
from streamrelay.websocket.connection import OPEN, FramedConnection
from streamrelay.websocket.frames import BINARY, TEXT, Event, frame_header

PIECE: Final = 4096
"""Bytes of a message to a peer that may be slow."""
FAST: Final = 16 * 1024 * 1024
"""Bytes in one beat that only a fast peer takes: twice what the kernels between us may hold."""
MUCH: Final = 16 * 1024
"""Bytes that come in one beat, beyond which a ping may lie behind others."""
UNASKED: Final = 0
"""Number of a pong for which nobody has asked."""


@define(eq=False)
class WatchedConnection(FramedConnection):
    """The relay's side of a websocket of the subprotocol streamrelay.v1.ping."""

    _took: int = 0  # bytes of the stream that came since the last beat
    _gave: int = 0  # and that went
    _said: bool = False  # a pong went out since then
    _fast: bool = False  # it took more than FAST in the last beat
    _owed: int | None = None  # the last pong, while others are unsent

    def send(self, data: Sequence[memoryview], size: int) -> None:
        self._gave += size
        if size <= PIECE or self._fast or self._gave > FAST:
            FramedConnection.send(self, data, size)
        elif self._phase == OPEN:
            self._liveness.sent += size
            self.channel.write(in_pieces(data, size))

    def pause(self) -> None:
        FramedConnection.pause(self)
        if not self._said:
            self._say(UNASKED)

    def drained(self) -> None:
        owed, self._owed = self._owed, None
        if owed is not None:
            self._say(owed)
        FramedConnection.drained(self)

    def beat(self) -> None:
        """Tell a peer whose ping may have to wait that what it has sent comes in, or isn't read yet."""
        state = self._liveness
        waits = state.paused or not state.joined or self._took > (MUCH if self._gave else 0)
        FramedConnection.beat(self)
        if waits:
            self._say(UNASKED)
        self._fast, self._gave, self._took, self._said = self._gave > FAST, 0, 0, False

    def _take(self, events: list[Event]) -> int:
        count = FramedConnection._take(self, events)
        self._took += count
        return count

    def _control_received(self, message: bytes) -> None:
        asked = decode_ping(message)
        if asked is None:
            FramedConnection._control_received(self, message)
        else:
            self._say(asked)

    def _say(self, number: int) -> None:
        """Say a pong; behind unsent bytes only the last one, as a peer that doesn't read may ask for many."""
        if self._phase != OPEN:
            return
        if self.channel.unsent:
            self._owed = number or self._owed or UNASKED
            return
        self._said = True
        self._writer.write_bytes(TEXT, b'{"pong":%d}' % number)


def in_pieces(data: Sequence[memoryview], size: int) -> list[bytes | memoryview]:
    """Return whole frames of a server's with these bytes, in messages of `PIECE` bytes."""
    whole = data[0] if len(data) == 1 else memoryview(b"".join(data))
    frames: list[bytes | memoryview] = []
    for begin in range(0, size, PIECE):
        piece = whole[begin : begin + PIECE]
        frames += (frame_header(BINARY, len(piece)), piece)
    return frames
