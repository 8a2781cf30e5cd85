"""Dialling a relay: its URL, and its side of a handshake, which may be hostile.

Whatever is answered: either a connection, and only for the right answer to our key, or a `DialError` in one printable
line and a connection that is dropped. No more than an answer's 8 KiB are held. And nothing is left in the end.
"""

import base64
import hashlib
import re
from typing import Any, Final

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from zope.interface import implementer

from fuzz.choices import Choices
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.protocol.limits import CONNECT_TIME, MAX_HANDSHAKE
from streamrelay.websocket.client import DialFactory, Dialler
from streamrelay.websocket.connection import FramedConnection
from streamrelay.websocket.dial_errors import DialError
from tests.fakes.connections import Ear
from tests.fakes.endpoints import Endpoint

LONGEST: Final = 9000
"""Bytes of an input: more than an answer may have."""

_ANSWER = bytes(10)
"""An answer as it is, without TLS and not cut."""
_SWITCH = (
    _ANSWER + b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
)

SEEDS: Final = [
    b"\0\0\0\0\0\0\0\0\0\1",
    b"\0\1\1\0\x20\0\0\0\0\1\0\2\1\0\3\4",
    _SWITCH + b"$ACCEPT\r\n\r\n",
    _SWITCH
    + b'$ACCEPT\r\nSec-WebSocket-Protocol: streamrelay.v1\r\n\r\n\x82\x05hello\x81\x0c{"eof":true}\x88\x02\x03\xe8',
    _SWITCH + b"$ACCEPT\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    _SWITCH + b"wrong\r\n\r\n",
    b"\0\1\1\0\x30\0\0\0\0\0" + _SWITCH[10:] + b"$ACCEPT\r\n\r\n\x89\0\x8a\0",
    _ANSWER + b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
    _ANSWER + b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1/\r\n\r\n",
    _ANSWER + b"\xff\xfe\r\n\r\n",
    b"\1wss://relay.example:8443/x/agent",
    b"\1ws://[::1]:99999",
    b"\1ws://127.0.0.1",
    b"\1wss://[",
]
WORDS: Final = [
    b"HTTP/1.1 101 ",
    b"\r\n",
    b"\r\n\r\n",
    b"$ACCEPT",
    b"Upgrade: websocket",
    b"Connection: Upgrade",
    b": ",
    b"Sec-WebSocket-Accept: ",
    b"Sec-WebSocket-Protocol: ",
    b"Sec-WebSocket-Extensions: ",
    *b"permessage-deflate streamrelay.v1 binary ws:// wss:// 127.0.0.1 [::1] localhost @ :65536 ? #".split(),
]

_MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@implementer(IHostnameResolver, IHostResolution)
class _Names:
    """A resolver that knows every name."""

    name = "every name"

    def resolveHostName(
        self, resolutionReceiver: IResolutionReceiver, hostName: str, portNumber: int = 0, *_: object, **__: object
    ) -> IHostResolution:
        resolutionReceiver.resolutionBegan(self)
        resolutionReceiver.addressResolved(IPv4Address("TCP", "127.0.0.1", portNumber))
        resolutionReceiver.resolutionComplete()
        return self

    def cancel(self) -> None:
        """It has ended."""


@implementer(IReactorPluggableNameResolver)
class _Reactor(MemoryReactorClock):
    """A reactor in memory, on which names resolve and nothing connects."""

    nameResolver = _Names()


_clock = Clock()
_heartbeat = Heartbeat(_clock)
_dialler = Dialler(_clock, _heartbeat)
_caller = Dialler(_clock, _heartbeat, insecure=True)


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    if choices.flag():
        _address(choices.rest().decode("latin-1"))
    else:
        cuts = Choices(choices.take(8))
        _answer(cuts, _answer_of(choices) if choices.flag() else choices.rest())


