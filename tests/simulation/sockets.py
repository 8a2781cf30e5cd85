"""TCP of the simulated world: sockets, and what is on its way between them."""

import errno
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from streamrelay.datapath.socket_channel import SocketChannel
from tests.simulation.scheduler import Doer
from tests.simulation.wiretap import Tap, Wrong

if TYPE_CHECKING:
    from tests.simulation.kernel import Kernel
    from tests.simulation.wires import Wire

Address = tuple[str, int]


class Owner(Doer, Protocol):
    """A process, as much of it as its kernel needs."""

    name: str
    host: str
    sockets: "dict[int, Socket]"
    ports: int
    """Connections that it has made."""


class Socket(socket.socket):
    """A TCP socket without a descriptor; programs see what they would see of Linux' own."""

    def __new__(cls, *arguments: Any) -> "Socket":
        return super().__new__(cls)

    def __init__(self, kernel: "Kernel", owner: Owner, number: int) -> None:
        self.kernel, self.owner, self.number = kernel, owner, number
        self.name = ""
        self.most = kernel.weather.room  # bytes of one direction that kernels hold
        self.wire: Wire | None = None
        self.peer: Socket | None = None
        self.address: Address = (owner.host, 0)
        self.inbox = bytearray()  # arrived, unread
        self.flight = bytearray()  # sent, not arrived
        self.sent_end = self.got_end = False
        self.closed = self.broken = False
        self.lost = False  # what it has sent last, and so its end
        self.error = 0
        self.linger = True
        self.tap: Tap | None = None  # of a leg
        self.channel: Any = None  # of the program that watches it
        self.reader: Callable[[], Any] | None = None
        self.writer: Callable[[], Any] | None = None
        self.asked_read = self.asked_write = False  # an event for it is in the queue
        self.arrives = 0.0  # when the last of what was sent does
        self.heard = 0.0  # when anything came from the peer's kernel

    def __repr__(self) -> str:
        return f"<{self.name or self.number}>"

    # -- what programs call ----------------------------------------------------------------------------------

    @property
    def family(self) -> Any:
        return socket.AF_INET

    def fileno(self) -> int:
        return -1 if self.closed else self.number

    def setblocking(self, flag: object) -> None: ...

    def setsockopt(self, level: int, option: int, value: Any, *more: Any) -> None:
        if level == socket.SOL_SOCKET and option == socket.SO_LINGER:
            self.linger = False

    def getsockopt(self, level: int, option: int, size: int = 0) -> Any:
        if level == socket.SOL_SOCKET and option == socket.SO_ERROR:
            found, self.error = self.error, 0
            return found
        if option == socket.TCP_INFO:
            silent = self.wire is not None and self.wire.is_silent and bool(self.flight or self.room <= 0)
            age = int(1000 * (self.kernel.scheduler.now - self.heard))
            return struct.pack("=8B24I", 0, 0, 9 if silent else 0, *(0,) * 5, *(0,) * 12, age, *(0,) * 11)
        return 0

    def getpeername(self) -> Address:
        if self.peer is None or self.broken or self.closed:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
        return self.peer.address

    def getsockname(self) -> Address:
        return self.address

    def connect_ex(self, address: Any) -> int:
        if self.peer is not None:
            return errno.EISCONN
        self.kernel.connect(self, address)
        return errno.EINPROGRESS

    def send(self, content: Any, flags: int = 0) -> int:
        self._check_error()
        if self.sent_end or self.closed or self.broken or self.peer is None:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        room = self.room
        if room <= 0:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        size = len(content)
        if size > room:
            size = room
        if size > 1 and self.wire is not None and self.wire.chance(self.kernel.weather.short):
            size = self.wire.random.randrange(1, size + 1)
        self._carry(content if size == len(content) and type(content) is bytes else bytes(content[:size]))
        return size

    def sendmsg(self, buffers: Any, *more: Any) -> int:
        return self.send(b"".join(buffers))

    def recv(self, most: int, flags: int = 0) -> bytes:
        buffer = bytearray(most)
        return bytes(buffer[: self.recv_into(buffer, most)])

    def recv_into(self, buffer: Any, most: int = 0, flags: int = 0) -> int:
        inbox = self.inbox
        if inbox:
            size = len(inbox)
            if size <= most:
                buffer[:size] = inbox
                inbox.clear()
            else:
                size = most
                buffer[:size] = inbox[:size]
                del inbox[:size]
            self._make_room()
            return size
        self._check_error()
        if self.got_end or self.broken:
            return 0
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    def shutdown(self, how: int) -> None:
        if self.peer is None or self.broken:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
        if how in (socket.SHUT_WR, socket.SHUT_RDWR):
            self._send_end()

    def close(self) -> None:
        if self.closed:
            return
        if self.owner.alive and (self.reader or self.writer):
            raise Wrong(f"{self.name} was closed, and is still watched by {self.reader or self.writer}")
        self.closed = True
        self.owner.sockets.pop(self.number, None)
        self.kernel.closed(self)
        if self.peer is None or self.broken:
            return
        if self.inbox or not self.linger:
            self.kernel.say(f"{self.name} resets")
            self._send_reset()
        else:
            self._send_end()

    # -- what its loop calls ---------------------------------------------------------------------------------

    def watch(self, reader: Callable[[], Any] | None = None, writer: Callable[[], Any] | None = None) -> None:
        if reader is not None:
            self.reader = reader
        if writer is not None:
            self.writer = writer
        watcher = getattr(reader or writer, "__self__", None)
        if isinstance(watcher, SocketChannel):
            self.channel = watcher
        self.wake()

    def forget_reader(self) -> bool:
        self.reader = None
        return True

    def forget_writer(self) -> bool:
        self.writer = None
        return True

    @property
    def room(self) -> int:
        """Bytes that may be sent now."""
        peer = self.peer
        return self.most - len(self.flight) - (len(peer.inbox) if peer is not None else 0)

    @property
    def is_readable(self) -> bool:
        return bool(self.inbox or self.error or self.got_end or self.broken)

    @property
    def is_writable(self) -> bool:
        return bool(self.error or self.broken or (self.peer is not None and (self.sent_end or self.room > 0)))

    def wake(self) -> None:
        """Let the program be told of what it watches for, if that is so."""
        if (
            self.reader is not None
            and not self.asked_read
            and (self.inbox or self.error or self.got_end or self.broken)  # as `is_readable`, for each step
        ):
            self.asked_read = True
            self.kernel.soon(self, self._tell_reader)
        if self.writer is not None and not self.asked_write and self.is_writable:
            self.asked_write = True
            self.kernel.soon(self, self._tell_writer)

    def _tell_reader(self) -> None:
        self.asked_read = False
        if self.reader is not None and self.is_readable:
            self.reader()
            self.wake()

    def _tell_writer(self) -> None:
        self.asked_write = False
        if self.writer is not None and self.is_writable:
            self.writer()
            self.wake()

    # -- what is on its way ----------------------------------------------------------------------------------

    def vanish(self) -> None:
        """End without a word to the peer."""
        self.closed = self.broken = True
        self.owner.sockets.pop(self.number, None)
        if self.wire is not None and self.wire.is_local:
            if self.peer is not None:
                self.peer.reset()  # who has no power either
        elif self.wire is not None:
            self.wire.forget(self.owner.host)

    def _check_error(self) -> None:
        if self.error:
            error, self.error = self.error, 0
            raise OSError(error, "Connection reset by peer" if error == errno.ECONNRESET else "error")

    def _carry(self, content: bytes) -> None:
        assert self.wire is not None
        self.flight += content
        self.kernel.scheduler.touched.append(self)
        if self.tap is not None:
            self.tap.hear(content)
        self.wire.send(self, self._arrive, len(content))

    def _arrive(self, size: int) -> None:
        """Let bytes be read at the other end: all of them, or some now and the others later."""
        wire, peer, flight = self.wire, self.peer, self.flight
        assert wire is not None and peer is not None
        if size > 1 and wire.chance(self.kernel.weather.short):
            rest = size - wire.random.randrange(1, size)
            size -= rest
            wire.send(self, self._arrive, rest, first=True)
        piece = flight[:size]
        del flight[:size]
        if peer.closed:
            wire.send(peer, self.reset)
        elif not peer.broken:
            peer.inbox += piece
            peer.wake()

    def _make_room(self) -> None:
        self.kernel.scheduler.touched.append(self)
        if self.peer is not None and self.peer.writer is not None:
            self.peer.wake()

    def _send_end(self) -> None:
        if not self.sent_end:
            self.kernel.say(f"{self.name} ends")
            self.sent_end = True
            assert self.wire is not None
            self.wire.send(self, self._end_arrives)

    def _end_arrives(self) -> None:
        assert self.wire is not None and self.peer is not None
        if self.lost:
            return
        if self.flight:  # bytes that came in pieces
            self.wire.send(self, self._end_arrives)
        elif not self.peer.closed and not self.peer.broken:
            self.peer.got_end = True
            self.peer.wake()

    def _send_reset(self) -> None:
        assert self.wire is not None and self.peer is not None
        if self.wire.chance(0.5):
            self.flight.clear()
            self.lost = True
        self.wire.send(self, self.peer.reset)
        self.broken = True

    def reset(self) -> None:
        """Take note that the connection is no more, as the peer's kernel says."""
        if self.closed or self.broken:
            return
        self.kernel.say(f"{self.name} is reset")
        self.broken, self.error = True, errno.ECONNRESET
        self.flight.clear()
        self.lost = True
        self.wake()
