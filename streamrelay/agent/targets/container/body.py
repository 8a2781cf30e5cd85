"""A container's log as it comes from the API, told message by message."""

from collections.abc import Coroutine, Mapping
from typing import Any, Final, Protocol, TypeVar

from attrs import define, field, frozen
from twisted.internet import protocol
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from streamrelay.agent.targets.container.api import DockerApi, Found
from streamrelay.agent.targets.container.messages import FramedMessages, Messages, Piece
from streamrelay.agent.targets.container.places import Position, Track
from streamrelay.errors import TargetError
from streamrelay.net.http_connection import Answer, AnswerDone
from streamrelay.net.peer import explain
from streamrelay.protocol.limits import CONNECT_TIME
from streamrelay.protocol.summons import Refusal

QUERY: Final = {"stdout": 1, "stderr": 1, "timestamps": 1}
"""Parameters of every request for a log."""

T = TypeVar("T")


async def read_log(
    api: DockerApi,
    found: Found,
    query: Mapping[str, object],
    position: Position,
    whole: bool = False,
    known: "Known | None" = None,
) -> "Search":
    """Let a log as it is now go by, up to a position, or to its end if `whole`; or raise `TargetError`."""

    async def read() -> Search:
        search = Search(position, whole, known)
        body = deliver(await api.log(found.id, {**QUERY, **query}), found, search)
        try:
            return await search.done
        finally:
            body.stop()  # it may take too long

    return await in_time(api, read())


async def in_time(api: DockerApi, work: Coroutine[Any, Any, T]) -> T:
    """Do some work within `CONNECT_TIME`, or raise `TargetError`."""
    done = Deferred.fromCoroutine(work)
    why = f"{api.socket}: the log was not read within {CONNECT_TIME:g} s"
    done.addTimeout(CONNECT_TIME, api.reactor, lambda *_: Failure(TargetError(Refusal.TARGET_UNREACHABLE, why)))
    return await done


class Listener(Protocol):
    """A listener, which a `LogBody` tells of a log."""

    def heard(self, piece: Piece) -> bool:
        """Take a piece of a message; return False if no more are wanted."""

    def over(self, why: str) -> None:
        """Take note that nothing more comes, and why: empty if that is the log's end."""


class LogBody(protocol.Protocol):
    """Twisted's protocol of an answer's body that is a log."""

    transport: Any  # Twisted's stand-in for the connection's

    def __init__(self, messages: Messages, listener: Listener) -> None:
        self._messages = messages
        self._listener: Listener | None = listener

    def dataReceived(self, data: bytes) -> None:
        try:
            for piece in self._messages.feed(data):
                if self._listener is None or not self._listener.heard(piece):
                    self.stop()
                    return
        except ValueError as error:
            self._over(f"the log is not in the form of Docker's API: {error}")
            self.stop()

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        if not reason.check(AnswerDone):
            self._over(explain(reason))
            return
        for piece in self._messages.rest():
            if self._listener is not None:
                self._listener.heard(piece)
        self._over("")

    def stop(self) -> None:
        """Let go of the connection; nobody is told of the rest."""
        self._listener = None
        if self.transport is not None:
            self.transport.loseConnection()

    def _over(self, why: str) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.over(why)


def deliver(answer: Answer, found: Found, listener: Listener) -> LogBody:
    """Have a listener told of an answer's log, piece by piece of its messages."""
    body = LogBody(Messages() if found.config.tty else FramedMessages(), listener)
    answer.deliver(body)
    return body


@frozen
class Known:
    """Knowledge of what comes behind a position: so many messages, up to another position."""

    count: int
    end: Position


@define(eq=False)
class Search:
    """A search for a position in a log as it is now."""

    position: Position
    whole: bool = False
    """True if the search goes on to the log's end once it has found the position."""
    known: Known | None = None
    track: Track = field(factory=Track)
    found: bool = False
    agrees: bool = False
    """True if what is known to come behind the position is what comes first."""
    behind: int = 0
    """Messages behind the position."""
    done: "Deferred[Search]" = field(factory=Deferred)

    def heard(self, piece: Piece) -> bool:
        self.track.heard(piece)
        self.found = self.found or self.position.is_before(piece)
        if self.found:
            self.behind += piece.ends
        else:
            self.found = piece.ends and self.track.reaches(self.position)
        if self.found and piece.ends and self.known is not None and self.behind == self.known.count:
            self.agrees = self.known.count == 0 or self.track.reaches(self.known.end)
        missed = not self.found and self.track.time > self.position.time
        if missed or (self.found and not self.whole):
            self.over("")
        return not self.done.called

    def over(self, why: str) -> None:
        self.found = self.found or self.position.anywhere
        self.agrees = self.agrees or (self.known is not None and self.known.count == 0)
        if not self.done.called:
            self.done.callback(self)
