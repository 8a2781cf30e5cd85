"""The relay's side of a handshake, with the real relay behind it.

Whatever comes: one answer at most, of a documented status, in words of our own and without the request's; 101 only
with a good token; the same however the bytes are split; and nothing is left once the connection is lost.
"""

import re
from typing import Final

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from fuzz.choices import Choices
from streamrelay.config import RelayConfig
from streamrelay.pulse import Pulse
from streamrelay.relay import Relay
from streamrelay.websocket import LegFactory
from streamrelay.wire import MAX_HANDSHAKE, is_opaque
from tests.fakes import STREAM, FakeTransport, connect

ORIGIN: Final = "https://panel.example"

_GOOD = (
    b"Host: relay.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
_PATH = b"GET /client/" + STREAM.encode() + b" HTTP/1.1\r\n"
_TOKEN = STREAM.encode()

LONGEST: Final = 9000
"""Bytes of an input: more than a request may have."""

_WHOLE = bytes(7)
"""No cut."""

SEEDS: Final = [
    _WHOLE + _PATH + _GOOD + b"\r\n",
    b"\2\0\x10\0\x40\0\0" + _PATH + _GOOD + b"\r\n",
    _WHOLE + _PATH + _GOOD + b"Origin: https://panel.example\r\n\r\n",
    _WHOLE + _PATH + _GOOD + b"Origin: https://evil.example\r\n\r\n",
    _WHOLE + _PATH + _GOOD + b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=15\r\n\r\n",
    _WHOLE + b"GET /agent HTTP/1.1\r\n" + _GOOD + b"Authorization: Bearer " + _TOKEN + b"\r\n\r\n",
    _WHOLE
    + b"GET /client HTTP/1.1\r\n"
    + _GOOD
    + b"Sec-WebSocket-Protocol: streamrelay.v1, token."
    + _TOKEN
    + b"\r\n\r\n",
    _WHOLE + b"GET /client HTTP/1.1\r\n" + _GOOD + b"Sec-WebSocket-Protocol: binary\r\n\r\n",
    _WHOLE + _PATH + _GOOD + b"\r\n\x82\x85\1\2\3\4hello",
    _WHOLE + b"GET / HTTP/1.0\r\n\r\n",
    _WHOLE + b"POST /client HTTP/1.1\r\nHost: x:80\r\n\r\n",
    _WHOLE + b"GET http://[::1/client HTTP/1.1\r\n" + _GOOD + b"\r\n",
]
WORDS: Final = [
    *(
        b"GET ",
        b"/client",
        b"/agent",
        b" HTTP/1.1",
        b"\r\n",
        b"\r\n\r\n",
        b": ",
        b"13",
        b"Upgrade",
        b"websocket",
        _TOKEN,
    ),
    *(b"Host: ", b"Origin: ", b"Connection: ", b"Authorization: Bearer ", b"Sec-WebSocket-Key: ", b"null", b"https://"),
    *(b"Sec-WebSocket-Version: ", b"Sec-WebSocket-Protocol: ", b"Sec-WebSocket-Extensions: ", b"permessage-deflate"),
    *(b"streamrelay.v1", b"binary", b"token.", b"client_max_window_bits", b"X-Forwarded-For: ", b"Transfer-Encoding: "),
]

_REFUSAL = re.compile(
    rb"HTTP/1\.1 (?:400|401|403|404|405|426|431|503|505) [A-Za-z ]+\r\n"
    rb"Content-Type: text/plain; charset=utf-8\r\n(?:Upgrade: websocket\r\n)?(?:Sec-WebSocket-Version: 13\r\n)?"
    rb"Content-Length: \d+\r\nConnection: close\r\n\r\n[A-Za-z ,;/]+\n"
)
_OPEN = re.compile(
    rb"HTTP/1\.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
    rb"(?:Sec-WebSocket-Protocol: (?:streamrelay\.v1|binary)\r\n)?Sec-WebSocket-Accept: [A-Za-z0-9+/]{27}=\r\n\r\n"
)

_clock = Clock()
_pulse = Pulse(_clock)
_relay = Relay(RelayConfig(tokens="opaque", origin=(ORIGIN,)), _clock, lambda: 0.0)
_factory = LegFactory(_clock, _relay, _pulse)


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    cuts, request = Choices(choices.take(7)), choices.rest()
    whole = _knock([request])
    if request.find(b"\r\n\r\n") in (-1, len(request) - 4):
        assert _knock(cuts.pieces(request)) == whole, "it matters how the request was split"


def _knock(pieces: list[bytes]) -> bytes:
    """The relay's answer to a request; what it says and keeps is checked."""
    transport = FakeTransport()
    protocol = connect(_factory, transport)
    for piece in pieces:
        if not transport.aborted:
            transport.receive(piece)
    answer = transport.take()
    if answer.startswith(b"HTTP/1.1 101"):
        assert _OPEN.fullmatch(answer), answer
        [seat] = _relay.seats
        assert is_opaque(seat.claims.sub) and seat.claims.sub.encode() in b"".join(pieces), "let in without a token"
        assert not transport.reading or transport.aborted, "a leg that waits is read"
    elif answer:
        assert _REFUSAL.fullmatch(answer), answer
        assert transport.disconnecting, "refused, and not closed"
    else:
        assert b"\r\n\r\n" not in b"".join(pieces)[:MAX_HANDSHAKE] or transport.aborted, "no answer"
        assert len(protocol.data or b"") <= MAX_HANDSHAKE, "too much is held"
    transport.protocol.connectionLost(Failure(ConnectionDone()))
    _clock.advance(_relay.config.patience)  # a leg that waits isn't read, so its end is seen only then
    _relay.rendezvous.forget(1e9)
    left = (_relay.seats, _relay.handshakes, _relay.rendezvous.meetings, _pulse.members, _clock.getDelayedCalls())
    assert not any(left), f"something is left: {left}"
    return answer
