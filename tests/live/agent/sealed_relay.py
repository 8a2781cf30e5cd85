"""A hostile relay over TLS, which seals its own records once the handshake is done."""

import contextlib
import socket
from pathlib import Path
from typing import Any

from OpenSSL import SSL

from tests.fakes.tls13 import Sealer, Secrets
from tests.live.agent.hostile_relay import HostileRelay
from tests.live.agent.hostile_relay_cases import RelayCase
from tests.live.attacks.attack import AttackedChain
from tests.live.support.chain import Chain


class SealedSocket:
    """The server's end of a TLS connection, as far as a relay's part needs it."""

    def __init__(self, connection: socket.socket, certificate: Path) -> None:
        self.socket, self._secrets, self._records = connection, Secrets(), 0
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate_chain_file(str(certificate))
        context.use_privatekey_file(str(certificate.with_suffix(".key")))
        self._secrets.watch(context)
        self._tls = SSL.Connection(context, None)
        self._tls.set_accept_state()
        while not self._shaken():
            self.socket.sendall(self._sealed())
            self._tls.bio_write(self._received())
        self._flush()  # tickets are the first records by the keys of the stream

    def _shaken(self) -> bool:
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            return False
        return True

    def _received(self) -> bytes:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        return data

    def _sealed(self) -> bytes:
        sealed = b""
        with contextlib.suppress(SSL.WantReadError):
            while True:
                sealed += self._tls.bio_read(65536)
        return sealed

    def _flush(self) -> None:
        sealed, at = self._sealed(), 0
        while at < len(sealed):
            self._records, at = self._records + 1, at + 5 + int.from_bytes(sealed[at + 3 : at + 5])
        self.socket.sendall(sealed)

    def recv(self, size: int) -> bytes:
        while True:
            try:
                return bytes(self._tls.recv(size))
            except SSL.WantReadError:
                self._tls.bio_write(self._received())
            except SSL.Error:  # it ends TLS
                return b""

    def sendall(self, data: bytes) -> None:
        for at in range(0, len(data), 16384):
            self._tls.send(data[at : at + 16384])
        self._flush()

    def sealer(self) -> Sealer:
        """What seals the records from now on; nothing is to be sent otherwise after it."""
        return Sealer(self._secrets.found[b"SERVER_TRAFFIC_SECRET_0"], self._records)


class SealedRelay(HostileRelay):
    """Plays its cases over TLS, with a certificate and the key beside it."""

    def __init__(self, cases: list[RelayCase], certificate: Path) -> None:
        self._certificate = certificate
        self.dials = 0
        super().__init__(cases)

    def url(self, number: int) -> str:
        return f"wss://localhost:{self.port}/row-{number}"

    def _play(self, connection: Any) -> None:
        self.dials += 1
        super()._play(SealedSocket(connection, self._certificate))  # type: ignore[arg-type]


class TrustingChain(AttackedChain):
    """An agent that may be summoned to any relay with a certificate of the test's authority."""

    def write_agent(self, targets: str) -> None:
        self.agent_settings = f'ca = "{self.folder}/ca.pem"\npatience = 30\n'
        Chain.write_agent(self, targets)
