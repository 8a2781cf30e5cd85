"""Ends of streams that could be resumed, to be told to those who come back for them too late."""

from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from streamrelay.protocol.summons import PastEnd

MOST: Final = 1000
"""Streams that are remembered. Of more the oldest one is forgotten of the user who has the most of them."""
REMEMBERED_FOR: Final = 86400.0
"""Seconds for which one is remembered."""


@define(eq=False)
class PastStreams:
    """Streams that are over, by user and id."""

    clock: IReactorTime
    most: int = MOST
    _ends: dict[str, dict[str, tuple[float, PastEnd]]] = field(factory=dict)
    _count: int = 0

    def add(self, user: str, stream: str, end: PastEnd) -> None:
        """Take note of how one has ended."""
        self._forget(user, stream)
        self._ends.setdefault(user, {})[stream] = self.clock.seconds(), end
        self._count += 1
        if self._count > self.most:
            whose = max(self._ends, key=lambda name: len(self._ends[name]))
            self._forget(whose, next(iter(self._ends[whose])))

    def find(self, user: str, stream: str) -> PastEnd | None:
        """Return how a stream of a user has ended; None if that isn't known, or not any more."""
        found = self._ends.get(user, {}).get(stream)
        if found is None:
            return None
        at, end = found
        if self.clock.seconds() - at <= REMEMBERED_FOR:
            return end
        self._forget(user, stream)
        return None

    def _forget(self, user: str, stream: str) -> None:
        own = self._ends.get(user, {})
        if own.pop(stream, None) is not None:
            self._count -= 1
            if not own:
                del self._ends[user]
