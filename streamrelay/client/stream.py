"""A stream of the native client: asked of the platform, dialled, and spliced with stdin and stdout or a local port."""

from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory

from streamrelay.client.early_leg import EarlyLeg
from streamrelay.client.known_relay import NOWHERE, KnownRelay
from streamrelay.client.leaving import END_TIME, GOODBYE
from streamrelay.client.platform_api import OpenedStream, PlatformApi, PlatformError
from streamrelay.client.stream_request import StreamRequest
from streamrelay.datapath.connection import Connection
from streamrelay.datapath.splice import Half, Splice
from streamrelay.logs import Seldom, Several
from streamrelay.protocol.close import FINISHED, CloseCode, Outcome, outcome
from streamrelay.protocol.control import Control, decode_control

if TYPE_CHECKING:  # whoever has one has imported it, and a local port does so for its first connection
    from streamrelay.datapath.plain import PlainConnection, PlainProtocol
    from streamrelay.websocket.client import Dialler

T = TypeVar("T")

LOCAL_RESET: Final = outcome(CloseCode.LEG_LOST, "the local connection was reset")
REFUSED: Final = (CloseCode.TARGET_REFUSED, CloseCode.TARGET_UNREACHABLE, CloseCode.OVERLOADED)
"""Ends of a channel that couldn't be opened; the reasons are those of streams that couldn't."""
LOOK: Final = 1.0
"""Seconds between two looks whether those who wait for their streams are still there."""


@define(eq=False)
class ClientStream:
    """One stream of the native client, from the websocket's opening to its end."""

    leg: Connection
    local: Connection
    say: Callable[[str], None] = lambda text: None
    """Called with words for the user, about a log: what is missing of it, and why nothing comes."""
    overheard: Callable[[Control], object] = lambda control: None
    """Called with each control message."""
    ended: "Deferred[Outcome]" = field(factory=Deferred)
    _encoding: str = ""  # of a log, as it was told last
    exit_status: int | None = None
    """Status of the command behind a pty, once it has ended."""

    def start(self) -> "Deferred[Outcome]":
        Splice(self.local, self.leg, self._over, self._half).start()
        return self.ended

    def leave(self, clock: IReactorTime) -> "Deferred[None]":
        """Close the leg in order, as the user has had enough; that takes `GOODBYE` seconds."""
        left: Deferred[None] = Deferred()
        if self.ended.called:
            left.callback(None)
        else:
            self.leg.close(FINISHED)
            clock.callLater(GOODBYE, left.callback, None)
        return left

    def _half(self, splice: Splice, source: Connection, sink: Connection) -> Half:
        if source is self.leg:
            return _Overhearing(splice, source, sink, heard=self._heard)
        return Half(splice, source, sink)

    def _heard(self, control: Control) -> None:
        self.overheard(control)
        if control.exit is not None:
            self.exit_status = control.exit
        if control.place and control.encoding != self._encoding:
            self._encoding = control.encoding
            self.say(f"the log's text is {(control.encoding or 'utf-8').upper()} from here on")
        if control.skipped:
            self.say(f"{Several(control.skipped, 'line')} left out here, as this end didn't keep up")
        if control.nuls:
            self.say(f"{Several(control.nuls, 'NUL byte')} left out here, as NUL says nothing")
        if control.note:
            self.say(control.note)
        if control.lost:
            self.say("lines may be missing here")

    def _over(self, splice: Splice) -> None:
        self.ended.callback(splice.outcome or FINISHED)


@define(eq=False)
class _Overhearing(Half):
    """A half from the relay, of whose messages notice is taken as they pass."""

    heard: Callable[[Control], None] = lambda control: None

    def control(self, message: bytes) -> None:
        self.heard(decode_control(message))
        super().control(message)


