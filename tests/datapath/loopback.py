"""Real socket pairs on a loop that takes one step at a time, for tests of what reads and writes descriptors.

`StepLoop` has asyncio's four calls for descriptors; `Descriptor` stands for Twisted's transport above a socket;
`Peer` is the other end, with or without TLS, which speaks websocket frames in its own few lines.
"""

import asyncio
import os
import selectors
import socket
import struct
from collections.abc import Callable
from typing import Any, Protocol, cast

from OpenSSL import SSL, crypto
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IPullProducer
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from streamrelay.datapath.channel import TransportChannel
from streamrelay.datapath.socket_channel import SocketChannel
from streamrelay.datapath.tls_channel import TlsChannel
from tests.fakes.tls13 import Secrets

Callback = Callable[[], object]


class Owner(Protocol):
    """What is told of a transport: Twisted's protocol."""

    dataReceived: Callable[[bytes], None]

    def connectionLost(self, reason: Failure) -> None: ...


class StepLoop:
    """asyncio's add_reader and its like, run by hand."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._soon: list[tuple[Callable[..., object], tuple[object, ...]]] = []
        self.registrations = 0
        """Calls that changed what is waited for; each is a system call."""

    def _change(self, sock: socket.socket, event: int, callback: Callback | None) -> None:
        self.registrations += 1
        try:
            key = self._selector.get_key(sock)
        except KeyError:
            if callback is not None:
                self._selector.register(sock, event, {event: callback})
            return
        calls = {**key.data, event: callback}
        events = sum(one for one, call in calls.items() if call is not None)
        if events:
            self._selector.modify(sock, events, calls)
        else:
            self._selector.unregister(sock)

    def add_reader(self, sock: socket.socket, callback: Callback) -> None:
        self._change(sock, selectors.EVENT_READ, callback)

    def remove_reader(self, sock: socket.socket) -> None:
        self._change(sock, selectors.EVENT_READ, None)

    def add_writer(self, sock: socket.socket, callback: Callback) -> None:
        self._change(sock, selectors.EVENT_WRITE, callback)

    def remove_writer(self, sock: socket.socket) -> None:
        self._change(sock, selectors.EVENT_WRITE, None)

    def call_soon(self, callback: Callable[..., object], *arguments: object) -> None:
        self._soon.append((callback, arguments))

    def step(self) -> None:
        """Run what is ready now, once."""
        soon, self._soon = self._soon, []
        for callback, arguments in soon:
            callback(*arguments)
        for key, mask in self._selector.select(0):
            for event in (selectors.EVENT_READ, selectors.EVENT_WRITE):
                callback = key.data.get(event)
                if mask & event and callback is not None and self._still(key.fileobj, event):
                    callback()

    def _still(self, sock: Any, event: int) -> bool:
        try:
            return self._selector.get_key(sock).data.get(event) is not None
        except (KeyError, ValueError):
            return False

    @property
    def watched(self) -> int:
        return len(self._selector.get_map())


class Descriptor:
    """What a channel uses of Twisted's transport: it closes the socket, and tells the protocol."""

    handshake: Callable[[], bytes] | None = None
    """What it has still to write, once it is told to."""

    def __init__(self, sock: socket.socket, loop: StepLoop, protocol: Owner) -> None:
        self.sock, self.loop, self.protocol = sock, loop, protocol
        self.connected = True
        self._producer: IPullProducer | None = None

    def getHandle(self) -> socket.socket:
        return self.sock

    def pauseProducing(self) -> None:
        pass

    def registerProducer(self, producer: IPullProducer, streaming: bool) -> None:
        self._producer = producer
        producer.resumeProducing()

    def unregisterProducer(self) -> None:
        self._producer = None

    def doWrite(self) -> Exception | None:
        if self.handshake is not None:
            self.sock.send(self.handshake())
            self.handshake = None
        assert self._producer is not None
        self._producer.resumeProducing()
        return None

    def loseConnection(self) -> None:
        self.loop.call_soon(self.connectionLost, Failure(ConnectionDone()))

    def abortConnection(self) -> None:
        if not self.connected:
            return
        self.loop.call_soon(self.connectionLost, Failure(ConnectionAborted()))

    def readConnectionLost(self, reason: Failure) -> None:
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.readConnectionLost()
        else:
            self.connectionLost(reason)

    def connectionLost(self, reason: Failure) -> None:
        if self.connected:
            self.connected = False
            self.sock.close()
            self.protocol.connectionLost(reason)


