"""HTTP requests to systems of the operator's own, bounded in time and size. Redirects are answers like others."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from attrs import define, field
from twisted.internet import protocol
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.python.failure import Failure

from streamrelay.net.client_tls import ClientContext, trusting
from streamrelay.net.http_connection import Answer, AnswerDone, HttpConnection, Request
from streamrelay.net.http_connection import FetchError as FetchError
from streamrelay.net.http_connection import FetchTooLong as FetchTooLong
from streamrelay.net.outbound import DIRECT, Outbound
from streamrelay.net.outbound_proxy import ProxyError
from streamrelay.net.peer import explain, is_full
from streamrelay.net.retry import was_dropped

MAX_BODY: Final = 65536
"""Bytes of an answer's body, unless a caller says otherwise."""
MAX_LINE: Final = 65536
"""Bytes of a line of a body that is told line by line."""
KEPT: Final = 2
"""Connections to one origin that are kept while nothing is asked."""
KEPT_TIME: Final = 30.0
"""Seconds for which they are, half of what our platform gives them."""
REPEATABLE: Final = frozenset({"GET", "HEAD"})
"""Methods of requests that may be heard twice."""

Line = Callable[[bytes], None]
"""Taker of a line, without its LF."""


class FetchDropped(FetchError):
    """Loss of the connection before a byte of an answer; who closed or reset it has likely heard nothing."""


class OutOfDescriptors(FetchError):
    """Lack of a descriptor for the connection, which is not the other end's fault."""


class FetchTimeout(FetchError):
    """Lack of an answer in time."""


@define(frozen=True)
class Fetched:
    """One answer, whose body is complete."""

    status: int
    body: bytes


class Fetch(Protocol):
    """The sending of one request: an answer within `seconds`, whatever its status, or `FetchError`.

    With `line` the body of an answer that is 2xx is told as it comes, too, line by line; what follows the last LF is
    in the body alone.
    """

    async def __call__(
        self,
        method: str,
        url: str,
        seconds: float,
        headers: Mapping[str, str] = ...,
        body: bytes | None = None,
        line: Line | None = None,
    ) -> Fetched: ...


@define(eq=False)
class HttpFetch:
    """Requests, each on a connection of its own, or on one that another request has left."""

    reactor: Any
    ca: str = ""
    """A file of certificates to trust in place of the system's."""
    socket: str = ""
    """Path of a unix socket at which everything is asked, whatever a URL names."""
    most: int = MAX_BODY
    """Bytes of an answer's body, over which it is a `FetchError`."""
    keep: bool = False
    """True if connections are kept for further requests: their other end may close one just as we ask."""
    outbound: Outbound = DIRECT
    _tls: ClientContext = field(init=False)
    _kept: "Kept" = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._tls = trusting(self.ca)
        self._kept = Kept(self.reactor)

    async def __call__(
        self,
        method: str,
        url: str,
        seconds: float,
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
        line: Line | None = None,
    ) -> Fetched:
        work = Deferred.fromCoroutine(self._fetch(method, url, headers, body, line))
        work.addTimeout(seconds, self.reactor, _late)
        try:
            return await work
        except FetchError:
            raise
        except Exception as error:
            raise _kind(error)(words(error)) from None

    async def begin(self, method: str, url: str, headers: Mapping[str, str] = {}, body: bytes | None = None) -> Answer:
        """Return an answer whose body is still to come, and stays with its sender until it is delivered.

        There is no limit of its time or size: the caller has to set both.
        """
        request = Request.to(url, method, headers if self.keep else {**headers, "Connection": "close"}, body)
        events = request.events()
        if (kept := self._kept.take(request.origin)) is not None:
            try:
                return await kept.ask(events)
            except Exception as error:
                if method not in REPEATABLE or not was_dropped(Failure(error)):
                    raise
        return await (await self._connect(request)).ask(events)

    async def _connect(self, request: Request) -> HttpConnection:
        def free(connection: HttpConnection) -> None:
            self._kept.keep(request.origin, connection)

        factory = protocol.Factory.forProtocol(lambda: HttpConnection(free, self._kept.forget))
        factory.noisy = False
        connecting: Deferred[Any] = self._place(request).connect(factory)
        connection: HttpConnection = await connecting
        return connection

    def _place(self, request: Request) -> IStreamClientEndpoint:
        if self.socket:
            return UNIXClientEndpoint(self.reactor, self.socket)
        tls = self._tls.to(request.host, request.port) if request.scheme == "https" else None
        place: IStreamClientEndpoint = self.outbound.endpoint(self.reactor, request.host, request.port, tls)
        return place

    async def _fetch(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, line: Line | None
    ) -> Fetched:
        answer = await self.begin(method, url, headers, body)
        told = line if 200 <= answer.status < 300 else None
        return Fetched(answer.status, await read_body(answer, self.most, told))


