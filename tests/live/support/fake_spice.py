"""A SPICE server without a machine: a black screen, keys, and a guest's agent that says what the test says.

Of the SPICE protocol (spice-protocol, protocol.h, messages and vd_agent.h), so much as our viewer takes.
"""

import contextlib
import socket
import struct
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.live.support.fake_server import FakeServer
from tests.live.support.sockets import take

MAIN, DISPLAY, INPUTS = 1, 2, 3
"""Kinds of channels."""
PLAIN_AND_SHORT: Final = 1 << 0 | 1 << 3
"""Common capabilities: the kind of authentication is said, and messages have short heads."""
CHUNK: Final = 2048
"""Most bytes of one piece of what an agent says."""
CLIPBOARD, CAPABILITIES, GRAB, REQUEST, RELEASE = 4, 6, 7, 8, 9
"""What agents say."""
BY_DEMAND, CRLF = 1 << 5, 1 << 9
"""What an agent can: a clipboard of which one asks, and it ends lines as Windows does."""
TOKENS: Final = 10


class FakeSpice(FakeServer):
    """A server on a port of its own, for one client after the other."""

    kind = "spice"

    def __init__(self, can: int = BY_DEMAND) -> None:
        self.can = can
        self.heard: list[tuple[int, bytes]] = []
        """What the client has said to the guest's agent: kinds, and what stands in them."""
        self.keys: list[int] = []
        """Scan codes, in order."""
        self.pongs = 0
        self.answers = True
        """Whether motions are acknowledged, each four of them."""
        self._motions = 0
        self._display: socket.socket | None = None
        self._key = (
            generate_private_key(65537, 1024)
            .public_key()
            .public_bytes(  # no secret is told here
                Encoding.DER, PublicFormat.SubjectPublicKeyInfo
            )
        )
        self._main: socket.socket | None = None
        self._rest = b""
        super().__init__()

    def say(self, kind: int, content: bytes, size: int | None = None) -> None:
        """What the guest's agent says, in pieces; `size` is the one that it claims."""
        whole = struct.pack("<IIQI", 1, kind, 0, len(content) if size is None else size) + content
        assert self._main is not None
        for at in range(0, len(whole), CHUNK):
            _send(self._main, 109, whole[at : at + CHUNK])

    def ping(self) -> None:
        """Ask for an answer, which comes after all that was said before: one more of `pongs`."""
        assert self._main is not None
        _send(self._main, 4, bytes(12))

    def said(self, kind: int) -> list[bytes]:
        """What the client has said of a kind."""
        return [content for heard, content in self.heard if heard == kind]

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, AssertionError):
            channel = self._link(connection)
            if channel == MAIN:
                self._main, self._rest = connection, b""
                _send(connection, 103, struct.pack("<8I", 7, 1, 3, 2, 1, TOKENS, 0, 0))
            elif channel == INPUTS:
                _send(connection, 101, b"\0\0")
            else:
                self._display = connection
                _send(connection, 314, struct.pack("<5I", 0, 320, 200, 32, 1))  # a surface
            while True:
                kind, size = struct.unpack("<HI", take(connection, 6))
                self._take(channel, connection, kind, take(connection, size))

    def _link(self, connection: socket.socket) -> int:
        """Let a client in, whatever its password is; gives the channel that it opens."""
        size = struct.unpack("<4I", take(connection, 16))[3]
        channel = take(connection, size)[4]
        reply = struct.pack("<I162sIIII", 0, self._key, 1, 0, 178, PLAIN_AND_SHORT)
        connection.sendall(struct.pack("<4s3I", b"REDQ", 2, 2, len(reply)) + reply)
        take(connection, 4 + 128)
        connection.sendall(bytes(4))
        return channel

    def _take(self, channel: int, connection: socket.socket, kind: int, content: bytes) -> None:
        if channel == INPUTS and kind in (101, 102):
            self.keys.append(struct.unpack("<I", content)[0])
            if self._display is not None:
                _send(self._display, 102, b"")  # a mark, as a machine that shows what is typed changes its screen
        elif channel == INPUTS and kind in (111, 112):  # the pointer moves
            self._motions += 1
            if self._motions % 4 == 0 and self.answers:
                _send(connection, 111, b"")
        elif channel == MAIN and kind == 104:  # it asks what there is
            _send(connection, 104, struct.pack("<I4B", 2, DISPLAY, 0, INPUTS, 0))
        elif channel == MAIN and kind == 3:
            self.pongs += 1
        elif channel == MAIN and kind == 107:
            self._hear(content)
            _send(connection, 110, struct.pack("<I", 1))  # it may say as much again

    def _hear(self, piece: bytes) -> None:
        self._rest += piece
        if len(self._rest) < 20:
            return
        _, kind, _, size = struct.unpack("<IIQI", self._rest[:20])
        if len(self._rest) < 20 + size:
            return
        content, self._rest = self._rest[20 : 20 + size], b""
        self.heard.append((kind, content))
        if kind == CAPABILITIES and content[0]:  # it asks for ours
            self.say(CAPABILITIES, struct.pack("<II", 0, self.can))


def _send(connection: socket.socket, kind: int, content: bytes) -> None:
    connection.sendall(struct.pack("<HI", kind, len(content)) + content)
