"""A client of the relay that seals its own TLS records."""

import contextlib
import select
import socket

from OpenSSL import SSL

from tests.fakes.tls13 import APPLICATION, Secrets
from tests.live.support.waiting import WAIT

SOON = 4.0
"""Seconds, on a free machine, within which it is cut; the deadline of a handshake would do it after 5."""


class Sealed:
    """A TLS connection to the relay that seals its own records after the handshake."""

    def __init__(self, connection: socket.socket, first: bytes = b"") -> None:
        self.socket, secrets = connection, Secrets()
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_verify(SSL.VERIFY_NONE, lambda *_: True)
        secrets.watch(context)
        self.tls = SSL.Connection(context, None)
        self.tls.set_connect_state()
        while not self._shaken():
            self._flush()
            self.tls.bio_write(connection.recv(65536))
        self._flush()
        self.sealer = secrets.sealer("CLIENT")
        self.head = b""
        if first:
            self.socket.sendall(self.sealer.seal(APPLICATION, first))
            while not self.head.endswith(b"\r\n\r\n"):
                self.tls.bio_write(connection.recv(65536))
                with contextlib.suppress(SSL.WantReadError):
                    self.head += self.tls.recv(65536)

    def _shaken(self) -> bool:
        try:
            self.tls.do_handshake()
        except SSL.WantReadError:
            return False
        return True

    def _flush(self) -> None:
        with contextlib.suppress(SSL.WantReadError):
            self.socket.sendall(self.tls.bio_read(65536))

    def cut(self, sealed: bytes) -> bool:
        """Send all of this without reading; True if the relay ends the connection."""
        self.socket.settimeout(WAIT)
        try:
            self.socket.sendall(sealed)
            poll = select.poll()
            poll.register(self.socket, select.POLLRDHUP)
            return bool(poll.poll(WAIT * 1000))
        except TimeoutError:
            return False
        except OSError:
            return True
