"""Targets in memory: a VNC server, Docker's API."""

import json
from collections.abc import Generator
from typing import Any

from attrs import define
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from tests.fakes.channels import FakeTransport


class FakeVncServer:
    """A server of RFB (RFC 6143) that reads to the letter: whatever isn't a message that draws is a fault."""

    def __init__(self, version: bytes = b"RFB 003.008\n", types: bytes = b"\x01\x02", lets_in: bool = True) -> None:
        self.version, self.types, self.lets_in = version, types, lets_in
        self.said = bytearray(version)
        """What it has to say, until it is taken."""
        self.messages: list[bytes] = []
        """What the client has said once it was let in."""
        self.stage = "version"
        self._bytes = bytearray()
        self._script = self._listen()
        self._wants = next(self._script)

    def hear(self, data: bytes) -> None:
        self._bytes += data
        while len(self._bytes) >= self._wants:
            piece = bytes(self._bytes[: self._wants])
            del self._bytes[: self._wants]
            self._wants = self._script.send(piece)

    def take(self) -> bytes:
        said = bytes(self.said)
        self.said.clear()
        return said

    @property
    def within(self) -> bool:
        """Whether it has heard the beginning of a message and not all of it."""
        return bool(self._bytes) or self.stage == "within"

    def _listen(self) -> Generator[int, bytes, None]:
        version = yield 12
        assert version in (b"RFB 003.007\n", b"RFB 003.008\n") and version <= self.version, version
        self.said += bytes([len(self.types)]) + self.types
        self.stage = "security"
        if not self.types:
            self.said += b"\0\0\0\4busy"
            self.stage = "closed"
            yield 1
            raise AssertionError("it has closed")
        chosen = yield 1
        assert chosen in self.types, chosen
        assert chosen in b"\1\2", chosen
        if chosen == b"\2":
            self.said += bytes(range(16))
            yield 16
        if chosen == b"\2" or version == b"RFB 003.008\n":
            self.said += bytes(3) + bytes([not self.lets_in])
            if not self.lets_in:
                self.said += b"\0\0\0\5wrong"
                self.stage = "closed"
                yield 1
                raise AssertionError("it has closed")
        shared = yield 1
        assert shared == b"\1", shared
        self.said += b"\2\x80\1\xe0" + bytes(16) + b"\0\0\0\4name"
        while True:
            self.stage = "in"
            kind = yield 1
            self.stage = "within"
            if kind == b"\2":
                head = yield 3
                rest = head + (yield 4 * int.from_bytes(head[1:], "big"))
            else:
                assert kind in b"\0\3", kind
                rest = yield 19 if kind == b"\0" else 9
            self.messages.append(kind + rest)


@define(eq=False)
class Asked:
    """A request at a `FakeDocker`, and the connection that it came by."""

    line: str
    """Method and path."""
    head: str
    body: Any
    """Decoded."""
    protocol: Protocol
    transport: FakeTransport

    def answer(self, body: object = b"", status: str = "200 OK", head: str = "", whole: bool = True) -> None:
        """Answer with JSON, or bytes; unless it is `whole`, more may follow by `more`."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        length = f"Content-Length: {len(data)}\r\n" if whole else "Transfer-Encoding: chunked\r\n"
        self.protocol.dataReceived(f"HTTP/1.1 {status}\r\n{length}{head}\r\n".encode())
        if whole and data:
            self.protocol.dataReceived(data)

    def more(self, data: bytes) -> None:
        """A chunk of an answer that isn't whole; an empty one is the last."""
        self.transport.protocol.dataReceived(b"%x\r\n%b\r\n" % (len(data), data))

    def upgrade(self, early: bytes = b"") -> None:
        """The connection is the client's from now on."""
        head = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        self.transport.protocol.dataReceived(head + early)

    def lose(self) -> None:
        self.transport.protocol.connectionLost(Failure(ConnectionDone()))


@define(eq=False)
class FakeDocker:
    """An API on a unix socket in memory: the test answers each request, in order."""

    reactor: MemoryReactorClock
    taken: int = 0

    def asked(self, line: str) -> Asked:
        """The next request, which must begin so."""
        _, factory, *_ = self.reactor.unixClients[self.taken]
        self.taken += 1
        transport = FakeTransport()
        transport.protocol = protocol = factory.buildProtocol(None)
        protocol.makeConnection(transport)
        head, _, body = transport.take().partition(b"\r\n\r\n")
        first, _, rest = head.decode().partition("\r\n")
        found = first.removesuffix(" HTTP/1.1")
        if not found.startswith(line):
            raise AssertionError(f"{line} was to be asked, not {found}")
        return Asked(found, rest, json.loads(body) if body else None, protocol, transport)

    @property
    def waiting(self) -> int:
        """Requests that are still to be taken."""
        return len(self.reactor.unixClients) - self.taken
