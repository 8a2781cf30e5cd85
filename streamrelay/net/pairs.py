"""A certificate and its private key as their files hold them: what is wrong with them, in words."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from attrs import define
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from streamrelay.errors import ConfigError
from streamrelay.files import read, read_secret
from streamrelay.logs import Logger
from streamrelay.net.certificate_faults import label, lapse

log = Logger()

_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"
_KEY: Final = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.+?-----END \1-----", re.DOTALL)


@define(frozen=True)
class Pair:
    """A certificate, with those that its file holds behind it, and its key's file."""

    path: str
    chain: tuple[x509.Certificate, ...]
    pem: bytes
    secret: bytes

    @property
    def expiry(self) -> float:
        """Seconds since the epoch when the first of the certificates expires."""
        return expiry(self.chain)

    def warn(self) -> None:
        """Say of each certificate that has expired, or soon will, or isn't valid yet, that it is so."""
        for certificate in self.chain:
            if when := lapse(certificate):
                log.warn(
                    "the certificate of {name} in {path} {when}", name=label(certificate), path=self.path, when=when
                )


def expiry(chain: Sequence[x509.Certificate]) -> float:
    """Return when the first of some certificates expires, in seconds since the epoch."""
    return min(certificate.not_valid_after_utc.timestamp() for certificate in chain)


def read_pair(certificate: str, key: str) -> Pair:
    """Read the files of a certificate and its key (one file may hold both), or raise `ConfigError`."""
    pem = read(certificate)
    if _CERTIFICATE not in pem:
        raise ConfigError(_no_certificate(certificate, pem, key))
    peeked = pem if key == certificate else read(key) if Path(key).is_file() else b""  # a pipe is read once
    if peeked and b"PRIVATE KEY-----" not in peeked:
        raise ConfigError(_no_key(certificate, key, peeked))
    secret = read_secret(key, "private key")
    try:
        chain = tuple(x509.load_pem_x509_certificates(pem))
    except ValueError as error:
        raise ConfigError(f"{certificate}: not certificates in PEM form ({error})") from None
    _check_fits(certificate, chain, key, _private(key, secret))
    return Pair(certificate, chain, pem, secret)


def _no_certificate(certificate: str, pem: bytes, key: str) -> str:
    if _KEY.search(pem):
        return f"{certificate}: holds a private key and no certificate; expected is CERTIFICATE,KEY, in this order"
    if pem[:1] == b"\x30":
        return f"{certificate}: not in PEM form, but in DER; run: openssl x509 -inform der -in {certificate}"
    return f"{certificate}: holds no certificate in PEM form; expected is one, with its private key in {key}"


def _no_key(certificate: str, key: str, found: bytes) -> str:
    if key == certificate:
        return f"{certificate}: holds no private key; give its file behind a comma: CERTIFICATE,KEY"
    what = "a certificate and no" if _CERTIFICATE in found else "no"
    return f"{key}: holds {what} private key in PEM form; expected is that of {certificate}"


def _private(path: str, secret: bytes) -> Any:
    found = _KEY.search(secret)
    try:
        return serialization.load_pem_private_key(found[0] if found else secret, password=None)
    except TypeError:
        raise ConfigError(
            f"{path}: this private key wants a passphrase, which a program can't type; run: openssl pkey -in {path}"
        ) from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path}: not a private key in PEM form ({str(error).splitlines()[0]})") from None


def _check_fits(certificate: str, chain: tuple[x509.Certificate, ...], key: str, private: Any) -> None:
    """Raise `ConfigError` unless a key is that of the first certificate."""
    fitting = [at for at, one in enumerate(chain, 1) if one.public_key() == private.public_key()]
    if not fitting:
        raise ConfigError(
            f"{key}: this private key is another certificate's; expected {certificate} (of {label(chain[0])}) "
            "with its private key in that file"
        )
    if fitting[0] != 1:
        raise ConfigError(
            f"{certificate}: its first certificate (of {label(chain[0])}) must be the one whose key {key} holds, "
            f"which is number {fitting[0]} here; those of its issuers follow"
        )
