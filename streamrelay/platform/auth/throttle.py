"""A throttle of bad credentials: each address may present so many, which come back one by one."""

import ipaddress
from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

BURST: Final = 20
"""Bad credentials that an address may present at once."""
EVERY: Final = 3.0
"""Seconds after which an address may present one more."""
ADDRESSES: Final = 10_000
"""Addresses that are remembered; beyond this the one that was quiet longest is forgotten."""


@define(eq=False)
class Throttle:
    """A bucket for each address (of IPv6, for each /64) that has presented bad credentials."""

    clock: IReactorTime
    _empty_until: dict[str, float] = field(factory=dict)  # when a bucket will be full again, by address

    def fail(self, address: str) -> float:
        """Count a failure, and return 0 if it was within the limit, else the seconds until the next one will be."""
        now, network = self.clock.seconds(), _network(address)
        # Popped and put back, so that the dictionary is in the order of the last failures: the first may be forgotten.
        full = max(now, self._empty_until.pop(network, now))
        # `full` is when the bucket would be full again: each failure moves it by `EVERY`, up to `BURST` times ahead.
        over = full + EVERY - now - BURST * EVERY
        self._empty_until[network] = full if over > 0 else full + EVERY
        if len(self._empty_until) > ADDRESSES:
            self._empty_until.pop(next(iter(self._empty_until)))
        return max(0.0, over)


def _network(address: str) -> str:
    """Return an IPv4 address, or the /64 of an IPv6 one: whoever has one of its addresses has all of them."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
