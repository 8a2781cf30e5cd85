"""The two ends of a stream, both here: a user who opens it and speaks, and a target that answers every byte with one.

Each hashes what it sends and what comes. The user's last words are `END`; on these the target tells both of its hashes,
and closes.
"""

import asyncio
import hashlib
import json
import socket
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any
from urllib.parse import urlsplit

from attrs import define, field

from tests.live.support.secrets import SUITE
from tests.live.support.waiting import WAIT

END = b"the end: hashes?"
NAME = 16
"""Bytes of the name by which each target greets."""
DIGEST = hashlib.sha256().digest_size
PAUSE = 0.5
"""Seconds between two blocks of a stream."""
BLOCK = 2000
"""Bytes of a block, at most."""
HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: binary\r\n\r\n"
)


class Cut(Exception):
    """The end of a stream before its time, or a stream that didn't come to be; the text says which, and how."""


class Wrong(Exception):
    """Other bytes than were sent."""


class Target(asyncio.Protocol):
    """One connection of a target."""

    transport: asyncio.Transport

    def __init__(self, name: str) -> None:
        self._name, self._random = name, Random(name)
        self._came, self._sent, self._tail = hashlib.sha256(), hashlib.sha256(), b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._name.encode().ljust(NAME))

    def data_received(self, data: bytes) -> None:
        whole = self._tail + data
        self._tail = whole[-len(END) :]
        self._came.update(whole[: -len(END)])
        if self._tail == END:
            self.transport.write(END + self._came.digest() + self._sent.digest())
            self.transport.close()
            return
        answer = self._random.randbytes(len(data))
        self._sent.update(answer)
        self.transport.write(answer)


async def serve(sockets: Sequence[socket.socket], name: Callable[[int], str]) -> list[asyncio.Server]:
    """Let targets listen on sockets; `name` gives that of each by its number."""
    loop = asyncio.get_running_loop()
    return [
        await loop.create_server(lambda number=number: Target(name(number)), sock=each)  # type: ignore[misc]
        for number, each in enumerate(sockets)
    ]


@define(eq=False)
class Api:
    """One platform, asked over connections that are kept."""

    port: int
    key: str
    _idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(factory=list)

    async def open(self, host: str, target: str) -> str:
        """Ask once for a stream, and return its URL; or raise `Cut`."""
        body = json.dumps({"host": host, "target": target})
        try:
            async with asyncio.timeout(WAIT):
                status, told = await self._ask(body)
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Cut(f"the platform: {error!r}") from None
        if status != 201:
            raise Cut(f"the platform: {status} {told.get('code')}")
        SUITE.token(told["url"])
        return str(told["url"])

    async def _ask(self, body: str) -> tuple[int, Any]:
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self.port)
        head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {self.key}\r\nContent-Type: application/json\r\n"
        writer.write(f"POST /v1/streams HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        status = int((await reader.readuntil(b"\r\n\r\n")).split()[1])
        told = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):  # a chunk
            told += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
        self._idle.append((reader, writer))
        return status, json.loads(told)

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


@define(eq=False)
class User:
    """The client's websocket of one stream."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    code: int = 0
    """Its close code, once it is closed."""
    _rest: bytes = b""

    @classmethod
    async def dial(cls, url: str) -> "User":
        """Connect a URL that is good once; or raise `Cut`."""
        parts = urlsplit(url)
        try:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(HANDSHAKE.format(path=parts.path, host=parts.netloc).encode())
            head = await reader.readuntil(b"\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Cut(f"the relay: {type(error).__name__}") from None
        if not head.startswith(b"HTTP/1.1 101"):
            writer.close()
            raise Cut(f"the relay: {head.split()[1].decode()}")
        return cls(reader, writer)

    def send(self, data: bytes) -> None:
        """Send one binary frame, masked with a key of zeros."""
        size = len(data)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
        self.writer.write(b"\x82" + length + bytes(4) + data)

    async def message(self) -> bytes:
        """Return the next payload; empty once the stream is closed, and then `code` is set; or raise `Cut`."""
        try:
            first, size = await self.reader.readexactly(2)
            if size > 125:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
            payload = await self.reader.readexactly(size)
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Cut(f"ended by {type(error).__name__}") from None
        if first & 15 == 8:
            self.code = int.from_bytes(payload[:2], "big")
            self.writer.write(b"\x88\x82" + bytes(4) + payload[:2])
            return b""
        return payload if first & 15 in (0, 2) else await self.message()

    async def take(self, size: int) -> bytes:
        """Return so many bytes; or raise `Cut`."""
        while len(self._rest) < size:
            more = await self.message()
            if not more:
                raise Cut(f"closed with {self.code}")
            self._rest += more
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    async def take_all(self) -> bytes:
        """Return all that comes until it is closed in order; or raise `Cut`."""
        parts = [self._rest]
        while more := await self.message():
            parts.append(more)
        if self.code != 1000:
            raise Cut(f"closed with {self.code}")
        return b"".join(parts)

    async def talk(self, random: Random, until: float, over: asyncio.Event) -> int:
        """Send blocks and take as many bytes until a time, or until it is over; then compare all, and return how many
        bytes passed each way."""
        sent, came, count, loop = hashlib.sha256(), hashlib.sha256(), 0, asyncio.get_running_loop()
        while not over.is_set() and loop.time() < until:
            block = random.randbytes(random.randint(1, BLOCK))
            self.send(block)
            sent.update(block)
            came.update(await self.take(len(block)))
            count += len(block)
            await asyncio.sleep(PAUSE)
        self.send(END)
        rest = await self.take_all()
        told = len(END) + 2 * DIGEST
        came.update(rest[:-told])
        if rest[-told:] != END + sent.digest() + came.digest():
            raise Wrong(f"other bytes than were sent, of {count} each way")
        return count
