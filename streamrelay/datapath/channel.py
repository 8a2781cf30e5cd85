"""Bytes in and out of the kernel, and how many of them wait: the one seam between connections and transports.

`TransportChannel` serves any Twisted transport: pseudo-terminals, and everything on a reactor other than asyncio's.
Plain sockets and TLS have faster ones of their own (socket_channel.py, tls_channel.py). The phase of each only grows:

============  ===========================  ==================  =======================  ====================
what happens  OPEN                         FINISHING           CLOSING                  DEAD
============  ===========================  ==================  =======================  ====================
write         sent, or kept till it can    dropped             dropped                  dropped
finish        → FINISHING                  as before           --                       --
close         → CLOSING                    → CLOSING           --                       --
all is out    drained                      half-close          close → DEAD             --
pause/resume  stops, goes on to read       the same            the same; -- over a      --
                                                               Twisted transport
abort         the transport aborts → DEAD
the loss      the transport is told → DEAD
============  ===========================  ==================  =======================  ====================

DEAD means that the descriptor is the transport's again, which tells its protocol of the end. What isn't phase: whether
it is read (paused), whether the loop watches for room, and whether the transport's own bytes are out (`_flushed`).
"""

import select
import socket
import struct
from collections.abc import Sequence
from typing import Any, Final, Protocol

from attrs import define, field
from twisted.internet.interfaces import IPullProducer
from twisted.internet.protocol import BaseProtocol
from zope.interface import implementer


def no_delay(transport: Any) -> None:
    """Let each write leave at once (TCP_NODELAY), also while the peer has not acknowledged the one before; Nagle's
    algorithm would hold the second of two small ones for 40 ms. Of unix sockets and pipes there is nothing to set."""
    if hasattr(transport, "setTcpNoDelay"):
        transport.setTcpNoDelay(True)


KEEP_ALIVE: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""Seconds of silence after which a peer's kernel is asked whether it is there, seconds between two questions, and how
many are left without an answer. By default the first one comes after two hours."""


def keep_alive(transport: Any) -> None:
    """Have the kernel find out that a silent peer is gone, or has never known of the connection. Of unix sockets and
    pipes there is nothing to set."""
    if hasattr(transport, "setTcpKeepAlive"):
        transport.setTcpKeepAlive(True)
        handle = transport.getHandle()
        for name, value in KEEP_ALIVE.items():
            if hasattr(socket, name) and handle.family != socket.AF_UNIX:
                handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def hand_over(transport: Any, protocol: BaseProtocol) -> None:
    """Let a transport call another protocol from now on."""
    if hasattr(transport, "wrappedProtocol"):  # TLS
        transport.wrappedProtocol = protocol
    else:
        transport.protocol = protocol


READ: Final = 192 * 1024
"""Bytes that are read at once: with `connection.HIGH` no more than 256 KiB wait in one direction, and one stream holds
the reactor for a fraction of a millisecond. Smaller reads cost more per byte (64 KiB: 1.7 times as much)."""
WIDE: Final = 64 * 1024
"""Bytes that Twisted reads at once."""
OPEN, FINISHING, CLOSING, DEAD = range(4)
SILENT_PROBES: Final = 3
"""Unanswered retransmissions or window probes after which a peer's kernel may be called silent."""


class Receiver(Protocol):
    """A channel's owner, which it tells what happens."""

    def data_received(self, data: memoryview) -> None:
        """Take bytes, which are good, and writable unless `readonly`, during this call only."""

    def drained(self) -> None:
        """Take note that everything written has reached the kernel."""


