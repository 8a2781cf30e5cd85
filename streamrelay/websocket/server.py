"""The opening handshake of legs at the relay, by autobahn.

Once it is done a `FramedConnection` takes over the transport; autobahn sees no frame. Only this file and client.py
know autobahn.
"""

import re
from typing import Any, Final

from attrs import evolve
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.types import ConnectionDeny
from twisted.internet.interfaces import IProtocolNegotiationFactory, IReactorTime
from twisted.internet.protocol import BaseProtocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from streamrelay.datapath.channel import TransportChannel, no_delay
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.datapath.socket_channel import SocketChannel
from streamrelay.datapath.tls_channel import open_channel
from streamrelay.errors import Refused
from streamrelay.logs import Logger, Silent
from streamrelay.net.certificates import peer_names
from streamrelay.net.deadlines import Deadlines
from streamrelay.net.peer import address, explain
from streamrelay.protocol.control import SUBPROTOCOL
from streamrelay.protocol.limits import HANDSHAKE_TIME, MAX_HANDSHAKE
from streamrelay.protocol.tls_records import HELLO
from streamrelay.websocket import request_grammar
from streamrelay.websocket.admission import Admission, Admitter, choose_subprotocol, is_leg, read_request
from streamrelay.websocket.connection import FramedConnection
from streamrelay.websocket.frame_writer import Masking

log = Logger()

