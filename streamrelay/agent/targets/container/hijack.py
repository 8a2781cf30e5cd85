"""A connection that begins as an HTTP request and goes on as plain bytes (Docker Engine API, "Hijacking").

h11 speaks for the first few hundred bytes.
"""

from typing import Any, Final

import h11
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from streamrelay.agent.targets.container.api import HOST, ApiError
from streamrelay.agent.targets.sockets.connecting import connected
from streamrelay.datapath.plain import PlainConnection, PlainProtocol
from streamrelay.errors import TargetError
from streamrelay.net.peer import explain
from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.protocol.limits import CONNECT_TIME
from streamrelay.protocol.summons import Refusal

MAX_REFUSAL: Final = 65536
"""Bytes of a refusing answer that are read at most."""


async def hijack(reactor: Any, socket: str, path: str, body: bytes) -> PlainConnection:
    """Send a POST and take over its connection; `TargetError` if it isn't answered with 101 in `CONNECT_TIME`."""
    factory = Factory.forProtocol(lambda: HijackProtocol(reactor, path, body))
    factory.noisy = False
    endpoint = UNIXClientEndpoint(reactor, socket, timeout=CONNECT_TIME)
    attempt: Deferred[Any] = endpoint.connect(factory)
    attempt.addCallback(lambda protocol: protocol.done)
    attempt.addTimeout(CONNECT_TIME, reactor, lambda *_: Failure(CancelledError()))
    return await connected(attempt, socket)


class HijackProtocol(Protocol):
    """Twisted's protocol of the connection until the answer is there."""

    def __init__(self, reactor: Any, path: str, body: bytes) -> None:
        self._reactor, self._path, self._body = reactor, path, body
        self._http = h11.Connection(h11.CLIENT)
        self._refusal: tuple[int, bytearray] | None = None
        self.done: Deferred[PlainProtocol] = Deferred(lambda _: self._drop())

    def connectionMade(self) -> None:
        request = h11.Request(
            method="POST",
            target=self._path,
            headers=[
                ("Host", HOST),
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(self._body))),
                ("Connection", "Upgrade"),
                ("Upgrade", "tcp"),
            ],
        )
        self._say(request, h11.Data(data=self._body), h11.EndOfMessage())

    def _say(self, *events: Any) -> None:
        assert self.transport is not None
        for event in events:
            self.transport.write(self._http.send(event) or b"")

    def dataReceived(self, data: bytes) -> None:
        try:
            self._http.receive_data(data)
            self._read()
        except h11.RemoteProtocolError as error:
            self._fail(TargetError(Refusal.TARGET_REFUSED, f"the API's answer is not HTTP: {error}"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._refusal is not None:
            self._fail(ApiError(self._refusal[0], bytes(self._refusal[1])))
        why = explain(reason) or "the API closed the connection without an answer"
        self._fail(TargetError(Refusal.TARGET_REFUSED, why))

    def _read(self) -> None:
        while not self.done.called:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                return
            if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                self._hand_over()
            elif isinstance(event, h11.Response):
                self._refusal = (event.status_code, bytearray())
            elif isinstance(event, h11.Data) and self._refusal is not None:
                self._refusal[1].extend(event.data)
                if len(self._refusal[1]) > MAX_REFUSAL:
                    self._fail(ApiError(self._refusal[0], b""))
            elif self._refusal is not None:
                self._fail(ApiError(self._refusal[0], bytes(self._refusal[1])))

    def _hand_over(self) -> None:
        transport: Any = self.transport
        plain = PlainProtocol(self._reactor, outcome(CloseCode.TARGET_RESET), lambda connection: None)
        transport.protocol = plain
        plain.makeConnection(transport)
        early, _ = self._http.trailing_data
        if early:
            plain.dataReceived(early)
        self.done.callback(plain)

    def _fail(self, error: TargetError) -> None:
        if not self.done.called:
            self.done.errback(error)
        self._drop()

    def _drop(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()
