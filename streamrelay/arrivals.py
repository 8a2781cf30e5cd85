"""Connections whose handshake isn't done: how many there may be, in all and from one place. No I/O."""

from collections import Counter

from attrs import define, field

from streamrelay.errors import Refused


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