class GenericTransport(Descriptor):
    """The same as a Twisted transport that does its own reading and writing: the generic path."""

    def __init__(self, sock: socket.socket, loop: StepLoop, protocol: Owner) -> None:
        super().__init__(sock, loop, protocol)
        self._buffer = b""
        self._closing = False
        self._reading = False

    def pauseProducing(self) -> None:
        if self._reading:
            self._reading = False
            self.loop.remove_reader(self.sock)

    def resumeProducing(self) -> None:
        if not self._reading and self.connected:
            self._reading = True
            self.loop.add_reader(self.sock, self._read)

    def write(self, data: bytes) -> None:
        if self.connected and data:
            if not self._buffer:
                self.loop.add_writer(self.sock, self._write)
            self._buffer += data

    def loseConnection(self) -> None:
        self.pauseProducing()
        self._closing = True
        if not self._buffer:
            super().loseConnection()

    def abortConnection(self) -> None:
        self.pauseProducing()
        self._drop()
        super().abortConnection()

    def _drop(self) -> None:
        if self._buffer:
            self._buffer = b""
            self.loop.remove_writer(self.sock)

    def connectionLost(self, reason: Failure) -> None:
        if self.connected:
            self.pauseProducing()
            self._drop()
        super().connectionLost(reason)

    def _read(self) -> None:
        try:
            data = self.sock.recv(65536)
        except OSError as error:
            self.connectionLost(Failure(error))
            return
        if data:
            self.protocol.dataReceived(data)
        else:
            self.pauseProducing()
            self.readConnectionLost(Failure(ConnectionDone()))

    def _write(self) -> None:
        try:
            sent = self.sock.send(self._buffer)
        except OSError as error:
            self.connectionLost(Failure(error))
            return
        self._buffer = self._buffer[sent:]
        if not self._buffer:
            self.loop.remove_writer(self.sock)
            if self._producer is not None:
                self._producer.resumeProducing()
            if self._closing:
                super().loseConnection()


def _context(method: int) -> SSL.Context:
    context = SSL.Context(method)
    context.set_verify(SSL.VERIFY_NONE, lambda *_: True)
    return context


def _certificate() -> tuple[crypto.PKey, crypto.X509]:
    from cryptography.hazmat.primitives.asymmetric import ec

    key = crypto.PKey.from_cryptography_key(ec.generate_private_key(ec.SECP256R1()))
    certificate = crypto.X509()
    certificate.get_subject().CN = "localhost"
    certificate.set_serial_number(1)
    certificate.gmtime_adj_notBefore(0)
    certificate.gmtime_adj_notAfter(3600)
    certificate.set_issuer(certificate.get_subject())
    certificate.set_pubkey(key)
    certificate.sign(key, "sha256")
    return key, certificate


_server: SSL.Context | None = None


def tls_pair(secrets: Secrets | None = None, shake: bool = True) -> tuple[SSL.Connection, SSL.Connection]:
    """Two ends of a TLS connection, server and client, that have shaken hands in memory."""
    global _server
    if _server is None:
        key, certificate = _certificate()
        _server = _context(SSL.TLS_SERVER_METHOD)
        _server.use_privatekey(key)
        _server.use_certificate(certificate)
    client = _context(SSL.TLS_CLIENT_METHOD)
    if secrets is not None:
        secrets.watch(client)
    near, far = SSL.Connection(_server, None), SSL.Connection(client, None)
    near.set_accept_state()
    far.set_connect_state()
    for _ in range(6 if shake else 0):
        for end, other in ((far, near), (near, far)):
            try:
                end.do_handshake()
            except SSL.WantReadError:
                pass
            sealed = drain(end)
            if sealed:
                other.bio_write(sealed)
    return near, far


def drain(end: SSL.Connection) -> bytes:
    """What one end's OpenSSL wants to send."""
    sealed = b""
    while True:
        try:
            sealed += end.bio_read(65536)
        except SSL.WantReadError:
            return sealed


