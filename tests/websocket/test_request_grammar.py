"""request_grammar.py: the grammar of opening requests.

tests/live/relay/handshakes.py has the whole table, at a real relay.
"""

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.websocket.request_grammar import Request, read
from tests.examples import examples

LINES = b"Host: relay.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"


def head(more: bytes = b"", line: bytes = b"GET /client/x HTTP/1.1") -> bytes:
    return line + b"\r\n" + LINES + more + b"\r\n"


GOOD = {"host": "relay.example", "upgrade": "websocket", "connection": "Upgrade", "sec-websocket-version": "13"}


class Strict(SynchronousTestCase):
    """What is taken, and what isn't."""

    def test_good(self) -> None:
        """A good request is read as it is: blanks around values don't count, values of one name are one list."""
        for data, expected in (
            (head(), Request("GET", "/client/x", "1.1", GOOD)),
            (head(b"X:\r\nx: \ty z\t\r\n"), Request("GET", "/client/x", "1.1", {**GOOD, "x": ", y z"})),
            (head(line=b"BREW * HTTP/9.9"), Request("BREW", "*", "9.9", GOOD)),
            (b"GET / HTTP/1.1\r\n\r\n", Request("GET", "/", "1.1", {})),
        ):
            self.assertEqual(read(data), expected)

    def test_opaque(self) -> None:
        """Bytes over 127 can't end a line, or be taken for blanks."""
        self.assertEqual(read(head(b"X: a\x85Y: b\xa0\r\n")).headers, {**GOOD, "x": "a?Y: b?"})

    def test_offers(self) -> None:
        """Well-formed offers of extensions are taken out, in any number of headers."""
        offers = b'sec-websocket-extensions: a; b=c, d\r\nX: y\r\nSec-WebSocket-Extensions: ,e;f;g="h",\r\n'
        self.assertEqual(read(head(offers)).headers, {**GOOD, "x": "y"})

    def test_malformed(self) -> None:
        """Each of these is refused."""
        for data in (
            b"",
            b"\r\n\r\n",
            head()[:-1],
            head() + b"x",
            b"\r\n" + head(),
            head(line=b"GET  / HTTP/1.1"),
            head(line=b"GET / HTTP/1.1 "),
            head(b"X : y\r\n"),
            head(b" X: y\r\n"),
            head(b"X: y\n\r\n"),
            head(b"X: \x00\r\n"),
            head(b"Content-Length: 1\r\n"),
            head(b"Transfer-Encoding: chunked\r\n"),
            head(b"HOST: relay.example\r\n"),
            head(b"Authorization: Bearer a\r\n" * 2),
            head(b"Sec-WebSocket-Extensions: a;\r\n"),
            head(b"Sec-WebSocket-Extensions:\r\n"),
            head().replace(b": 13", b": 013"),
            head().replace(b"relay.example", b"relay example"),
        ):
            with self.assertRaises(ValueError, msg=data):
                read(data)

    @examples(100)
    @given(st.binary(max_size=60))
    @example(b"X: \x1cUpgrade: y")
    @example(b"X: a\x0bb")
    def test_one_reading(self, line: bytes) -> None:
        """Whatever a line holds, what is let through is one header of one line for every parser: ASCII, as it came."""
        try:
            request = read(head(line + b"\r\n"))
        except ValueError:
            return
        more = request.headers.items() - GOOD.items()
        self.assertLessEqual(len(more), 1)  # none: an offer of extensions
        for text in (text for pair in more for text in pair):
            self.assertTrue(text.isascii() and text.replace("\t", "").isprintable(), text)
