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
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.protocol.limits import MAX_HANDSHAKE
from streamrelay.protocol.names import is_opaque
from streamrelay.relay.config import RelayConfig
from streamrelay.relay.service import Relay
from streamrelay.websocket.server import LegFactory
from tests.examples import STREAM
from tests.fakes.channels import FakeTransport
from tests.fakes.endpoints import connect

ORIGIN: Final = "https://panel.example"

_GOOD = (
    b"Host: relay.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
_PATH = b"GET /client/" + STREAM.encode() + b" HTTP/1.1\r\n"
_TOKEN = STREAM.encode()

LONGEST: Final = 9000
"""Bytes of an input: more than a request may have."""

_WHOLE = bytes(8)
"""No cut, and the request as it is."""

SEEDS: Final = [
    b"\0\0\0\0\0\0\0\1",
    b"\1\0\x20\0\0\0\0\1\2\1\0\0\1\1",
    _WHOLE + _PATH + _GOOD + b"\r\n",
    b"\2\0\x10\0\x40\0\0\0" + _PATH + _GOOD + b"\r\n",
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
    _WHOLE + b"HEAD /client HTTP/1.1\r\nHost: x\r\n\r\n",
    _WHOLE + b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    _WHOLE + b"POST /client HTTP/1.1\r\nHost: x:80\r\n\r\n",
    _WHOLE + b"GET http://[::1/client HTTP/1.1\r\n" + _GOOD + b"\r\n",
]
WORDS: Final = [
    b"GET ",
    b"/client",
    b"/agent",
    b" HTTP/1.1",
    b"\r\n",
    b"\r\n\r\n",
    b": ",
    *b"13 Upgrade websocket ssssssssssssssssssssss".split(),
    b"Host: ",
    b"Origin: ",
    b"Connection: ",
    b"Authorization: Bearer ",
    b"Sec-WebSocket-Key: ",
    b"null",
    b"https://",
    b"Sec-WebSocket-Version: ",
    b"Sec-WebSocket-Protocol: ",
    b"Sec-WebSocket-Extensions: ",
    *b"permessage-deflate streamrelay.v1 streamrelay.v1.ping binary token. client_max_window_bits".split(),
    b"X-Forwarded-For: ",
    b"Transfer-Encoding: ",
]

_REFUSAL = re.compile(
    rb"HTTP/1\.1 (?:400|401|403|404|405|426|431|503|505) [A-Za-z ]+\r\n"
    rb"Content-Type: text/plain; charset=utf-8\r\n(?:Upgrade: websocket\r\n)?(?:Sec-WebSocket-Version: 13\r\n)?"
    rb"Content-Length: \d+\r\nConnection: close\r\n\r\n(?:[A-Za-z ,;/]+\n)?"  # none to HEAD
)
_OPEN = re.compile(
    rb"HTTP/1\.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
    rb"(?:Sec-WebSocket-Protocol: (?:streamrelay\.v1|binary)\r\n)?Sec-WebSocket-Accept: [A-Za-z0-9+/]{27}=\r\n\r\n"
)

_NAMES: Final = (
    *(b"Host: ", b"Upgrade: ", b"Connection: ", b"Origin: ", b"Authorization: Bearer ", b"Authorization: Basic "),
    *(b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Version: ", b"Sec-WebSocket-Protocol: ", b"Sec-WebSocket-Extensions: "),
    *(b"X-Forwarded-For: ", b"Content-Length: ", b"Transfer-Encoding: ", b"Cookie: ", b" ", b"Host : ", b"Upgrade:"),
)
_VALUES: Final = [
    *b"relay.example relay:99999 [::1]:x websocket".split(),
    b"h2c, WebSocket",
    b"Upgrade",
    b"keep-alive, upgrade",
    b"",
    *b"ssssssssssssssssssssss x token.ssssssssssssssssssssss streamrelay.v1".split(),
    b"binary, base64",
    b"token.a, token.b",
    *b"binary,binary 13 8".split(),
    b"13, 8",
    b" +1_3",
    *b"https://panel.example null https://[ https://panel.example.evil.example dGhlIHNhbXBsZSBub25jZQ==".split(),
    *b"dGhlIHNhbXBsZSBub25jZQ=x".split(),
    b"permessage-deflate; server_max_window_bits=99",
    b'permessage-deflate; client_max_window_bits; x="y"',
    *b"chunked 65536 127.0.0.1".split(),
    b"\xff\xfe",
    b"\x00",
]
_PATHS: Final = [
    *b"/client/ssssssssssssssssssssss /agent/ssssssssssssssssssssss /client /agent / * /client/ //client".split(),
    *b"/client?x".split(),
    b"/agent/" + b"t" * 256,
    b"/agent/" + b"t" * 257,
    *b"/client/.. /client/%0d%0a http://[::1/client /client#x".split(),
]


def request_of(choices: Choices) -> bytes:
    """A request that nearly is a good one."""
    method, version, end, body = b"GET ", b" HTTP/1.1", b"\r\n", b"\r\n\r\n"
    match choices.number(32):
        case 1:
            method = choices.pick((b"get ", b"POST ", b"HEAD ", b"GET\t", b" GET ", b"\x16"))
        case 2:
            version = choices.pick((b" HTTP/1.0", b"", b" HTTP/2", b" x HTTP/1.1", b"\x0bHTTP/1.1"))
        case 3:
            end = choices.pick((b"\n", b"\r", b"\x85"))
        case 4:
            body = choices.pick((b"\r\n\r\n\x82", b"\n\n", b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", b"\r\n"))
    first = method + choices.pick(_PATHS) + version
    lines = choices.change(_GOOD.split(b"\r\n")[:-1], lambda _: choices.pick(_NAMES) + choices.pick(_VALUES))
    return end.join([first, *lines]) + body


_clock = Clock()
_heartbeat = Heartbeat(_clock)
_relay = Relay(RelayConfig(tokens="opaque", origin=(ORIGIN,)), _clock, lambda: 0.0)
_factory = LegFactory(_clock, _relay, _heartbeat)


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    cuts = Choices(choices.take(7))
    request = request_of(choices) if choices.flag() else choices.rest()
    whole = _knock([request])
    if request.find(b"\r\n\r\n") in (-1, len(request) - 4):
        assert _knock(cuts.pieces(request)) == whole, "it matters how the request was split"


_HEALTH = re.compile(
    rb"HTTP/1\.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
    rb"Content-Length: 6\r\nConnection: close\r\n\r\n(?:ready\n)?"
)


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
        [admitted] = _relay.legs
        assert is_opaque(admitted.claims.sub) and admitted.claims.sub.encode() in b"".join(pieces), (
            "let in without a token"
        )
        assert not transport.reading or transport.aborted, "a leg that waits is read"
    elif answer:
        assert _REFUSAL.fullmatch(answer) or _HEALTH.fullmatch(answer), answer
        assert transport.disconnecting, "refused, and not closed"
    else:
        assert b"\r\n\r\n" not in b"".join(pieces)[:MAX_HANDSHAKE] or transport.aborted, "no answer"
        assert len(protocol.data or b"") <= MAX_HANDSHAKE, "too much is held"
    transport.protocol.connectionLost(Failure(ConnectionDone()))
    _clock.advance(_relay.config.patience)  # a leg that waits isn't read, so its end is seen only then
    _relay.rendezvous.forget(1e9)
    left = (
        _relay.legs,
        _relay.handshakes.count,
        _relay.rendezvous.meetings,
        _heartbeat.members,
        _clock.getDelayedCalls(),
    )
    assert not any(left), f"something is left: {left}"
    return answer
