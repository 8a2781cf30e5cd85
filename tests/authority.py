"""A CA of the tests' own, and certificates that it signs."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """A CA, whose certificate is written to a file: a root, or one that its `parent` has signed."""

    def __init__(self, path: Path, parent: "Authority | None" = None, days: float = 30) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _named("streamrelay test intermediate" if parent else "streamrelay test CA")
        self.mark = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        issuer = parent or self
        certificate = (
            issuer._begun(self.name, self.key, days)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0 if parent else 1), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(self.mark, critical=False)
            .sign(issuer.key, hashes.SHA256())
        )
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, path: Path, *names: str, days: float = 30, since: float = -3) -> str:
        """Write a certificate for these names and its key (NAME.pem, NAME.key), and give them as CERTIFICATE,KEY; it is
        good from `since` to `days`, counted from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        mark = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self.mark)
        certificate = (
            self._begun(_named(names[0]), key, days, since)
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
            .add_extension(mark, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return _write(path, certificate, key)

    def _begun(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: float, since: float = -3
    ) -> x509.CertificateBuilder:
        today = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(today + datetime.timedelta(days=since))
            .not_valid_after(today + datetime.timedelta(days=days))
        )


def self_signed(path: Path, *names: str) -> str:
    """Write a certificate that no CA has signed, and its key; give them as CERTIFICATE,KEY."""
    key, name = ec.generate_private_key(ec.SECP256R1()), _named(names[0])
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=3))
        .not_valid_after(today + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([_general(one) for one in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _write(path, certificate, key)


def _write(path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> str:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = path.with_suffix(".key")
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    private.chmod(0o600)
    return f"{path},{private}"


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
