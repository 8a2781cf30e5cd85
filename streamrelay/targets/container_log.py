"""A container's log: its last lines, then what it writes; or on from a place.

The log is read by the API, from wherever its driver keeps it, so a client that doesn't keep up costs nothing here: the
API isn't read until there is room. It ends when the container does.
"""

from collections.abc import Coroutine, Mapping
from typing import Any, Final, Protocol, TypeVar

from attrs import define, field
from twisted.internet import protocol
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.iweb import IResponse

from streamrelay.errors import TargetError
from streamrelay.peer import explain
from streamrelay.targets.docker_api import DockerApi, Found
from streamrelay.targets.following import Followed
from streamrelay.targets.messages import FramedMessages, Messages, Piece
from streamrelay.targets.seals import seal, unseal
from streamrelay.targets.spots import Spot, Track
from streamrelay.wire import CONNECT_TIME, FINISHED, Close, Refusal, Terms, ending

QUERY: Final = {"stdout": 1, "stderr": 1, "timestamps": 1}
FURTHEST: Final = 100_000
"""Messages from a place to a log's end; who comes back to Docker after more has lost some. With this bound Docker reads
a log from its end on, without it from its very start."""
NOTHING: Final = Spot()
"""Before the last lines."""
BEGINNING: Final = Spot(1)
"""Before the first message of a log that has none yet."""

T = TypeVar("T")


async def follow_log(api: DockerApi, found: Found, lines: int, terms: Terms) -> Followed:
    """A container's log, or `TargetError` if it can't be read."""
    # With a bound podman may lose what is written between its reading a log and its following it.
    bound = {} if await api.is_podman() else {"tail": FURTHEST}
    spot, skip = read_place(terms.place, found.id)
    if spot is not None and spot.time:
        search = await _read(api, found, {"since": spot.since, **bound}, spot)
        if search.found:
            skip += terms.after
            return Followed(api.reactor, ContainerLog(api, found, bound, spot, skip), skip)
    lost = bool(terms.place) and (spot is None or spot.time > 0)
    if lines:
        backlog = await _in_time(api, api.log(found.id, {**QUERY, "tail": lines}))
        return Followed(api.reactor, ContainerLog(api, found, bound, backlog=backlog, lost=lost))
    last = (await _read(api, found, {"tail": 1}, NOTHING)).track.spot()
    return Followed(api.reactor, ContainerLog(api, found, bound, last if last.time else BEGINNING, lost=lost))


def read_place(place: str, container: str) -> tuple[Spot | None, int]:
    """What a client brings: the spot, and how many bytes behind it; None if it was not made for this container."""
    text, _, skip = unseal(place, container).partition("+")
    try:
        return Spot.read(text), int(skip or 0)
    except ValueError:
        return None, 0


async def _read(api: DockerApi, found: Found, query: Mapping[str, object], spot: Spot) -> "Search":
    """Let a log as it is now go by, up to a spot."""

    async def read() -> Search:
        search = Search(spot)
        deliver(await api.log(found.id, {**QUERY, **query}), found, search)
        return await search.done

    return await _in_time(api, read())


async def _in_time(api: DockerApi, work: Coroutine[Any, Any, T]) -> T:
    """In the time that there is for connecting."""
    done = Deferred.fromCoroutine(work)
    why = f"{api.socket}: the log was not read within {CONNECT_TIME:g} s"
    done.addTimeout(CONNECT_TIME, api.reactor, lambda *_: Failure(TargetError(Refusal.TARGET_UNREACHABLE, why)))
    return await done


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


def deliver(response: IResponse, found: Found, listener: Listener) -> LogBody:
    """Have a listener told of a log, message by message."""
    body = LogBody(Messages() if found.config.tty else FramedMessages(), listener)
    response.deliverBody(body)
    return body


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
    """A log that is followed: first its last lines, if they are to come, then on from behind them."""

    api: DockerApi
    container: Found
    bound: Mapping[str, object]
    """How far back a log is read."""
    spot: Spot = NOTHING
    """Where to go on; time 0: with the last lines."""
    skip: int = 0
    """Bytes behind the spot."""
    backlog: IResponse | None = None
    """The last lines."""
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
        backlog, self.backlog = self.backlog, None
        if backlog is not None:
            self._deliver(backlog)
        else:
            self._request = Deferred.fromCoroutine(self._follow())

    async def _follow(self) -> None:
        query = {**QUERY, "follow": 1, "since": self.spot.since, **self.bound}
        try:
            response = await self.api.log(self.container.id, query)
        except TargetError as error:
            self.over(error.reason)
            return
        self._deliver(response)

    def _deliver(self, response: IResponse) -> None:
        self._body = deliver(response, self.container, self)
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
        return "" if self._within else seal(str(self._track.spot() if self._found else self.spot), self.container.id)

    def over(self, why: str) -> None:
        if not self.spot.time and not why:  # the last lines are over
            self.spot = self._track.spot() if self._track.time else BEGINNING
            self._track, self._found, self._body = Track(), False, None
            self._request = Deferred.fromCoroutine(self._follow())
            return
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
        if self.backlog is not None:
            self._deliver(self.backlog)
        elif self._body is not None:
            self._body.stop()
        elif self._request is not None:
            self._request.cancel()

    def _tell(self, log: Followed, spot: Spot, lost: bool = False) -> None:
        behind = f"+{self.skip}" if self.skip else ""
        self.skip = 0
        log.place(seal(f"{spot}{behind}", self.container.id), lost)
