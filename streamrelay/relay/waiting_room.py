"""Room for legs that wait: how many one address may have, where anybody may bring a token that the relay takes."""

from collections import Counter

from attrs import define, field

from streamrelay.errors import Refused
from streamrelay.logs import Seldom


class Crowded(Refused):
    """Refusal of a leg for which there is no room; it is counted, and said in one line for all of a minute."""


@define(eq=False)
class WaitingRoom:
    """Legs that were let in and have neither met another one nor gone, by the buckets of their addresses."""

    most_from_one: int
    turned_away: Seldom
    _buckets: dict[object, str] = field(factory=dict)
    _count: Counter[str] = field(factory=Counter)

    def look(self, bucket: str) -> str:
        """Return a bucket with room for another leg, or raise `Crowded`; of an empty one any number may wait."""
        if bucket and self._count[bucket] >= self.most_from_one:
            self.turned_away.count(bucket)
            raise Crowded(503, "full", detail="too many legs of its address wait")
        return bucket

    def enter(self, leg: object, bucket: str) -> None:
        if bucket:
            self._buckets[leg] = bucket
            self._count[bucket] += 1

    def leave(self, leg: object) -> None:
        """Count a leg out, if it is in: once it is met, or gone."""
        bucket = self._buckets.pop(leg, "")
        self._count[bucket] -= 1
        if self._count[bucket] <= 0:
            del self._count[bucket]
