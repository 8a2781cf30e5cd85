"""Names of machines, also with underscores or two hyphens at the third place: resolvers know such names, and private
networks have them.

IDNA has none, and Twisted, which asks it, refuses them before anybody looks them up.
"""

import re
from typing import Any, Final

from attrs import define
from OpenSSL import SSL
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IHostnameResolver, IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.internet.ssl import optionsForClientTLS
from zope.interface import implementer

from streamrelay.net.certificate_faults import OTHER_NAME, decoded, fault
from streamrelay.net.lookups import Literals
from streamrelay.net.tls import TlsEndpoint
from streamrelay.protocol.limits import CONNECT_TIME

LONGEST: Final = 253
"""Characters of a name at most (RFC 1035 §2.3.4)."""
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME: Final = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}\.?\Z")

NOBODY: Final = "streamrelay.invalid"
"""A name that no certificate is for (RFC 2606 §2): what Twisted is told where it takes a name for none."""


class NamedEndpoint(HostnameEndpoint):
    """An endpoint by a machine's name and port; the name is resolved when it is connected."""

    def __init__(self, reactor: Any, host: str, port: int, names: IHostnameResolver | None = None) -> None:
        self._names = names or Literals(reactor.nameResolver)
        super().__init__(reactor, host, port, timeout=CONNECT_TIME)

    def _getNameResolverAndMaybeWarn(self, reactor: Any) -> IHostnameResolver:
        """Look up names as we were told, or as Twisted does, but an address without a thread."""
        return self._names

    @staticmethod
    def _hostAsBytesAndText(host: bytes | str) -> tuple[bool, bytes, str]:
        """Do as Twisted does, which asks IDNA, but let a name that IDNA alone refuses pass."""
        if not isinstance(host, str) or not _no_idna(host):
            return HostnameEndpoint._hostAsBytesAndText(host)
        return False, host.encode("ascii"), host


@implementer(IOpenSSLClientConnectionCreator)
@define(frozen=True)
class ClientTls:
    """TLS with a machine whose certificate must be for its name or address; what can't be compared is not."""

    host: str
    options: IOpenSSLClientConnectionCreator
    """Twisted's own, which trusts whom we trust; it lets a certificate pass whose names `service_identity` can't
    read."""

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """Make a connection's TLS for Twisted (IOpenSSLClientConnectionCreator), with `fits` as a part of it."""
        connection = self.options.clientConnectionForTLS(tlsProtocol)
        if _no_idna(self.host):
            connection.set_tlsext_host_name(self.host.encode("ascii"))

        waiting: Any = tlsProtocol

        def verify(_: object, certificate: Any, error: int, depth: int, good: int) -> bool:
            nonlocal waiting
            if good and depth:
                return True
            protocol, waiting = waiting, None  # OpenSSL's reference to this would keep it for ever
            if good and self.fits(certificate):
                return True
            protocol.refuse(fault(OTHER_NAME[0] if good else error, decoded(certificate), self.host))
            return False

        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
        return connection

    def fits(self, certificate: Any) -> bool:
        """Tell whether a certificate is for this name or address."""
        address = isIPAddress(self.host) or isIPv6Address(self.host)
        try:
            wanted: Any = IPAddress_ID(self.host) if address else DNS_ID(self.host)
            return bool(verify_service_identity(extract_patterns(certificate), [wanted], []))
        except Exception:  # it is for another one, or for whatever its issuer took for a name
            return False


def client_tls(host: str, trust: Any, mine: Any = None) -> ClientTls:
    """Make TLS with a machine whose certificate must be for the name `host`; `mine` is a certificate of ours."""
    known = NOBODY if _no_idna(host) else host
    return ClientTls(host, optionsForClientTLS(known, trust, mine))


def endpoint(reactor: Any, host: str, port: int, tls: IOpenSSLClientConnectionCreator | None) -> IStreamClientEndpoint:
    """Make the endpoint by which a name and port are connected, with `tls` if it is given."""
    plain = NamedEndpoint(reactor, host, port)
    return plain if tls is None else TlsEndpoint(tls, plain, reactor)


def _no_idna(host: str) -> bool:
    """Tell whether this is a name for a resolver, and none for IDNA."""
    if len(host) > LONGEST or not _NAME.match(host):
        return False
    return "_" in host or any(label[2:4] == "--" for label in host.split("."))
