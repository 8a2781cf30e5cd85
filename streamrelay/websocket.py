"""The opening handshake of websockets, by autobahn: the server's for legs at the relay, the client's to dial it.

Once it is done a `FramedConnection` takes over the transport; autobahn sees no frame. This is the only file that
knows autobahn.
"""

import re
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from attrs import define, field
from autobahn.twisted.websocket import (
    WebSocketClientFactory,
    WebSocketClientProtocol,
    WebSocketServerFactory,
    WebSocketServerProtocol,
)
from autobahn.websocket.types import ConnectionDeny
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import BaseProtocol, connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS, platformTrust, trustRootFromCertificates
from twisted.python.failure import Failure

from streamrelay import __version__
from streamrelay.channel import TransportChannel
from streamrelay.errors import ConfigError, Refused
from streamrelay.framed import FramedConnection, Masking
from streamrelay.logs import Logger
from streamrelay.pulse import Pulse
from streamrelay.sockets import SocketChannel
from streamrelay.tls import open_channel
from streamrelay.wire import CONNECT_TIME, HANDSHAKE_TIME, MAX_HANDSHAKE, RAW, SUBPROTOCOL, is_loopback

log = Logger()

_REASONS: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    426: "Upgrade Required",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


class _Silent:
    """autobahn's logger, without a word: its lines hold requests, and requests hold tokens."""

    def _nothing(self, *args: object, **kwargs: object) -> None: ...

    trace = debug = info = warn = error = failure = critical = _nothing


@define(frozen=True)
class Knock:
    """A leg's opening request."""

    role: str
    token: str
    origin: str | None
    peer: str


class Admission(Protocol):
    """A leg that may come in, before its 101."""

    def opened(self, connection: FramedConnection) -> None:
        """The 101 has gone out."""

    def left(self) -> None:
        """The connection was lost before."""


class Door(Protocol):
    """Who decides over opening requests."""

    def admit(self, knock: Knock) -> Admission:
        """Let a leg in, or raise `Refused`."""

    def greet(self) -> None:
        """A connection was accepted and its handshake begins; raise `Refused` if there are too many."""

    def part(self) -> None:
        """That handshake has ended, one way or the other."""


_PATH = re.compile(r"/(client|agent)(?:/([!-~]{1,8000}))?\Z")


def read_request(uri: str, headers: dict[str, str], protocols: list[str], peer: str) -> Knock:
    """Whose leg it is and its token, from the path, a subprotocol or a header; `Refused` if that is not clear."""
    match = _PATH.match(uri)
    if match is None:
        raise Refused(404, "no such path")
    tokens = [match[2]] if match[2] is not None else []
    tokens += [offered[6:] for offered in protocols if offered.startswith("token.")]
    authorization = headers.get("authorization", "")
    if authorization[:7].lower() == "bearer ":
        tokens.append(authorization[7:].strip())
    if len(tokens) > 1:
        raise Refused(400, "more than one token")
    if not tokens:
        raise Refused(401, "token")
    return Knock(match[1], tokens[0], headers.get("origin"), peer)


def choose_subprotocol(offered: list[str]) -> str | None:
    """protocol.rst, "Subprotocols": ours, else binary, else none; never one that holds the token."""
    return next((name for name in (SUBPROTOCOL, RAW) if name in offered), None)


class LegProtocol(WebSocketServerProtocol):  # type: ignore[misc]
    """The relay's side of one handshake."""

    log = _Silent()
    factory: "LegFactory"
    _size = 0
    _timer: IDelayedCall | None = None
    _admission: Admission | None = None
    _refused = False

    def connectionMade(self) -> None:
        super().connectionMade()
        self._timer = self.factory.clock.callLater(HANDSHAKE_TIME, self._too_late)
        try:
            self.factory.door.greet()
        except Refused as refusal:
            self.failHandshake(refusal.reason, refusal.status)

    def dataReceived(self, data: bytes) -> None:
        if self._refused:
            return
        self._size += len(data)
        if self._size > MAX_HANDSHAKE:
            self.failHandshake(f"a request of over {MAX_HANDSHAKE} bytes", 431)
            return
        super().dataReceived(data)

    def onConnect(self, request: Any) -> str | None:
        try:
            knock = read_request(self.http_request_uri, request.headers, request.protocols, address(self.transport))
            self._admission = self.factory.door.admit(knock)
        except Refused as refusal:
            raise ConnectionDeny(refusal.status, refusal.reason) from None
        except Exception:
            log.failure("a leg could not be admitted")
            raise ConnectionDeny(500, "an error in the relay") from None
        return choose_subprotocol(request.protocols)

    def onOpen(self) -> None:
        self._stop_timer()
        if self.data:
            # Bytes between the request and our 101 may be a second request (CVE-2018-1002105).
            self.transport.abortConnection()
            return
        channel = open_channel(self.transport, self.factory.clock)
        connection = FramedConnection(
            channel,
            self.factory.clock,
            self.factory.pulse,
            Masking.NONE,
            self.websocket_protocol_in_use == SUBPROTOCOL,
            address(self.transport),
        )
        hand_over(self.transport, OpenProtocol(channel, connection))
        assert self._admission is not None
        self._admission.opened(connection)

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:
        """autobahn refuses by this too; its reasons may hold parts of the request, so they aren't told or logged."""
        if self._refused:
            return
        if reason.startswith("HTTP Origin header"):
            code = 403
        self._refused = True
        words = _REASONS.get(code, "Refused")
        log.debug("refused {peer}: {code} {words}", peer=address(self.transport), code=code, words=words)
        text = REFUSALS.get(code, words.lower()) + "\n"
        more = "".join(f"{name}: {value}\r\n" for name, value in responseHeaders or ())
        if code == 426:
            more += "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        self.transport.write(
            f"HTTP/1.1 {code} {words}\r\nContent-Type: text/plain; charset=utf-8\r\n{more}"
            f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode()
        )
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stop_timer()
        super().connectionLost(reason)
        if self._admission is not None:
            self._admission.left()

    def _too_late(self) -> None:
        self._timer = None
        self.factory.door.part()
        self.transport.abortConnection()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self.factory.door.part()