class Channel(Protocol):
    """A stream of bytes both ways, between a connection and a transport."""

    read_size: int
    """Bytes that are read at once at most, where the channel itself reads; its owner may change it at any time."""

    @property
    def unsent(self) -> int:
        """Bytes written that have not reached the kernel."""

    def start(self, receiver: Receiver) -> None:
        """Begin to read; until then nothing is read."""

    def write(self, buffers: Sequence[bytes | memoryview]) -> None:
        """Send all of it. The buffers are the caller's again when this returns."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def finish(self) -> None:
        """Half-close once everything written is out: the peer reads an end of file and may go on sending."""

    def close(self) -> None:
        """Close once everything written is out."""

    def abort(self) -> None:
        """Close now; what is unsent is lost."""

    def peer_is_silent(self, seconds: float) -> bool:
        """Tell whether the peer's kernel has left what we sent unanswered for so long (False where one can't know)."""

    def peer_is_gone(self) -> bool:
        """Tell whether the connection was reset, which shows without reading, too (False where one can't know)."""

    def acknowledged(self) -> int | None:
        """Return how many bytes the peer's kernel has acknowledged (None where one can't know)."""


@implementer(IPullProducer)
@define(eq=False)
class TransportChannel:
    """A Twisted transport as a channel.

    It registers as a pull producer with the transport that has the descriptor (below TLS, if there is TLS): that one
    asks for more whenever its last byte is out, so `unsent` is exact for plain transports; over TLS it may fall to 0
    a turn of the reactor early.
    """

    transport: Any
    unsent: int = 0
    read_size: int = READ  # for nothing: Twisted reads, 64 KiB at once
    _receiver: Receiver | None = None
    _phase: int = OPEN
    _paused: bool = True
    _early: bytes = b""

    _bottom: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._bottom = self.transport
        while hasattr(self._bottom, "wrappedProtocol"):  # TLS
            self._bottom = self._bottom.transport
            self._bottom.bufferSize = WIDE  # TLS read less while it was a stranger's
        self._bottom.registerProducer(self, False)
        self.transport.pauseProducing()

    def start(self, receiver: Receiver) -> None:
        self._receiver = receiver
        early, self._early = self._early, b""
        if early:
            receiver.data_received(memoryview(early))
        self.resume()

    def dataReceived(self, data: bytes) -> None:
        """Take the bytes of the transport's protocol; what came with a handshake waits for `start`."""
        if self._receiver is None:
            self._early += data
        else:
            self._receiver.data_received(memoryview(data))

    def write(self, buffers: Sequence[bytes | memoryview]) -> None:
        if self._phase != OPEN:
            return
        data = b"".join(buffers)
        self.unsent += len(data)
        self.transport.write(data)

    def pause(self) -> None:
        if not self._paused and self._phase < CLOSING:
            self._paused = True
            self.transport.pauseProducing()

    def resume(self) -> None:
        if self._paused and self._phase < CLOSING:
            self._paused = False
            self.transport.resumeProducing()

    def finish(self) -> None:
        self._when_drained(FINISHING)

    def close(self) -> None:
        self._when_drained(CLOSING)

    def abort(self) -> None:
        self._phase = DEAD
        self.transport.abortConnection()

    def _when_drained(self, phase: int) -> None:
        if self._phase < CLOSING:
            self._phase = phase
            if self.unsent == 0:
                self._last()

    def _last(self) -> None:
        # A transport with a producer neither closes nor half-closes.
        self._bottom.unregisterProducer()
        if self._phase == FINISHING:
            self.transport.loseWriteConnection()
        else:
            self.transport.loseConnection()

    def resumeProducing(self) -> None:
        """Take note that the transport's last byte is out (IPullProducer)."""
        self.unsent = 0
        if self._phase != OPEN:
            self._last()
        if self._receiver is not None:
            self._receiver.drained()

    def stopProducing(self) -> None:
        """Forget what is unsent, as the connection is lost (IPullProducer); the protocol is told by connectionLost."""
        self.unsent = 0

    def peer_is_silent(self, seconds: float) -> bool:
        handle = getattr(self._bottom, "getHandle", lambda: None)()
        return isinstance(handle, socket.socket) and tcp_is_silent(handle, seconds)

    def peer_is_gone(self) -> bool:
        handle = getattr(self._bottom, "getHandle", lambda: None)()
        return isinstance(handle, socket.socket) and is_reset(handle)

    def acknowledged(self) -> int | None:
        handle = getattr(self._bottom, "getHandle", lambda: None)()
        return tcp_acknowledged(handle) if isinstance(handle, socket.socket) else None


def is_reset(sock: socket.socket) -> bool:
    """Tell whether a socket is closed both ways or broken; an end of file that may yet be read is neither."""
    poll = select.poll()
    poll.register(sock, 0)  # errors and hang-ups alone
    return bool(poll.poll(0))


def tcp_is_silent(sock: socket.socket, seconds: float) -> bool:
    """Tell whether TCP has retransmitted or probed in vain for so long, by Linux's TCP_INFO; False elsewhere.

    A living peer that doesn't read (a window of zero) answers every probe, so it is not silent.
    """
    # struct tcp_info: 8 bytes (the third: retransmits, the fourth: probes), then 32-bit numbers, of which the
    # thirteenth is the time since the last ACK in milliseconds.
    info = _tcp_info(sock, 104)
    if len(info) < 60:
        return False
    (last_ack,) = struct.unpack_from("=I", info, 8 + 12 * 4)
    return bool(info[2] + info[3] >= SILENT_PROBES and last_ack >= seconds * 1000)


def tcp_acknowledged(sock: socket.socket) -> int | None:
    """Return how many bytes the peer's kernel has acknowledged, by Linux's TCP_INFO; None elsewhere."""
    info = _tcp_info(sock, 128)  # 24 of the 32-bit numbers, then 64-bit ones, of which it is the third
    return int(struct.unpack_from("=Q", info, 120)[0]) if len(info) >= 128 else None


def _tcp_info(sock: socket.socket, size: int) -> bytes:
    """Return the first bytes of Linux's struct tcp_info; none where there is no such thing."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or not hasattr(socket, "TCP_INFO"):
        return b""
    try:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, size)
    except OSError:
        return b""
