"""Addresses that a target may lead to, compared after its name is resolved (operations.rst, "Addresses")."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

from attrs import define, field
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IResolutionReceiver,
)
from zope.interface import implementer

from streamrelay.net.lookups import Literals, of_targets

Address = IPv4Address | IPv6Address

LOCALHOST: Final = ("127.0.0.0/8", "::1/128")
"""Networks that ``localhost`` may lead to."""
THIS_NETWORK: Final = ip_network("0.0.0.0/8")
METADATA: Final = frozenset(map(ip_address, ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254")))
"""Addresses where clouds tell a machine its secrets, besides link-local ones: Alibaba, Azure, Oracle, AWS by IPv6."""
NAT64: Final = IPv6Network("64:ff9b::/96")
"""Network whose last four bytes are the IPv4 address that is reached (RFC 6052)."""


def innermost(address: str) -> Address:
    """Parse an address without its scope, as IPv4 where IPv6 is only its clothes; `ValueError` if it is none.

    Otherwise a forbidden IPv4 address could be reached as ::ffff:…, 6to4, Teredo or NAT64.
    """
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv4Address):
        return found
    embedded = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
    if embedded is None and found in NAT64:
        embedded = IPv4Address(int(found) & 0xFFFFFFFF)
    return embedded or found


def why_not(address: str, networks: Sequence[str] = ()) -> str:
    """Say in one line why this address may not be connected; empty if it may. `networks` are all that may be, if any
    are listed."""
    found = innermost(address)
    if networks:
        listed = any(found in ip_network(network) for network in networks)
        return "" if listed else f"{found} is in none of {', '.join(networks)}"
    for is_so, what in (
        (found.is_unspecified or found in THIS_NETWORK, "no address of a host"),
        (found.is_loopback, "a loopback address"),
        (found.is_link_local, "a link-local address"),
        (found.is_multicast, "a multicast address"),
        (found in METADATA, "a cloud's metadata service"),
        (found.is_reserved, "a reserved address"),
    ):
        if is_so:
            return f"{found} is {what}, and the target lists no networks"
    return ""


def literal(host: str) -> tuple[str, ...]:
    """Return the networks that an address lists by standing in the agent's file as it is; none for names."""
    if host == "localhost":
        return LOCALHOST
    try:
        return (str(ip_network(innermost(host))),)
    except ValueError:
        return ()


@implementer(IHostnameResolver)
@define(eq=False)
class Filtered:
    """The resolver of targets, without addresses that aren't allowed: what is compared is what is connected."""

    reactor: Any
    networks: Sequence[str]
    user: str = ""
    """Who wants to know; names that hang take no other user's threads."""
    refused: list[str] = field(factory=list)
    """Reasons why addresses were left out, one for each."""
    passed: int = 0
    """Number of addresses that were not left out."""
    failed: str = ""
    """Reason why the name could not be looked up."""
    looks_up: str = ""
    """The name, while it is looked up."""

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """Resolve a name, and give the receiver the allowed addresses alone."""
        address_filter = AddressFilter(self, resolutionReceiver)
        own = Literals(of_targets(self.reactor, self.user, self._failed))
        self.looks_up = hostName
        return own.resolveHostName(address_filter, hostName, portNumber, addressTypes, transportSemantics)

    def _failed(self, why: str) -> None:
        self.failed = why

    @property
    def unknown(self) -> str:
        """The reason why no address is known, if that isn't plainly that the name has none."""
        return self.failed or (f"the name server gave no answer for {self.looks_up}" if self.looks_up else "")


@implementer(IResolutionReceiver)
@define(eq=False)
class AddressFilter:
    """Passes on allowed addresses."""

    where: Filtered
    receiver: IResolutionReceiver

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        self.receiver.resolutionBegan(resolution)

    def addressResolved(self, address: IAddress) -> None:
        reason = why_not(address.host, self.where.networks)  # type: ignore[attr-defined]
        if reason:
            self.where.refused.append(reason)
        else:
            self.where.passed += 1
            self.receiver.addressResolved(address)

    def resolutionComplete(self) -> None:
        self.where.looks_up = ""
        self.receiver.resolutionComplete()
