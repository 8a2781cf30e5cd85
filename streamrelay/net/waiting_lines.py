"""Waiting lines: so many of one address may be at something at once; those beyond wait for one before them to end.

Many users may come from one address, and browsers don't try again: so they aren't dropped but wait in a line, unread. A
line costs descriptors and no more; it is bounded, too, and the longest one gives way when there are many.
"""

from typing import Final, Protocol

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from streamrelay.errors import Refused
from streamrelay.logs import Seldom
from streamrelay.net.quotas import ConnectionQuota, held_up, turned_away

LINE: Final = 10
"""Length of an address' line, in times of how many may have their turn."""


class Waiter(Protocol):
    """A connection that wants a turn."""

    def begin(self) -> None:
        """Ask for the turn again, as one before it has ended."""

    def drop(self) -> None:
        """Close the connection, as its place in the line was wanted for another."""


@define(eq=False)
class WaitingLines:
    """Connections that have their turn, and those that wait in a line of their bucket of addresses."""

    clock: IReactorTime
    setting: str
    """The setting of the most in all; with `_per_address` that of the most from one bucket."""
    quota: ConnectionQuota
    """Of those that have their turn."""
    most_waiting: int
    """Connections in all lines together."""
    waiting: int = 0
    _buckets: dict[Waiter, str] = field(factory=dict)  # of all, wherever they are
    _lines: dict[str, dict[Waiter, None]] = field(factory=dict)
    _passing: set[str] = field(factory=set)  # buckets whose turns are being passed on
    in_all: Seldom = field(init=False)
    """Teller of those whom the most in all turns away."""
    from_one: Seldom = field(init=False)
    """Teller of those whom the most from one bucket turns away."""
    _held_up: Seldom = field(init=False)

    def __attrs_post_init__(self) -> None:
        from_one = f"{self.setting}_per_address = {self.quota.most_from_one}"
        self.in_all = turned_away(self.clock, f"{self.setting} = {self.quota.most}")
        self.from_one, self._held_up = turned_away(self.clock, from_one), held_up(self.clock, from_one)

    @property
    def count(self) -> int:
        """Number of those that have their turn, or wait for it."""
        return self.quota.count + self.waiting

    def begin(self, waiter: Waiter, bucket: str) -> bool:
        """Count a connection in and return True, or put it in its bucket's line and return False; or raise `Refused`.

        429 if there is no room in the line (then it is counted nowhere); 503 if there are too many in all.
        """
        if self.quota.is_crowded(bucket):
            self._stand_in_line(waiter, bucket)
            return False
        self._buckets[waiter] = bucket
        try:
            self.quota.enter(bucket)
        except Refused:
            self.in_all.count(bucket)
            raise
        return True

    def refuse(self, bucket: str) -> Refused:
        """Return the refusal of one from a bucket that has too many, and tell of it."""
        self.from_one.count(bucket)
        return Refused(429, "too many from one address")

    def move(self, waiter: Waiter, bucket: str) -> bool:
        """Count one that has its turn by another bucket from now on; False if that has no room for it."""
        if self.quota.is_crowded(bucket):
            return False
        former, self._buckets[waiter] = self._buckets[waiter], bucket
        self.quota.leave(former)
        self.quota.enter(bucket)
        self._pass_on(former)
        return True

    def end(self, waiter: Waiter, late: bool = False) -> None:
        """Count a connection out, or out of its line; the next of its bucket gets its turn. Nothing if it is unknown.

        `late`: it is we who drop it, which is told if it still waited.
        """
        bucket = self._buckets.get(waiter)
        if bucket is None:
            return
        if self._leave_line(waiter, bucket):
            if late:
                self.from_one.count(bucket)
            return
        del self._buckets[waiter]
        self.quota.leave(bucket)
        self._pass_on(bucket)

    def has_line(self, bucket: str) -> bool:
        """Tell whether one from this bucket waits."""
        return bucket in self._lines

    def last(self) -> Waiter | None:
        """Return the last one of the longest line; None if nobody waits."""
        longest = max(self._lines, key=lambda bucket: len(self._lines[bucket]), default=None)
        return None if longest is None else next(reversed(self._lines[longest]))

    def stop(self) -> None:
        """Say what wasn't said yet of those that waited or were turned away."""
        for told in (self.from_one, self.in_all, self._held_up):
            told.stop()

    def _pass_on(self, bucket: str) -> None:
        """Let those begin for whom there is room now; those that end in it, as they are refused, don't go deeper."""
        if bucket in self._passing:
            return
        self._passing.add(bucket)
        while bucket in self._lines and not self.quota.is_crowded(bucket):
            following = next(iter(self._lines[bucket]))
            self._leave_line(following, bucket)
            following.begin()
        self._passing.discard(bucket)

    def _stand_in_line(self, waiter: Waiter, bucket: str) -> None:
        line = self._lines.get(bucket, {})
        if len(line) >= LINE * self.quota.most_from_one or not self._has_room(len(line)):
            raise self.refuse(bucket)
        self._lines[bucket] = line
        self._buckets[waiter] = bucket
        line[waiter] = None
        self.waiting += 1
        self._held_up.count(bucket)

    def _has_room(self, length: int) -> bool:
        """Tell whether one more may wait in a line of such a length, if need be as the longest one gives way."""
        last = self.last() if self.waiting >= self.most_waiting else None
        if last is not None and len(self._lines[self._buckets[last]]) > length + 1:
            self.end(last, late=True)
            last.drop()
        return self.waiting < self.most_waiting

    def _leave_line(self, waiter: Waiter, bucket: str) -> bool:
        line = self._lines.get(bucket, {})
        if waiter not in line:
            return False
        del line[waiter], self._buckets[waiter]
        self.waiting -= 1
        if not line:
            del self._lines[bucket]
        return True
