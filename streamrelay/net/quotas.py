"""Quotas of connections, in all and from one bucket of addresses, and what is logged of those over them."""

from collections import Counter
from functools import partial

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from streamrelay.errors import Refused
from streamrelay.logs import Logger, Seldom, Several

log = Logger()


@define(eq=False)
class ConnectionQuota:
    """A count of connections, in all and by their buckets of addresses."""

    most: int
    most_from_one: int
    count: int = 0
    _by_bucket: Counter[str] = field(factory=Counter)

    def enter(self, bucket: str) -> None:
        """Count one in, or raise `Refused`: 429 if there are too many from this bucket, 503 if too many in all.

        It counts either way, and has to `leave`. An empty bucket isn't counted by itself.
        """
        self.count += 1
        if bucket:
            self._by_bucket[bucket] += 1
            if self._by_bucket[bucket] > self.most_from_one:
                raise Refused(429, "too many from one address")
        if self.count > self.most:
            raise Refused(503, "full")

    def of(self, bucket: str) -> int:
        """Return how many are counted by this bucket."""
        return self._by_bucket[bucket]

    def is_crowded(self, bucket: str) -> bool:
        """Tell whether one more from this bucket would be too many from it."""
        return bool(bucket) and self.of(bucket) >= self.most_from_one

    def leave(self, bucket: str) -> None:
        self.count -= 1
        if bucket:
            self._by_bucket[bucket] -= 1
            if not self._by_bucket[bucket]:
                del self._by_bucket[bucket]


def turned_away(clock: IReactorTime, limit: str) -> Seldom:
    """Return the teller of those whom one limit turns away; each is counted by its bucket, which is empty for a proxy
    or a unix socket. The limit is named as an operator knows it: a setting, and what it is set to."""
    return Seldom(clock, partial(_say_dropped, limit))


def held_up(clock: IReactorTime, limit: str) -> Seldom:
    """Return the teller of those whom one limit lets wait, as `turned_away` tells of others."""
    return Seldom(clock, partial(_say_held_up, limit))


def _say_dropped(limit: str, counts: Counter[str]) -> None:
    log.warn(
        "connections were dropped by {limit}, since the last such line {count}: {most}{others}", **_told(limit, counts)
    )


def _say_held_up(limit: str, counts: Counter[str]) -> None:
    log.info(
        "connections wait for their turn by {limit}, since the last such line {count}: {most}{others}",
        **_told(limit, counts),
    )


def _told(limit: str, counts: Counter[str]) -> dict[str, object]:
    (bucket, most), *others = counts.most_common()
    return {
        "limit": limit,
        "count": counts.total(),
        "most": f"{most} of {bucket or 'a proxy'}",
        "others": f", the others of {Several(len(others), 'more address')}" if others else "",
    }
