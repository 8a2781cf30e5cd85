"""A proxy that may stop: its connections stay open, and nothing is forwarded any more."""

import contextlib
import socket
import threading

from tests.live.support.threaded_server import ThreadedServer


class Pump(ThreadedServer):
    """A port of its own before another one of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._flows = threading.Event()
        self._flows.set()
        super().__init__()

    def stop(self) -> None:
        self._flows.clear()

    def go_on(self) -> None:
        self._flows.set()

    def close(self) -> None:
        self._flows.set()
        super().close()

    def _serve(self, connection: socket.socket) -> None:
        far = socket.socket()
        self._sockets.append(far)
        if far.connect_ex(("127.0.0.1", self._to)):
            connection.close()
            return
        self._begin(self._carry, far, connection)
        self._carry(connection, far)

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                sink.sendall(data)
            self._flows.wait()
            sink.shutdown(socket.SHUT_WR)
