"""Every fake of the suite: connections, channels, doors and buses that live in memory, and the frames of strangers."""

import asyncio
import io
import json
import os
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import twisted.internet
from attrs import define, field
from hypothesis import settings
from twisted.internet import asyncioreactor
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IProtocolFactory,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from streamrelay import wire
from streamrelay.bus import Bus, Down, Message
from streamrelay.channel import Channel, Receiver
from streamrelay.endings import FINISHED, Close, Ending, ending
from streamrelay.errors import Refused
from streamrelay.fetch import Fetch, Fetched
from streamrelay.framed import FramedConnection, Masking
from streamrelay.knock import Admission, Door, Knock
from streamrelay.main import main
from streamrelay.nats_client import Gathered
from streamrelay.platform import TERMS, Limits, Listing, Opened, Platform
from streamrelay.pulse import Pulse
from streamrelay.splice import Connection, Drain, Feed, Splice
from streamrelay.tokens import generate

T = TypeVar("T")

STREAM = "s" * 22
"""A stream's id, and an opaque token."""


def there(thing: T | None) -> T:
    """A thing that must be there."""
    assert thing is not None
    return thing


def examples(most: int) -> settings:
    """How much a property test may try: the quick suite stays quick, and slow machines fail nothing."""
    return settings(max_examples=most, deadline=None, database=None)


# -- frames of strangers ---------------------------------------------------------------------------------------


def mask(payload: bytes, key: bytes) -> bytes:
    """RFC 6455 §5.3, word for word."""
    return bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))