_HEALTH: Final = re.compile(rb"(GET|HEAD) /health HTTP/1\.[01]\r\n")
_LOOK: Final = re.compile(rb"(GET|HEAD) ([!-~]+) HTTP/1\.([01])\r\n")
_REASONS: Final = {
    200: "OK",
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


class LegProtocol(WebSocketServerProtocol):  # type: ignore[misc]
    """The relay's side of one handshake."""

    log = Silent()
    factory: "LegFactory"
    address: str | None = None
    _size = 0
    data: bytes
    _admission: Admission | None = None
    _refused = False
    _early: bytes | None = None  # None unless it waits for its turn

    def connectionMade(self) -> None:
        # Not autobahn's own method, which collects details of the transport that nobody asks for.
        self.peer = ""
        no_delay(self.transport)
        self._connectionMade()
        self.address = getattr(self.transport.getPeer(), "host", None)
        self.factory.deadlines.begin(self)
        self._begin()

    def begin(self) -> None:
        """Read the request after all, as its turn has come."""
        self.transport.resumeProducing()
        early, self._early = self._early, None
        self._begin()
        if early:
            self.dataReceived(early)

    def _begin(self) -> None:
        try:
            if not self.factory.admitter.handshake_began(self):
                self._early = b""
                self.transport.pauseProducing()  # before TLS, too
        except Refused as refusal:
            if refusal.status == 429:  # before TLS, whose handshake would cost us more than them
                self._refused = True
                self.transport.abortConnection()
            else:
                self.failHandshake(refusal.reason, refusal.status)

    def dataReceived(self, data: bytes) -> None:
        if self._refused:
            return
        if self._early is not None:  # read along with a proxy's header
            self._early += data
            return
        self._size += len(data)
        if self._size > MAX_HANDSHAKE:
            self.failHandshake(f"a request of over {MAX_HANDSHAKE} bytes", 431)
            return
        if data[:1] == HELLO and self._size == len(data):  # it would wait for our deadline, and come again
            self.failHandshake("TLS")
            return
        self._dataReceived(data)

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Write to the transport. autobahn's own method counts octets, and dresses them up for a debug line."""
        self.transport.write(data)

    def processHandshake(self) -> None:
        head, end, rest = self.data.partition(b"\r\n\r\n")
        if not end:
            return
        try:
            self.data = request_grammar.strict(head + end) + rest
        except ValueError:
            self.failHandshake("malformed")
            return
        if asked := _HEALTH.match(self.data):
            self._tell_health(asked[1] == b"HEAD")
        elif (looked := _LOOK.match(self.data)) and not _may_upgrade(looked, head):
            status = 426 if is_leg(looked[2].decode()) else 404
            self._answer(status, REFUSALS[status], _MORE.get(status, ""), looked[1] == b"HEAD")
        else:
            super().processHandshake()

    def _tell_health(self, head_only: bool) -> None:
        """Answer whether legs may come, in the words of HTTP/1.0 and 1.1, and close."""
        ready = not self.factory.admitter.stopping
        self._answer(200 if ready else 503, "ready" if ready else "not ready", "Cache-Control: no-store\r\n", head_only)

    def _answer(self, status: int, text: str, more: str = "", head_only: bool = False) -> None:
        """Answer with one line of text and `more` header lines, and close."""
        self._refused = True
        text += "\n"
        self.transport.write(
            f"HTTP/1.1 {status} {_REASONS.get(status, 'Refused')}\r\nContent-Type: text/plain; charset=utf-8\r\n{more}"
            f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n{'' if head_only else text}".encode()
        )
        self.transport.loseConnection()

    def onConnect(self, request: Any) -> str | None:
        try:
            client = self.factory.admitter.client(self.address, request.headers.get("x-forwarded-for"))
            asked = read_request(self.http_request_uri, request.headers, request.protocols, self._name(client))
            asked = evolve(asked, address=client, certificate=peer_names(self.transport))
            self._admission = self.factory.admitter.admit(asked)
        except Refused as refusal:
            raise ConnectionDeny(refusal.status, refusal.reason) from None
        except Exception:
            log.failure("an error while a websocket was admitted")
            raise ConnectionDeny(500, "an error in the relay") from None
        return choose_subprotocol(request.protocols)

    def _name(self, client: str | None) -> str:
        """Return the client's address for logs: the one that the proxies tell, if it came through such."""
        if client is None or client == self.address:
            return address(self.transport)
        return client

    def _onOpen(self) -> None:
        self.factory.handshake_ended(self)
        if self.data:
            # Bytes between the request and our 101 may be a second request (CVE-2018-1002105). autobahn would go on
            # to read them as frames.
            self.data = b""
            self.transport.abortConnection()
            return
        channel = open_channel(self.transport, self.factory.clock)
        connection = FramedConnection(
            channel,
            self.factory.clock,
            self.factory.heartbeat,
            Masking.NONE,
            self.websocket_protocol_in_use == SUBPROTOCOL,
            address(self.transport),
        )
        hand_over(self.transport, OpenProtocol(channel, connection))
        assert self._admission is not None
        self._admission.opened(connection)

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:
        """Answer a request with a refusal, and close. autobahn refuses by this, too; its reasons may hold parts of the
        request, so they aren't told or logged."""
        if self._refused:
            return
        if reason.startswith("HTTP Origin header"):
            code = 403
        words = _REASONS.get(code, "Refused")
        log.debug("refused {peer}: {code} {words}", peer=address(self.transport), code=code, words=words)
        more = "".join(f"{name}: {value}\r\n" for name, value in responseHeaders or ())
        self._answer(code, REFUSALS.get(code, words.lower()), more + _MORE.get(code, ""))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.handshake_ended(self)
        self._connectionLost(reason)
        if self._admission is not None:
            self._admission.left()


REFUSALS: Final = {
    400: "malformed request",
    401: "this token is not valid here",
    403: "this origin, or this certificate, is not allowed",
    404: "no such path; this is a relay of streamrelay, whose websockets come to /client and /agent",
    426: "this is a websocket of a relay of streamrelay; ask with an Upgrade, which proxies must pass on",
    503: "full or shutting down, try again later",
}
"""Bodies of refusals by status: the same for every fault of a token (protocol.rst, "Refused before 101")."""
_MORE: Final = {426: "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"}


def _may_upgrade(looked: "re.Match[bytes]", head: bytes) -> bool:
    """Tell whether a GET is an opening request, by HTTP/1.1 with Upgrade; or without a Host, and refused for that."""
    named = re.findall(rb"(?i)\r\n(upgrade|host)[\t ]*:", head)
    return looked[3] == b"1" and {name.lower() for name in named} != {b"host"}


class OpenProtocol(BaseProtocol):
    """Twisted's protocol of a leg once its handshake is done; of autobahn nothing stays in memory."""

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


@implementer(IProtocolNegotiationFactory)
class LegFactory(WebSocketServerFactory):  # type: ignore[misc]
    """Factory of legs. Every limit that autobahn leaves open is set here or held by `LegProtocol`."""

    protocol: Any = LegProtocol
    noisy = False

    def acceptableProtocols(self) -> list[bytes]:
        """Return what TLS' ALPN may agree on. Twisted would refuse a client that offers anything (browsers do) to a
        server that has no say."""
        return [b"http/1.1"]

    def __init__(self, clock: IReactorTime, admitter: Admitter, heartbeat: Heartbeat) -> None:
        super().__init__(reactor=clock, server="")
        self.clock, self.admitter, self.heartbeat = clock, admitter, heartbeat
        self.deadlines: Deadlines[LegProtocol] = Deadlines(clock, HANDSHAKE_TIME, self._too_late)
        self.setProtocolOptions(
            versions=[13],
            webStatus=False,
            serveFlashSocketPolicy=False,
            allowedOrigins=["*"],  # the admitter compares origins, byte by byte
            allowNullOrigin=True,
            maxFramePayloadSize=65536,
            maxMessagePayloadSize=65536,
            openHandshakeTimeout=0,  # ours counts from accept
            closeHandshakeTimeout=0,
            autoPingInterval=0,
            failByDrop=False,
        )
        # autobahn copies its options to each connection and prints them prettily for a debug line that nobody
        # reads: more than half of a handshake's cost. So they stand on a class of this factory's own.
        options = {name: getattr(self, name) for name in LegProtocol.CONFIG_ATTRS}
        options |= {name: staticmethod(option) for name, option in options.items() if callable(option)}
        self.protocol: Any = type("LegProtocol", (LegProtocol,), {**options, "CONFIG_ATTRS": ()})

    def handshake_ended(self, leg: LegProtocol) -> None:
        """Count a handshake out that has come to its end, one way or the other; once for each."""
        if self.deadlines.end(leg):
            self.admitter.handshake_ended(leg)

    def _too_late(self, leg: LegProtocol) -> None:
        self.handshake_ended(leg)
        leg.transport.abortConnection()
