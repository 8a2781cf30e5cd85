"""tcp: a port by IPv4 or IPv6 address or by name, resolved when the stream opens."""

from typing import Any

from msgspec import Struct
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory

from streamrelay.plain import PlainProtocol
from streamrelay.splice import Connection
from streamrelay.targets.connecting import connected
from streamrelay.wire import CONNECT_TIME, Close, ending


class Tcp(Struct, frozen=True, forbid_unknown_fields=True, tag="tcp", tag_field="kind"):
    """Settings of a tcp target."""

    address: str
    """host:port, or [IPv6]:port"""
    parts: dict[str, str] = {}
    """For a pattern: the regular expression that each named part must match."""

    def check(self) -> None:
        split_address(self.address)

    async def connect(self, reactor: Any) -> Connection:
        host, port = split_address(self.address)
        endpoint = HostnameEndpoint(reactor, host, port, timeout=CONNECT_TIME)
        factory = Factory.forProtocol(
            lambda: PlainProtocol(reactor, ending(Close.TARGET_RESET), lambda connection: None)
        )
        factory.noisy = False
        return await connected(endpoint.connect(factory), self.address)


def split_address(address: str) -> tuple[str, int]:
    """Host and port, or `ValueError`. A port that a pattern fills in is checked when it is."""
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"address {address!r}: write an IPv6 address as [address]:port")
    if not colon or not host or not (port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"address {address!r}: expected host:port")
    return host, int(port)