def frame(opcode: int, payload: bytes = b"", key: bytes = b"", final: bool = True, reserved: int = 0) -> bytes:
    """A frame, good or not, made independently of the code under test."""
    size = len(payload)
    first = (0x80 if final else 0) | reserved << 4 | opcode
    masked = 0x80 if key else 0
    if size < 126:
        header = bytes([first, masked | size])
    elif size < 65536:
        header = bytes([first, masked | 126]) + size.to_bytes(2, "big")
    else:
        header = bytes([first, masked | 127]) + size.to_bytes(8, "big")
    if key and len(payload) > 64 and key != bytes(4):  # fast, for what is long
        whole = int.from_bytes(payload, "big") ^ int.from_bytes((key * (size // 4 + 1))[:size], "big")
        return header + key + whole.to_bytes(size, "big")
    return header + key + (mask(payload, key) if key else payload)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in pieces, cut at `places` (taken modulo its length)."""
    marks = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[begin:end] for begin, end in pairwise(marks)]


# -- channels --------------------------------------------------------------------------------------------------


@define(eq=False)
class FakeChannel:
    """A channel whose kernel takes all at once, or nothing while `full`, until `drain`."""

    full: bool = False
    unsent: int = 0
    read_size: int = 0
    sent: bytearray = field(factory=bytearray)
    receiver: Receiver | None = None
    paused: bool = False
    finished: bool = False
    closed: bool = False
    aborted: bool = False
    silent_for: float = 0.0
    """Seconds for which the peer's kernel has answered nothing."""

    def start(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def write(self, buffers: Sequence[bytes | memoryview]) -> None:
        data = b"".join(buffers)
        self.sent += data
        if self.full:
            self.unsent += len(data)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def finish(self) -> None:
        self.finished = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def peer_is_silent(self, seconds: float) -> bool:
        return self.silent_for >= seconds

    def drain(self) -> None:
        """The kernel took all."""
        self.unsent, self.full = 0, False
        assert self.receiver is not None
        self.receiver.drained()

    def receive(self, data: bytes) -> None:
        assert self.receiver is not None
        self.receiver.data_received(memoryview(bytearray(data)))

    def take(self) -> bytes:
        """What was written since the last time."""
        data = bytes(self.sent)
        self.sent.clear()
        return data


_channel: type[Channel] = FakeChannel


@define(eq=False)
class FakeTransport(StringTransport):
    """A TCP transport in memory, with the parts that `StringTransport` has not."""

    aborted: bool = False
    half_closed: bool = False
    protocol: Any = None
    """Of any class; whoever made it knows which."""
    reset: bool = False
    """Whether the kernel has no peer for it any more."""

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def getHandle(self) -> object:
        return self

    def getpeername(self) -> tuple[str, int]:
        if self.reset:
            raise OSError(107, "Transport endpoint is not connected")
        return ("192.0.2.1", 1)

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.keep_alive = enabled

    def loseWriteConnection(self) -> None:
        self.half_closed = True

    def unregisterProducer(self) -> None:
        """As TCP does: it never minds."""
        self.producer = self.streaming = None

    def abortConnection(self) -> None:
        self.aborted = True
        super().abortConnection()

    @property
    def reading(self) -> bool:
        return self.producerState == "producing"

    def take(self) -> bytes:
        """What was written since the last time."""
        data: bytes = self.value()
        self.clear()
        return data

    def receive(self, data: bytes) -> None:
        """Bytes for whichever protocol the transport calls now."""
        self.protocol.dataReceived(data)

    def drain(self) -> None:
        """The kernel took all that was written: the pull producer is asked for more."""
        assert self.producer is not None
        self.producer.resumeProducing()


# -- connections -----------------------------------------------------------------------------------------------


@define(eq=False)
class Ear(Feed, Drain):
    """A feed and a drain that write down what they are told."""

    said: list[tuple[Any, ...]] = field(factory=list)
    on_received: Callable[[], None] = lambda: None

    def received(self, data: Sequence[bytes | memoryview], size: int) -> None:
        joined = b"".join(data)
        if len(joined) != size:
            raise AssertionError(f"{size} bytes were announced and {len(joined)} came")
        if self.said and self.said[-1][0] == "bytes":
            joined = self.said.pop()[1] + joined
        self.said.append(("bytes", joined))
        self.on_received()

    def control(self, message: bytes) -> None:
        self.said.append(("control", bytes(message)))

    def eof(self) -> None:
        self.said.append(("eof",))

    def over(self, ending: Ending) -> None:
        self.said.append(("over", ending))

    def gone(self) -> None:
        self.said.append(("gone",))

    def drained(self) -> None:
        self.said.append(("drained",))

    def named(self, name: str) -> list[tuple[Any, ...]]:
        return [event for event in self.said if event[0] == name]

    @property
    def data(self) -> bytes:
        return b"".join(event[1] for event in self.named("bytes"))

    @property
    def codes(self) -> list[int]:
        """Of the endings that were told; never more than one."""
        return [event[1].code for event in self.named("over")]


class Turns(Clock):
    """A clock that goes on as a reactor does: what is asked for in one turn, with no delay, comes in the next."""

    def advance(self, amount: float) -> None:
        self.rightNow += amount
        due = [call for call in self.calls if call.getTime() <= self.seconds()]
        for call in due:
            if call.active():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)


@define(eq=False)
class FakeConnection:
    """A connection that keeps what is sent until `take`n, and is the test's to speak for."""

    control: bool = True
    peer: str = "somewhere"
    sent: bytearray = field(factory=bytearray)
    """What the far end has got."""
    queue: bytearray = field(factory=bytearray)
    """What was sent and has not reached the kernel."""
    slow: bool = False
    """Whether sent bytes stay in `queue` until `drain`."""
    sudden: bool = False
    """Whether `close` tells its end before it returns."""
    controls: list[bytes] = field(factory=list)
    order: list[str] = field(factory=list)
    closed: Ending | None = None
    closes: int = 0
    aborted: bool = False
    paused: bool = True
    eof_sent: bool = False
    joined: Feed | None = None
    drain_to: Drain | None = None
    over: bool = False
    lost: bool = False

    @property
    def unsent(self) -> int:
        return len(self.queue)

    @property
    def feed(self) -> Feed:
        """Whom it was joined to."""
        assert self.joined is not None, "it was not joined"
        return self.joined

    @property
    def closing(self) -> Ending:
        """How it was closed."""
        assert self.closed is not None, "it was not closed"
        return self.closed

    def join(self, feed: Feed, drain: Drain) -> None:
        if self.lost:
            feed.over(ending(Close.LEG_LOST))
            feed.gone()
            return
        self.joined, self.drain_to, self.paused = feed, drain, False

    def send(self, data: Sequence[bytes | memoryview], size: int) -> None:
        joined = b"".join(data)
        if len(joined) != size:
            raise AssertionError(f"{size} bytes were announced and {len(joined)} came")
        if self.closed is None:
            self.order.append("bytes")
            (self.queue if self.slow else self.sent).extend(joined)

    def send_control(self, message: bytes) -> None:
        self.order.append("control")
        self.controls.append(bytes(message))

    def send_eof(self) -> None:
        self.eof_sent = True
        self.order.append("eof")

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def close(self, ending: Ending) -> None:
        self.closes += 1
        if self.closed is None:
            self.closed = ending
            self.order.append("close")
            if self.sudden:
                self.lose(FINISHED)

    def leave(self, ending: Ending) -> None:
        self.close(ending)

    def abort(self) -> None:
        self.aborted = True

    # What the far end does.

    def receive(self, data: bytes) -> None:
        self.feed.received([memoryview(bytearray(data))], len(data))

    def drain(self) -> None:
        """Everything in the queue reaches the far end."""
        self.sent += self.queue
        self.queue.clear()
        if self.drain_to is not None:
            self.drain_to.drained()

    def end(self, ending: Ending = FINISHED) -> None:
        """Nothing more comes, but what is unsent may still go out."""
        if not self.over:
            self.over = True
            self.feed.over(ending)

    def lose(self, ending: Ending = FINISHED) -> None:
        self.lost = True
        if self.joined is not None:
            self.end(ending)
            feed, self.joined = self.joined, None
            feed.gone()


_connection: type[Connection] = FakeConnection


class FakeSplice(Splice):
    """A splice of two fakes."""

    near: FakeConnection
    far: FakeConnection


@define(eq=False)
class MemoryChannel:
    """One end of a connection in memory; `Wire` carries what it sends."""

    outbox: bytearray = field(factory=bytearray)
    read_size: int = 0
    receiver: Receiver | None = None
    paused: bool = True
    closing: bool = False
    aborted: bool = False

    @property
    def unsent(self) -> int:
        return len(self.outbox)

    def start(self, receiver: Receiver) -> None:
        self.receiver, self.paused = receiver, False

    def write(self, buffers: Sequence[bytes | memoryview]) -> None:
        if not self.closing:
            self.outbox += b"".join(buffers)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def finish(self) -> None:
        raise AssertionError("a websocket does not half-close its transport")

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.aborted = True

    def peer_is_silent(self, seconds: float) -> bool:
        return False


_memory: type[Channel] = MemoryChannel


@define(eq=False)
class Link:
    """A client's and a server's `FramedConnection`, joined in memory; bytes move by `carry`, in any pieces."""

    clock: Clock = field(factory=Clock)
    control: bool = True
    masking: str = Masking.RANDOM
    channels: list[MemoryChannel] = field(init=False)
    ends: list[FramedConnection] = field(init=False)
    ears: list[Ear] = field(init=False)
    gone: bool = False

    def __attrs_post_init__(self) -> None:
        pulse = Pulse(self.clock)
        self.channels = [MemoryChannel(), MemoryChannel()]
        self.ends = [
            FramedConnection(self.channels[0], self.clock, pulse, self.masking, self.control),
            FramedConnection(self.channels[1], self.clock, pulse, Masking.NONE, self.control),
        ]
        self.ears = [Ear(), Ear()]
        for end, ear in zip(self.ends, self.ears, strict=True):
            end.join(ear, ear)

    def carry(self, origin: int, most: int = 1 << 30) -> None:
        """Bring up to `most` bytes from one end to the other, unless that one is paused."""
        source, sink = self.channels[origin], self.channels[1 - origin]
        if sink.paused or not source.outbox:
            return
        assert source.receiver is not None and sink.receiver is not None
        piece = source.outbox[:most]
        del source.outbox[:most]
        sink.receiver.data_received(memoryview(piece))
        if not source.outbox:
            source.receiver.drained()

    def settle(self) -> None:
        """Carry until nothing moves; a channel that was closed or aborted loses both ends."""
        for _ in range(1000):
            before = [bytes(channel.outbox) for channel in self.channels]
            self.carry(0)
            self.carry(1)
            if before == [bytes(channel.outbox) for channel in self.channels]:
                break
        if any(channel.aborted or (channel.closing and not channel.outbox) for channel in self.channels):
            self.lose()

    def lose(self) -> None:
        if not self.gone:
            self.gone = True
            for end in self.ends:
                end.connection_lost("")


@implementer(IStreamClientEndpoint)
class Endpoint:
    """An endpoint that connects at once, or when the test says so, to a transport in memory."""

    def __init__(self, later: bool = False) -> None:
        self.transport = FakeTransport()
        self.attempt: Deferred[Any] = Deferred(lambda _: None)
        self._later = later

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        if not self._later:
            self.protocol = connect(protocolFactory, self.transport)
            self.attempt.callback(self.protocol)
        return self.attempt


def connect(factory: IProtocolFactory, transport: FakeTransport) -> Any:
    """Build a factory's protocol, of whatever class, on a transport."""
    protocol: Any = factory.buildProtocol(transport.getPeer())
    transport.protocol = protocol
    protocol.makeConnection(transport)
    return protocol


def exchange(one: FakeTransport, other: FakeTransport) -> None:
    """Carry bytes both ways until none are left."""
    while data := (one.take(), other.take()):
        if not any(data):
            return
        for transport, sent in ((other, data[0]), (one, data[1])):
            if sent:
                transport.receive(sent)


@implementer(ILogObserver)
class Heard:
    """What is logged during a test."""

    def __init__(self, case: SynchronousTestCase) -> None:
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self)
        case.addCleanup(globalLogPublisher.removeObserver, self)

    def __call__(self, event: LogEvent) -> None:
        self.events.append(event)

    @property
    def lines(self) -> list[str]:
        """As they are shown."""
        return [formatEvent(event) for event in self.events]

    @property
    def text(self) -> str:
        """All of it: the lines as they are shown, and every field."""
        return "\n".join(f"{formatEvent(event)} {event!r}" for event in self.events)


# -- targets ---------------------------------------------------------------------------------------------------


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


# -- the relay's door ------------------------------------------------------------------------------------------


@define(eq=False)
class FakeAdmission:
    """A leg that was let in."""

    knock: Knock
    connection: FramedConnection | None = None
    was_left: bool = False

    def opened(self, connection: FramedConnection) -> None:
        self.connection = connection

    def left(self) -> None:
        self.was_left = True


_admission: type[Admission] = FakeAdmission


@define(eq=False)
class FakeDoor:
    """A door that admits, refuses, or fails."""

    refuse: Exception | None = None
    full: int = 0
    """The status by which it greets; 0 lets in."""
    inside: list[FakeAdmission] = field(factory=list)
    handshakes: int = 0

    def admit(self, knock: Knock) -> FakeAdmission:
        if self.refuse is not None:
            raise self.refuse
        self.inside.append(FakeAdmission(knock))
        return self.inside[-1]

    def greet(self, host: str | None) -> None:
        self.handshakes += 1
        if self.full:
            raise Refused(self.full, "full")

    def part(self, host: str | None) -> None:
        self.handshakes -= 1

    def client(self, host: str | None, forwarded: str | None) -> str | None:
        """As if everybody came through a proxy that is trusted."""
        return forwarded or host


_door: type[Door] = FakeDoor


# -- the bus ---------------------------------------------------------------------------------------------------


@define(eq=False)
class FakeBus(Bus):
    """A bus without NATS: requests are answered by the test, what is published is kept."""

    urls: tuple[str, ...] = ()
    name: str = ""
    answers: deque[bytes | Exception] = field(factory=deque)
    """What the next requests bring: bytes, or an exception."""
    asked: list[tuple[str, bytes]] = field(factory=list)
    published: list[tuple[str, bytes]] = field(factory=list)
    gathered: list[tuple[str, bytes]] = field(factory=list)
    complete: bool = True
    listeners: dict[str, Callable[[Message], None]] = field(init=False, factory=dict)
    down: bool = False
    stopped: bool = False

    @property
    def connected(self) -> bool:
        return not self.down

    def start(self) -> None: ...

    async def stop(self) -> None:
        self.stopped = True

    def publish(self, subject: str, data: bytes) -> None:
        self.published.append((subject, data))

    async def request(self, subject: str, data: bytes, timeout: float) -> bytes:
        self.asked.append((subject, data))
        answer = self.answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def listen(self, subject: str, receive: Callable[[Message], None]) -> None:
        self.listeners[subject] = receive

    async def gather(self, subject: str) -> Gathered:
        self.asked.append((subject, b""))
        if self.down:
            raise Down("down")
        return Gathered(self.gathered, self.complete)


@define(eq=False)
class FakePlatform(Platform):
    """A platform that opens what the test says."""

    relay: str = "wss://relay.example"
    result: Opened | Exception | None = None
    up: list[wire.HostInfo] = field(factory=list)
    live: list[wire.StreamInfo] = field(factory=list)
    complete: bool = True
    asked: int = 0
    """How often for a list."""
    opened: list[tuple[str, str, str]] = field(factory=list)
    terms: list[wire.Terms] = field(factory=list)
    ended: list[tuple[str, str]] = field(factory=list)

    async def open(
        self, user: str, host: str, target: str, links: int = 0, limits: Limits | None = None, terms: wire.Terms = TERMS
    ) -> Opened:
        self.opened.append((user, host, target))
        self.terms.append(terms)
        return self._give()

    async def hosts(self) -> Listing[wire.HostInfo]:
        return self._listed(self.up)

    async def streams(self, anew: bool = False) -> Listing[wire.StreamInfo]:
        return self._listed(self.live)

    def _listed(self, what: list[T]) -> Listing[T]:
        self.asked += 1
        listing = Listing(what)
        listing.complete = self.complete
        return listing

    async def end(self, host: str, stream: str) -> None:
        self.ended.append((host, stream))

    def _give(self) -> Opened:
        if isinstance(self.result, Exception):
            raise self.result
        assert self.result is not None, "a stream was opened and none was to be"
        return self.result


@define(eq=False)
class FakeFetch:
    """Asks nobody: the answer, the failure, or the Deferred of one is what the test says."""

    result: "Fetched | Exception | Deferred[Fetched] | None" = None
    asked: list[tuple[str, str, float, dict[str, str], bytes | None]] = field(factory=list)

    async def __call__(
        self, method: str, url: str, seconds: float, headers: Mapping[str, str] = {}, body: bytes | None = None
    ) -> Fetched:
        self.asked.append((method, url, seconds, dict(headers), body))
        if isinstance(self.result, Exception):
            raise self.result
        assert self.result is not None, "something was asked and nothing was to be"
        return await self.result if isinstance(self.result, Deferred) else self.result


_fetch: type[Fetch] = FakeFetch


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


def awaited(work: Coroutine[Any, Any, T]) -> T:
    """The result of an asyncio coroutine, on a loop of its own."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


# -- reactors, files, keys -------------------------------------------------------------------------------------


class FakeReactor(MemoryReactorClock, asyncioreactor.AsyncioSelectorReactor):  # type: ignore[misc]
    """A memory reactor that passes for Twisted's asyncio reactor."""

    nameResolver: Any = None

    def __init__(self) -> None:
        MemoryReactorClock.__init__(self)
        self._asyncioEventloop = asyncio.new_event_loop()
        self.from_threads: list[Callable[[], object]] = []

    def callFromThread(self, *arguments: Any, **named: Any) -> None:  # Twisted's own are not of one mind on names
        self.from_threads.append(lambda: arguments[0](*arguments[1:], **named))


@implementer(IHostnameResolver, IHostResolution)
@define(eq=False)
class FakeNames:
    """A resolver with a list of its own, which notes what it was asked."""

    names: dict[str, list[str]]
    asked: list[str] = field(factory=list)
    name: str = "all that was asked"

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        self.asked.append(hostName)
        resolutionReceiver.resolutionBegan(self)
        itself = [hostName] if isIPAddress(hostName) or isIPv6Address(hostName) else []
        for address in self.names.get(hostName, itself):
            kind = IPv6Address if ":" in address else IPv4Address
            resolutionReceiver.addressResolved(kind("TCP", address, portNumber))
        resolutionReceiver.resolutionComplete()
        return self

    def cancel(self) -> None:
        raise AssertionError("it has ended before it can be cancelled")


def install(case: SynchronousTestCase) -> FakeReactor:
    """Make a fake reactor the global one for the time of a test."""
    reactor = FakeReactor()
    missing = object()
    modules: dict[str, Any] = sys.modules
    package: Any = twisted.internet
    before = modules.get("twisted.internet.reactor", missing)
    modules["twisted.internet.reactor"] = reactor
    attribute = getattr(package, "reactor", missing)
    package.reactor = reactor

    def restore() -> None:
        reactor._asyncioEventloop.close()
        asyncio.set_event_loop(None)
        if before is missing:
            del modules["twisted.internet.reactor"]
        else:
            modules["twisted.internet.reactor"] = before
        if attribute is missing:
            del package.reactor
        else:
            package.reactor = attribute

    case.addCleanup(restore)
    return reactor


def folder(case: SynchronousTestCase) -> Path:
    """An empty directory of the test's own."""
    path = Path(case.mktemp()).absolute()
    path.mkdir(parents=True)
    return path


def key_pair(case: SynchronousTestCase) -> tuple[Path, Path]:
    """The files of a new platform's private and public key."""
    where = folder(case)
    generate(where / "platform.key", where / "platform.pub")
    return where / "platform.key", where / "platform.pub"


# -- the command line ------------------------------------------------------------------------------------------


class Left(Exception):
    """The program has ended."""


class CommandCase(SynchronousTestCase):
    """A command whose output and status are caught."""

    def setUp(self) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", self.err)
        self.patch(os, "environ", {})
        self.where = folder(self)

        def leave(status: int) -> None:
            raise Left(status)

        self.patch(os, "_exit", leave)

    def run_command(self, *arguments: str) -> int:
        try:
            main(list(arguments))
        except Left as left:
            return int(left.args[0])
        except SystemExit as left:
            return int(left.code or 0)
        raise AssertionError("it did not end")
