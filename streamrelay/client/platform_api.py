"""The platform's HTTP API, as the native client uses it."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from attrs import define, field
from msgspec import UNSET, Struct, UnsetType
from twisted.internet.defer import Deferred

from streamrelay.client.problem import problem_of, short_words
from streamrelay.client.statuses import WRONG_URL
from streamrelay.client.stream_request import ResumeRequest, StreamRequest, always
from streamrelay.net.http_client import (
    Fetch,
    FetchDropped,
    Fetched,
    FetchError,
    FetchTooLong,
    HttpFetch,
    OutOfDescriptors,
)
from streamrelay.net.outbound import DIRECT, Outbound
from streamrelay.net.retry import Turns, persist
from streamrelay.protocol import codec
from streamrelay.protocol.limits import CONNECT_TIME
from streamrelay.protocol.names import JSON_LINES
from streamrelay.protocol.summons import PastEnd, Refusal

T = TypeVar("T")

REQUEST_TIME: Final = 20.0
"""Seconds that the platform may take to answer; it gives the host ten and a half of them."""

MAX_ANSWER: Final = 4 << 20
"""Bytes of an answer of the platform at most."""

PAGE: Final = 1000
"""Rows of a list that are asked for at a time; a host has a kilobyte, or a few, a stream a fourth of one. Where they
have more, fewer are asked for."""
SMALLER: Final = 4
"""Part of a page that is asked for in its place, if it is too long."""


class PlatformError(Exception):
    """Refusal by the platform, or lack of its answer; the text is one line.

    `status` is HTTP's, `WRONG_URL`, or 0 without an answer; `code` is the platform's word for programs, if it said one;
    `ended` is the end of a stream that can't be resumed.
    """

    def __init__(self, status: int, reason: str, code: str = "", ended: PastEnd | UnsetType = UNSET) -> None:
        super().__init__(reason)
        self.status, self.code, self.ended = status, code, ended


class AnswerTooLong(PlatformError):
    """An answer of more than `MAX_ANSWER` bytes."""


class Unwanted(Exception):
    """Lack of anybody who still wants the stream, before the platform was asked for it."""

    def __init__(self) -> None:
        super().__init__("a local connection was reset before its stream was asked for")


class OpenedStream(Struct, frozen=True):
    """The answer to ``POST /v1/streams``."""

    stream: str
    url: str
    kind: str = ""
    viewer: str = ""
    expires: float = 0
    view: bool = False
    """True if the stream is to look only, as was asked for or as no grant allows more."""
    channels: int = 0
    """Connections that it may carry at once; 0 if it is one by itself."""
    resume: float = 0
    """Seconds for which its host holds it once its leg is lost; 0 if it ends with that."""
    received: int = 0
    """Position up to which its host has received it."""
    terminal: str = ""
    """The kept terminal that it is attached to; empty if its program ends with it."""


class Concluded(Struct, frozen=True):
    """The last line of an answer of several."""

    status: int = 201
    """Status of a problem, for which there is no stream."""


@define(frozen=True)
class Question:
    """A request to the API."""

    method: str
    path: str
    body: bytes = b""
    is_wanted: Callable[[], bool] = always
    early: Callable[[OpenedStream], None] | None = None
    """Called with each line of the answer that comes before its last."""


class PlatformBusy(PlatformError):
    """Failure after which it is worth asking again."""


@define(eq=False)
class PlatformApi:
    """The platform's HTTP API (protocol.rst). `ca`: a file of certificates in place of the system's.

    Who asks waits for one of few turns. What is dropped without an answer, as a platform does with a burst of one
    address before it reads any of it, is asked again for `CONNECT_TIME`, and so is a host with too many streams. Had
    a request to open a stream been heard all the same, then that stream ends by itself, as nobody comes for it.
    """

    reactor: Any
    url: str
    key: str = ""
    ca: str = ""
    outbound: Outbound = DIRECT
    renewed: Callable[[], str] = str
    """Returns the key as its file has it by now; empty if that isn't known."""
    fetch: Fetch = field()
    _turns: Turns = field(factory=Turns)

    @fetch.default
    def _fetch(self) -> Fetch:
        return HttpFetch(self.reactor, self.ca, most=MAX_ANSWER, keep=True, outbound=self.outbound)

    async def open(self, request: StreamRequest, early: Callable[[OpenedStream], None] | None = None) -> OpenedStream:
        """Open a stream; `Unwanted` if nobody wants it any more when its turn comes.

        `early` is called with its id and URL while its agent is asked, if the platform tells them by then; again, with
        others, if it was asked again.
        """
        question = Question("POST", "/v1/streams", request.body(), request.is_wanted, early)
        return self.read(await self._ask(question), OpenedStream)

    async def resume(self, request: ResumeRequest, early: Callable[[OpenedStream], None] | None = None) -> OpenedStream:
        """Ask for another leg of a stream; `early` as in `open`."""
        question = Question("POST", request.path, request.body(), early=early)
        return self.read(await self._ask(question), OpenedStream)

    async def streams(self) -> bytes:
        """Return the list of streams as the platform answers, but all of its pages together."""
        return await self._pages("/v1/streams", "streams")

    async def relays(self) -> bytes:
        """Return the list of relays as the platform answers."""
        return await self._ask(Question("GET", "/v1/relays"))

    async def drain(self, relay: str, undo: bool) -> bytes:
        """Drain a relay, or undo that, and return the relay as the platform answers."""
        return await self._ask(Question("DELETE" if undo else "POST", f"/v1/relays/{quote(relay, safe='')}/drain"))

    async def hosts(self, *query: tuple[str, str]) -> bytes:
        """Return the list of hosts that fit a query (protocol.rst, "Hosts") as the platform answers, but all of its
        pages together."""
        return await self._pages("/v1/hosts", "hosts", *query)

    async def _pages(self, path: str, rows: str, *query: tuple[str, str]) -> bytes:
        size, page = await self._page(path, rows, PAGE, *query)
        whole = page
        while isinstance(after := page.get("next"), str) and page[rows]:
            size, page = await self._page(path, rows, size, *query, ("after", after))
            whole[rows] += page[rows]
            whole["complete"] = bool(whole.get("complete") and page.get("complete"))
        if "next" in whole:
            whole["next"] = None
        return msgspec.json.encode(whole)

    async def _page(self, path: str, rows: str, size: int, *query: tuple[str, str]) -> tuple[int, dict[str, Any]]:
        """Return so many rows at most, or fewer where so many are too long for one answer; with how many that are."""
        while True:
            try:
                answer = await self._ask(Question("GET", f"{path}?{urlencode([*query, ('limit', str(size))])}"))
                break
            except AnswerTooLong:
                if size == 1:
                    raise
                size = max(1, size // SMALLER)
        page = self.read(answer, dict[str, Any])
        if not isinstance(page.get(rows), list):
            raise self._no_platform()
        return size, page

    async def end(self, stream: str) -> None:
        await self._ask(Question("DELETE", f"/v1/streams/{quote(stream, safe='')}"))

    async def terminals(self, host: str) -> bytes:
        """Return the list of a host's kept terminals as the platform answers."""
        return await self._ask(Question("GET", f"/v1/hosts/{quote(host, safe='')}/terminals"))

    async def end_terminal(self, host: str, terminal: str) -> None:
        path = f"/v1/hosts/{quote(host, safe='')}/terminals/{quote(terminal, safe='')}"
        await self._ask(Question("DELETE", path))

    async def _ask(self, question: Question) -> bytes:
        async def attempt() -> bytes:
            if not question.is_wanted():
                raise Unwanted
            try:
                return await self._ask_once(question)
            except PlatformError as error:
                if error.status != 401 or not self._has_new_key():
                    raise
            return await self._ask_once(question)

        def ask() -> "Deferred[bytes]":
            until = self.reactor.seconds() + CONNECT_TIME
            return Deferred.fromCoroutine(persist(self.reactor, until, attempt, PlatformBusy))

        return await self._turns.run("", ask)

    def _has_new_key(self) -> bool:
        """Take the key as it is by now; tell whether it is another one."""
        before, self.key = self.key, self.renewed() or self.key
        return self.key != before

    async def _ask_once(self, question: Question) -> bytes:
        early, url = question.early, self.url.rstrip("/") + question.path
        headers = {"Accept": "application/json" if early is None else f"{JSON_LINES}, application/json"}
        line = None if early is None else partial(_tell, early)
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        if question.body:
            headers["Content-Type"] = "application/json"
        try:
            answer = await self.fetch(question.method, url, REQUEST_TIME, headers, question.body or None, line)
        except OutOfDescriptors as error:
            raise PlatformError(0, str(error)) from None
        except FetchTooLong as error:
            raise AnswerTooLong(0, f"the platform {self.url} gave {error}") from None
        except FetchError as error:
            kind = PlatformBusy if isinstance(error, FetchDropped) else PlatformError
            raise kind(0, f"the platform {self.url} can't be reached: {error}") from None
        if early is not None and answer.status == 200:
            answer = _last(answer.body)
        if answer.status >= 300:
            raise self._refusal(answer)
        return answer.body

    def _refusal(self, answer: Fetched) -> PlatformError:
        problem = problem_of(answer.body)
        if problem is None:
            return PlatformError(
                0,
                f"{self.url} answered {answer.status}, as no platform does{short_words(answer.body)}; check --platform",
            )
        detail, code = problem.detail, problem.code
        if code == "not_found":
            return PlatformError(WRONG_URL, f"no platform is at this path of {self.url}; check --platform")
        if answer.status == 401 and not self.key:
            detail += "; give one by --key-file FILE, or set STREAMRELAY_KEY_FILE"
        kind = PlatformBusy if code == Refusal.BUSY else PlatformError
        return kind(answer.status, detail, code, problem.ended)

    def read(self, answer: bytes, kind: type[T]) -> T:
        try:
            return codec.decode(answer, kind)
        except ValueError:
            raise self._no_platform() from None

    def _no_platform(self) -> PlatformError:
        return PlatformError(0, f"{self.url} gave an answer that is no platform's; check --platform")


def _tell(early: Callable[[OpenedStream], None], line: bytes) -> None:
    with suppress(ValueError):  # of a problem, or of what is no platform: the whole answer will tell
        early(codec.decode(line, OpenedStream))


def _last(body: bytes) -> Fetched:
    """Return the last of an answer's lines as an answer of its own; a problem has its status in it."""
    first, _, last = body.rstrip().rpartition(b"\n")
    try:
        return Fetched(codec.decode(last, Concluded).status, last if first else b"")
    except ValueError:
        return Fetched(200, b"")
