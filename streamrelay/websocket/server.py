"""The opening handshake of legs at the relay.

Once it is done a `FramedConnection` takes over the transport.
"""

from collections import Counter
from typing import Any, Final

from twisted.internet.interfaces import IProtocolNegotiationFactory, IReactorTime
from twisted.internet.protocol import BaseProtocol, Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from streamrelay.datapath.channel import TransportChannel, hand_over, no_delay
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.datapath.socket_channel import SocketChannel
from streamrelay.datapath.tls_channel import open_channel
from streamrelay.errors import Refused
from streamrelay.logs import Logger
from streamrelay.net.certificates import peer_names
from streamrelay.net.deadlines import Deadlines
from streamrelay.net.peer import address, explain
from streamrelay.protocol.control import SUBPROTOCOL, WATCHED
from streamrelay.protocol.limits import HANDSHAKE_TIME, MAX_HANDSHAKE
from streamrelay.protocol.tls_records import HELLO
from streamrelay.websocket import request_grammar, upgrade
from streamrelay.websocket.admission import Admission, Admitter, choose_subprotocol, is_leg, read_request
from streamrelay.websocket.connection import FramedConnection
from streamrelay.websocket.frame_writer import Masking
from streamrelay.websocket.refusal_words import LATE, word
from streamrelay.websocket.request_grammar import Request
from streamrelay.websocket.watched import WatchedConnection

log = Logger()

_END: Final = b"\r\n\r\n"
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
REFUSALS: Final = {
    400: "malformed request",
    401: "this token is not valid here",
    403: "this origin, or this certificate, is not allowed",
    404: "no such path; this is a relay of streamrelay, whose websockets come to /client and /agent",
    426: "this is a websocket of a relay of streamrelay; ask with an Upgrade, which proxies must pass on",
    503: "full or shutting down, try again later",
}
"""Bodies of refusals by status: the same for every fault of a token (protocol.rst, "Refused before 101")."""