REFUSALS: Final = {
    400: "malformed request",
    401: "this token is not valid here",
    403: "this origin is not allowed",
    404: "no such path; a leg comes to /client or /agent",
    426: "this is a websocket; send an Upgrade request",
    503: "full or going away, try again later",
}
"""The bodies of refusals: the same for every fault of a token."""


class OpenProtocol(BaseProtocol):
    """What Twisted calls for a leg once its handshake is done; of autobahn nothing stays in memory."""

    def __init__(self, channel: SocketChannel | TransportChannel, connection: FramedConnection) -> None:
        self._channel, self._connection = channel, connection

    def dataReceived(self, data: bytes) -> None:
        self._channel.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._connection.connection_lost(explain(reason))


def hand_over(transport: Any, protocol: OpenProtocol) -> None:
    """Let a transport call another protocol from now on."""
    if hasattr(transport, "wrappedProtocol"):  # TLS
        transport.wrappedProtocol = protocol
    else:
        transport.protocol = protocol


class LegFactory(WebSocketServerFactory):  # type: ignore[misc]
    """Listens for legs. Every limit that autobahn leaves open is set here or held by `LegProtocol`."""

    protocol: Any = LegProtocol
    noisy = False

    def __init__(self, clock: IReactorTime, door: Door, pulse: Pulse) -> None:
        super().__init__(reactor=clock, server="")
        self.clock, self.door, self.pulse = clock, door, pulse
        self.setProtocolOptions(
            versions=[13],
            webStatus=False,
            serveFlashSocketPolicy=False,
            allowedOrigins=["*"],  # the door compares origins, byte by byte
            allowNullOrigin=True,
            maxFramePayloadSize=65536,
            maxMessagePayloadSize=65536,
            openHandshakeTimeout=0,  # ours counts from accept
            closeHandshakeTimeout=0,
            autoPingInterval=0,
            failByDrop=False,
            tcpNoDelay=True,
        )
        # autobahn copies its options to each connection and prints them prettily for a debug line that nobody
        # reads: more than half of a handshake's cost. So they stand on a class of this factory's own.
        options = {name: getattr(self, name) for name in LegProtocol.CONFIG_ATTRS}
        options |= {name: staticmethod(option) for name, option in options.items() if callable(option)}
        self.protocol: Any = type("LegProtocol", (LegProtocol,), {**options, "CONFIG_ATTRS": ()})


# -- dialling --------------------------------------------------------------------------------------------------


class DialError(Exception):
    """The other websocket can't be had; the text says why in one line."""


class DialProtocol(WebSocketClientProtocol):  # type: ignore[misc]
    """A client's side of one handshake."""

    log = _Silent()
    factory: "DialFactory"
    data: bytes
    _connection: FramedConnection | None = None
    _channel: SocketChannel | TransportChannel | None = None

    def dataReceived(self, data: bytes) -> None:
        if self._channel is not None:
            self._channel.dataReceived(data)
            return
        head = self.data + data[:MAX_HANDSHAKE]
        if len(head) >= MAX_HANDSHAKE and b"\r\n\r\n" not in head:
            self.failHandshake(f"an answer of over {MAX_HANDSHAKE} bytes")
            return
        try:
            super().dataReceived(data)
        except Exception as error:  # autobahn's parser on bytes of a stranger
            self.failHandshake(f"the answer is not HTTP ({type(error).__name__})")

    def onOpen(self) -> None:
        early, self.data = self.data, b""
        secure = self.factory.isSecure
        masking = Masking.ZERO if secure and not self.factory.always_mask else Masking.RANDOM
        self._channel = open_channel(self.transport, self.factory.clock)
        if early:
            self._channel.dataReceived(early)
        self._connection = FramedConnection(
            self._channel,
            self.factory.clock,
            self.factory.pulse,
            masking,
            self.websocket_protocol_in_use == SUBPROTOCOL,
            address(self.transport),
        )
        self.factory.opened(self._connection)

    def failHandshake(self, reason: str) -> None:
        self.factory.failed(reason)
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        if self._connection is not None:
            self._connection.connection_lost(explain(reason))
        self.factory.failed(explain(reason) or "the connection was closed before the websocket was open")


