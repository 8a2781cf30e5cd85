"""certificates.py: what is shown, and who is trusted."""

import os
from pathlib import Path

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import ConfigError
from streamrelay.net.certificates import ClientPair, ServerTls, read_certificates, split_pair
from tests.authority import Authority
from tests.fakes.files import folder
from tests.fakes.logs import Heard


def shake(server: SSL.Connection, client: SSL.Connection) -> None:
    """Carry both ends' handshake to its end, or raise what the client or the server raises."""
    client.set_connect_state()
    server.set_accept_state()
    done = set()
    for _ in range(20):
        for mine, other in ((client, server), (server, client)):
            try:
                mine.do_handshake()
                done.add(mine)
            except SSL.WantReadError:
                pass
            finally:
                try:
                    other.bio_write(mine.bio_read(1 << 16))
                except SSL.WantReadError:
                    pass
        if len(done) == 2:
            return
    raise AssertionError("the handshake came to no end")


class Case(SynchronousTestCase):
    """A directory with a CA."""

    def setUp(self) -> None:
        self.where = folder(self)
        self.authority = Authority(self.where / "ca.pem")

    def pair(self, file: str, *names: str) -> str:
        """A new certificate for these names, as CERTIFICATE,KEY."""
        return self.authority.issue(self.where / f"{file}.pem", *names)

    def serving(self, *pairs: str, client_ca: str = "") -> ServerTls:
        tls = ServerTls(pairs, client_ca)
        tls.load()
        return tls

    def shown(self, tls: ServerTls, name: str | None = None, mine: str = "", **limits: int) -> str:
        """The first name of the certificate that a client is shown which asks for `name`."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        if mine:
            certificate, key = split_pair(mine)
            context.use_certificate_chain_file(certificate)
            context.use_privatekey_file(key)
        if "most" in limits:
            context.set_max_proto_version(limits["most"])
        client, server = SSL.Connection(context, None), tls.serverConnectionForTLS(None)
        if name is not None:
            client.set_tlsext_host_name(name.encode())
        shake(server, client)
        self.server = server
        certificate_shown = client.get_peer_certificate()
        assert certificate_shown is not None
        return str(certificate_shown.get_subject().CN)


class Showing(Case):
    """The listening side."""

    def test_by_name(self) -> None:
        """The certificate that fits the name which is asked for is shown, a wildcard's too, else the first."""
        tls = self.serving(
            self.pair("a", "a.example"), self.pair("b", "b.example", "www.b.example"), self.pair("c", "*.c.example")
        )
        for asked, shown in (
            ("a.example", "a.example"),
            ("B.example", "b.example"),
            ("www.b.example", "b.example"),
            ("x.c.example", "*.c.example"),
            ("x.y.c.example", "a.example"),
            ("c.example", "a.example"),
            ("other.example", "a.example"),
            (None, "a.example"),
        ):
            self.assertEqual(self.shown(tls, asked), shown, asked)

    def test_versions(self) -> None:
        """TLS 1.3 and 1.2 by modern ciphers are spoken, nothing older."""
        tls = self.serving(self.pair("a", "a.example"))
        self.shown(tls)
        self.assertEqual(
            (self.server.get_protocol_version_name(), self.server.get_cipher_name()),
            ("TLSv1.3", "TLS_AES_128_GCM_SHA256"),
        )
        self.shown(tls, most=SSL.TLS1_2_VERSION)
        self.assertIn("GCM", str(self.server.get_cipher_name()))
        self.assertRaises(SSL.Error, self.shown, tls, most=SSL.TLS1_1_VERSION)

    def test_reload(self) -> None:
        """A new certificate is shown to new handshakes once its files are looked at again, and not before."""
        pair = self.pair("a", "old.example")
        tls = self.serving(pair)
        old = tls.serverConnectionForTLS(None)
        self.pair("a", "new.example")
        self.assertEqual(self.shown(tls), "old.example")
        tls.files.refresh()
        self.assertEqual(self.shown(tls), "new.example")
        self.assertIsNot(old.get_context(), tls.serverConnectionForTLS(None).get_context())

    def test_broken(self) -> None:
        """A pair that is broken keeps the one before in force, is told once, and mended files count again."""
        tls = self.serving(self.pair("a", "old.example"))
        (self.where / "a.pem").write_text("broken")
        heard = Heard(self)
        tls.files.refresh()
        tls.files.refresh()
        self.assertEqual(len(heard.events), 1)
        self.assertIn("can't read the certificates again", heard.text)
        self.assertIn("a.pem", heard.text)
        self.assertEqual(self.shown(tls), "old.example")
        self.pair("a", "new.example")
        tls.files.refresh()
        self.assertEqual(self.shown(tls), "new.example")

    def test_half_new(self) -> None:
        """A new certificate whose key has not come yet changes nothing."""
        tls = self.serving(self.pair("a", "old.example"))
        key = (self.where / "a.key").read_bytes()
        self.pair("a", "new.example")
        (self.where / "a.key").write_bytes(key)
        heard = Heard(self)
        tls.files.refresh(force=True)
        self.assertIn("stays in force", heard.text)
        self.assertEqual(self.shown(tls), "old.example")

    def test_refused(self) -> None:
        """A program doesn't start with files that are missing, no pair, no PEM, or readable by others."""
        certificate, key = split_pair(self.pair("a", "a.example"))
        other = split_pair(self.pair("b", "b.example"))[1]
        for pair in ("missing.pem,missing.key", f"{certificate},missing.key", f"{certificate},{other}", certificate):
            error = self.assertRaises(ConfigError, ServerTls((pair,)).load)
            self.assertNotIn("\n", str(error))
        os.chmod(key, 0o640)
        self.assertIn("chmod 600", str(self.assertRaises(ConfigError, ServerTls((f"{certificate},{key}",)).load)))

    def test_one_file(self) -> None:
        """One file may hold both."""
        certificate, key = split_pair(self.pair("a", "a.example"))
        both = self.where / "both.pem"
        both.write_bytes(Path(certificate).read_bytes() + Path(key).read_bytes())
        both.chmod(0o600)
        self.assertEqual(self.shown(self.serving(str(both))), "a.example")

    def test_clients(self) -> None:
        """Where clients' certificates are asked for, one of the CA passes, none passes, one of another CA does not."""
        tls = self.serving(self.pair("a", "a.example"), client_ca=str(self.where / "ca.pem"))
        self.shown(tls, mine=self.pair("host", "web-1"))
        self.assertIsNotNone(self.server.get_peer_certificate())
        self.shown(tls)
        self.assertIsNone(self.server.get_peer_certificate())
        stranger = Authority(self.where / "stranger.pem").issue(self.where / "evil.pem", "web-1")
        self.assertRaises(SSL.Error, self.shown, tls, mine=stranger)


class Trusting(Case):
    """The dialling side."""

    def test_files(self) -> None:
        """A file of certificates that is missing, empty or broken is refused by its name."""
        (self.where / "empty").write_text("")
        (self.where / "broken").write_text("-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n")
        (self.where / "endless").write_text("-----BEGIN CERTIFICATE-----\n" * 30_000)
        for name in ("missing", "empty", "broken", "endless"):
            error = self.assertRaises(ConfigError, read_certificates, str(self.where / name))
            self.assertIn(name, str(error))
        read_certificates(str(self.where / "ca.pem"))

    def test_own_pair(self) -> None:
        """A dialler's certificate is read again when it changes; a broken one keeps the one before."""
        pair = ClientPair(self.pair("host", "web-1"))
        self.assertEqual(pair.read().getSubject().commonName, b"web-1")
        self.pair("host", "web-1b")
        self.assertEqual(pair.read().getSubject().commonName, b"web-1b")
        (self.where / "host.pem").write_text("broken")
        heard = Heard(self)
        self.assertEqual(pair.read().getSubject().commonName, b"web-1b")
        self.assertIn("can't read the certificates again", heard.text)
        self.assertRaises(ConfigError, ClientPair("missing.pem,missing.key").read)
