"""hostnames.py: hosts by their names, and TLS with them."""

from typing import Any

from OpenSSL import SSL
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.net.certificates import ServerTls, read_certificates
from streamrelay.net.client_tls import ClientContext
from streamrelay.net.peer import explain
from tests.authority import Authority
from tests.datapath.loopback import drain
from tests.fakes.files import folder


def other(shown: str, host: str) -> str:
    return f"TLS: the certificate is for another host: for {shown}, not for {host}"


class Tls(SynchronousTestCase):
    """Handshakes in memory."""

    def setUp(self) -> None:
        self.where = folder(self)
        self.authority = Authority(self.where / "ca.pem")
        self.factory, self.wrappedFactory = self, None  # of the protocol that `refuse` is of
        self.trust = read_certificates(str(self.where / "ca.pem"))

    def refuse(self, why: Exception) -> None:
        """As `BoundedTls`, which keeps it."""
        self.said = explain(Failure(why))

    def shake(self, host: str, *certified: str) -> str:
        """What a client says that asks for this host and is shown a certificate for these names."""
        self.said = "no handshake"
        server = ServerTls((self.authority.issue(self.where / "server.pem", *certified),))
        server.load()
        tls: Any = ClientContext(self.trust).to(host, 443)
        ends = tls.clientConnectionForTLS(self), server.serverConnectionForTLS(None)
        ends[0].set_connect_state()
        ends[1].set_accept_state()
        for end, other in (ends, ends[::-1]) * 3:
            try:
                end.do_handshake()
                if end is ends[0]:
                    self.name = ends[1].get_servername()
                    return ""
            except SSL.WantReadError:
                pass
            except SSL.Error:
                return self.said
            other.bio_write(drain(end))
        return self.said

    def test_by_the_certificate(self) -> None:
        """A name with an underscore is asked for as it is, and is good if the certificate is for it."""
        for host, certified in (
            ("my_host.internal", "my_host.internal"),
            ("my_host.lan.internal", "*.lan.internal"),
            ("ok.internal", "ok.internal"),
            ("ab--cd.internal", "ab--cd.internal"),
            ("b\xfccher.example", "xn--bcher-kva.example"),
        ):
            self.assertEqual(self.shake(host, certified), "")
            self.assertEqual(self.name, host.encode("idna"))

    def test_addresses(self) -> None:
        """An address is compared with a certificate's addresses, and asked for by no name."""
        for host in ("127.0.0.1", "::1"):
            self.assertEqual(self.shake(host, host), "")
            self.assertIsNone(self.name)
            self.assertEqual(self.shake(host, "10.0.0.1", "localhost"), other("localhost, 10.0.0.1", host))

    def test_another(self) -> None:
        """A certificate for another name isn't good for it, in one clear line."""
        for certified in (
            "my-host.internal",
            "myxhost.internal",
            "host.internal",
            "my_host.example",
            "streamrelay.invalid",
        ):
            self.assertEqual(self.shake("my_host.internal", certified), other(certified, "my_host.internal"))

    def test_unread(self) -> None:
        """A certificate with a name that can't be compared, as a wildcard for a whole domain, is good for nobody."""
        for host in ("ok.internal", "my_host.internal", "elsewhere.example"):
            self.assertEqual(self.shake(host, "*.internal"), other("*.internal", host))

    def test_no_name(self) -> None:
        """What IDNA refuses for other reasons stays refused."""
        for host in ("a..b", "x" * 64, "bücher_x"):
            self.assertRaises(ValueError, ClientContext(self.trust).to, host, 443)
