"""Certificates: what a program shows of itself, and whom it trusts.

A pair is written as ``CERTIFICATE,KEY``: a PEM file with the certificate and its chain, and one with its private key;
without a comma one file holds both.
"""

import re
from typing import Any, Final

from attrs import define, field
from cryptography import x509
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import Certificate, PrivateCertificate, trustRootFromCertificates
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from streamrelay.errors import ConfigError
from streamrelay.files import look, read, read_secret
from streamrelay.logs import Logger

log = Logger()

TLS13: Final = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
"""AES-128 first, as Go and Chromium have it: it is as safe, and sealing a gigabyte costs a twentieth less CPU."""
TLS12: Final = b"ECDHE+AESGCM:ECDHE+CHACHA20"
"""Forward secrecy and authenticated encryption, or nothing."""


def split_pair(text: str) -> tuple[str, str]:
    """The two files of a pair."""
    certificate, _, key = text.partition(",")
    return certificate.strip(), key.strip() or certificate.strip()


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Its DNS names, in lower case; without any, its common names."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = extension.value.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, ValueError):
        names = []
    if not names:
        attributes = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        names = [str(attribute.value) for attribute in attributes]
    return tuple(name.lower() for name in names)


def peer_names(transport: Any) -> tuple[str, ...] | None:
    """The names of the certificate that a peer has shown and that was verified; None if it has shown none."""
    if not isinstance(transport, TLSMemoryBIOProtocol):
        return None
    certificate = transport.getPeerCertificate()
    return None if certificate is None else names_of(certificate.to_cryptography())


# -- listening -------------------------------------------------------------------------------------------------


@define(frozen=True)
class Shown:
    """One certificate, ready to be shown."""

    names: tuple[str, ...]
    context: SSL.Context

    def fits(self, name: str) -> bool:
        """By RFC 6125 §6.4.3: a wildcard stands for one whole label, the first one."""
        _, _, parent = name.partition(".")
        return name in self.names or (parent != "" and f"*.{parent}" in self.names)


@implementer(IOpenSSLServerConnectionCreator)
@define(eq=False)
class ServerTls:
    """TLS of listening ports: at least 1.2, by the certificate that fits the name which the client asks for (SNI).

    The first of the `pairs` is shown where none fits. `client_ca`: a file of certificates; who shows one that they
    have not signed is turned away, who shows none is not (yet). Files are read again by `refresh`, for new handshakes
    only.
    """

    pairs: tuple[str, ...]
    client_ca: str = ""
    _shown: list[Shown] = field(factory=list)
    _seen: tuple[object, ...] = ()

    def load(self) -> None:
        """Read all files, or raise `ConfigError`; then what was read before stays in force."""
        self._seen = self._look()  # first, so that a change while they are read is seen later
        shown = [self._read(*split_pair(pair)) for pair in self.pairs]

        def choose(connection: SSL.Connection) -> None:
            name = (connection.get_servername() or b"").decode("ascii", "replace").lower()
            fitting = next((one for one in shown if one.fits(name)), shown[0])
            connection.set_context(fitting.context)

        shown[0].context.set_tlsext_servername_callback(choose)
        self._shown = shown

    def refresh(self, force: bool = False) -> None:
        """Read the files again if they have changed; what is broken changes nothing, and the log says so."""
        if not force and self._look() == self._seen:
            return
        try:
            self.load()
        except ConfigError as error:
            log.error("the certificates stay as they were: {error}", error=error)
        except Exception:  # who calls this again and again would stop
            log.failure("the certificates stay as they were")
        else:
            names = ", ".join(name for one in self._shown for name in one.names)
            log.info("certificates read again: {names}", names=names)

    def serverConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        """IOpenSSLServerConnectionCreator"""
        return SSL.Connection(self._shown[0].context, None)

    def _read(self, certificate: str, key: str) -> Shown:
        pem, _ = read(certificate), read_secret(key, "private key")
        context = _context()
        try:
            context.use_certificate_chain_file(certificate)
            context.use_privatekey_file(key)
            context.check_privatekey()
            names = names_of(x509.load_pem_x509_certificate(pem))
        except (SSL.Error, ValueError):
            raise ConfigError(
                f"{certificate}: expected a certificate in PEM form, with its private key in {key}"
            ) from None
        if self.client_ca:
            read_certificates(self.client_ca)
            context.load_verify_locations(self.client_ca)
            context.load_client_ca(self.client_ca.encode())  # so that browsers don't offer what can't fit
            context.set_verify(SSL.VERIFY_PEER, lambda connection, shown, error, depth, good: bool(good))
        return Shown(names, context)

    def _look(self) -> tuple[object, ...]:
        files = {file for pair in self.pairs for file in split_pair(pair)} | ({self.client_ca} - {""})
        return tuple((file, look(file)) for file in sorted(files))


def _context() -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)  # tickets serve, and keep nothing here
    context.set_session_id(b"streamrelay")
    context.set_cipher_list(TLS12)
    context.set_tls13_ciphersuites(TLS13)
    context.set_alpn_select_callback(_http11)
    return context


def _http11(connection: SSL.Connection, offered: list[bytes]) -> Any:
    return b"http/1.1" if b"http/1.1" in offered else SSL.NO_OVERLAPPING_PROTOCOLS


# -- dialling --------------------------------------------------------------------------------------------------


@define(eq=False)
class ClientPair:
    """What a dialler shows of itself: a pair, read again when its files have changed (short-lived ones do)."""

    pair: str
    _certificate: Any = None
    _seen: tuple[object, ...] = ()

    def read(self) -> Any:
        """A `PrivateCertificate`; `ConfigError` if there never was a good one."""
        files = split_pair(self.pair)
        seen = tuple(look(file) for file in files)
        if seen == self._seen:
            return self._certificate
        self._seen = seen
        try:
            pem, key = read(files[0]), read_secret(files[1], "private key")
            self._certificate = PrivateCertificate.loadPEM(key + b"\n" + pem)
        except Exception as error:
            reason = str(error) if isinstance(error, ConfigError) else f"{self.pair}: not a certificate and its key"
            if self._certificate is None:
                raise ConfigError(reason) from None
            log.error("the certificate stays as it was: {reason}", reason=reason)
        return self._certificate


def read_certificates(path: str) -> Any:
    """Trust the PEM certificates in a file, and no others; or `ConfigError`."""
    blocks = re.findall(rb"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----", read(path))
    try:
        certificates = [Certificate.loadPEM(block) for block in blocks]
    except Exception as error:
        raise ConfigError(f"{path}: not certificates in PEM form ({error})") from None
    if not certificates:
        raise ConfigError(f"{path}: holds no certificate in PEM form")
    return trustRootFromCertificates(certificates)
