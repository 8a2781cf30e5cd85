"""Dialling a relay: a websocket is opened, and handed over."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from streamrelay.datapath.channel import no_delay
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.files import Watched
from streamrelay.net.certificates import ClientPair
from streamrelay.net.client_tls import ClientContext, ClientTls, trusting
from streamrelay.net.outbound import DIRECT, Outbound
from streamrelay.net.peer import address, explain, is_full
from streamrelay.net.retry import Turns, persist, was_dropped
from streamrelay.protocol.limits import CONNECT_TIME, MAX_HANDSHAKE
from streamrelay.protocol.names import is_loopback
from streamrelay.websocket.dial_errors import (
    TRANSIENT,
    DialError,
    Dropped,
    OutOfDescriptors,
    RelayBusy,
    RelayFull,
    Unanswered,
    closed,
    failure,
)
from streamrelay.websocket.opening import Opening
from streamrelay.websocket.ready import Ready, ReadyEndpoint

if TYPE_CHECKING:  # what is open is loaded when something is: a command has asked its platform by then
    from streamrelay.datapath.channel import TransportChannel
    from streamrelay.datapath.socket_channel import SocketChannel
    from streamrelay.websocket.connection import FramedConnection


class DialProtocol(Protocol):
    """The client's side of one handshake."""

    factory: "DialFactory"
    transport: Any
    data = b""
    """Bytes of the answer, until it is whole."""
    _connection: "FramedConnection | None" = None
    _channel: "SocketChannel | TransportChannel | None" = None

    def connectionMade(self) -> None:
        no_delay(self.transport)
        self.transport.write(self.factory.request)

    def dataReceived(self, data: bytes) -> None:
        if self._channel is not None:
            self._channel.dataReceived(data)
            return
        if self.factory.settled:  # given up, and the connection is being dropped
            return
        answer = self.data + data
        end = answer.find(b"\r\n\r\n", 0, MAX_HANDSHAKE)
        self.data = answer[: MAX_HANDSHAKE if end < 0 else end]
        try:
            if end >= 0:
                self._open(self.factory.opening.agreed(self.data), answer[end + 4 :])
            elif len(answer) >= MAX_HANDSHAKE:
                raise ValueError(f"an answer of over {MAX_HANDSHAKE} bytes")
        except ValueError as error:
            self.factory.failed(str(error), answer=self.data)
            self.transport.abortConnection()

    def _open(self, agreed: bool, early: bytes) -> None:
        from streamrelay.datapath.tls_channel import open_channel
        from streamrelay.websocket.connection import FramedConnection
        from streamrelay.websocket.frame_writer import Masking

        self.data = b""
        dialler = self.factory.dialler
        masking = Masking.ZERO if self.factory.opening.secure and not dialler.always_mask else Masking.RANDOM
        self._channel = open_channel(self.transport, dialler.clock)
        if early:
            self._channel.dataReceived(early)
        self._connection = FramedConnection(
            self._channel, dialler.clock, dialler.heartbeat, masking, agreed, address(self.transport)
        )
        self.factory.opened(self._connection)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._connection is not None:
            self._connection.connection_lost(explain(reason))
        words = explain(reason) or closed(self.data, self.factory.url)
        self.factory.failed(words, DialError if self.data else _kind(reason))


def _kind(reason: Failure) -> type[DialError]:
    if is_full(reason.value):
        return OutOfDescriptors
    return Dropped if was_dropped(reason) else DialError


class DialFactory(Factory):
    """Factory of one dial, which connects once."""

    protocol = DialProtocol  # type: ignore[assignment]  # as Twisted's is typed
    noisy = False

    def __init__(self, dialler: "Dialler", url: str, headers: dict[str, str], seconds: float = CONNECT_TIME) -> None:
        """Raise `ValueError` if there can be no relay at the URL. `seconds` are those that its dial has."""
        self.dialler, self.url, self.seconds = dialler, url, seconds
        self.opening = Opening.of(url)
        self.request = self.opening.request(headers)
        self._result: Deferred[FramedConnection] | None = Deferred(self._cancel)
        self._protocol: DialProtocol | None = None

    def connect(self, endpoint: IStreamClientEndpoint) -> "Deferred[FramedConnection]":
        assert self._result is not None
        result = self._result
        self._attempt: Deferred[Any] = endpoint.connect(self)
        self._attempt.addCallbacks(self._connected, lambda failure: self.failed(explain(failure), _kind(failure)))
        return result

    def _connected(self, protocol: DialProtocol) -> None:
        self._protocol = protocol

    @property
    def settled(self) -> bool:
        """True if the dial has come to its end, good or bad."""
        return self._result is None

    def opened(self, connection: "FramedConnection") -> None:
        result, self._result = self._result, None
        if result is not None:
            result.callback(connection)

    def failed(self, reason: str, kind: type[DialError] = DialError, answer: bytes = b"") -> None:
        result, self._result = self._result, None
        if result is not None:
            result.errback(failure(self.dialler.who, self.url, reason, answer, kind))

    def _cancel(self, result: "Deferred[FramedConnection]") -> None:
        self.failed(f"no answer within {self.seconds:.0f} s", Unanswered)
        self._attempt.cancel()
        if self._protocol is not None:  # connected, and not answered: a relay could hold the descriptor for ever
            self._protocol.transport.abortConnection()


