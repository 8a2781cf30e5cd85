"""Quotas of connections, in all and from one bucket of addresses, and log lines about those that a limit drops."""

from collections import Counter
from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.errors import Refused
from streamrelay.logs import EACH, Logger

log = Logger()

SETTLE: Final = 1.0
"""Seconds after the first that is turned away in which others may follow, before that is said."""
MOST_BUCKETS: Final = 1000
"""Buckets that are counted by themselves between two lines."""


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

    def leave(self, bucket: str) -> None:
        self.count -= 1
        if bucket:
            self._by_bucket[bucket] -= 1
            if not self._by_bucket[bucket]:
                del self._by_bucket[bucket]


@define(eq=False)
class TurnedAway:
    """Log lines about those whom one limit turns away: one for all of a minute, the first within a second."""

    clock: IReactorTime
    limit: str
    """The limit as an operator knows it: a setting's name and what it is set to."""
    _by_bucket: Counter[str] = field(factory=Counter)
    _said: float | None = None  # when there was a line
    _timer: IDelayedCall | None = None

    def count(self, bucket: str) -> None:
        """Count one that was turned away, from this bucket; an empty one is a proxy, or a unix socket."""
        self._by_bucket[bucket if bucket in self._by_bucket or len(self._by_bucket) < MOST_BUCKETS else "others"] += 1
        if self._timer is None:
            now = self.clock.seconds()
            # A moment later, so that the first line counts the burst; further ones seldom, whatever strangers do.
            due = now + SETTLE if self._said is None else max(now + SETTLE, self._said + EACH)
            self._timer = self.clock.callLater(due - now, self._say)

    def stop(self) -> None:
        """Log at once whatever was counted since the last line."""
        if self._timer is not None:
            self._timer.cancel()
            self._say()

    def _say(self) -> None:
        self._timer, self._said = None, self.clock.seconds()
        counts, self._by_bucket = self._by_bucket, Counter()
        (bucket, most), *others = counts.most_common()
        log.warn(
            "{count} connections were dropped by {limit}: {most} of {bucket}{others}",
            count=counts.total(),
            limit=self.limit,
            most=most,
            bucket=bucket or "a proxy",
            others=f", the others of {len(others)} more addresses" if others else "",
        )
