"""One HTTP request to a system of the operator's own, bounded in time and size. Redirects are answers like others."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from attrs import define, field
from twisted.internet import protocol
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.interfaces import IConsumer, IStreamClientEndpoint
from twisted.internet.ssl import platformTrust
from twisted.python.failure import Failure
from twisted.python.url import URL
from twisted.web.iweb import IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from streamrelay.net.certificates import read_certificates
from streamrelay.net.hostnames import client_tls
from streamrelay.net.outbound import DIRECT, Outbound
from streamrelay.net.outbound_proxy import ProxyError
from streamrelay.net.peer import explain, is_full
from streamrelay.net.retry import was_dropped

MAX_BODY: Final = 65536
"""Bytes of an answer's body, unless a caller says otherwise."""


class FetchError(Exception):
    """Lack of an answer; the text is one line for our own log."""


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
    """The sending of one request: an answer within `seconds`, whatever its status, or `FetchError`."""

    async def __call__(
        self, method: str, url: str, seconds: float, headers: Mapping[str, str] = ..., body: bytes | None = None
    ) -> Fetched: ...


@define(eq=False)
class HttpFetch:
    """Requests by Twisted's own client, with a connection for each."""

    reactor: Any
    ca: str = ""
    """A file of certificates to trust in place of the system's."""
    socket: str = ""
    """Path of a unix socket at which everything is asked, whatever a URL names."""
    most: int = MAX_BODY
    """Bytes of an answer's body, over which it is a `FetchError`."""
    outbound: Outbound = DIRECT
    _agent: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        from twisted.web.client import Agent

        places: Any = (
            _OneSocket(self.reactor, self.socket) if self.socket else _Named(self.reactor, self.ca, self.outbound)
        )
        self._agent = Agent.usingEndpointFactory(self.reactor, places)

    async def __call__(
        self,
        method: str,
        url: str,
        seconds: float,
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
    ) -> Fetched:
        work = Deferred.fromCoroutine(self._fetch(method, url, headers, body))
        work.addTimeout(seconds, self.reactor, _late)
        try:
            return await work
        except FetchError:
            raise
        except Exception as error:
            raise _kind(error)(words(error)) from None

    async def begin(
        self, method: str, url: str, headers: Mapping[str, str] = {}, body: bytes | None = None
    ) -> IResponse:
        """Return an answer whose body is still to come, and stays with its sender until it is delivered.

        There is no limit of its time or size: the caller has to set both.
        """
        from twisted.web.http_headers import Headers

        sent = Headers({name: [value] for name, value in headers.items()})
        producer = None if body is None else _Sent(body)
        if not url.isascii():  # a name, or a path (RFC 3987)
            url = URL.fromText(url).asURI().asText()
        response: IResponse = await self._agent.request(method.encode(), url.encode("ascii"), sent, producer)
        return response

    async def _fetch(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Fetched:
        response = await self.begin(method, url, headers, body)
        return Fetched(response.code, await read_body(response, self.most))


async def read_body(response: IResponse, most: int = MAX_BODY) -> bytes:
    """Read an answer's body, or raise `FetchError` if it is longer than `most` bytes or breaks off."""
    content = _Received(most)
    response.deliverBody(content)
    return await content.done


@implementer(IAgentEndpointFactory)
@define(frozen=True)
class _OneSocket:
    """The unix socket to which every request goes."""

    reactor: Any
    path: str

    def endpointForURI(self, uri: object) -> IStreamClientEndpoint:
        return _Quiet(UNIXClientEndpoint(self.reactor, self.path))


@implementer(IAgentEndpointFactory)
@define(frozen=True)
class _Named:
    """The machine that a URL names, by TLS if it is an https:// one."""

    reactor: Any
    ca: str
    outbound: Outbound
    _trust: Any = field(init=False)

    @_trust.default
    def _trusted(self) -> Any:
        return read_certificates(self.ca) if self.ca else platformTrust()

    def endpointForURI(self, uri: Any) -> IStreamClientEndpoint:
        if uri.scheme not in (b"http", b"https"):
            raise FetchError("not a URL that begins with https:// or http://")
        host = uri.host.decode("ascii")
        tls = client_tls(host, self._trust) if uri.scheme == b"https" else None
        return _Quiet(self.outbound.endpoint(self.reactor, host, uri.port, tls))


@implementer(IStreamClientEndpoint)
@define(frozen=True)
class _Quiet:
    """An endpoint at which Twisted logs no line when a connection begins and none when it ends."""

    loud: IStreamClientEndpoint

    def connect(self, protocolFactory: Any) -> "Deferred[Any]":
        protocolFactory.noisy = False
        return self.loud.connect(protocolFactory)


@implementer(IBodyProducer)
class _Sent:
    """A request's body, written in one go."""

    def __init__(self, body: bytes) -> None:
        self._body, self.length = body, len(body)

    def startProducing(self, consumer: IConsumer) -> "Deferred[None]":
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...
    def stopProducing(self) -> None: ...


class _Received(protocol.Protocol):
    """An answer's body, up to so many bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.done: Deferred[bytes] = Deferred(lambda _: self._drop())
        self._received = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        if len(self._received) > self._most:
            self._received.clear()
            self._drop()
            if not self.done.called:
                self.done.errback(FetchError(f"an answer of more than {self._most} bytes"))

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        from twisted.web.client import ResponseDone
        from twisted.web.http import PotentialDataLoss

        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):  # the latter: of HTTP/1.0, without a length
            self.done.callback(bytes(self._received))
        else:
            self.done.errback(FetchError("the answer ended before it was complete"))

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
    return FetchDropped if _dropped(error) else FetchError


def _dropped(error: Exception) -> bool:
    from twisted.web.client import RequestTransmissionFailed, ResponseNeverReceived

    if isinstance(error, (RequestTransmissionFailed, ResponseNeverReceived)):
        return any(map(was_dropped, error.reasons))
    return was_dropped(Failure(error))


def words(error: Exception) -> str:
    """Say in one line why a request failed."""
    reasons = getattr(error, "reasons", None)  # twisted.web wraps what happened
    first = reasons[0] if reasons else Failure(error)
    return explain(first) or "the connection was closed without an answer"
