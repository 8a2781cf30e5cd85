"""What is said on a leg, followed frame by frame by somebody who has nothing to do with our own reader of frames."""

from typing import Final

_KNOWN: Final = (0, 1, 2, 8, 9, 10)
_CLOSE: Final = 8
_END: Final = b"\r\n\r\n"


class Wrong(AssertionError):
    """What mustn't be."""


class Tap:
    """One direction of a leg: the head of HTTP, then frames (RFC 6455 §5.2)."""

    def __init__(self, name: str, masked: bool) -> None:
        self.name, self.masked = name, masked
        self.closed = False
        """True once a close frame has gone out: nothing may follow it."""
        self._head = bytearray()  # of HTTP, then of a frame
        self._is_open = False
        self._left = 0  # bytes of the frame under way
        self._ignored = False  # an answer that opens no websocket

    def hear(self, content: bytes) -> None:
        if self._ignored:
            return
        if not self._is_open:
            content = self._http(content)
        while content:
            if self.closed and not self._left:
                raise Wrong(f"{self.name} says {len(content)} bytes more after its close")
            if self._left:
                size = min(self._left, len(content))
                self._left -= size
                content = content[size:]
            else:
                content = self._frame(content)

    def _http(self, content: bytes) -> bytes:
        self._head += content
        end = self._head.find(_END)
        if end < 0:
            return b""
        self._is_open = True
        self._ignored = self._head.startswith(b"HTTP/1.1 ") and not self._head.startswith(b"HTTP/1.1 101 ")
        rest = b"" if self._ignored else bytes(self._head[end + len(_END) :])
        self._head.clear()
        return rest

    def _frame(self, content: bytes) -> bytes:
        """Read a frame's head, or as much of it as is there, and return what stands behind it."""
        head = bytes(self._head) + content
        size = 2 + (4 if self.masked else 0)
        length = head[1] & 0x7F if len(head) > 1 else 0
        extended = {126: 2, 127: 8}.get(length, 0)
        size += extended
        if len(head) < size:
            self._head[:] = head
            return b""
        self._head.clear()
        if extended:
            length = int.from_bytes(head[2 : 2 + extended], "big")
        opcode = head[0] & 0x0F
        if head[0] & 0x70 or opcode not in _KNOWN or bool(head[1] & 0x80) != self.masked:
            raise Wrong(f"{self.name} says a frame that begins with {head[:2].hex()}")
        self.closed = opcode == _CLOSE
        self._left = length
        return head[size:]
