"""One connection to an HTTP server, on which one request after the other is asked; h11 speaks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import h11
from attrs import define, field
from twisted.internet import protocol
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from streamrelay.errors import printable
from streamrelay.net.peer import explain

MAX_HEAD: Final = 16384
"""Bytes of an answer's head, or of a chunk's."""
PORTS: Final = {"http": 80, "https": 443}


class FetchError(Exception):
    """Lack of an answer; the text is one line for our own log."""


class FetchTooLong(FetchError):
    """An answer that is longer than its taker takes."""


class AnswerDone(Exception):
    """The end of an answer's body, in order: told to its taker as the reason."""


@define(frozen=True)
class Request:
    """One request: a head that is complete but for its ``Host``, and a body if there is one."""

    method: str
    scheme: str
    host: str
    port: int
    target: str
    """Path and query, as they are sent."""
    headers: Mapping[str, str]
    body: bytes | None

    @classmethod
    def to(cls, url: str, method: str, headers: Mapping[str, str], body: bytes | None) -> "Request":
        """Make a request to a URL, or raise `FetchError` if it is none that can be asked."""
        parts = _split(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise FetchError("not a URL that begins with https:// or http://")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        port = parts.port or PORTS[parts.scheme]
        return cls(method, parts.scheme, parts.hostname, port, target, headers, body)

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    def events(self) -> list[Any]:
        """Return h11's events for it, or raise `FetchError` if HTTP can't say it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        named = host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"
        head = [("Host", named), *self.headers.items()]
        if self.body is not None or self.method == "POST":
            head.append(("Content-Length", str(len(self.body or b""))))
        try:
            request = h11.Request(method=self.method, target=self.target, headers=head)
        except (h11.LocalProtocolError, UnicodeEncodeError):  # h11's words hold the value, which may be a key
            raise FetchError("a header or a path holds characters that HTTP doesn't allow") from None
        return [request, *([h11.Data(data=self.body)] if self.body else []), h11.EndOfMessage()]


def _split(url: str) -> SplitResult:
    if not url.isascii():  # a name, or a path (RFC 3987)
        from twisted.python.url import URL

        url = URL.fromText(url).asURI().asText()
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise FetchError(f"not a URL: {printable(str(error))}") from None
    return parts


@define(eq=False)
class Answer:
    """An answer whose body stays with its sender until it is delivered."""

    status: int
    _connection: "HttpConnection"

    def deliver(self, taker: protocol.Protocol) -> None:
        """Have a protocol told of the body; its loss has the reason `AnswerDone` where the body is whole."""
        self._connection.deliver(taker)


@define(eq=False)
class _Tap:
    """Transport of who takes a body: a connection as far as it concerns them, until the body is over."""

    connection: "HttpConnection"
    open: bool = True

    def pauseProducing(self) -> None:
        if self.open:
            self.connection.transport.pauseProducing()

    def resumeProducing(self) -> None:
        if self.open:
            self.connection.transport.resumeProducing()

    def loseConnection(self) -> None:
        if self.open:
            self.connection.drop()


@define(eq=False)
class HttpConnection(protocol.Protocol):
    """Twisted's protocol of a connection, with at most one request on it at a time."""

    free: Callable[["HttpConnection"], None]
    """Is told when another request may be asked."""
    lost: Callable[["HttpConnection"], None]
    transport: Any = None
    _http: h11.Connection = field(factory=lambda: h11.Connection(h11.CLIENT, MAX_HEAD))
    _asked: "Deferred[Answer] | None" = None
    _waits: bool = False
    """True while a body is to come that has no taker."""
    _taker: protocol.Protocol | None = None
    _tap: _Tap | None = None
    _heard: bool = False
    """True from the first byte of an answer on."""
    _dropped: bool = False
    _gone: Failure | None = None
    """Why an answer that isn't whole stays so, once the connection is lost."""

    def connectionMade(self) -> None:
        if hasattr(self.transport, "setTcpNoDelay"):  # the end of a long request isn't held back for 40 ms
            self.transport.setTcpNoDelay(True)

    def ask(self, request: Sequence[Any]) -> "Deferred[Answer]":
        """Send a request's events; who gives it up drops the connection. Its failure is the connection's, if no byte
        of an answer came."""
        asked: Deferred[Answer] = Deferred(self._give_up)
        self._asked, self._heard = asked, False
        self.transport.write(b"".join(self._http.send(event) or b"" for event in request))
        return asked

    def deliver(self, taker: protocol.Protocol) -> None:
        self._waits, self._taker, self._tap = False, taker, _Tap(self)
        taker.makeConnection(self._tap)
        if self._gone is None:
            self.transport.resumeProducing()
        self._read()

    def drop(self) -> None:
        self._dropped = True
        self.lost(self)
        if self._gone is None:
            self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        if self._asked is None and self._taker is None and not self._waits:  # nothing was asked
            self.drop()
            return
        self._heard = True
        if data:  # as nothing is its end to h11
            self._http.receive_data(data)
        self._read()

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        self.lost(self)
        self._gone = Failure(FetchError(explain(reason) or "the answer ended before it was complete"))
        if self._asked is not None and not self._heard:
            self._end(reason)
            return
        if reason.check(ConnectionDone):
            self._http.receive_data(b"")
        self._read()

    def _give_up(self, asked: "Deferred[Answer]") -> None:
        self._asked = None
        self.drop()

    def _read(self) -> None:
        """Tell what has come, until a body has no taker, or nothing is asked any more."""
        try:
            while self._asked is not None or self._taker is not None:
                event = self._http.next_event()
                if event is not h11.NEED_DATA:
                    self._told(event)
                elif self._gone is None:
                    return
                else:
                    self._end(self._gone)
        except h11.RemoteProtocolError as error:
            self.drop()
            why = FetchError(f"the answer is not HTTP: {printable(str(error))}")
            self._end(self._gone or Failure(why))

    def _told(self, event: Any) -> None:
        if isinstance(event, h11.Response) and self._asked is not None:
            asked, self._asked, self._waits = self._asked, None, True
            self.transport.pauseProducing()
            asked.callback(Answer(event.status_code, self))
        elif isinstance(event, h11.Data) and self._taker is not None:
            self._taker.dataReceived(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            self._whole()

    def _whole(self) -> None:
        """Keep the connection for another request, if both ends have that in mind, and tell the body's end."""
        http = self._http
        done = http.our_state is h11.DONE and http.their_state is h11.DONE
        if done and not http.trailing_data[0] and not self._dropped and self._gone is None:
            http.start_next_cycle()
            self.transport.resumeProducing()  # so that its loss is heard of
            self.free(self)
        elif self._gone is None:
            self.transport.loseConnection()
        self._end(Failure(AnswerDone()))

    def _end(self, how: Failure) -> None:
        asked, self._asked = self._asked, None
        taker, self._taker, tap, self._tap = self._taker, None, self._tap, None
        if tap is not None:
            tap.open = False
        if asked is not None:
            asked.errback(how)
        if taker is not None:
            taker.connectionLost(how)
