"""pairs.py: a certificate and its key, and what may be wrong with their files."""

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import ConfigError
from streamrelay.net.certificates import split_pair
from streamrelay.net.pairs import read_pair
from tests.authority import Authority
from tests.fakes.files import folder


class Wrong(SynchronousTestCase):
    """Each line says which file, what it holds, and what was expected."""

    def setUp(self) -> None:
        self.where = folder(self)
        self.authority = Authority(self.where / "ca.pem")
        self.certificate, self.key = split_pair(self.authority.issue(self.where / "web.pem", "relay.example"))

    def refused(self, certificate: str, key: str) -> str:
        told = str(self.assertRaises(ConfigError, read_pair, certificate, key))
        self.assertNotIn("\n", told)
        return told

    def test_good(self) -> None:
        """Two files, one file with both in any order, and a chain are read."""
        self.assertEqual(len(read_pair(self.certificate, self.key).chain), 1)
        parts = [Path(self.certificate).read_bytes(), Path(self.key).read_bytes()]
        for order in (parts, parts[::-1], [*parts, (self.where / "ca.pem").read_bytes()]):
            both = self.where / "both.pem"
            both.write_bytes(b"".join(order))
            both.chmod(0o600)
            self.assertEqual(len(read_pair(str(both), str(both)).chain), len(order) - 1)

    def test_swapped(self) -> None:
        """A key where the certificate should be, and the other way round."""
        self.assertEqual(
            self.refused(self.key, self.certificate),
            f"{self.key}: holds a private key and no certificate; expected is CERTIFICATE,KEY, in this order",
        )
        self.assertIn(f"{self.key}: holds a private key", self.refused(self.key, self.key))

    def test_no_key(self) -> None:
        """A certificate alone, two certificates, and a file of something else in place of a key."""
        self.assertEqual(
            self.refused(self.certificate, self.certificate),
            f"{self.certificate}: holds no private key; give its file behind a comma: CERTIFICATE,KEY",
        )
        other = str(self.where / "ca.pem")
        self.assertIn(f"{other}: holds a certificate and no private key", self.refused(self.certificate, other))
        (self.where / "note").write_text("the key is in the safe")
        self.assertIn("note: holds no private key in PEM form", self.refused(self.certificate, f"{self.where}/note"))

    def test_other_pair(self) -> None:
        """A key that is another certificate's."""
        _, other = split_pair(self.authority.issue(self.where / "other.pem", "other.example"))
        told = self.refused(self.certificate, other)
        self.assertTrue(told.startswith(f"{other}: this private key is another certificate's"), told)
        self.assertIn(f"{self.certificate} (of relay.example)", told)

    def test_order(self) -> None:
        """A file in which the issuer's certificate stands before its own."""
        own = Path(self.certificate).read_bytes()
        Path(self.certificate).write_bytes((self.where / "ca.pem").read_bytes() + own)
        told = self.refused(self.certificate, self.key)
        self.assertIn(f"{self.certificate}: its first certificate (of streamrelay test CA) must be the one whose", told)
        self.assertIn("which is number 2 here", told)

    def test_files(self) -> None:
        """Files that are missing, a key that others may read."""
        self.assertIn("none.pem: can't be read: No such file", self.refused(f"{self.where}/none.pem", self.key))
        self.assertIn("none.key: can't be read: No such file", self.refused(self.certificate, f"{self.where}/none.key"))
        os.chmod(self.key, 0o640)
        self.assertIn(
            f"others may read this private key; run: chmod 600 {self.key}", self.refused(self.certificate, self.key)
        )

    def test_forms(self) -> None:
        """DER, a key with a passphrase, PEM that is broken."""
        binary = self.where / "web.crt"
        binary.write_bytes(read_pair(self.certificate, self.key).chain[0].public_bytes(serialization.Encoding.DER))
        self.assertIn(f"run: openssl x509 -inform der -in {binary}", self.refused(str(binary), self.key))
        key = serialization.load_pem_private_key(Path(self.key).read_bytes(), None)
        sealed = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
        Path(self.key).write_bytes(sealed)
        self.assertIn(f"{self.key}: this private key wants a passphrase", self.refused(self.certificate, self.key))
        Path(self.key).write_text("-----BEGIN PRIVATE KEY-----\nxx\n-----END PRIVATE KEY-----\n")
        self.assertIn(f"{self.key}: not a private key in PEM form", self.refused(self.certificate, self.key))
        Path(self.certificate).write_text("-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n")
        self.assertIn("web.pem: not certificates in PEM form", self.refused(self.certificate, self.key))
