"""A container's log: its last lines, then what it writes; or on from a place.

The log is read by the API, from wherever its driver keeps it, so a client that doesn't keep up costs nothing here: the
API isn't read until there is room. It ends when the container does.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from attrs import define, field
from twisted.internet import protocol
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from streamrelay.errors import TargetError
from streamrelay.peer import explain
from streamrelay.targets.docker_api import DockerApi, Found
from streamrelay.targets.following import Followed
from streamrelay.targets.messages import FramedMessages, Messages, Piece
from streamrelay.targets.seals import seal, unseal
from streamrelay.targets.spots import Spot, Track
from streamrelay.wire import CONNECT_TIME, FINISHED, Close, Refusal, Terms, ending

FURTHEST: Final = 100_000
"""Messages from a place to a log's end; who comes back after more has lost some. With this bound a log is read from its
end on, without it from its very start."""
BEGINNING: Final = Spot(1)
"""Before the first message of a log that has none yet."""


async def follow_log(api: DockerApi, found: Found, lines: int, terms: Terms) -> Followed:
    """A container's log, or `TargetError` if it can't be read."""
    spot, skip = read_place(terms.place, found.id)
    if spot is not None and spot.time:
        search = await _read(api, found, {"since": spot.since, "tail": FURTHEST}, spot)
        if search.found:
            skip += terms.after
            return Followed(api.reactor, ContainerLog(api, found, 0, spot, skip), skip)
    glance = await _read(api, found, {"tail": 1}, Spot())
    start = Spot() if lines else glance.track.spot()
    if not glance.track.time:
        start = BEGINNING
    lost = bool(terms.place) and (spot is None or spot.time > 0)
    return Followed(api.reactor, ContainerLog(api, found, lines, start, lost=lost))


def read_place(place: str, container: str) -> tuple[Spot | None, int]:
    """What a client brings: the spot, and how many bytes behind it; None if it was not made for this container."""
    text, _, skip = unseal(place, container).partition("+")
    try:
        return Spot.read(text), int(skip or 0)
    except ValueError:
        return None, 0


async def _read(api: DockerApi, found: Found, query: Mapping[str, object], spot: Spot) -> "Search":
    """Let a log as it is now go by, up to a spot, in the time that there is for connecting."""

    async def read() -> Search:
        search = Search(spot)
        await open_log(api, found, query, search)
        return await search.done

    work = Deferred.fromCoroutine(read())
    why = f"{api.socket}: the log was not read within {CONNECT_TIME:g} s"
    work.addTimeout(CONNECT_TIME, api.reactor, lambda *_: Failure(TargetError(Refusal.TARGET_UNREACHABLE, why)))
    return await work


async def open_log(api: DockerApi, found: Found, query: Mapping[str, object], listener: "Listener") -> "LogBody":
    """Have a listener told of a log, message by message."""
    response = await api.log(found.id, {"stdout": 1, "stderr": 1, "timestamps": 1, **query})
    body = LogBody(Messages() if found.config.tty else FramedMessages(), listener)
    response.deliverBody(body)
    return body


class Listener(Protocol):
    """Whom a `LogBody` tells."""

    def heard(self, piece: Piece) -> bool:
        """A piece of a message; whether to go on."""

    def over(self, why: str) -> None:
        """Nothing more comes; empty if that is the log's end."""


class LogBody(protocol.Protocol):
    """What Twisted calls for the body of a log."""

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
        from twisted.web.client import ResponseDone
        from twisted.web.http import PotentialDataLoss

        if not reason.check(ResponseDone, PotentialDataLoss):
            self._over(explain(reason) or "the log broke off")
            return
        for piece in self._messages.rest():
            if self._listener is not None:
                self._listener.heard(piece)
        self._over("")

    def stop(self) -> None:
        """Let go; nobody is told of the rest."""
        self._listener = None
        if self.transport is not None:
            self.transport.loseConnection()

    def _over(self, why: str) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.over(why)


@define(eq=False)
class Search:
    """Looks for a spot in a log as it is now."""

    spot: Spot
    track: Track = field(factory=Track)
    found: bool = False
    done: "Deferred[Search]" = field(factory=Deferred)

    def heard(self, piece: Piece) -> bool:
        self.track.heard(piece)
        self.found = piece.ends and self.track.reaches(self.spot)
        if self.found or self.track.time > self.spot.time > 0:
            self.over("")
        return not self.done.called

    def over(self, why: str) -> None:
        self.found = self.found or not self.spot.count
        if not self.done.called:
            self.done.callback(self)


@define(eq=False)
class ContainerLog:
    """A log that is followed."""

    api: DockerApi
    container: Found
    lines: int
    """To begin with, at a spot whose time is 0."""
    spot: Spot
    skip: int = 0
    """Bytes behind the spot."""
    lost: bool = False
    """Whether a place was given in vain."""
    _log: Followed | None = None
    _track: Track = field(factory=Track)
    _found: bool = False
    _within: bool = False  # whether a message has begun and not ended
    _request: "Deferred[None] | None" = None
    _body: LogBody | None = None
    _paused: bool = False

    def start(self, log: Followed) -> None:
        self._log = log
        self._tell(log, self.spot, self.lost)
        self._request = Deferred.fromCoroutine(self._follow())

    async def _follow(self) -> None:
        if self.spot.time:
            query: dict[str, object] = {"since": self.spot.since, "tail": FURTHEST}
        else:
            query = {"tail": self.lines}
        try:
            self._body = await open_log(self.api, self.container, {"follow": 1, **query}, self)
        except TargetError as error:
            self.over(error.reason)
            return
        if self._log is None:
            self._body.stop()
        elif self._paused:  # only now: delivering begins with a read
            self._body.transport.pauseProducing()

    def heard(self, piece: Piece) -> bool:
        log = self._log
        if log is None:
            return False
        if not self._found and piece.time >= self.spot.time + bool(self.spot.count):
            self._arrive(log, piece.time)
        self._track.heard(piece)
        self._within = not piece.ends
        if self._found:
            log.text(piece.text)
        else:
            self._found = piece.ends and self._track.reaches(self.spot)
        return True

    def _arrive(self, log: Followed, time: int) -> None:
        """The spot isn't ahead any more; whatever comes is for the client."""
        self._found = True
        if self.spot.count:  # it was there when it was looked for, and is there no more
            log.skip = 0
            self._tell(log, Spot(time), lost=True)
        elif not self.spot.time:
            self._tell(log, Spot(time))

    def place(self) -> str:
        return "" if self._within or not self._track.time else seal(str(self._track.spot()), self.container.id)

    def over(self, why: str) -> None:
        log, self._log = self._log, None
        if log is not None:
            log.ended(ending(Close.TARGET_RESET, why) if why else FINISHED)

    def pause(self) -> None:
        self._paused = True
        if self._body is not None:
            self._body.transport.pauseProducing()

    def resume(self) -> None:
        self._paused = False
        if self._body is not None:
            self._body.transport.resumeProducing()

    def stop(self) -> None:
        self._log = None
        if self._body is not None:
            self._body.stop()
        elif self._request is not None:
            self._request.cancel()

    def _tell(self, log: Followed, spot: Spot, lost: bool = False) -> None:
        behind = f"+{self.skip}" if self.skip else ""
        self.skip = 0
        log.place(seal(f"{spot}{behind}", self.container.id), lost)
