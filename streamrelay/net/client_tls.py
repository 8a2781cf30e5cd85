"""TLS of who dials: one context for all with the same trust and pair, and sessions that are taken up again.

A session spares both ends the certificates and their checks. It is taken up with the place alone that it was made with,
by name and port, and its context alone: so only where the same name was checked against the same trust, and the same
pair was shown. A place that doesn't want it any more shows its certificate again.
"""

from collections.abc import MutableMapping
from typing import Any, Final
from weakref import WeakValueDictionary

from attrs import define, field
from OpenSSL import SSL
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet._idna import _idnaBytes
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import CertificateOptions, platformTrust
from zope.interface import implementer

from streamrelay.files import read
from streamrelay.net.certificate_faults import OTHER_NAME, decoded, fault
from streamrelay.net.certificates import read_certificates
from streamrelay.net.hostnames import as_it_is

MOST: Final = 64
"""Places of which a session is kept."""

Place = tuple[str, int]
"""Name or address, and port."""


@define(eq=False)
class ClientContext:
    """OpenSSL's context for those who dial with the same trust and pair, and the last session with each place."""

    trust: Any
    """Twisted's, of whom is trusted."""
    mine: Any = None
    """Certificate of ours with its key (Twisted's `PrivateCertificate`), for those who ask for one."""
    _options: Any = None
    _sessions: dict[Place, SSL.Session] = field(factory=dict)

    def to(self, host: str, port: int) -> "ClientTls":
        """Make TLS with a machine whose certificate must be for the name `host`, or raise `ValueError`."""
        return ClientTls(self, host, port, server_name(host))

    def connection(self, place: Place) -> SSL.Connection:
        """Make a connection that takes up the last session with a place, if there is one."""
        if self._options is None:  # not before: to read the system's certificates takes milliseconds
            shown = {} if self.mine is None else self._shown()
            self._options = CertificateOptions(trustRoot=self.trust, enableSessionTickets=True, **shown)
        connection = SSL.Connection(self._options.getContext(), None)
        if (session := self._sessions.get(place)) is not None:
            connection.set_session(session)
        return connection

    def keep(self, place: Place, connection: SSL.Connection) -> None:
        """Keep a connection's session, whose ticket comes behind its handshake, for the next one with this place."""
        session = connection.get_session()
        self._sessions.pop(place, None)
        if session is not None:
            if len(self._sessions) == MOST:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[place] = session

    def _shown(self) -> dict[str, Any]:
        return {"privateKey": self.mine.privateKey.original, "certificate": self.mine.original}


_contexts: MutableMapping[bytes, ClientContext] = WeakValueDictionary()


def trusting(ca: str) -> ClientContext:
    """Return the context of all who trust the certificates of a file (empty: the system's) and show none; or raise
    `ConfigError`. It is the same one as long as the file holds the same."""
    content = read(ca) if ca else b""
    found = _contexts.get(content)
    if found is None:
        found = _contexts[content] = ClientContext(read_certificates(ca) if ca else platformTrust())
    return found


@implementer(IOpenSSLClientConnectionCreator)
@define(frozen=True)
class ClientTls:
    """TLS with a machine whose certificate must be for its name or address; what can't be compared is not."""

    context: ClientContext
    host: str
    port: int
    name: bytes | None
    """Name that the machine is asked for; None of an address (RFC 6066 §3)."""

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """Make a connection's TLS for Twisted (IOpenSSLClientConnectionCreator), with `fits` as a part of it."""
        connection = self.context.connection((self.host, self.port))
        if self.name is not None:
            connection.set_tlsext_host_name(self.name)
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

    def answered(self, connection: SSL.Connection) -> None:
        """Take note that the machine has sent the first content, which it does behind its tickets."""
        self.context.keep((self.host, self.port), connection)

    def fits(self, certificate: Any) -> bool:
        """Tell whether a certificate is for this name or address."""
        try:
            wanted: Any = IPAddress_ID(self.host) if self.name is None else DNS_ID(self.host)
            return bool(verify_service_identity(extract_patterns(certificate), [wanted], []))
        except Exception:  # it is for another one, or for whatever its issuer took for a name
            return False


def server_name(host: str) -> bytes | None:
    """Return the name that a machine is asked for, None if it has an address alone; `ValueError` if it can't be one."""
    if isIPAddress(host) or isIPv6Address(host):
        return None
    return host.encode("ascii") if as_it_is(host) else _idnaBytes(host)
