"""TLS with NATS' servers, by Python's own ssl: whom it trusts, what it shows, and why a handshake fails, in words."""

import re
import ssl
from typing import Any, Final

from cryptography import x509

from streamrelay.errors import ConfigError
from streamrelay.net.certificate_faults import EXPIRED, NOT_YET, fault, out_of_time
from streamrelay.net.certificates import split_pair
from streamrelay.net.pairs import read_pair
from streamrelay.protocol.tls_errors import in_words

_REASON: Final = re.compile(r"\[SSL: [A-Z0-9_]+\] (.+?)(?: \(_ssl\.c:\d+\))?\Z")


class Untrusted(ssl.SSLCertVerificationError):
    """Loss of a connection whose server's certificate doesn't hold good; the text says why, in one line."""

    reason = "CERTIFICATE_VERIFY_FAILED"  # of ssl's own errors OpenSSL sets it

    def __str__(self) -> str:
        return str(self.args[-1])


class Explaining(ssl.SSLObject):
    """One end of TLS that says what is wrong with a certificate, and not only OpenSSL's word for it."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            certificate = _blamed(_chain(self), error.verify_code)
            raise Untrusted(1, str(fault(error.verify_code, certificate, self.server_hostname or ""))) from None


def words(error: Exception) -> str:
    """Say why there is no connection, or why it was lost."""
    reason = _REASON.match(str(error)) if isinstance(error, ssl.SSLError) else None
    return f"TLS: {in_words(reason[1])}" if reason else str(error)


def tls_context(ca: str, pair: str) -> ssl.SSLContext:
    """Make TLS that trusts `ca`, or the system's certificates, and shows a certificate of ours if there is one."""
    try:
        context = ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{ca}: can't be used as certificates: {error}") from None
    context.sslobject_class = Explaining
    if pair:
        certificate, key = split_pair(pair)
        read_pair(certificate, key).warn()
        try:
            context.load_cert_chain(certificate, key, password=lambda: "")
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"{certificate} with {key}: can't be used as certificate and key: {error}") from None
    return context


def _chain(tls: Any) -> list[x509.Certificate]:
    """Return the certificates that a server has sent, also in a handshake that failed.

    Python tells them from 3.13 on; before that, only the object below its own does.
    """
    try:
        sent = tls._sslobj.get_unverified_chain()
        return [x509.load_pem_x509_certificate(one.public_bytes().encode()) for one in sent or ()]
    except (AttributeError, ValueError):
        return []


def _blamed(chain: list[x509.Certificate], code: int) -> x509.Certificate | None:
    """Return the certificate of a chain that is the matter: OpenSSL says the code alone."""
    if code in (NOT_YET, EXPIRED):
        return out_of_time(chain) or (chain[0] if chain else None)
    return chain[0] if chain else None
