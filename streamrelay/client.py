"""The native client: asks the platform for a stream and splices it with standard input and output, or a local port."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

import msgspec
from attrs import define, field
from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory

from streamrelay import wire
from streamrelay.again import Turns, persist
from streamrelay.dial import Dialler
from streamrelay.endings import FINISHED, Close, Ending, ending
from streamrelay.fetch import Fetch, FetchDropped, FetchError, HttpFetch
from streamrelay.plain import PlainConnection, PlainProtocol
from streamrelay.splice import Connection, Half, Splice
from streamrelay.wire import Control

REQUEST_TIME: Final = 20.0
"""Seconds that the platform may take; it gives the host ten."""
GOODBYE: Final = 0.1
"""Seconds in which a close frame gets out when the program is stopped."""
MAX_ANSWER: Final = 4 << 20
"""Bytes of an answer of the platform."""


class PlatformError(Exception):
    """The platform said no, or nothing. `status` is HTTP's, 0 if there was no answer; the text is one line."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class OpenedStream(Struct, frozen=True):
    """The answer to ``POST /v1/streams``."""

    stream: str
    url: str
    kind: str = ""
    expires: float = 0


class HostList(Struct, frozen=True):
    """The answer to ``GET /v1/hosts``."""

    hosts: tuple[wire.HostInfo, ...]
    complete: bool = True
    """Whether all hosts have answered."""


class PlatformBusy(PlatformError):
    """It is worth to be asked again."""


@define(eq=False)
class PlatformApi:
    """The platform's HTTP API as `protocol.rst` has it. `ca`: a file of certificates in place of the system's.

    Who asks waits for one of few turns. What is dropped without an answer, as a platform does with a burst of one
    address before it reads any of it, is asked again for `CONNECT_TIME`, and so is a host with too many streams. Had
    a request to open a stream been heard all the same, then that stream ends by itself, as nobody comes for it.
    """

    reactor: Any
    url: str
    key: str = ""
    ca: str = ""
    fetch: Fetch = field()
    _turns: Turns = field(factory=Turns)

    @fetch.default
    def _fetch(self) -> Fetch:
        return HttpFetch(self.reactor, self.ca, most=MAX_ANSWER)

    async def open(self, host: str, target: str) -> OpenedStream:
        body = msgspec.json.encode({"host": host, "target": target})
        return wire.decode(await self._ask("POST", "/v1/streams", body), OpenedStream)

    async def hosts(self) -> HostList:
        return wire.decode(await self._ask("GET", "/v1/hosts"), HostList)

    async def end(self, stream: str) -> None:
        await self._ask("DELETE", f"/v1/streams/{quote(stream, safe='')}")

    async def _ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        def ask() -> "Deferred[bytes]":
            until = self.reactor.seconds() + wire.CONNECT_TIME
            return Deferred.fromCoroutine(
                persist(self.reactor, until, lambda: self._ask_once(method, path, body), PlatformBusy)
            )

        return await self._turns.run("", ask)

    async def _ask_once(self, method: str, path: str, body: bytes = b"") -> bytes:
        headers = {"Accept": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        if body:
            headers["Content-Type"] = "application/json"
        try:
            answer = await self.fetch(method, self.url.rstrip("/") + path, REQUEST_TIME, headers, body or None)
        except FetchError as error:
            kind = PlatformBusy if isinstance(error, FetchDropped) else PlatformError
            raise kind(0, f"the platform {self.url} can't be reached: {error}") from None
        if answer.status >= 300:
            detail, code = _problem(answer.status, answer.body)
            raise (PlatformBusy if code == wire.Refusal.BUSY else PlatformError)(answer.status, detail)
        return answer.body


def _problem(status: int, answer: bytes) -> tuple[str, str]:
    """What a problem document says to people, and to programs."""
    try:
        problem = msgspec.json.decode(answer, type=dict[str, Any])
        return str(problem["detail"]), str(problem.get("code", ""))
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError):
        return f"the platform answered {status}", ""


@define(eq=False)
class ClientStream:
    """One stream of the native client, from the websocket's opening to its end."""

    leg: Connection
    local: Connection
    say: Callable[[str], None] = lambda text: None
    """What becomes of words for the user, about a log with less than all of its lines."""
    ended: "Deferred[Ending]" = field(factory=Deferred)
    exit_status: int | None = None
    """Of the command behind a pty, once it has ended."""

    def start(self) -> "Deferred[Ending]":
        splice = Splice(self.local, self.leg, self._over)
        splice.inward = _Overhearing(splice, self.leg, self.local, heard=self._heard)
        splice.start()
        return self.ended

    def leave(self, clock: IReactorTime) -> "Deferred[None]":
        """The user has had enough: close the leg in order, which takes a moment."""
        left: Deferred[None] = Deferred()
        if self.ended.called:
            left.callback(None)
        else:
            self.leg.close(FINISHED)
            clock.callLater(GOODBYE, left.callback, None)
        return left

    def _heard(self, control: Control) -> None:
        if control.exit is not None:
            self.exit_status = control.exit
        if control.skipped:
            self.say(f"{control.skipped} lines were left out here, as this end didn't keep up")
        if control.lost:
            self.say("lines may be missing here")

    def _over(self, splice: Splice) -> None:
        self.ended.callback(splice.ending or FINISHED)


@define(eq=False)
class _Overhearing(Half):
    """The half from the relay, of whose messages notice is taken as they pass."""

    heard: Callable[[Control], None] = lambda control: None

    def control(self, message: bytes) -> None:
        self.heard(wire.decode_control(message))
        super().control(message)


async def open_stream(api: PlatformApi, dialler: Dialler, host: str, target: str) -> tuple[OpenedStream, Any]:
    """A stream's answer and its leg; `PlatformError` or `DialError` say why there is none."""
    opened = await api.open(host, target)
    return opened, await dialler.dial(opened.url)


class LocalPort(Factory):
    """Listens on a local port; every connection there is a stream of its own."""

    noisy = False

    def __init__(self, clock: IReactorTime, opened: Callable[[PlainConnection], object]) -> None:
        self._clock, self._opened = clock, opened

    def buildProtocol(self, address: object) -> PlainProtocol:
        return PlainProtocol(self._clock, ending(Close.LEG_LOST, "the local connection was reset"), self._opened)
