"""A target for sources, sinks and echoes: the first bytes of a connection say which of them it is to be."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

from attrs import define, field

from tests.live.support.waiting import WAIT
from tests.soak.pattern import Pattern, Wrong

HEAD = struct.Struct(">cQQQ")
"""What it is to be, the number of the stream, where the pattern begins, and how many bytes."""
GREETING = b"here\n"
"""What each connection begins with: the stream is there."""
STEP = 1 << 16


@define(eq=False)
class Target:
    """A port on which each connection is served by a thread."""

    pattern: Pattern
    fault: Callable[[str], None]
    taken: int = 0
    """Bytes that came whole, whatever became of the rest."""
    _listener: socket.socket = field(factory=lambda: socket.create_server(("127.0.0.1", 0), backlog=100))
    _live: set[int] = field(factory=set)
    _lock: threading.Lock = field(factory=threading.Lock)

    @property
    def name(self) -> str:
        return f"port/{self._listener.getsockname()[1]}"

    def start(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def serves(self, number: int) -> bool:
        """Whether a stream's connection is still there."""
        return number in self._live

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(2 * WAIT)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        number = -1
        try:
            with connection:
                connection.sendall(GREETING)
                kind, number, place, size = HEAD.unpack(_exactly(connection, HEAD.size))
                self._live.add(number)
                {b"d": self._send, b"u": self._take, b"e": self._echo}[kind](connection, place, size)
        except Wrong as error:
            self.fault(f"target of stream {number}: {error}")
        except TimeoutError:
            self.fault(f"target of stream {number}: nothing moved for {2 * WAIT:g} s")
        except OSError:
            pass  # cut; its client says whether it may be
        finally:
            self._live.discard(number)

    def _send(self, connection: socket.socket, place: int, size: int) -> None:
        end = place + size
        while place < end:
            place += connection.send(self.pattern.piece(place, min(STEP, end - place)))

    def _take(self, connection: socket.socket, place: int, size: int) -> None:
        end = place + size
        while place < end and (came := connection.recv(STEP)):
            place = self.pattern.check(place, came)
            with self._lock:
                self.taken += len(came)
        if place == end:
            connection.sendall(struct.pack(">Q", size))

    def _echo(self, connection: socket.socket, place: int, size: int) -> None:
        while came := connection.recv(STEP):
            place = self.pattern.check(place, came)
            connection.sendall(came)


def _exactly(connection: socket.socket, size: int) -> bytes:
    came = b""
    while len(came) < size:
        more = connection.recv(size - len(came))
        if not more:
            raise ConnectionResetError("ended before it began")
        came += more
    return came