def _address(url: str) -> None:
    if not re.fullmatch(r"wss?://[!-~]{1,500}", url):  # what a summons may hold
        return
    reactor = _caller.clock = _Reactor()
    failed: list[Failure] = []
    try:
        _caller.dial(url, "token").addErrback(failed.append)
    except DialError as error:
        _check_reason(str(error))
        return
    reactor.advance(CONNECT_TIME + 1)
    assert failed and failed[0].check(DialError), failed
    _check_reason(str(failed[0].value))


def _answer(cuts: Choices, answer: bytes) -> None:
    endpoint, secure = Endpoint(), cuts.flag()
    factory = DialFactory(_dialler, "wss://relay.example/agent" if secure else "ws://127.0.0.1/agent", {})
    outcome: list[Any] = []
    result: Deferred[FramedConnection] = factory.connect(endpoint)
    result.addBoth(outcome.append)
    transport = endpoint.transport
    accept = _accept(transport.take())
    held = answer.replace(b"$ACCEPT", accept)
    for piece in cuts.pieces(held):
        if not transport.aborted:
            transport.receive(piece)
    if outcome and isinstance(outcome[0], FramedConnection):
        assert accept in held, "open without the right answer"
        ear = Ear()
        outcome[0].join(ear, ear)
    elif outcome:
        assert transport.aborted, "failed, and not dropped"
    else:
        assert len(endpoint.protocol.data) <= MAX_HANDSHAKE, "too much is held"
    endpoint.protocol.connectionLost(Failure(ConnectionDone()))
    assert len(outcome) == 1, "no outcome"
    if isinstance(outcome[0], Failure):
        assert outcome[0].check(DialError), outcome
        _check_reason(str(outcome[0].value))
    left = (_heartbeat.members, _clock.getDelayedCalls())
    assert not any(left), f"something is left: {left}"


_NAMES: Final = [
    b"Upgrade: ",
    b"Connection: ",
    b"Sec-WebSocket-Accept: ",
    b"Sec-WebSocket-Protocol: ",
    b"Server: ",
    b"Upgrade:",
    b" ",
    b"Sec-WebSocket-Extensions: ",
    b"Location: ",
    b"Content-Length: ",
    b"Transfer-Encoding: ",
    b"Set-Cookie: ",
]
_VALUES: Final = [
    *b"websocket upgrade $ACCEPT x$ACCEPT streamrelay.v1 binary".split(),
    b"",
    b"a, b",
    b"h2c",
    b"\xff",
    b"\x00",
    b"permessage-deflate",
    b"permessage-deflate; server_max_window_bits=99",
    *b"wss://x 100000 chunked".split(),
    b"\x1b[2J",
]
_AFTER: Final = [
    b"",
    b"",
    b"\x82\x02hi",
    b'\x81\x0c{"eof":true}',
    b"\x88\x02\x03\xe8",
    b"\x89\x01p",
    b"\xff\xff",
    b"x" * 9000,
]


def _answer_of(choices: Choices) -> bytes:
    """An answer that nearly is a good one."""
    good = [b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Accept: $ACCEPT"]
    first = choices.pick(
        (b"HTTP/1.1 101 x", b"HTTP/1.1 101", b"HTTP/1.0 101 x", b"HTTP/1.1 401 \x1b[2J", b"HTTP/1.1 1_01")
    )
    lines = choices.change(good, lambda _: choices.pick(_NAMES) + choices.pick(_VALUES))
    end = choices.pick((b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"))
    return end.join([first, *lines]) + b"\r\n\r\n" + choices.pick(_AFTER) + choices.block()


def _accept(request: bytes) -> bytes:
    """The right answer to the key of a request (RFC 6455 §4.2.2)."""
    match = re.search(rb"Sec-WebSocket-Key: (\S+)\r\n", request)
    assert match, request
    return base64.b64encode(hashlib.sha1(match[1] + _MAGIC).digest())


def _check_reason(text: str) -> None:
    """It is shown in a terminal, and goes on to the platform."""
    assert text and text.isprintable() and len(text) <= 600, repr(text)
