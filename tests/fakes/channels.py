"""Channels and transports in memory."""

import socket
from collections.abc import Sequence
from typing import Any

from attrs import define, field
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from streamrelay.datapath.channel import Channel, Receiver
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.websocket.connection import FramedConnection
from streamrelay.websocket.frame_writer import Masking
from tests.fakes.connections import Ear


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
    gone: bool = False
    """Whether the peer's kernel has reset the connection."""
    silent_for: float = 0.0
    """Seconds for which the peer's kernel has answered nothing."""
    taken: int | None = None
    """Bytes that the peer's kernel has acknowledged, where one can know."""

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

    def peer_is_gone(self) -> bool:
        return self.gone

    def acknowledged(self) -> int | None:
        return self.taken

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
    family: socket.AddressFamily = socket.AF_INET
    options: dict[tuple[int, int], int] = field(factory=dict)
    """What was set of the socket."""
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

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options[level, option] = value

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

    def peer_is_gone(self) -> bool:
        return False

    def acknowledged(self) -> int | None:
        return None


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
        heartbeat = Heartbeat(self.clock)
        self.channels = [MemoryChannel(), MemoryChannel()]
        self.ends = [
            FramedConnection(self.channels[0], self.clock, heartbeat, self.masking, self.control),
            FramedConnection(self.channels[1], self.clock, heartbeat, Masking.NONE, self.control),
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