class DialFactory(WebSocketClientFactory):  # type: ignore[misc]
    """One dial."""

    protocol = DialProtocol
    noisy = False

    def __init__(self, dialler: "Dialler", url: str, headers: dict[str, str]) -> None:
        super().__init__(
            url,
            protocols=[SUBPROTOCOL],
            headers=headers,
            useragent=f"streamrelay/{__version__}",
            reactor=dialler.clock,
        )
        self.clock, self.pulse, self.always_mask = dialler.clock, dialler.pulse, dialler.always_mask
        self.setProtocolOptions(
            acceptMaskedServerFrames=False,
            openHandshakeTimeout=0,  # the dialler's own counts from the start
            closeHandshakeTimeout=0,
            serverConnectionDropTimeout=0,
            autoPingInterval=0,
            failByDrop=False,
            tcpNoDelay=True,
        )
        self._result: Deferred[FramedConnection] | None = Deferred(self._cancel)

    def connect(self, endpoint: IStreamClientEndpoint) -> "Deferred[FramedConnection]":
        assert self._result is not None
        result = self._result
        self._attempt = endpoint.connect(self)
        self._attempt.addErrback(lambda failure: self.failed(explain(failure)))
        return result

    def opened(self, connection: FramedConnection) -> None:
        result, self._result = self._result, None
        if result is None:
            connection.abort()
        else:
            result.callback(connection)

    def failed(self, reason: str) -> None:
        result, self._result = self._result, None
        if result is not None:
            result.errback(DialError(reason))

    def _cancel(self, result: "Deferred[FramedConnection]") -> None:
        self.failed(f"no answer within {CONNECT_TIME:.0f} s")
        self._attempt.cancel()


@define(eq=False)
class Dialler:
    """Opens websockets to relays. `ca` is a file of certificates to trust in place of the system's."""

    clock: IReactorTime
    pulse: Pulse
    ca: str | None = None
    always_mask: bool = False
    insecure: bool = False
    """Whether ``ws://`` may leave this machine."""
    _trust: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._trust = read_certificates(self.ca) if self.ca else platformTrust()

    def dial(self, url: str, token: str = "") -> "Deferred[FramedConnection]":
        """Open the websocket `url`, presenting a `token` that is not in it in a header; or fail with `DialError`."""
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "wss"
        if not secure and not self.insecure and not is_loopback(host):
            raise DialError(f"{parts.scheme}://{parts.netloc} is not encrypted; use wss:// or --insecure")
        factory = DialFactory(self, url, {"Authorization": f"Bearer {token}"} if token else {})
        endpoint: IStreamClientEndpoint = HostnameEndpoint(self.clock, host, factory.port, timeout=CONNECT_TIME)
        if secure:
            endpoint = wrapClientTLS(optionsForClientTLS(host, trustRoot=self._trust), endpoint)
        result = factory.connect(endpoint)
        result.addTimeout(CONNECT_TIME, self.clock, onTimeoutCancel=lambda value, _: value)
        return result


def read_certificates(path: str) -> Any:
    """Trust the PEM certificates in a file, or raise `ConfigError`."""
    try:
        with open(path, "rb") as file:
            pem = file.read(1 << 20)
        blocks = re.findall(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", pem, re.DOTALL)
        certificates = [Certificate.loadPEM(block) for block in blocks]
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from None
    except Exception as error:
        raise ConfigError(f"{path}: not certificates in PEM form ({error})") from None
    if not certificates:
        raise ConfigError(f"{path}: holds no certificate in PEM form")
    return trustRootFromCertificates(certificates)


def address(transport: Any) -> str:
    """The peer's address as logs show it."""
    peer = transport.getPeer()
    host = getattr(peer, "host", None)
    if host is None:
        return "unix"
    return f"[{host}]:{peer.port}" if ":" in host else f"{host}:{peer.port}"


def explain(reason: Failure) -> str:
    """A lost or failed connection in one line; empty if it was closed in order."""
    error: Any = reason.value
    if isinstance(error, ConnectionDone):
        return ""
    kind = type(error).__name__
    if kind == "VerificationError":
        return "TLS: the certificate is for another host"
    if kind == "Error" and error.args and isinstance(error.args[0], list):  # OpenSSL.SSL.Error
        return "TLS: " + "; ".join(str(part[-1]) for part in error.args[0] if part)
    text = str(error).strip().rstrip(".").splitlines()
    return text[0] if text else kind
