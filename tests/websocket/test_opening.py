"""opening.py: a websocket's opening handshake, as its client speaks it."""

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.websocket.opening import Opening

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
GOOD = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: streamrelay.v1"
)
"""The answer to the key of RFC 6455 §1.3, without its empty line."""


class Requests(SynchronousTestCase):
    """What is asked."""

    def test_request(self) -> None:
        """A request is a line, headers and an empty line, with all that RFC 6455 §4.1 wants and a key of its own."""
        one, other = (
            Opening.of("wss://relay.example/x/agent?a=b").request({"Authorization": "Bearer t"}) for _ in "12"
        )
        first, *lines = one.decode().split("\r\n")
        self.assertEqual((first, lines[-2:]), ("GET /x/agent?a=b HTTP/1.1", ["", ""]))
        for line in (
            "Host: relay.example:443",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: streamrelay.v1",
            "Authorization: Bearer t",
        ):
            self.assertIn(line, lines)
        self.assertNotEqual(one, other)

    def test_names(self) -> None:
        """A name beyond ASCII is asked for as DNS has it."""
        self.assertIn(
            b"\r\nHost: xn--bcher-kva.example:8443\r\n", Opening.of("wss://b\xfccher.example:8443").request({})
        )

    def test_nothing_slips_in(self) -> None:
        """What would be a line of its own, or isn't ASCII, is not sent, and not repeated in the error."""
        for url, headers in (
            ("wss://relay.example/a b", {}),
            ("wss://relay.example/\xfc", {}),
            ("wss://relay.example/\x00", {}),
            ("wss://relay.example", {"Authorization": "Bearer secret\r\nX: y"}),
            ("wss://relay.example", {"Authorization": "Bearer secret\xff"}),
        ):
            error = self.assertRaises(ValueError, lambda url=url, headers=headers: Opening.of(url).request(headers))
            self.assertNotIn("secret", str(error))

    def test_no_relay(self) -> None:
        """What names no relay is refused."""
        for url in (
            "http://a",
            "wss://",
            "wss:///x",
            "wss://a#x",
            "wss://a:0",
            "wss://a:65536",
            "wss://a:x",
            "wss://[",
            "",
        ):
            self.assertRaises(ValueError, Opening.of, url)


class Answers(SynchronousTestCase):
    """What is answered."""

    def setUp(self) -> None:
        self.opening = Opening(True, "relay.example", 443, "/", KEY)

    def test_good(self) -> None:
        """An answer agrees to our subprotocol or to none, in whatever case and order its headers are."""
        subprotocol = b"\r\nSec-WebSocket-Protocol: streamrelay.v1"
        for head, agreed in (
            (GOOD, True),
            (GOOD.replace(subprotocol, b""), False),
            (GOOD.replace(subprotocol, b"\r\nSec-WebSocket-Protocol:"), False),
            (GOOD.replace(b"Upgrade: websocket", b"uPGRADE:WebSocket \t"), True),
            (GOOD.replace(b"Connection: Upgrade", b"Connection: keep-alive, upgrade"), True),
            (GOOD.replace(b"Connection: Upgrade", b"Connection: keep-alive\r\nConnection: Upgrade"), True),
            (GOOD.replace(b"101 Switching Protocols", b"101"), True),
            (GOOD + b"\r\nServer: x\r\nSet-Cookie: \xc3\xbc\r\nno colon", True),
            (GOOD + b"\r\nSec-WebSocket-Extensions:", True),
        ):
            self.assertIs(self.opening.agreed(head), agreed, head)

    def test_bad(self) -> None:
        """Anything else is refused, and said in a few words."""
        for old, new, words in (
            (b"101", b"401", "the upgrade failed [401]"),
            (b"101", b"1O1", "bad status"),
            (b"101", b"+101", "bad status"),
            (b"101", b"\xd9\xa1\xd9\xa0\xd9\xa1", "bad status"),
            (b"HTTP/1.1", b"HTTP/1.0", "version"),
            (b"HTTP/1.1", b" HTTP/1.1", "version"),
            (b"HTTP/1.1 101 Switching Protocols\r\n", b"", "version"),
            (GOOD, b"", "no status line"),
            (GOOD, b"HTTP/1.1", "no status line"),
            (b"Switching", b"\xff", "not HTTP"),
            (b"Upgrade: websocket\r\n", b"", "Upgrade"),
            (b"Upgrade: websocket", b"Upgrade: h2c, websocket", "Upgrade"),
            (b"Upgrade: websocket", b"Upgrade: websocket\r\nUpgrade: websocket", "more than one Upgrade"),
            (b"Upgrade: websocket", b"Upgrade : websock", "Upgrade"),
            (b"Connection: Upgrade\r\n", b"", "Connection"),
            (b"Connection: Upgrade", b"Connection: upgraded", "Connection"),
            (b"xOo=", b"xOo", "Accept"),
            (b"s3p", b"S3P", "Accept"),
            (b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Accept: x\r\nX", "more than one Sec-WebSocket-Accept"),
            (b": streamrelay.v1", b": binary", "subprotocol binary"),
            (b": streamrelay.v1", b": streamrelay.v1, binary", "subprotocol streamrelay.v1, binary"),
            (b": streamrelay.v1", b": Streamrelay.v1", "subprotocol"),
            (b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Extensions: x-y\r\nX", "extension"),
            (b"\r\n", b"\n", "Upgrade"),
        ):
            self.assertIn(old, GOOD)
            error = self.assertRaises(ValueError, self.opening.agreed, GOOD.replace(old, new))
            self.assertIn(words, str(error))
