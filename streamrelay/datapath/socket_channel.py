"""The fast path: bytes between plain sockets without a copy (docs/architecture.rst, "The data path").

Twisted makes the connection, and closes it; in between its descriptor is read and written here. What Twisted's own
path would add to every chunk: an allocation to read into, two joins, and four more system calls, as it writes only
when the reactor says so.
"""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any, Final

from attrs import define, field
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.python.failure import Failure

from streamrelay.datapath.channel import (
    CLOSING,
    DEAD,
    FINISHING,
    OPEN,
    READ,
    Channel,
    Receiver,
    is_reset,
    tcp_acknowledged,
    tcp_is_silent,
)
from streamrelay.datapath.reading import READING
from streamrelay.datapath.turns import LARGE, Turns, turns_of
from streamrelay.logs import Logger

log = Logger()

MOST_BUFFERS: Final = 256
"""Buffers that one system call is given (the kernel's own limit is 1024)."""
SMALL: Final = 4096
"""Bytes up to which what waits is put together with what comes: each piece by itself costs 300 bytes more."""


@define(eq=False)
class SocketChannel:
    """A connected TCP or unix socket that belongs to a Twisted transport, on asyncio's loop."""

    transport: Any
    loop: asyncio.AbstractEventLoop
    unsent: int = 0
    read_size: int = READ
    _socket: socket.socket = field(init=False)
    _descriptor: int = field(init=False)  # for the loop: of a socket asyncio makes a text first, by four system calls
    _receiver: Receiver | None = None
    _early: bytes = b""
    _backlog: list[memoryview] = field(factory=list)
    _reading: bool = False
    _watched: bool = False  # by the loop, for something to read
    _writing: bool = False
    _flushed: bool = False  # what the transport itself had to write is out
    _phase: int = OPEN  # channel.py has the table
    _turns: Turns = field(init=False)
    _large: bool = False  # its last read was, so the next one comes in turn

    def __attrs_post_init__(self) -> None:
        self._turns = turns_of(self.loop)
        self._socket = self.transport.getHandle()
        self._descriptor = self._socket.fileno()
        self.transport.pauseProducing()
        self._flush_transport()

    def _flush_transport(self) -> None:
        """Let the transport write what it still has; it tells when that is out."""
        if self.transport.connected:
            self._flushed = True  # registering alone asks for more; only what comes after it counts
            self.transport.registerProducer(self, False)
            self._flushed = False
            if failed := self.transport.doWrite():  # the kernel says it once, and here
                self._phase = DEAD
                self.loop.call_soon(self._lose, OSError(0, str(failed)))

    def resumeProducing(self) -> None:
        """Take note that the transport's own last byte is out (IPullProducer), and go on with ours."""
        if not self._flushed:
            self._flushed = True
            if self._phase != DEAD:
                self._go_on()

    def _go_on(self) -> None:
        """Do what was asked for while the transport had not written all of its own."""
        if self._backlog:
            self._writable()
        elif OPEN < self._phase < DEAD:
            self._last()

    def stopProducing(self) -> None:
        """Ignore that the transport is closed (IPullProducer); the protocol is told by connectionLost."""

    def start(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self.resume()
        early, self._early = self._early, b""
        if early:
            receiver.data_received(memoryview(early))

    def dataReceived(self, data: bytes) -> None:
        """Take what Twisted read together with a handshake; it waits for `start`."""
        if self._receiver is None:
            self._early += data
        else:
            self._receiver.data_received(memoryview(data))

    # -- reading ---------------------------------------------------------------------------------------------

    def pause(self) -> None:
        self._reading = False
        self.rest()

    def resume(self) -> None:
        if not self._reading and self._phase != DEAD:
            self._reading = True
            self._watch()

    def _watch(self) -> None:
        if not self._watched:
            self._watched = True
            self.loop.add_reader(self._descriptor, self._readable)

    def rest(self) -> None:
        if self._watched:
            self._watched = False
            self.loop.remove_reader(self._descriptor)

    def _readable(self) -> None:
        if self._large and not self._turns.grants(self):
            return
        size = self._read_into(READING.buffer, self.read_size)
        if size:
            self._deliver(READING.view[:size])

    def turn_came(self, others: bool) -> bool:
        if self._reading:
            self._large = False
            self._readable()
        stays = others and self._large and self._reading
        if self._reading and not stays:
            self._watch()
        return stays

    def _read_into(self, buffer: bytearray, most: int) -> int:
        """Read, and return how many bytes came; 0 if there is nothing to do, as none came or the end is dealt with."""
        try:
            size = self._socket.recv_into(buffer, most)
        except (BlockingIOError, InterruptedError):
            self._large = False
            return 0
        except OSError as error:
            self._lose(error)
            return 0
        self._large = size >= LARGE or size == most
        if not size:
            self._end_of_file()
        return size

    def _deliver(self, data: memoryview) -> None:
        """Hand on what was read; an error of ours ends this connection and no other."""
        try:
            self._receiver.data_received(data)  # type: ignore[union-attr]
        except Exception:
            log.failure("an error in a connection; it is cut")
            self.abort()

    def _end_of_file(self) -> None:
        """Tell the transport, which may close the descriptor upon it."""
        self.pause()  # a socket at its end is readable for ever
        if not IHalfCloseableProtocol.providedBy(self.transport.protocol):
            self._let_go()
        self.transport.readConnectionLost(Failure(ConnectionDone()))

    # -- writing ---------------------------------------------------------------------------------------------

    def write(self, buffers: Sequence[bytes | memoryview]) -> None:
        if self._phase == OPEN:
            self._send(buffers)

    def _send(self, buffers: Sequence[bytes | memoryview]) -> None:
        if self.unsent or not self._flushed:  # behind what waits already
            self._keep(buffers, 0)
            return
        try:
            sent = self._socket.sendmsg(buffers if len(buffers) <= MOST_BUFFERS else [b"".join(buffers)])
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._phase = DEAD
            self.pause()  # the kernel tells an error once: what is read after it would look like an end in order
            self.loop.call_soon(self._lose, error)
            return
        if sent < sum(map(len, buffers)):
            self._keep(buffers, sent)

    def _keep(self, buffers: Sequence[bytes | memoryview], sent: int) -> None:
        """Copy what the kernel did not take."""
        rest = memoryview(b"".join(buffers))[sent:]
        self.unsent += len(rest)
        if self._backlog and len(self._backlog[-1]) + len(rest) <= SMALL:
            rest = memoryview(b"".join((self._backlog.pop(), rest)))
        self._backlog.append(rest)
        if self._flushed:
            self._wait_to_write()

    def _wait_to_write(self) -> None:
        if not self._writing:
            self._writing = True
            self.loop.add_writer(self._descriptor, self._writable)

    def _stop_writing(self) -> None:
        if self._writing:
            self._writing = False
            self.loop.remove_writer(self._descriptor)

    def _writable(self) -> None:
        try:
            sent = self._socket.sendmsg(self._backlog[:MOST_BUFFERS])
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._lose(error)
            return
        self.unsent -= sent
        while sent and sent >= len(self._backlog[0]):
            sent -= len(self._backlog.pop(0))
        if sent:
            self._backlog[0] = self._backlog[0][sent:]
        if self._backlog:
            self._wait_to_write()
            return
        self._stop_writing()
        if self._phase != OPEN:
            self._last()
        if self._receiver is not None:
            self._receiver.drained()

    # -- the end ---------------------------------------------------------------------------------------------

    def finish(self) -> None:
        self._when_drained(FINISHING)

    def close(self) -> None:
        self._when_drained(CLOSING)

    def abort(self) -> None:
        if self._phase != DEAD:
            self._let_go()
            self.transport.abortConnection()

    def peer_is_silent(self, seconds: float) -> bool:
        return self._phase != DEAD and tcp_is_silent(self._socket, seconds)

    def peer_is_gone(self) -> bool:
        return self._phase == DEAD or is_reset(self._socket)

    def acknowledged(self) -> int | None:
        return None if self._phase == DEAD else tcp_acknowledged(self._socket)

    def _when_drained(self, phase: int) -> None:
        if self._phase < CLOSING:
            self._phase = phase
            if not self.unsent and self._flushed:
                self._last()

    def _last(self) -> None:
        if self._phase == CLOSING:
            self._let_go()
            self.transport.loseConnection()
            return
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.loop.call_soon(self._lose, error)

    def _lose(self, error: OSError) -> None:
        """End the connection, which the kernel says is broken."""
        if self._socket.fileno() >= 0:
            self._let_go()
            self.transport.connectionLost(Failure(ConnectionLost(error.strerror)))

    def _let_go(self) -> None:
        """Leave the descriptor to the transport again, which is about to close it."""
        self._phase = DEAD
        self.pause()
        self._stop_writing()
        self._backlog.clear()
        self.unsent = 0
        self.transport.unregisterProducer()


_check: type[Channel] = SocketChannel
