"""Websockets byte by byte: what the tables send is written here by hand, with nobody's library in between."""

import base64
import hashlib
import socket
import struct
from typing import Any

from tests.live.support.chain import Chain
from tests.live.support.secrets import SUITE
from tests.live.support.waiting import WAIT
from tests.live.support.websockets import RAW, V1

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = b"\x37\xfa\x21\x3d"
NONCE = "dGhlIHNhbXBsZSBub25jZQ=="
TOKEN = "T" * 22
"""Stands in a table's requests for a new token of the same length."""
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

HEADERS = {
    "Host": "relay.example",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": NONCE,
}


def accept(nonce: str) -> str:
    """What a server makes of a client's key (RFC 6455 §4.2.2)."""
    return base64.b64encode(hashlib.sha1(nonce.encode() + GUID).digest()).decode()


def request(line: str = f"GET /client/{TOKEN} HTTP/1.1", more: bytes = b"", **changes: str | None) -> bytes:
    """A good request but for `changes` of headers (None: left out) and `more` lines at its end."""
    headers = {**HEADERS, **{name.replace("_", "-"): value for name, value in changes.items()}}
    lines = [line, *(f"{name}: {value}" for name, value in headers.items() if value is not None)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n" + more + b"\r\n"


def mask(payload: bytes, key: bytes) -> bytes:
    if not any(key):
        return payload
    size = len(payload)
    whole = int.from_bytes(payload, "big") ^ int.from_bytes((key * (size // 4 + 1))[:size], "big")
    return whole.to_bytes(size, "big")


def header(
    opcode: int, length: int, form: int = 0, final: bool = True, reserved: int = 0, masked: bool = True
) -> bytes:
    """A header without its key. `form`: bytes of its length (1, 2, 8), 0 the shortest; `reserved`: three bits."""
    first = (0x80 if final else 0) | reserved << 4 | opcode
    form = form or (1 if length < 126 else 2 if length < 65536 else 8)
    bit = 0x80 if masked else 0
    if form == 1:
        return bytes((first, bit | length))
    return bytes((first, bit | (126 if form == 2 else 127))) + length.to_bytes(form, "big")


def frame(opcode: int, payload: bytes = b"", key: bytes | None = KEY, **more: Any) -> bytes:
    """A whole frame, masked as a client's unless `key` is None."""
    head = header(opcode, len(payload), masked=key is not None, **more)
    return head + payload if key is None else head + key + mask(payload, key)


def close(code: int, reason: bytes = b"", **more: Any) -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason, **more)


class RawSocket:
    """A connection whose frames are read one by one, and looked at: a server's have no mask and no reserved bit."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ended(self) -> bool:
        """Read what there is; whether the peer has ended the connection."""
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionResetError:
            return True
        self.buffer += data
        return not data

    def answer(self) -> tuple[int, str]:
        """An HTTP answer's status, and its head; 0 if the connection ended before it was whole."""
        while b"\r\n\r\n" not in self.buffer:
            if self.ended():
                return 0, self.buffer.decode("latin-1")
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        text = head.decode("latin-1")
        SUITE.seen("websocket answer", head + b"\n" + (b"" if b" 101 " in head[:15] else self.buffer))
        return int(text.split()[1]), text

    def take(self, size: int) -> bytes:
        while len(self.buffer) < size:
            if self.ended():
                raise EOFError(f"the connection ended with {self.buffer[:100]!r}")
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def frame(self) -> tuple[int, bytes]:
        """The next frame's opcode and payload."""
        first, second = self.take(2)
        assert first & 0xF0 == 0x80 and second < 0x80, f"a relay sent {first:#x} {second:#x}"
        if second > 125:
            second = int.from_bytes(self.take(2 if second == 126 else 8), "big")
        return first & 15, self.take(second)

    def drop(self) -> None:
        self.socket.close()


class RawLeg(RawSocket):
    """A leg at a relay with opaque tokens."""

    def __init__(self, chain: Chain, role: str, token: str, mode: str) -> None:
        super().__init__(chain.relay_port)
        self.bytes = b""
        """Of the stream, so far."""
        self.texts: list[bytes] = []
        """Control messages, but for `met`."""
        self.pongs: list[bytes] = []
        protocol = V1 if mode == "v1" else RAW
        self.send(request(f"GET /{role}/{token} HTTP/1.1", Sec_WebSocket_Protocol=protocol))
        status, head = self.answer()
        assert status == 101, head
        assert head.endswith(f"Sec-WebSocket-Protocol: {protocol}\r\nSec-WebSocket-Accept: {accept(NONCE)}"), head

    def read(self) -> bytes | None:
        """Take in one frame; a close frame's payload."""
        opcode, payload = self.frame()
        if opcode == BINARY:
            self.bytes += payload
        elif opcode == TEXT and not payload.startswith(b'{"met":{'):
            self.texts.append(payload)
        elif opcode == PONG:
            self.pongs.append(payload)
        elif opcode == CLOSE:
            return payload
        return None

    def closed(self) -> bytes:
        """Read until the close frame, answer it, and give its payload."""
        while (payload := self.read()) is None:
            pass
        try:
            self.send(frame(CLOSE, payload))
        except OSError:
            pass
        return payload

    def read_until(self, end: bytes) -> None:
        """Read until the stream's bytes end with these."""
        while not self.bytes.endswith(end):
            payload = self.read()
            assert payload is None, f"closed with {payload!r} after {self.bytes[-100:]!r}"
