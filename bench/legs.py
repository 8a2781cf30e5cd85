"""The load's ends of connections: opened by hand, so that nothing but the kernel stands between load and relay."""

import os
import secrets
import socket
import ssl
import struct
from contextlib import suppress
from typing import Any, TypeAlias

from attrs import define

Socket: TypeAlias = socket.socket

TIME = 20.0
"""Seconds that anything on a connection may take."""


@define(eq=False)
class End:
    """One end of a pair, as the load has it."""

    socket: Socket
    framed: bool
    """Whether websocket frames go over it (masked to the relay, unmasked from it), or bare bytes."""
    kept: Any = None
    """What must live as long."""

    def message(self, payload: bytes, key: bytes | None = None) -> bytes:
        return frame(payload, key) if self.framed else payload

    def overhead(self, size: int) -> int:
        """Bytes of the header before a message of `size` from the relay."""
        return (2 if size < 126 else 4 if size < 65536 else 10) if self.framed else 0

    def close(self) -> None:
        self.socket.close()


@define(eq=False)
class Pair:
    """Both ends of a stream."""

    agent: End
    client: End

    def close(self) -> None:
        self.client.close()
        self.agent.close()


def frame(payload: bytes, key: bytes | None = None) -> bytes:
    """A binary frame from a client (RFC 6455 §5.2), by a random mask unless `key` is given."""
    key = os.urandom(4) if key is None else key
    size = len(payload)
    if size < 126:
        head = bytes((0x82, 0x80 | size))
    elif size < 65536:
        head = b"\x82\xfe" + struct.pack("!H", size)
    else:
        head = b"\x82\xff" + struct.pack("!Q", size)
    return head + key + masked(payload, key)


def masked(payload: bytes, key: bytes) -> bytes:
    if key == b"\0\0\0\0" or not payload:
        return payload
    size = len(payload)
    pad = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(pad, "little")).to_bytes(size, "little")


def close_frame() -> bytes:
    return b"\x88\x82\0\0\0\0" + struct.pack("!H", 1000)


def dial(port: int, source: str = "") -> Socket:
    """A TCP connection to a port of this machine, without Nagle's delay."""
    connection = socket.create_connection(("127.0.0.1", port), TIME, (source, 0) if source else None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def dial_tls(port: int, context: ssl.SSLContext) -> Socket:
    return context.wrap_socket(dial(port), server_hostname="localhost")


def read_head(connection: Socket) -> bytes:
    """The head of an HTTP answer; nothing may follow it yet."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(4096)
        if not piece:
            raise ConnectionError(f"closed after {head!r}")
        head += piece
    return head


def upgrade(connection: Socket, path: str, subprotocol: str = "") -> End:
    """Make a connection a websocket."""
    offer = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n".encode()
    )
    head = read_head(connection)
    if not head.startswith(b"HTTP/1.1 101") or not head.endswith(b"\r\n\r\n"):
        raise ConnectionError(f"no websocket: {head[:200]!r}")
    return End(connection, True)


def token() -> str:
    return secrets.token_urlsafe(24)


class Listener:
    """A TCP port of the load itself, for relays that dial their far end."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._socket.settimeout(TIME)
        self.port: int = self._socket.getsockname()[1]

    def accept(self) -> Socket:
        connection, _ = self._socket.accept()
        connection.settimeout(TIME)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def fileno(self) -> int:
        return self._socket.fileno()

    def forget(self, seconds: float = 0.3) -> None:
        """Drop what comes in until it is quiet for so long: others' probes."""
        self._socket.settimeout(seconds)
        with suppress(TimeoutError):
            while True:
                self._socket.accept()[0].close()
        self._socket.settimeout(TIME)

    def close(self) -> None:
        self._socket.close()
