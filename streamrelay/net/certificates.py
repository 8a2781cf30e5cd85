"""Certificates that a program shows of itself, and those that it trusts.

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
from streamrelay.files import Watched, read
from streamrelay.logs import Logger
from streamrelay.net.certificate_faults import decoded, fault
from streamrelay.net.pairs import Pair, expiry, read_pair
from streamrelay.protocol.tls_records import words

log = Logger()

TLS13: Final = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
"""Cipher suites of TLS 1.3: AES-128 first, as Go and Chromium have it, as it is as safe and takes less CPU."""
TLS12: Final = b"ECDHE+AESGCM:ECDHE+CHACHA20"
"""Ciphers of TLS 1.2: forward secrecy and authenticated encryption, or nothing."""
SESSION_TIME: Final = 600
"""Seconds for which a session may be taken up again: so long nobody asks whether a certificate has expired since."""


def split_pair(text: str) -> tuple[str, str]:
    """Split a pair into its two files."""
    certificate, _, key = text.partition(",")
    return certificate.strip(), key.strip() or certificate.strip()


def expiry_of(pair: str) -> float:
    """Return when a pair's first certificate expires, in seconds since the epoch; 0 if there is no pair."""
    certificate = split_pair(pair)[0]
    return expiry(x509.load_pem_x509_certificates(read(certificate))) if certificate else 0.0


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return a certificate's DNS names, in lower case; without any, its common names."""
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
    """Return the names of the certificate that a peer has shown and that was verified; None if it has shown none."""
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
    pair: Pair

    def fits(self, name: str) -> bool:
        """Tell whether a name is one of these; a wildcard stands for one whole label, the first (RFC 6125 §6.4.3)."""
        _, _, parent = name.partition(".")
        return name in self.names or (parent != "" and f"*.{parent}" in self.names)


@implementer(IOpenSSLServerConnectionCreator)
@define(eq=False)
class ServerTls:
    """TLS of listening ports: at least 1.2, by the certificate that fits the name which the client asks for (SNI).

    The first of the `pairs` is shown where none fits. `client_ca`: a file of certificates; who shows one that they
    have not signed is turned away, who shows none is not (yet). Files that are read again count for new handshakes
    only.
    """

    pairs: tuple[str, ...]
    client_ca: str = ""
    files: Watched = field(init=False)
    _shown: list[Shown] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.files = Watched("the certificates", self._paths, self._read_all, self._read_again)

    def load(self) -> None:
        """Read all files, or raise `ConfigError`."""
        self.files.load()

    def _read_all(self) -> None:
        shown = [self._read(*split_pair(pair)) for pair in self.pairs]

        def choose(connection: SSL.Connection) -> None:
            name = (connection.get_servername() or b"").decode("ascii", "replace").lower()
            fitting = next((one for one in shown if one.fits(name)), shown[0])
            connection.set_context(fitting.context)

        shown[0].context.set_tlsext_servername_callback(choose)
        self._shown = shown

    def _read_again(self) -> None:
        names = ", ".join(name for one in self._shown for name in one.names)
        log.info("certificates read again: {names}", names=names)
        self.warn()

    def warn(self) -> None:
        """Say which of the certificates have expired, or soon will."""
        for one in self._shown:
            one.pair.warn()

    @property
    def expiry(self) -> float:
        """Seconds since the epoch when the first of the certificates expires; 0 if there is none."""
        return min((one.pair.expiry for one in self._shown), default=0.0)

    def serverConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        """Make a connection's TLS for Twisted (IOpenSSLServerConnectionCreator), by the files read last."""
        return SSL.Connection(self._shown[0].context, None)

    def _read(self, certificate: str, key: str) -> Shown:
        pair, context = read_pair(certificate, key), _context()
        try:
            context.use_certificate_chain_file(certificate)
            context.use_privatekey_file(key)
            context.check_privatekey()
        except SSL.Error as error:
            raise ConfigError(f"{certificate} with {key}: can't be used: {words(error)}") from None
        if self.client_ca:
            _demand(context, self.client_ca)
        return Shown(names_of(pair.chain[0]), context, pair)

    def _paths(self) -> list[str]:
        return sorted({file for pair in self.pairs for file in split_pair(pair)} | ({self.client_ca} - {""}))


def _demand(context: SSL.Context, ca: str) -> None:
    """Turn away who shows a certificate that those of a file have not signed; or `ConfigError`."""
    read_certificates(ca)
    try:
        context.load_verify_locations(ca)
        context.load_client_ca(ca.encode())  # so that browsers don't offer what can't fit
    except SSL.Error:
        raise ConfigError(f"{ca}: not certificates in PEM form") from None
    context.set_verify(SSL.VERIFY_PEER, _verify_client)


def _verify_client(connection: SSL.Connection, shown: Any, code: int, depth: int, good: int) -> bool:
    """Let OpenSSL decide, and keep in words what it has against a certificate: `BoundedTls` tells it."""
    if not good:
        connection.set_app_data(fault(code, decoded(shown), setting="agent_ca"))
    return bool(good)


def _context() -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)  # tickets serve, and keep nothing here
    context.set_timeout(SESSION_TIME)
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
    """A pair that a dialler shows of itself, read again when its files have changed (short-lived ones do)."""

    pair: str
    files: Watched = field(init=False)
    expiry: float = 0.0
    """Seconds since the epoch when the first of its certificates expires."""
    _certificate: Any = None

    def __attrs_post_init__(self) -> None:
        self.files = Watched("the certificates", lambda: split_pair(self.pair), self._read)

    def read(self) -> Any:
        """Return a `PrivateCertificate` of the files as they are now, or of the last good ones; `ConfigError` if there
        never were any."""
        if self._certificate is None:
            self.files.load()
        self.files.glance()
        return self._certificate

    def _read(self) -> None:
        certificate, key = split_pair(self.pair)
        pair = read_pair(certificate, key)
        try:
            self._certificate = PrivateCertificate.loadPEM(pair.secret + b"\n" + pair.pem)
        except Exception:  # of many kinds
            raise ConfigError(f"{self.pair}: not a certificate and its key") from None
        self.expiry = pair.expiry
        pair.warn()


def read_certificates(path: str) -> Any:
    """Read a file of PEM certificates, and return trust in these and no others; or raise `ConfigError`."""
    blocks = re.findall(rb"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----", read(path))
    try:
        certificates = [Certificate.loadPEM(block) for block in blocks]
    except Exception as error:
        raise ConfigError(f"{path}: not certificates in PEM form ({error})") from None
    if not certificates:
        raise ConfigError(f"{path}: holds no certificate in PEM form")
    return trustRootFromCertificates(certificates)
