"""Room for connections: how many there may be, and those that give way when it is short."""

import resource
from typing import Generic, Protocol, TypeVar

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from streamrelay.logs import Logger, Several
from streamrelay.net.descriptors import allowed, spare
from streamrelay.net.quotas import ConnectionQuota
from streamrelay.net.waiting_lines import WaitingLines

log = Logger()


def _or_allowed(given: int) -> int:
    return given or allowed()


@define(frozen=True)
class Room:
    """Room for connections: the settings of these names. `max_connections` = 0: as many as `allowed`."""

    max_connections: int = field(default=0, converter=_or_allowed)
    max_connections_per_address: int = 200
    max_handshakes: int = 500
    max_handshakes_per_address: int = 100

    @property
    def most_told(self) -> int:
        """Most connections with those for which there is no room, and which stay until they are told."""
        return self.max_connections + spare(self.max_connections)

    def connections(self, clock: IReactorTime) -> WaitingLines:
        """Return the lines of connections."""
        return self._lines(clock, "max_connections")

    def handshakes(self, clock: IReactorTime) -> WaitingLines:
        """Return the lines of requests that aren't whole."""
        return self._lines(clock, "max_handshakes")

    def announce(self) -> None:
        """Log how much room there is, and whether there are descriptors for so much."""
        most, most_from_one = self.max_connections, self.max_connections_per_address
        log.info(
            "up to {most} at once (max_connections), {from_one} from one address (max_connections_per_address)",
            most=Several(most, "connection"),
            from_one=most_from_one,
        )
        if most > allowed():
            log.warn(
                "max_connections = {most} needs more descriptors than there are: RLIMIT_NOFILE is {descriptors}, "
                "enough for {allowed}",
                most=most,
                descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
                allowed=Several(allowed(), "connection"),
            )

    def _lines(self, clock: IReactorTime, setting: str) -> WaitingLines:
        quota = ConnectionQuota(getattr(self, setting), getattr(self, f"{setting}_per_address"))
        return WaitingLines(clock, setting, quota, most_waiting=self.max_handshakes)


class Counted(Protocol):
    """A connection that is counted by its bucket of addresses, or by its user at that."""

    bucket: str


Connection = TypeVar("Connection", bound=Counted)


@define(eq=False)
class Idle(Generic[Connection]):
    """Connections that wait for another request, which may be closed when room is short."""

    _by_bucket: dict[str, dict[Connection, None]] = field(factory=dict)  # each in the order of their coming
    _all: dict[Connection, None] = field(factory=dict)

    def add(self, connection: Connection) -> None:
        self._all[connection] = None
        self._by_bucket.setdefault(connection.bucket, {})[connection] = None

    def discard(self, connection: Connection) -> None:
        if connection in self._all:
            del self._all[connection], self._by_bucket[connection.bucket][connection]
            if not self._by_bucket[connection.bucket]:
                del self._by_bucket[connection.bucket]

    def longest(self, bucket: str | None) -> Connection | None:
        """Return the connection that has been idle for the longest time, of one bucket or (None) of all."""
        return next(iter(self._all if bucket is None else self._by_bucket.get(bucket, ())), None)
