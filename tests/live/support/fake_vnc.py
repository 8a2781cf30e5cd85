"""A VNC server without a machine: a black screen, keys, and a clipboard, also the extended one of TigerVNC.

Of RFC 6143 and the community's RFB protocol (rfbproto.rst), so much as our viewer takes.
"""

import contextlib
import socket
import struct
import zlib
from typing import Final

from tests.live.support.fake_server import FakeServer
from tests.live.support.sockets import take

TEXT: Final = 1
CAPABILITIES, ASK, PEEK, NOTIFY, PROVIDE = 1 << 24, 1 << 25, 1 << 26, 1 << 27, 1 << 28
"""Of the extended clipboard."""
PIXELS: Final = struct.pack(">BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
SIZES: Final = {0: 19, 3: 9, 4: 7, 5: 5}
"""Messages of one size, by their kind: bytes after the first."""


class FakeVnc(FakeServer):
    """A server on a port of its own, for one client after the other; an `extended` clipboard takes UTF-8."""

    kind = "vnc"

    def __init__(self, extended: bool = True) -> None:
        self.extended = extended
        self.keys: list[tuple[int, int]] = []
        """Whether a key is down, and its keysym, in order."""
        self.pasted: list[str] = []
        """Texts that the client has given."""
        self.given = 0
        """How often the client has asked for what was copied, and got it."""
        self.pongs = 0
        self._copied = ""
        self._client: socket.socket | None = None
        super().__init__()

    def copies(self, text: str) -> None:
        """Somebody copies a text on the machine."""
        if self.extended:
            self._copied = text
            self._extend(NOTIFY)
        else:
            self._cut(len(text), text.encode("latin-1"))

    def ping(self) -> None:
        """Ask for an answer, which comes after all that was said before: one more of `pongs`."""
        self._cut(-4, struct.pack(">I", PEEK))

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, AssertionError):
            connection.sendall(b"RFB 003.008\n")
            take(connection, 12)
            connection.sendall(b"\x01\x01")  # one kind of security: none
            take(connection, 1)
            connection.sendall(bytes(4))
            take(connection, 1)
            # In one piece, as may happen on any way: what comes along with the greeting counts, too.
            able = _extended(CAPABILITIES | ASK | PEEK | NOTIFY | PROVIDE, bytes(4)) if self.extended else b""
            self._client = connection  # before the client is told that it is one, and the test with it
            connection.sendall(struct.pack(">HH", 320, 200) + PIXELS + struct.pack(">I", 4) + b"fake" + able)
            while True:
                self._take(connection, take(connection, 1)[0])

    def _take(self, connection: socket.socket, kind: int) -> None:
        if kind == 2:
            take(connection, 4 * struct.unpack(">xH", take(connection, 3))[0])
        elif kind == 6:
            (size,) = struct.unpack(">3xi", take(connection, 7))
            self._cut_text(size, take(connection, abs(size)))
        else:
            content = take(connection, SIZES[kind])
            if kind == 4:
                down, keysym = struct.unpack(">B2xI", content)
                self.keys.append((down, keysym))
                self._say(bytes(4))  # an update of the screen, of nothing, as a machine that shows what is typed

    def _cut_text(self, size: int, content: bytes) -> None:
        if size >= 0:
            self.pasted.append(content.decode("latin-1"))
            return
        (flags,) = struct.unpack(">I", content[:4])
        if flags & CAPABILITIES:
            return
        if flags & NOTIFY and not flags & TEXT:
            self.pongs += 1
        elif flags & NOTIFY:
            self._extend(ASK)
        elif flags & PROVIDE:
            text = zlib.decompressobj().decompress(content[4:])[4:].rstrip(b"\0").decode()
            self.pasted.append(text.replace("\r\n", "\n"))  # lines end so on the way
        elif flags & ASK:
            copied = self._copied.encode() + b"\0"
            self.given += 1
            self._extend(PROVIDE, zlib.compress(struct.pack(">I", len(copied)) + copied))

    def _extend(self, action: int, content: bytes = b"") -> None:
        self._say(_extended(action, content))

    def _cut(self, size: int, content: bytes) -> None:
        self._say(_cut_text(size, content))

    def _say(self, message: bytes) -> None:
        assert self._client is not None
        self._client.sendall(message)


def _extended(action: int, content: bytes = b"") -> bytes:
    return _cut_text(-4 - len(content), struct.pack(">I", action | TEXT) + content)


def _cut_text(size: int, content: bytes) -> bytes:
    return struct.pack(">B3xi", 3, size) + content