class Peer:
    """The other end of a channel: sends what it is given, as the kernel takes it, and reads only when told."""

    def __init__(self, sock: socket.socket, tls: SSL.Connection | None = None) -> None:
        sock.setblocking(False)
        self.sock, self.tls = sock, tls
        self.received = bytearray()
        self.closed = False
        self.reset = False
        self._unsent = b""

    def send(self, data: bytes) -> None:
        if self.tls is None:
            self._unsent += data
        else:
            rest = memoryview(data)
            while rest:
                rest = rest[self.tls.send(rest[:16384]) :]
            self._unsent += drain(self.tls)
        self.push()

    def push(self) -> None:
        while self._unsent and not self.reset:
            try:
                sent = self.sock.send(self._unsent)
            except BlockingIOError:
                return
            except OSError:
                self.reset = True
                return
            self._unsent = self._unsent[sent:]

    def read(self, most: int = 65536) -> None:
        if self.closed or self.reset:
            return
        try:
            data = self.sock.recv(most)
        except BlockingIOError:
            return
        except OSError:
            self.reset = True
            return
        if not data:
            self.closed = True
        elif self.tls is None:
            self.received += data
        else:
            self.tls.bio_write(data)
            try:
                while True:
                    self.received += self.tls.recv(65536)
            except SSL.WantReadError:
                pass
            except SSL.ZeroReturnError:
                self.closed = True

    def break_off(self) -> None:
        """End without a word, whatever is under way."""
        self.sock.close()
        self.reset = True


PATHS = ("plain", "tls", "generic")


def connected(
    path: str, loop: StepLoop, clock: Clock, protocol: Owner, small: bool = True, settled: bool = True
) -> tuple[TransportChannel | SocketChannel, Peer]:
    """A channel of this path, and the peer at its other end. `protocol` is told the end of the channel's side.

    Without `settled` the transport has still to write what its handshake has left, until the clock's next turn.
    """
    near, far = socket.socketpair()  # unix: what one end sends the other can read at once, so no test has to wait
    near.setblocking(False)
    if small:  # so that writes come short
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    if path == "generic":
        generic = TransportChannel(GenericTransport(near, loop, protocol))
        protocol.dataReceived = generic.dataReceived
        return generic, Peer(far)
    transport = Descriptor(near, loop, protocol)
    passed = cast(asyncio.AbstractEventLoop, loop)  # it has what channels call
    if path == "plain":
        return SocketChannel(transport, passed), Peer(far)
    tls, other = tls_pair()
    if not settled:

        def handshake() -> bytes:
            tls.send(b"101")
            return drain(tls)

        transport.handshake = handshake
    channel = TlsChannel(transport, passed, tls=tls, clock=clock)
    if settled:
        clock.advance(0)
    return channel, Peer(far, other)


def masked(opcode: int, payload: bytes, key: bytes | None = None) -> bytes:
    """A client's frame, by RFC 6455 §5.2 and one byte at a time."""
    key = os.urandom(4) if key is None else key
    length = len(payload)
    if length < 126:
        head = bytes((0x80 | opcode, 0x80 | length))
    elif length < 65536:
        head = bytes((0x80 | opcode, 0xFE)) + struct.pack("!H", length)
    else:
        head = bytes((0x80 | opcode, 0xFF)) + struct.pack("!Q", length)
    pad = (key * (length // 4 + 1))[:length]
    return head + key + (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(length, "big")


def unframe(data: bytes | bytearray) -> list[tuple[int, bytes]]:
    """What a server's frames say: (opcode, payload) each; the last may be cut short, and is given as far as it goes."""
    frames, at = [], 0
    while at + 2 <= len(data):
        opcode, length, size = data[at] & 15, data[at + 1], 2
        assert not length & 0x80, "a server's frame is masked"
        if length >= 126:
            size = 4 if length == 126 else 10
            if at + size > len(data):
                break
            length = int.from_bytes(data[at + 2 : at + size], "big")
        frames.append((opcode, bytes(data[at + size : at + size + length])))
        at += size + length
    return frames
