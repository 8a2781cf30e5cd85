"""Connections whose handshake isn't done: how many there may be, in all and from one place. No I/O."""

from collections import Counter
from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.errors import Refused
from streamrelay.logs import Logger

log = Logger()

MINUTE: Final = 60.0
"""Seconds between two lines about one limit."""
MOST_NAMED: Final = 1000
"""Addresses of which one minute's count is kept."""


@define(eq=False)
class Arrivals:
    """Everybody who has come and not yet said who they are."""

    most: int
    most_from_one: int
    count: int = 0
    _by_place: Counter[str] = field(factory=Counter)

    def enter(self, place: str) -> None:
        """Count one in; raise `Refused` (it counts all the same until it leaves): 429 if there are too many from this
        place, 503 if there are too many in all. An empty place isn't counted by itself."""
        self.count += 1
        if place:
            self._by_place[place] += 1
            if self._by_place[place] > self.most_from_one:
                raise Refused(429, "too many from one address")
        if self.count > self.most:
            raise Refused(503, "full")

    def leave(self, place: str) -> None:
        self.count -= 1
        if place:
            self._by_place[place] -= 1
            if not self._by_place[place]:
                del self._by_place[place]


@define(eq=False)
class Dropped:
    """Connections that came over a limit: the first is told at once, others once a minute, by a line each."""

    clock: IReactorTime
    setting: str
    limit: int
    _count: int = 0
    _by_address: Counter[str] = field(factory=Counter)
    _timer: IDelayedCall | None = None

    def add(self, address: str) -> None:
        self._count += 1
        if address in self._by_address or len(self._by_address) < MOST_NAMED:
            self._by_address[address] += 1
        if self._timer is None:
            self._tell()

    def _tell(self) -> None:
        self._timer = None
        if not self._count:
            return
        ((address, most),) = self._by_address.most_common(1)
        log.warn(
            "over {setting} = {limit}: {count} connections, {most} of them of {address}; idle ones were closed in "
            "their place, or they were dropped",
            setting=self.setting,
            limit=self.limit,
            count=self._count,
            most=most,
            address=address,
        )
        self._count = 0
        self._by_address.clear()
        self._timer = self.clock.callLater(MINUTE, self._tell)
