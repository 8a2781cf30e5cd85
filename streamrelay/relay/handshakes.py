"""Handshakes at the relay: how many may be undone at once, and who of one address waits for a turn meanwhile.

Many users may come from one address, and browsers don't try again: so those over the most of one address aren't dropped
but wait in a line, unread, until one before them is done. A line costs descriptors and no more; it is bounded, too.
"""

from collections.abc import Callable
from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from streamrelay.errors import Refused
from streamrelay.logs import Seldom
from streamrelay.net.proxies import Proxies
from streamrelay.net.quotas import ConnectionQuota, turned_away
from streamrelay.relay.config import RelayConfig
from streamrelay.websocket.admission import Handshake

LINE: Final = 10
"""Length of an address' line, in times of how many of its handshakes may be undone."""


@define(eq=False)
class Handshakes:
    """Handshakes that are under way or wait for their turn. `legs` tells how many connections are past theirs."""

    config: RelayConfig
    clock: IReactorTime
    proxies: Proxies
    legs: Callable[[], int]
    waiting: int = 0
    """Number of connections in all lines."""
    _undone: dict[Handshake, str] = field(factory=dict)  # with their buckets
    _quota: ConnectionQuota = field(init=False)  # of those that are undone
    _lines: dict[str, dict[Handshake, None]] = field(factory=dict)
    _turned_away: dict[str, Seldom] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._quota = ConnectionQuota(self.config.max_handshakes, self.config.max_handshakes_per_address)
        self._turned_away = {
            name: turned_away(self.clock, f"{name} = {getattr(self.config, name)}")
            for name in ("max_handshakes_per_address", "max_handshakes", "max_connections")
        }

    @property
    def count(self) -> int:
        """Number of handshakes that are undone, or wait."""
        return len(self._undone) + self.waiting

    def begin(self, handshake: Handshake) -> bool:
        """Count a handshake in and return True, or put it in its address' line and return False; or raise `Refused`.

        429 if the line is full (then it is counted nowhere); 503 if there are too many in all.
        """
        bucket = self.proxies.bucket(handshake.address)
        if self._quota.is_crowded(bucket):
            self._stand_in_line(handshake, bucket)
            return False
        self._undone[handshake] = bucket
        try:
            self._quota.enter(bucket)
        except Refused:
            self._turned_away["max_handshakes"].count(bucket)
            raise
        if self.legs() + self.count > self.config.max_connections:
            self._turned_away["max_connections"].count(bucket)
            raise Refused(503, "full")
        return True

    def end(self, handshake: Handshake) -> None:
        """Count a handshake out, or out of its line; the next of its address begins."""
        bucket = self._undone.pop(handshake, None)
        if bucket is None:
            self._leave_line(handshake, self.proxies.bucket(handshake.address))
            return
        self._quota.leave(bucket)
        if bucket in self._lines:
            following = next(iter(self._lines[bucket]))
            self._leave_line(following, bucket)
            following.begin()

    def stop(self) -> None:
        """Say what wasn't said yet of those that were turned away."""
        for limit in self._turned_away.values():
            limit.stop()

    def _stand_in_line(self, handshake: Handshake, bucket: str) -> None:
        line = self._lines.get(bucket, {})
        if len(line) >= LINE * self.config.max_handshakes_per_address or self.waiting >= self.config.max_handshakes:
            self._turned_away["max_handshakes_per_address"].count(bucket)
            raise Refused(429, "too many from one address")
        self._lines[bucket] = line
        line[handshake] = None
        self.waiting += 1

    def _leave_line(self, handshake: Handshake, bucket: str) -> None:
        line = self._lines.get(bucket, {})
        if handshake in line:
            del line[handshake]
            self.waiting -= 1
            if not line:
                del self._lines[bucket]
