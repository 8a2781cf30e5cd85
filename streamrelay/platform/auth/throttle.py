"""How many bad credentials an address may present: a bucket of tokens for each."""

import ipaddress
from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

BURST: Final = 20
"""Bad credentials that an address may present at once."""
EVERY: Final = 3.0
"""Seconds in which one more comes in."""
ADDRESSES: Final = 10_000
"""Addresses that are remembered; beyond that the one that was quiet longest is forgotten."""


@define(eq=False)
class Throttle:
    """The addresses that have failed lately."""

    clock: IReactorTime
    _empty_until: dict[str, float] = field(factory=dict)  # when a bucket will be full again, by address

    def fail(self, address: str) -> float:
        """Count a failure. 0 if it was within the limit, else the seconds until the next one will be."""
        now, network = self.clock.seconds(), _network(address)
        full = max(now, self._empty_until.pop(network, now))
        over = full + EVERY - now - BURST * EVERY
        self._empty_until[network] = full if over > 0 else full + EVERY
        if len(self._empty_until) > ADDRESSES:
            self._empty_until.pop(next(iter(self._empty_until)))
        return max(0.0, over)


def _network(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 one: whoever has one of its addresses has all of them."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
