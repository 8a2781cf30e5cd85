"""The stop of the platform's HTTP connections: each is closed behind the request that is under way."""

from typing import Protocol

from attrs import define, field
from twisted.internet.defer import Deferred


class Parting(Protocol):
    """A connection that comes to its end."""

    def wind_up(self) -> None:
        """Close the connection, if need be behind the request that is under way."""


@define(eq=False)
class Goodbye:
    """The end of all connections, which says nothing before its `begin`."""

    here: set[Parting] = field(factory=set)
    """Connections that are not gone."""
    begun: bool = False
    """True once no connection is kept for another request."""
    _over: "Deferred[None]" = field(factory=Deferred)

    def begin(self) -> "Deferred[None]":
        """Close all connections; the answer comes once that is done."""
        self.begun = True
        for connection in tuple(self.here):
            connection.wind_up()
        self._look()
        return self._over

    def came(self, connection: Parting) -> None:
        """Take note of a new connection."""
        self.here.add(connection)

    def left(self, connection: Parting) -> None:
        """Take note that a connection is gone, or given up."""
        self.here.discard(connection)
        self._look()

    def _look(self) -> None:
        if self.begun and not self.here and not self._over.called:
            self._over.callback(None)
