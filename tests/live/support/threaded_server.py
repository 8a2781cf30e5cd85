"""A server on a port of its own, each of whose connections is served in a thread."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

from tests.live.support.waiting import WAIT


class ThreadedServer:
    """A server that is there until it is closed, and with it all its connections."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=500)
        self.port: int = self._listening.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Close each descriptor once no thread is about to use it: another socket may soon have its number, and that
        thread would accept from it, or read it."""
        shut(self._listening)
        self._accepting.join(WAIT)
        self._listening.close()
        for one in self._sockets:
            shut(one)
        for thread in self._threads:
            thread.join(1)  # it may be at something else than its connection
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self._sockets.append(connection)
                self._begin(self._serve, connection)

    def _begin(self, work: Callable[..., None], *arguments: Any) -> None:
        """Do something in a thread."""
        self._threads.append(threading.Thread(target=work, args=arguments, daemon=True))
        self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        raise NotImplementedError


def shut(one: socket.socket) -> None:
    """End what threads wait for at a socket, which stays theirs."""
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