async def open_stream(
    api: PlatformApi,
    dialler: "Dialler",
    request: StreamRequest,
    known: KnownRelay = NOWHERE,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[OpenedStream, Any]:
    """Open a stream, and return the platform's answer and the leg, or what stands for all of its legs; `say` is told of
    a stream that outlives them. `PlatformError` or `DialError` if there is none, and `Unwanted` if nobody wants it any
    more when its turn comes.

    The relay is dialled while the agent is asked, where the platform tells the URL by then; the one that is `known` is
    connected while the platform is asked. What it refuses after that is the reason, whatever became of the dial.
    """
    early = EarlyLeg(dialler, known)
    try:
        opening = Deferred.fromCoroutine(api.open(request, early.told))
        early.begin()
        opened = await opening
    except PlatformError as error:
        early.drop()
        if error.status == 400 and request.resume:  # an older platform, which doesn't know the word
            return await open_stream(api, dialler, evolve(request, resume=False), known, say)
        raise
    except Exception:
        early.drop()
        raise
    try:
        leg = await early.leg(opened)
        if not opened.resume:
            return opened, leg
        from streamrelay.client.resuming import ResumingStream  # not before: the platform was asked first

        return opened, ResumingStream(api, dialler, request, opened, say).begin(leg)
    except Exception:  # also of who is cancelled: nobody comes, and the target would wait
        ending = Deferred.fromCoroutine(api.end(opened.stream)).addTimeout(END_TIME, api.reactor)
        await ending.addErrback(lambda failure: None)
        raise


@define(eq=False)
class Opening:
    """The opening of one stream, which may be given up."""

    api: PlatformApi
    dialler: "Dialler"
    request: StreamRequest
    known: KnownRelay = NOWHERE
    say: Callable[[str], None] = lambda text: None
    done: "Deferred[tuple[OpenedStream, Any]]" = field(init=False)
    given_up: bool = False

    def __attrs_post_init__(self) -> None:
        self.done = Deferred.fromCoroutine(open_stream(self.api, self.dialler, self.request, self.known, self.say))

    async def unless_stopped(self) -> tuple[OpenedStream, Any] | None:
        """Return what it brings; None if the program was stopped before that, by which it is given up."""
        trigger = self.api.reactor.addSystemEventTrigger("before", "shutdown", self.give_up)
        try:
            got = await self.done
        except Exception:
            if self.given_up:
                return None
            raise
        self.api.reactor.removeSystemEventTrigger(trigger)
        return got

    def give_up(self) -> "Deferred[None]":
        """Want it no longer; return when nothing is left of it, or after `END_TIME`."""
        over: Deferred[None] = Deferred()
        self.given_up = True

        def told(result: T) -> T:
            over.callback(None)
            return result

        self.done.addBoth(told)
        self.done.cancel()
        return over


class LocalPort(Factory):
    """Factory of a local port."""

    noisy = False
    backlog: Final = 1024
    """Connections that the kernel keeps until they are accepted; of more that come at once, some wait for seconds."""

    def __init__(self, clock: IReactorTime, opened: "Callable[[PlainConnection], object]") -> None:
        self._clock, self._opened = clock, opened

    def buildProtocol(self, address: object) -> "PlainProtocol":
        from streamrelay.datapath.plain import PlainProtocol

        return PlainProtocol(self._clock, LOCAL_RESET, self._opened)


def broken(how: Outcome) -> str:
    """Return words for the end of a local port's stream, of whose two sides the local one isn't the other."""
    return how.reason if how.code in REFUSED or how == LOCAL_RESET else f"a stream ended: {how}"


@define(eq=False)
class WaitingRoom:
    """Local connections that wait for their streams. As they aren't read, one has to look for those that were reset,
    whose descriptors are given back."""

    clock: IReactorTime
    _waiting: "set[PlainConnection]" = field(factory=set)
    _next: IDelayedCall | None = None

    async def hold(self, local: "PlainConnection", work: Coroutine[Any, Any, T]) -> T:
        """Return what the work brings, for which this connection waits."""
        self._waiting.add(local)
        if self._next is None:
            self._next = self.clock.callLater(LOOK, self._look)
        try:
            return await work
        finally:
            self._waiting.discard(local)

    def _look(self) -> None:
        for local in self._waiting:
            local.is_there()
        self._next = self.clock.callLater(LOOK, self._look) if self._waiting else None


SAID: Final = 5.0
"""Seconds between two lines of one reason."""


@define(eq=False)
class Unserved:
    """Local connections that got no stream, or a torn one: for each reason a line at once, then one every few seconds
    with their count, as somebody may sit there and try again."""

    clock: IReactorTime
    say: Callable[[str], None]
    _reasons: dict[str, Seldom] = field(factory=dict)

    def count(self, reason: str) -> None:
        if reason not in self._reasons:
            self._reasons[reason] = Seldom(self.clock, partial(self._say, reason), SAID)
        self._reasons[reason].count()

    def stop(self) -> None:
        """Say at once what wasn't said yet."""
        for reason in self._reasons.values():
            reason.stop()

    def _say(self, reason: str, counts: Counter[str]) -> None:
        count = counts.total()
        self.say(reason if count == 1 else f"{reason}; local connections since this was last said: {count}")
