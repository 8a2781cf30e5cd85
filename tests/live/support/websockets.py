"""Legs: websockets of a library of others, and one without any."""

import base64
import json
import os
import select
import socket
import ssl
import struct
import threading
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.live.support.secrets import SUITE
from tests.live.support.sockets import MIB
from tests.live.support.waiting import WAIT

V1 = "streamrelay.v1"
RAW = "binary"

Offer = str | tuple[str, ...] | None
"""Subprotocols that a websocket offers."""


def websocket(
    url: str,
    subprotocol: Offer = V1,
    ca: str | None = None,
    origin: str | None = None,
    headers: dict[str, str] | None = None,
    sock: socket.socket | None = None,
) -> ClientConnection:
    """A websocket of the independent library."""
    SUITE.token(url)
    if url.startswith("wss:"):
        parts = urllib.parse.urlsplit(url)
        sock = over_tls(str(parts.hostname), int(parts.port or 443), ca)
        url = "ws:" + url.removeprefix("wss:")
    offered = (subprotocol,) if isinstance(subprotocol, str) else subprotocol
    try:
        leg = connect(
            url,
            subprotocols=None if offered is None else [Subprotocol(name) for name in offered],
            origin=None if origin is None else Origin(origin),
            additional_headers=headers,
            sock=sock,
            compression=None,
            max_size=None,
            proxy=None,
            ping_interval=None,
            open_timeout=WAIT,
            close_timeout=5,  # a leg whose messages nobody reads gets no answer to its close
        )
    except InvalidStatus as refusal:
        response = refusal.response
        SUITE.answer(
            "websocket refused", response.status_code, response.headers.raw_items(), bytes(response.body or b"")
        )
        raise
    return leg.__enter__()


def over_tls(host: str, port: int, ca: str | None) -> socket.socket:
    """The plain end of a TLS connection that one thread of its own reads and writes.

    The library reads in one thread and writes in another, which an SSL object doesn't bear.
    """
    context = ssl.create_default_context(cafile=ca)
    secure = context.wrap_socket(socket.create_connection((host, port), WAIT), server_hostname=host)
    near, far = socket.socketpair()
    threading.Thread(target=carry, args=(secure, far), daemon=True).start()
    return near


def carry(secure: ssl.SSLSocket, plain: socket.socket) -> None:
    """Carry bytes both ways until either end is closed."""
    pending: dict[socket.socket, bytes] = {secure: b"", plain: b""}  # by where it goes
    other: dict[socket.socket, socket.socket] = {secure: plain, plain: secure}
    with secure, plain:
        secure.setblocking(False)
        plain.setblocking(False)
        while True:
            readers = [end for end in other if len(pending[other[end]]) < MIB]
            writers = [end for end in other if pending[end]]
            select.select(readers, writers, [], 0 if secure.pending() and secure in readers else None)
            for end in readers:
                try:
                    data = end.recv(65536)
                except (BlockingIOError, ssl.SSLWantReadError):
                    continue
                except OSError:
                    return
                if not data:
                    flush(other[end], pending[other[end]])
                    return
                pending[other[end]] += data
            for end in other:
                try:
                    pending[end] = pending[end][end.send(pending[end]) :] if pending[end] else b""
                except (BlockingIOError, ssl.SSLWantWriteError):
                    continue
                except OSError:
                    return


def flush(end: socket.socket, rest: bytes) -> None:
    """Send what is left, and let its reader have it before the end."""
    end.settimeout(WAIT)
    try:
        end.sendall(rest)
        end.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def hang_up(leg: ClientConnection) -> None:
    """Drop a websocket without a word."""
    try:
        leg.socket.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    leg.close_socket()  # and what else the library holds for it, three descriptors and a thread


def close_code(leg: ClientConnection, seconds: float = WAIT) -> int | None:
    """Read until the websocket ends, and give its close code; 1006 if it had none."""
    end = time.monotonic() + seconds
    try:
        while True:
            leg.recv(max(0.0, end - time.monotonic()))
    except ConnectionClosed as closed:
        SUITE.seen("close reason", closed.rcvd.reason if closed.rcvd else "")
        return closed.rcvd.code if closed.rcvd else 1006
    except TimeoutError:
        return None


def read_exactly(leg: ClientConnection, size: int, seconds: float = 60.0) -> bytes:
    """So many bytes of binary messages."""
    parts, count = [], 0
    while count < size:
        message = leg.recv(seconds)
        if isinstance(message, str):
            raise AssertionError(f"a control message in between: {message}")
        parts.append(message)
        count += len(message)
    return b"".join(parts)


def read_all(leg: ClientConnection, seconds: float = 60.0) -> tuple[bytes, list[Any], int]:
    """Everything until the close: the bytes, the control messages, and the close code."""
    parts, controls = [], []
    try:
        while True:
            message = leg.recv(seconds)
            if isinstance(message, str):
                controls.append(json.loads(message))
            else:
                parts.append(message)
    except ConnectionClosed as closed:
        return b"".join(parts), controls, closed.rcvd.code if closed.rcvd else 1006


def send_all(leg: ClientConnection, data: bytes, step: int = 65536) -> None:
    view = memoryview(data)
    for begin in range(0, len(view), step):
        leg.send(view[begin : begin + step])


class PlainLeg:
    """A client's websocket without any buffer of its own: it reads when it is told to, and only then."""

    def __init__(self, url: str) -> None:
        SUITE.token(url)
        parts = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((parts.hostname or "", parts.port or 80), WAIT)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {RAW}\r\n\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.socket.recv(1) or self._closed()
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise AssertionError(head.decode())

    def _closed(self) -> bytes:
        raise ConnectionResetError("closed before the answer to its handshake")

    def send(self, data: bytes) -> None:
        """One binary frame, masked with a key of zeros."""
        size = len(data)
        length = bytes([0x80 | size]) if size < 126 else b"\xff" + struct.pack(">Q", size)
        self.socket.sendall(b"\x82" + length + bytes(4) + data)

    def messages(self) -> Iterator[bytes]:
        """The payloads of binary frames, as they come."""
        while True:
            first, second = self._read(2)
            size = second & 127
            if size > 125:
                size = int.from_bytes(self._read(2 if size == 126 else 8), "big")
            payload = self._read(size)
            if first & 15 == 8:
                return
            if first & 15 in (0, 1, 2):
                yield payload

    def _read(self, size: int) -> bytes:
        taken = bytearray(size)
        view = memoryview(taken)
        while view:
            count = self.socket.recv_into(view)
            if not count:
                raise AssertionError("the relay closed")
            view = view[count:]
        return bytes(taken)
