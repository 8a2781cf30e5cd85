"""A container's log: its last lines, then what it writes; or on from a place.

The log is read by the API, from wherever its driver keeps it, so a client that doesn't keep up costs nothing here: the
API isn't read until there is room. A container that isn't started yet, or is started again, is waited for.
"""

from collections.abc import Coroutine, Mapping
from typing import Any, Final

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred

from streamrelay.agent.targets.container.api import ApiError, DockerApi, Found
from streamrelay.agent.targets.container.body import QUERY, Known, LogBody, deliver, in_time, read_log
from streamrelay.agent.targets.container.messages import Piece
from streamrelay.agent.targets.container.places import Position, Track
from streamrelay.agent.targets.container.rotation import Rotations
from streamrelay.agent.targets.container.runs import Runs
from streamrelay.agent.targets.followed_log import Followed
from streamrelay.agent.targets.sealed_places import seal, unseal
from streamrelay.errors import TargetError
from streamrelay.net.http_connection import Answer
from streamrelay.protocol.close import FINISHED, CloseCode, Outcome, outcome
from streamrelay.protocol.summons import Terms

FURTHEST: Final = 100_000
"""Messages from a place to a log's end; who comes back to Docker after more has lost some. With this bound Docker reads
a log from its end on, without it from its very start."""
NOTHING: Final = Position()
"""Position before the last lines."""
BEGINNING: Final = Position(1)
"""Position before the first message of a log that has none yet."""
QUIET: Final = 0.1
"""Seconds without a message after which podman has given all there was."""


async def follow_log(api: DockerApi, found: Found, lines: int, terms: Terms) -> Followed:
    """Connect a container's log at the place of `terms`, or at its last lines; `TargetError` if it can't be read."""
    podman = await api.is_podman()
    log = ContainerLog(api, found, lines, podman, podman and await api.rotates(found.id))
    position, log.skip = read_place(terms.place, found.id)
    if position is not None and position.time:
        search = await read_log(api, found, {"since": position.since, **log.bound}, position)
        if search.found:
            log.position, log.skip = position, log.skip + terms.after
            return Followed(api.reactor, log, log.skip)
    log.skip, log.lost = 0, bool(terms.place) and (position is None or position.time > 0)
    if lines:
        log.backlog = await in_time(api, api.log(found.id, {**QUERY, "tail": lines}))
    else:
        last = (await read_log(api, found, {"tail": 1}, NOTHING, whole=True)).track.position()
        log.position = last if last.time else BEGINNING
    return Followed(api.reactor, log)


def read_place(place: str, container: str) -> tuple[Position | None, int]:
    """Read a place that a client brings: the position, and how many bytes behind it.

    The position is None if the place was not made for this container.
    """
    text, _, skip = unseal(place, f"container {container}").partition("+")
    try:
        return Position.read(text), int(skip or 0)
    except ValueError:
        return None, 0


