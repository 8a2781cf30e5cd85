"""A proxy that may stop: its connections stay open, and nothing is forwarded any more."""

import contextlib
import socket
import threading


class Pump:
    """A port of its own before another one of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self._to = port
        self._flows = threading.Event()
        self._flows.set()
        self._sockets = [socket.create_server(("127.0.0.1", 0))]
        self.port = self._sockets[0].getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._flows.clear()

    def go_on(self) -> None:
        self._flows.set()

    def close(self) -> None:
        self._flows.set()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._sockets[0].accept()
                far = socket.socket()
                self._sockets += (near, far)
                if far.connect_ex(("127.0.0.1", self._to)):
                    near.close()
                    continue
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                sink.sendall(data)
            self._flows.wait()
            sink.shutdown(socket.SHUT_WR)
