"""Names of machines, also with underscores or two hyphens at the third place: resolvers know such names, and private
networks have them.

IDNA has none, and Twisted, which asks it, refuses them before anybody looks them up.
"""

import re
from typing import Any, Final

from twisted.internet.abstract import isIPAddress
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import (
    IHostnameResolver,
    IOpenSSLClientConnectionCreator,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure

from streamrelay.net.lookups import Literals, of_others
from streamrelay.net.tls import TlsEndpoint
from streamrelay.protocol.limits import CONNECT_TIME

LONGEST: Final = 253
"""Characters of a name at most (RFC 1035 §2.3.4)."""
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME: Final = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}\.?\Z")


class NamedEndpoint(HostnameEndpoint):
    """An endpoint by a machine's name and port; the name is resolved when it is connected."""

    def __init__(self, reactor: Any, host: str, port: int, names: IHostnameResolver | None = None) -> None:
        self._error: Exception | None = None
        self._names = names or Literals(of_others(reactor, self._not_looked_up))
        super().__init__(reactor, host, port, timeout=CONNECT_TIME)

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[Any]":
        """Connect; what has kept the name from being looked up is the error, not that it has no address."""
        return super().connect(protocolFactory).addErrback(self._why)

    def _not_looked_up(self, error: Exception) -> None:
        self._error = error

    def _why(self, failed: Failure) -> Failure:
        error, self._error = self._error, None
        return failed if error is None else Failure(error)

    def _getNameResolverAndMaybeWarn(self, reactor: Any) -> IHostnameResolver:
        """Look up names as we were told, or as Twisted does, but an address without a thread."""
        return self._names

    @staticmethod
    def _hostAsBytesAndText(host: bytes | str) -> tuple[bool, bytes, str]:
        """Do as Twisted does, which asks IDNA, but for names that are in ASCII, of which IDNA refuses some."""
        if not isinstance(host, str) or not as_it_is(host):
            return HostnameEndpoint._hostAsBytesAndText(host)
        return False, host.encode("ascii"), host


def endpoint(reactor: Any, host: str, port: int, tls: IOpenSSLClientConnectionCreator | None) -> IStreamClientEndpoint:
    """Make the endpoint by which a name and port are connected, with `tls` if it is given."""
    plain = NamedEndpoint(reactor, host, port)
    return plain if tls is None else TlsEndpoint(tls, plain, reactor)


def as_it_is(host: str) -> bool:
    """Tell whether this is a name that resolvers know as it is, so that IDNA, which refuses some, isn't asked."""
    return len(host) <= LONGEST and _NAME.match(host) is not None and not isIPAddress(host)
