"""The load of a relay: how much of what it can do is in use, between 0 and 1."""

from collections.abc import Callable
from resource import RUSAGE_SELF, getrusage
from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from streamrelay.relay.service import Relay

AGAIN: Final = 0.95
"""The share of the connections of a full relay at which it takes streams again, so that it doesn't say so with every
leg that comes and goes."""


def cpu_time() -> float:
    """Return the seconds of CPU time that this process has had."""
    used = getrusage(RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@define(eq=False)
class Load:
    """Measure of one relay. It uses one core, so the share of CPU time of its process is that of all it can have."""

    relay: Relay
    clock: IReactorTime
    cpu: Callable[[], float] = cpu_time
    full: bool = False
    """True from when no connection more is let in, until some have gone."""
    _busy: float = 0.0  # share of CPU time between the last two looks
    _used: float = field(init=False)
    _looked: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._used, self._looked = self.cpu(), self.clock.seconds()

    def look(self) -> None:
        """Measure the CPU time since the last look."""
        used, now = self.cpu(), self.clock.seconds()
        if now > self._looked:
            self._busy = min(1.0, max(0.0, (used - self._used) / (now - self._looked)))
        self._used, self._looked = used, now

    def count(self) -> bool:
        """Look whether there is room for a stream, which takes two connections; return True if that has changed."""
        before, limit = self.full, 1 - 2 / max(2, self.relay.handshakes.most)
        self.full = self._connections > (limit * AGAIN if before else limit)
        return self.full != before

    @property
    def share(self) -> float:
        """Share in use now, of connections or of CPU time, whichever is more."""
        return round(min(1.0, max(self._connections, self._busy)), 3)

    @property
    def _connections(self) -> float:
        handshakes = self.relay.handshakes
        return (len(self.relay.legs) + handshakes.count) / max(1, handshakes.most)
