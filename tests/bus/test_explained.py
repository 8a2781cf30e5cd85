"""tls.py: a server whose certificate doesn't hold good, or that doesn't take ours, in words."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.bus.tls import tls_context, words
from streamrelay.net.certificates import split_pair
from tests.authority import Authority, self_signed
from tests.fakes.files import folder

HOST = "nats.example"


class Handshakes(SynchronousTestCase):
    """In memory."""

    def setUp(self) -> None:
        self.where = folder(self)
        self.authority = Authority(self.where / "ca.pem")

    def ends(self, pair: str, mine: str = "", client_ca: str = "") -> tuple[str, str]:
        """What our side says of a server with this certificate, and the server of us; empty: all is well."""
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(*split_pair(pair))
        if client_ca:
            server.verify_mode = ssl.CERT_REQUIRED
            server.load_verify_locations(client_ca)
        ours = tls_context(str(self.where / "ca.pem"), mine)
        first, second = ssl.MemoryBIO(), ssl.MemoryBIO()
        near = ours.wrap_bio(first, second, server_hostname=HOST)
        far = server.wrap_bio(second, first, server_side=True)
        told = {near: "", far: ""}
        for _ in range(4):
            for end in (near, far):
                try:
                    end.do_handshake()
                    end.read(1)
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLError as error:
                    told[end] = told[end] or words(error)
        return told[near], told[far]

    def date(self, days: float) -> str:
        return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"

    def test_good(self) -> None:
        """Nobody says anything."""
        self.assertEqual(self.ends(self.authority.issue(self.where / "a.pem", HOST)), ("", ""))

    def test_refused(self) -> None:
        """Expired, not yet valid, of an unknown issuer, self-signed, for another host: in the words of all programs."""
        issue, where = self.authority.issue, self.where / "a.pem"
        between = Authority(self.where / "between.pem", self.authority)
        for pair, said in (
            (lambda: issue(where, HOST, days=-1), f"the certificate of {HOST} expired on {self.date(-1)}"),
            (lambda: issue(where, HOST, since=1), f"the certificate of {HOST} isn't valid before {self.date(1)}"),
            (lambda: between.issue(where, HOST), "has an unknown issuer, streamrelay test intermediate"),
            (lambda: self_signed(where, HOST), f"the certificate of {HOST} is self-signed"),
            (lambda: issue(where, "a.example"), f"is for another host: for a.example, not for {HOST}"),
        ):
            told, _ = self.ends(pair())
            self.assertTrue(told.startswith("TLS: "), told)
            self.assertIn(said, told)

    def test_ours(self) -> None:
        """A server that asks for a certificate and gets none, or one of another CA, is told as saying so."""
        pair, ca = self.authority.issue(self.where / "a.pem", HOST), str(self.where / "ca.pem")
        self.assertIn("asks for a certificate, and was shown none", self.ends(pair, client_ca=ca)[0])
        other = Authority(self.where / "other.pem").issue(self.where / "agent.pem", "web-1")
        self.assertIn("doesn't know the issuer of the certificate", self.ends(pair, other, ca)[0])

    def test_plain(self) -> None:
        """Bytes that are no TLS, and errors of other kinds."""
        first, second = ssl.MemoryBIO(), ssl.MemoryBIO()
        near = tls_context("", "").wrap_bio(first, second, server_hostname=HOST)
        self.assertRaises(ssl.SSLWantReadError, near.do_handshake)
        first.write(b"INFO {}\r\n-ERR\r\n")
        told = words(self.assertRaises(ssl.SSLError, near.do_handshake))
        self.assertIn("TLS: the other end doesn't speak TLS", told)
        self.assertEqual(words(OSError("x")), "x")

    def test_soon(self) -> None:
        """Files of a pair are looked at as all programs do."""
        certificate, key = split_pair(self.authority.issue(self.where / "a.pem", HOST))
        Path(key).chmod(0o640)
        self.assertRaisesRegex(Exception, "chmod 600", tls_context, "", f"{certificate},{key}")