class LegProtocol(Protocol):
    """The relay's side of one handshake: one request is read, and answered once."""

    transport: Any
    address: str | None = None
    peer: str = ""
    _answered = False  # whatever still comes isn't read
    _early: bytes | None = None  # None unless it waits for its turn
    _admission: Admission | None = None

    def __init__(self, factory: "LegFactory") -> None:
        self.factory: LegFactory = factory
        self.data = b""

    def connectionMade(self) -> None:
        no_delay(self.transport)
        self.address = getattr(self.transport.getPeer(), "host", None)
        self.peer = address(self.transport)
        self.factory.deadlines.begin(self)
        self._begin()

    def begin(self) -> None:
        """Read the request after all, as its turn has come."""
        self.transport.resumeProducing()
        early, self._early = self._early, None
        self._begin()
        if early:
            self.dataReceived(early)

    def drop(self) -> None:
        """Close the connection, without an answer."""
        self.factory.handshake_ended(self)
        self.transport.abortConnection()

    def _begin(self) -> None:
        try:
            if not self.factory.admitter.handshake_began(self):
                self._early = b""
                self.transport.pauseProducing()  # before TLS, too
        except Refused as refusal:
            if refusal.status == 429:  # before TLS, whose handshake would cost us more than them
                self.factory.refused[word(refusal)] += 1
                self._answered = True
                self.transport.abortConnection()
            else:
                self._refuse(refusal)

    def dataReceived(self, data: bytes) -> None:
        if self._answered:
            return
        if self._early is not None:  # read along with a proxy's header
            self._early += data
            return
        known = len(self.data)
        if known + len(data) > MAX_HANDSHAKE:
            self._refuse(Refused(431, f"a request of over {MAX_HANDSHAKE} bytes"))
            return
        if not known and data[:1] == HELLO:  # it would wait for our deadline, and come again
            self._refuse(Refused(400, "TLS"))
            return
        self.data += data
        end = self.data.find(_END, max(0, known - len(_END)))
        if end >= 0:
            head, behind = self.data[: end + len(_END)], self.data[end + len(_END) :]
            self.data = b""
            self._request_received(head, behind)

    def _request_received(self, head: bytes, behind: bytes) -> None:
        try:
            request = request_grammar.read(head)
        except ValueError:
            self._refuse(Refused(400, "malformed"))
            return
        looks = request.method in ("GET", "HEAD") and request.version in ("1.0", "1.1")
        if request.version == "1.1" and "host" not in request.headers:  # RFC 9112 §3.2
            self._refuse(Refused(400, "host"))
        elif looks and request.target == "/health":
            self._tell_health(request)
        elif looks and not upgrade.asks_to_upgrade(request):
            status = 426 if is_leg(request.target) else 404
            self.factory.refused[word(Refused(status, ""))] += 1
            self._answer(status, REFUSALS[status], _MORE.get(status, ""), request.method == "HEAD")
        else:
            try:
                chosen = self._admit(request)
            except Refused as refusal:
                self._refuse(refusal)
            else:
                self._open(upgrade.accepting(request, chosen), chosen, behind)

    def _tell_health(self, request: Request) -> None:
        """Answer whether legs may come, in the words of HTTP/1.0 and 1.1, and close."""
        ready = self.factory.admitter.ready
        text, more = "ready" if ready else "not ready", "Cache-Control: no-store\r\n"
        self._answer(200 if ready else 503, text, more, request.method == "HEAD")

    def _admit(self, request: Request) -> str | None:
        """Let a leg in, and return the subprotocol that is chosen; or raise `Refused`."""
        offered = upgrade.offered(request)
        try:
            client = self.factory.admitter.client(self.address, request.headers.get("x-forwarded-for"))
            # The address that the proxies tell is the one for logs, if it came through such.
            peer = self.peer if client is None or client == self.address else client
            asked = read_request(
                request.target, request.headers, offered, peer, address=client, certificate=peer_names(self.transport)
            )
            self._admission = self.factory.admitter.admit(asked)
        except Refused:
            raise
        except Exception:
            log.failure("an error while a websocket was admitted")
            raise Refused(500, "an error in the relay") from None
        return choose_subprotocol(offered)

    def _open(self, answer: bytes, chosen: str | None, behind: bytes) -> None:
        self._answered = True
        self.factory.handshake_ended(self)
        if behind:
            # Bytes between the request and our 101 may be a second request (CVE-2018-1002105).
            self.transport.abortConnection()
            return
        channel = open_channel(self.transport, self.factory.clock, written=False)
        channel.write([answer])
        kind = WatchedConnection if chosen == WATCHED else FramedConnection
        control = chosen in (SUBPROTOCOL, WATCHED)
        connection = kind(channel, self.factory.clock, self.factory.heartbeat, Masking.NONE, control, self.peer)
        hand_over(self.transport, OpenProtocol(channel, connection))
        assert self._admission is not None
        self._admission.opened(connection)

    def _refuse(self, refusal: Refused) -> None:
        """Answer a request with a refusal, and close. Its reason may hold parts of the request, so it isn't told."""
        status = refusal.status
        self.factory.refused[word(refusal)] += 1
        words = _REASONS.get(status, "Refused")
        log.debug("refused {peer}: {code} {words}", peer=self.peer, code=status, words=words)
        more = upgrade.VERSION if isinstance(refusal, upgrade.WrongVersion) else _MORE.get(status, "")
        self._answer(status, REFUSALS.get(status, words.lower()), more)

    def _answer(self, status: int, text: str, more: str = "", head_only: bool = False) -> None:
        """Answer with one line of text and `more` header lines, and close."""
        self._answered = True
        text += "\n"
        self.transport.write(
            f"HTTP/1.1 {status} {_REASONS.get(status, 'Refused')}\r\nContent-Type: text/plain; charset=utf-8\r\n{more}"
            f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n{'' if head_only else text}".encode()
        )
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.handshake_ended(self)
        if self._admission is not None:
            self._admission.left()


_MORE: Final = {426: f"Upgrade: websocket\r\n{upgrade.VERSION}", 503: "Retry-After: 2\r\n"}


class OpenProtocol(BaseProtocol):
    """Twisted's protocol of a leg once its handshake is done; of that nothing stays in memory."""

    def __init__(self, channel: SocketChannel | TransportChannel, connection: FramedConnection) -> None:
        self._channel, self._connection = channel, connection

    def dataReceived(self, data: bytes) -> None:
        self._channel.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._connection.connection_lost(explain(reason))


@implementer(IProtocolNegotiationFactory)
class LegFactory(Factory):
    """Factory of legs."""

    noisy = False

    def __init__(self, clock: IReactorTime, admitter: Admitter, heartbeat: Heartbeat) -> None:
        self.clock, self.admitter, self.heartbeat = clock, admitter, heartbeat
        self.refused: Counter[str] = Counter()
        """Requests and connections that were refused before 101, by word."""
        self.deadlines: Deadlines[LegProtocol] = Deadlines(clock, HANDSHAKE_TIME, self._too_late)

    def buildProtocol(self, addr: object) -> Any:
        return LegProtocol(self)

    def acceptableProtocols(self) -> list[bytes]:
        """Return what TLS' ALPN may agree on. Twisted would refuse a client that offers anything (browsers do) to a
        server that has no say."""
        return [b"http/1.1"]

    def handshake_ended(self, leg: LegProtocol) -> None:
        """Count a handshake out that has come to its end, one way or the other; once for each."""
        if self.deadlines.end(leg):
            self.admitter.handshake_ended(leg)

    def _too_late(self, leg: LegProtocol) -> None:
        self.refused[LATE] += not leg._answered
        self.deadlines.end(leg)
        self.admitter.handshake_ended(leg, late=True)
        leg.drop()
