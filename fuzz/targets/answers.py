"""What an HTTP server answers, which may be hostile: a platform, an issuer, a system that is asked.

Whatever comes, in whatever pieces: each request has one end, an answer within its size or a `FetchError` in one
printable line, and nothing is told twice or out of order. What failed is dropped. And nothing is left in the end.
"""

from typing import Any, Final

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from fuzz.choices import Choices
from streamrelay.net.http_client import Fetched, FetchError, HttpFetch
from tests.fakes.channels import FakeTransport
from tests.fakes.endpoints import connect

LONGEST: Final = 2000
"""Bytes of an input."""
MOST: Final = 300
"""Bytes of a body."""
_OK = b"HTTP/1.1 200 OK\r\n"

SEEDS: Final = [
    bytes(9) + _OK + b"Content-Length: 3\r\n\r\na\nb",
    b"\0\0\0\0\0\0\0\1\1" + _OK + b"Content-Length: 3\r\n\r\na\nb" + _OK + b"Content-Length: 0\r\n\r\n",
    b"\2\1\0\3\0\0\0\1\0" + _OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\na\nb\r\n0\r\n\r\n",
    bytes(9) + _OK + b"\r\nuntil the end",
    bytes(9) + b"HTTP/1.0 404 No\r\n\r\n",
    bytes(9) + b"HTTP/1.1 204 No Content\r\n\r\n",
    bytes(9) + b"HTTP/1.1 100 Continue\r\n\r\n" + _OK + b"Content-Length: 1\r\n\r\nx",
    bytes(9) + b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nx",
    bytes(9) + _OK + b"Content-Length: 301\r\n\r\n" + b"x" * 301,
    bytes(9) + _OK + b"Content-Length: 2, 3\r\n\r\n",
    bytes(9) + b"\x15\x03\x03\x00\x02\x02\x28",
    bytes(9),
]
WORDS: Final = [
    _OK,
    b"\r\n",
    b"\r\n\r\n",
    b"Content-Length: 3",
    b"Transfer-Encoding: chunked",
    b"Connection: close",
    b"0\r\n\r\n",
    b"3\r\nabc\r\n",
    *b"HTTP/1.0 HTTP/1.1 100 101 204 304 401 503 : -1 ffffffffffffffff".split(),
]


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    cuts = Choices(choices.take(7))
    keep, lost = choices.flag(), Failure(choices.pick((ConnectionDone(), ConnectionLost())))
    net = _Net(MemoryReactorClock(), cuts.pieces(choices.rest()))
    fetch = HttpFetch(net.reactor, most=MOST, keep=keep)
    for method in ("GET", "POST", "GET"):
        lines: list[bytes] = []
        outcome: list[Any] = []
        work = Deferred.fromCoroutine(fetch(method, "http://127.0.0.1:81/x", 5, body=b"x", line=lines.append))
        work.addBoth(outcome.append)
        for _ in range(2):  # the second time on a fresh connection, where a kept one was lost
            net.speak(outcome)
            if not outcome or not keep:
                net.lose(lost)
        net.reactor.advance(6)
        assert len(outcome) == 1, outcome
        _check(outcome[0], lines)
    net.reactor.advance(31)
    net.speak([None])
    assert all(net.gone), "a connection is left"
    assert not net.reactor.getDelayedCalls(), net.reactor.getDelayedCalls()


@define(eq=False)
class _Net:
    """Connections to one server, of which the last one is what it speaks on."""

    reactor: MemoryReactorClock
    pieces: list[bytes]
    ends: list[Any] = field(factory=list)
    gone: list[bool] = field(factory=list)

    def speak(self, outcome: list[Any]) -> None:
        """Make what is tried, and say what there is to say until a request has ended."""
        self.turn()
        while self.pieces and self.ends and not outcome and not self.gone[-1]:
            self.ends[-1].dataReceived(self.pieces.pop(0))
            self.turn()

    def turn(self) -> None:
        """Make connections that were tried, and tell of those that were given up."""
        for _, _, factory, *_ in self.reactor.tcpClients[len(self.ends) :]:
            self.ends.append(connect(factory, FakeTransport()))
            self.gone.append(False)
        for at, end in enumerate(self.ends):
            if end.transport.disconnecting and not self.gone[at]:
                self.gone[at] = True
                end.connectionLost(Failure(ConnectionDone()))

    def lose(self, reason: Failure) -> None:
        if self.ends and not self.gone[-1]:
            self.gone[-1] = True
            self.ends[-1].connectionLost(reason)


def _check(found: Any, lines: list[bytes]) -> None:
    told = b"".join(line + b"\n" for line in lines)
    if isinstance(found, Fetched):
        assert len(found.body) <= MOST and found.body.startswith(told), found
        assert b"\n" not in found.body[len(told) :] or not 200 <= found.status < 300, "lines were left out"
        return
    assert found.check(FetchError), found
    text = str(found.value)
    assert text and text.isprintable() and len(text) <= 300, repr(text)
    assert len(told) <= MOST, "too much was told"