@define(eq=False)
class Dialler:
    """A dialler of websockets at relays. `ca` is a file of certificates to trust in place of the system's,
    `certificate` the pair that is shown to a relay which asks for one."""

    clock: IReactorTime
    heartbeat: Heartbeat
    ca: str | None = None
    always_mask: bool = False
    insecure: bool = False
    """True if ``ws://`` may leave this machine."""
    certificate: str = ""
    who: str = "this client"
    """Name of who dials, for errors."""
    outbound: Outbound = DIRECT
    _turns: Turns = field(factory=Turns)
    _tls: ClientContext = field(init=False)
    _pair: ClientPair | None = None

    def __attrs_post_init__(self) -> None:
        self._tls = trusting(self.ca or "")
        if self.certificate:
            self._pair = ClientPair(self.certificate)
            self._pair.read()

    @property
    def files(self) -> list[Watched]:
        """Files of the dialler that are read again when they change."""
        return [] if self._pair is None else [self._pair.files]

    @property
    def expiry(self) -> float:
        """Seconds since the epoch when the first of the certificates that are shown expires; 0 if none is."""
        return 0.0 if self._pair is None else self._pair.expiry

    def make_ready(self, url: str) -> Ready | None:
        """Begin to connect the relay of a URL, for a `dial` that may come; None if there can be no relay."""
        try:
            factory, where = self._prepare(url)
        except DialError:  # the dial itself will tell
            return None
        return Ready(factory.opening.origin, where, self.clock)

    def dial(
        self,
        url: str,
        token: str = "",
        ready: Ready | None = None,
        seconds: float = CONNECT_TIME,
        elsewhere: bool = False,
    ) -> "Deferred[FramedConnection]":
        """Open the websocket `url`, presenting a `token` that is not in it in a header; or fail with `DialError`.

        It has these seconds for everything: until its turn comes, and as often as the relay drops it. Its token lives
        no longer than thrice that. A connection that stands `ready` is used if it is to the same relay, else dropped.
        A relay that is full, or stops, isn't waited for if one can go `elsewhere`.
        """
        prepared, said = [self._prepare(url, token, ready, seconds)], list[DialError]()
        again = TRANSIENT if elsewhere else (*TRANSIENT, RelayFull)

        async def attempt() -> "FramedConnection":
            factory, where = prepared.pop() if prepared else self._prepare(url, token, None, seconds)
            try:
                return await factory.connect(where)
            except RelayBusy as busy:
                said[:] = [busy]
                raise
            except Unanswered as late:
                raise (said or [late])[0] from None  # what the relay has said itself tells more

        until = self.clock.seconds() + seconds
        dial = self._turns.run(
            urlsplit(url).netloc, lambda: Deferred.fromCoroutine(persist(self.clock, until, attempt, again))
        )
        # `until` keeps a late attempt from beginning; the timeout ends one under way, or the wait for a turn, whose
        # cancellation `_no_turn` puts in words.
        dial.addErrback(self._no_turn, url)
        dial.addTimeout(seconds, self.clock, onTimeoutCancel=lambda value, _: value)
        return dial

    def _prepare(
        self, url: str, token: str = "", ready: Ready | None = None, seconds: float = CONNECT_TIME
    ) -> tuple[DialFactory, IStreamClientEndpoint]:
        """Prepare one attempt, or raise `DialError` if there can be none."""
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise failure(self.who, url, str(error)) from None
        host, secure = parts.hostname or "", parts.scheme == "wss"
        if not secure and not self.insecure and not is_loopback(host):
            raise failure(self.who, url, "it is not encrypted; use wss:// or --insecure")
        try:
            factory = DialFactory(self, url, {"Authorization": f"Bearer {token}"} if token else {}, seconds)
            port = factory.opening.port
            tls = self._tls_to(host, port) if secure else None
            where: IStreamClientEndpoint = self.outbound.endpoint(self.clock, host, port, tls)
        except Exception as error:  # of many kinds, for what no relay's URL can be
            raise failure(self.who, url, str(error)) from None
        if ready is not None and ready.origin == factory.opening.origin:
            where = ReadyEndpoint(ready, where)
        elif ready is not None:
            ready.drop()
        return factory, where

    def _tls_to(self, host: str, port: int) -> ClientTls:
        mine = self._pair.read() if self._pair is not None else None
        if mine is not self._tls.mine:  # read for the first time, or again: sessions with the one before are gone
            self._tls = ClientContext(self._tls.trust, mine)
        return self._tls.to(host, port)

    def _no_turn(self, cancelled: Failure, url: str) -> None:
        cancelled.trap(CancelledError)
        raise failure(self.who, url, "too many dials of it are under way, and none ended in time")