@define(eq=False)
class ContainerLog:
    """A container's log that is followed: first its last lines, if they are to come, then on from behind them."""

    api: DockerApi
    container: Found
    lines: int
    podman: bool
    """True if podman serves the API; its shortcomings are said where they are dealt with."""
    rotates: bool = False
    """True if podman begins the log anew when it is full."""
    position: Position = NOTHING
    """Position at which to go on; time 0: with the last lines."""
    skip: int = 0
    """Bytes behind the position."""
    backlog: Answer | None = None
    """Answer with the last lines, until it is read."""
    lost: bool = False
    """True if a place was given that can't be found."""
    _runs: Runs = field(init=False)
    _rotations: Rotations = field(init=False)
    _log: Followed | None = None
    _following: bool = False  # whether the log is followed, and not only read as it is
    _track: Track = field(factory=Track)
    _found: bool = False
    _within: bool = False  # whether a message has begun and not ended
    _request: "Deferred[None] | None" = None
    _body: LogBody | None = None
    _paused: bool = False
    _good: Position = NOTHING  # up to here nothing is missing
    _since: int = 0  # messages that came since
    _heard: float = -1.0  # when the last one did

    def __attrs_post_init__(self) -> None:
        self._runs = Runs(self.api, self.container)
        self._rotations = Rotations(self.api, self.container, self._rotated)

    @property
    def bound(self) -> Mapping[str, object]:
        """Parameters that bound how far back a log is read; none for podman, which may lose lines by them.

        Lost is what is written between its reading and its following.
        """
        return {} if self.podman else {"tail": FURTHEST}

    def start(self, log: Followed) -> None:
        self._log, self._good = log, self.position
        self._tell(log, self.position, self.lost)
        backlog, self.backlog = self.backlog, None
        if backlog is not None:
            self._deliver(backlog)
        else:
            self._work(self._follow())
        if self.rotates:
            self._rotations.start()

    async def _follow(self) -> None:
        query = {**QUERY, "follow": 1, "since": self.position.since, **self.bound}
        self._following = True
        self._deliver(await self.api.log(self.container.id, query))

    def _deliver(self, answer: Answer) -> None:
        self._body = deliver(answer, self.container, self)
        if self._log is None:
            self._body.stop()
        elif self._paused:  # only now: delivering begins with a read
            self._body.transport.pauseProducing()

    def heard(self, piece: Piece) -> bool:
        log = self._log
        if log is None:
            return False
        if not self._found and self.position.is_before(piece):
            self._found = True
            if not self.position.time:
                self._tell(log, Position.before(piece))
        elif not self._found and piece.time > self.position.time:  # it was there when it was looked for, and is no more
            self._found, log.skip = True, 0
            self._tell(log, Position.before(piece), lost=True)
        if self.podman and self._found:
            self._count(piece)
        self._track.heard(piece)
        self._within = not piece.ends
        if self._found:
            log.text(piece.text)
        else:
            self._found = piece.ends and self._track.reaches(self.position)
        return True

    def place(self) -> str:
        return "" if self._within else self._sealed(str(self._track.position() if self._found else self.position))

    def over(self, why: str) -> None:
        self._body = None
        if why:
            self._end(outcome(CloseCode.TARGET_RESET, why))
        elif not self.position.time:  # the last lines are over
            self._follow_on()
        elif self.podman and self._following:
            self._work(self._check_end())
        else:
            self._work(self._next_run())

    def _work(self, work: "Coroutine[Any, Any, None]") -> None:
        """Do what nobody waits for; it is given up if the client leaves."""

        async def done() -> None:
            try:
                await work
            except TargetError as error:
                if isinstance(error, ApiError) and error.is_gone:
                    self._removed()
                else:
                    self.over(error.reason)

        self._request = Deferred.fromCoroutine(done())

    def _follow_on(self) -> None:
        """Follow from behind all that came."""
        self.position = self._reached
        self._track, self._found = Track(), False
        self._good, self._since = self.position, 0
        self._work(self._follow())

    @property
    def _reached(self) -> Position:
        """Position behind all that came, also if that is nothing yet."""
        reached = self._track.position() if self._found else self.position
        return reached if reached.time else BEGINNING

    def _end(self, how: Outcome) -> None:
        log, self._log, self._request = self._log, None, None
        if log is not None:
            log.ended(how)

    async def _next_run(self) -> None:
        """Wait for the container to run again, as its log is over."""
        log = self._log
        if log is None:
            return
        if await self._runs.is_more(log.note):
            self._follow_on()
        else:
            self._end(FINISHED)

    def _removed(self) -> None:
        """End in order, as the container is there no more; what podman has dropped at its end nobody can tell now."""
        if self.podman and self._following and self._log is not None:
            self._tell(self._log, self._reached, lost=True)
        self._end(FINISHED)

    def _count(self, piece: Piece) -> None:
        """When podman's container ends podman drops lines that weren't read by then. So when it has given all there
        was for a while that is a good position, and messages from there on are counted."""
        now = self.api.reactor.seconds()
        if piece.begins and now > self._heard + QUIET and not self._paused:
            self._good, self._since = self._track.position() if self._track.time else self.position, 0
        self._heard = now
        self._since += piece.ends

    async def _check_end(self) -> None:
        """Check, as the container has ended, if all has come; if not, give the rest, or, if what came isn't what is
        there, say so and give what follows the good position once more.

        Podman may have been silent for a while amid its dropping, too, and the good position not be in the log at all:
        then what follows that from which the log was followed is given.
        """
        known = Known(self._since, self._reached)
        query = {"since": self._good.since}
        there = await read_log(self.api, self.container, query, self._good, whole=True, known=known)
        if there.found and there.behind == self._since and there.agrees:
            await self._next_run()
            return
        lost = not (there.found and there.agrees)
        position = self._reached if not lost else self._good if there.found else self.position
        answer = await self.api.log(self.container.id, {**QUERY, "since": position.since})
        self.position, self._track, self._found, self._following = position, Track(), False, False
        if lost and self._log is not None:
            self._tell(self._log, position, lost=True)
        self._deliver(answer)

    def pause(self) -> None:
        self._paused = True
        if self._body is not None:
            self._body.transport.pauseProducing()

    def resume(self) -> None:
        self._paused = False
        self._heard = self.api.reactor.seconds()
        if self._body is not None:
            self._body.transport.resumeProducing()

    def _rotated(self) -> bool:
        """Say that lines may be missing, as podman has begun the log anew, unless there is no place for it now."""
        log = self._log
        if log is None or log.skip or self._paused or self._within:
            return False
        self._tell(log, self._reached, lost=True)
        return True

    def stop(self) -> None:
        self._log = None
        self._rotations.stop()
        if self.backlog is not None:  # begun and not read: it is delivered to be stopped
            self._deliver(self.backlog)
        elif self._body is not None:
            self._body.stop()
        elif self._request is not None:
            self._request.addErrback(lambda failure: failure.trap(CancelledError) and None)
            self._request.cancel()

    def _tell(self, log: Followed, position: Position, lost: bool = False) -> None:
        behind = f"+{self.skip}" if self.skip else ""
        self.skip = 0
        log.place(self._sealed(f"{position}{behind}"), lost)

    def _sealed(self, place: str) -> str:
        return seal(place, f"container {self.container.id}")