@define(eq=False)
class Kept:
    """Connections that wait for another request, a few of each origin and not for long."""

    clock: IReactorTime
    _idle: dict[object, dict[HttpConnection, IDelayedCall]] = field(factory=dict)

    def take(self, origin: object) -> HttpConnection | None:
        """Return the connection that has waited for the shortest time, if there is one."""
        waiting = self._idle.get(origin)
        if not waiting:
            return None
        connection = next(reversed(waiting))
        self.forget(connection)
        return connection

    def keep(self, origin: object, connection: HttpConnection) -> None:
        waiting = self._idle.setdefault(origin, {})
        if len(waiting) == KEPT:
            connection.drop()
        else:
            waiting[connection] = self.clock.callLater(KEPT_TIME, connection.drop)

    def forget(self, connection: HttpConnection) -> None:
        for origin, waiting in list(self._idle.items()):
            if (timer := waiting.pop(connection, None)) is not None and timer.active():
                timer.cancel()
            if not waiting:
                del self._idle[origin]


async def read_body(answer: Answer, most: int = MAX_BODY, line: Line | None = None) -> bytes:
    """Read an answer's body, or raise `FetchError` if it is longer than `most` bytes or breaks off."""
    content = _Received(most, line)
    answer.deliver(content)
    return await content.done


class _Received(protocol.Protocol):
    """An answer's body, up to so many bytes, and its lines."""

    def __init__(self, most: int, line: Line | None) -> None:
        self._most, self._line = most, line
        self.done: Deferred[bytes] = Deferred(lambda _: self._drop())
        self._received = bytearray()
        self._told = 0  # bytes of it that were told in lines

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            return
        self._received += data
        try:
            if len(self._received) > self._most:
                raise FetchTooLong(f"an answer of more than {self._most} bytes")
            if self._line is not None:
                self._tell(self._line, data)
        except Exception as error:
            self._received.clear()
            self._drop()
            self.done.errback(error)

    def _tell(self, tell: Line, data: bytes) -> None:
        *ends, rest = data.split(b"\n")
        at = len(self._received) - len(data)
        for piece in ends:
            at += len(piece) + 1
            self._bound(at - 1)
            tell(bytes(self._received[self._told : at - 1]))
            self._told = at
        self._bound(at + len(rest))

    def _bound(self, end: int) -> None:
        if end - self._told > MAX_LINE:
            raise FetchError(f"a line of more than {MAX_LINE} bytes")

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(AnswerDone):
            self.done.callback(bytes(self._received))
        else:
            self.done.errback(reason)

    def _drop(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()


def _late(cancelled: Fetched | Failure, seconds: float) -> Failure:
    if isinstance(cancelled, Failure) and cancelled.check(ProxyError):  # whom it was that didn't answer
        return Failure(FetchTimeout(cancelled.getErrorMessage()))
    return Failure(FetchTimeout(f"no answer within {seconds:g} s"))


def _kind(error: Exception) -> type[FetchError]:
    if is_full(error):
        return OutOfDescriptors
    return FetchDropped if was_dropped(Failure(error)) else FetchError


def words(error: Exception) -> str:
    """Say in one line why a request failed."""
    return explain(Failure(error)) or "the connection was closed without an answer"
