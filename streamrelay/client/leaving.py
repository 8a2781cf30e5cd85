"""The streams of this program that outlive their legs, which end when it is stopped: nobody comes back for them."""

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from streamrelay.client.platform_api import OpenedStream, PlatformApi
from streamrelay.protocol.close import CloseCode, Outcome, outcome

if TYPE_CHECKING:
    from streamrelay.resume.connection import ResumableConnection

GOODBYE: Final = 0.1
"""Seconds in which the last words of a leg get out when the program is stopped."""
END_TIME: Final = 2.0
"""Seconds in which the platform may end a stream that has no leg."""
STOPPED: Final = outcome(CloseCode.LEG_LOST, "the client was stopped")


@define(eq=False)
class Leaving:
    """Streams that live, as long as somebody else has them. The reactor tells when it is stopped, from the first one
    on."""

    api: PlatformApi
    how: Outcome = STOPPED
    """Outcome with which they end."""
    begun: bool = False
    """True once the program stops: how streams end then is nothing to tell of."""
    _live: "WeakKeyDictionary[ResumableConnection, str]" = field(factory=WeakKeyDictionary)
    _told: bool = False

    def add(self, opened: OpenedStream, leg: Any) -> tuple[OpenedStream, Any]:
        """Take note of a stream, if it outlives its legs, and return it; all others end with us."""
        if opened.resume:
            if not self._told:
                self._told = True
                self.api.reactor.addSystemEventTrigger("before", "shutdown", self.leave)
            self._live[leg] = opened.stream
        return opened, leg

    def leave(self) -> "Deferred[list[None]]":
        """End all of them: by their legs, or by the platform where they have none; return once that is done, or its
        time is up."""
        self.begun = True
        last: list[Deferred[None]] = []
        for connection, stream in list(self._live.items()):
            if not connection.is_over:
                last.append(self._goodbye() if connection.attached else self._end(stream))
                connection.close(self.how)
        return gatherResults(last)

    def _goodbye(self) -> "Deferred[None]":
        return deferLater(self.api.reactor, GOODBYE)

    def _end(self, stream: str) -> "Deferred[None]":
        ending = Deferred.fromCoroutine(self.api.end(stream)).addTimeout(END_TIME, self.api.reactor)
        return ending.addErrback(lambda failure: None)  # there is nobody left to be told
