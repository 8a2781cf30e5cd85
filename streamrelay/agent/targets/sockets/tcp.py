"""tcp: a port by IPv4 or IPv6 address or by name, resolved and compared when the stream opens."""

from ipaddress import ip_network
from typing import Any, Self

from msgspec import structs
from twisted.internet.abstract import isIPAddress
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint

from streamrelay.agent.targets.kind import Kind
from streamrelay.agent.targets.sockets.addresses import Filtered, literal, why_not
from streamrelay.agent.targets.sockets.connecting import connected, plain
from streamrelay.datapath.connection import Connection
from streamrelay.errors import TargetError
from streamrelay.net.addresses import split_address
from streamrelay.net.hostnames import NamedEndpoint
from streamrelay.net.lookups import Full
from streamrelay.protocol.limits import CONNECT_TIME
from streamrelay.protocol.summons import Refusal, Terms, Viewer


class Tcp(Kind, frozen=True, tag="tcp"):
    """Settings of a tcp target."""

    address: str
    """Address and port: host:port, or [IPv6]:port."""
    networks: tuple[str, ...] = ()
    """Networks that the address may lead to, such as 10.0.0.0/8; none: what `addresses.why_not` lets pass."""
    speaks: Viewer = "raw"
    """Viewer that fits what comes out: vnc, spice, terminal, log; raw is anything else."""

    @property
    def viewer(self) -> Viewer:
        return self.speaks

    def check(self) -> None:
        split_address(self.address)

    def bounded(self) -> Self:
        """As it stands in the agent's file: an address there lists itself; `ValueError` for networks that are none."""
        for network in self.networks:
            ip_network(network)
        host = self.address.rpartition(":")[0].removeprefix("[").removesuffix("]")
        return structs.replace(self, networks=self.networks or literal(host))

    async def connect(self, reactor: Any, terms: Terms) -> Connection:
        host, port = split_address(self.address)
        filtered = Filtered(reactor, self.networks, terms.user)
        endpoint: IStreamClientEndpoint
        if isIPAddress(host):  # nothing to resolve, and half the work
            if reason := why_not(host, self.networks):
                raise _not_allowed(f"{self.address} is not allowed: {reason}")
            endpoint = TCP4ClientEndpoint(reactor, host, port, CONNECT_TIME)
        else:
            endpoint = NamedEndpoint(reactor, host, port, filtered)
        try:
            attempt = endpoint.connect(plain(reactor)).addTimeout(CONNECT_TIME, reactor)
            return await connected(attempt, self.address)
        except Full as full:
            raise TargetError(Refusal.BUSY, f"{self.address}: {full}; try again") from None
        except TargetError as error:
            if filtered.unknown:
                raise TargetError(Refusal.TARGET_UNREACHABLE, f"{self.address}: {filtered.unknown}") from None
            if not filtered.refused:
                raise
            why = f"{self.address} is not allowed: {'; '.join(filtered.refused)}"
            if filtered.passed:  # then an allowed address has failed, too, and that is what to tell
                raise TargetError(error.code, error.reason, detail=why) from None
            raise _not_allowed(why) from None


def _not_allowed(why: str) -> TargetError:
    return TargetError(Refusal.NOT_ALLOWED, "the target's address is not allowed", detail=why)
