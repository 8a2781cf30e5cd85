"""summons.py: what has a name on a wire."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import PeerError, printable
from streamrelay.protocol import codec
from streamrelay.protocol.close import EXPLAIN, FINISHED, CloseCode, Outcome, outcome
from streamrelay.protocol.control import EOF_MESSAGE, Control, Met, decode_control
from streamrelay.protocol.names import is_host, is_loopback, is_opaque, is_target
from streamrelay.protocol.subjects import (
    end_subject,
    event_subject,
    host_of,
    open_subject,
    streams_subject,
    subject_part,
)
from streamrelay.protocol.summons import Answer, Summons
from tests.examples import STREAM, examples

SUMMONS = {
    "stream": STREAM,
    "target": "log/nginx",
    "relay": "wss://relay.example",
    "token": "t",
    "jti": "j" * 22,
    "exp": 1.0,
}
HOSTS = st.lists(st.text("aB1_-", min_size=1, max_size=3), min_size=1, max_size=4).map(".".join)


class Controls(SynchronousTestCase):
    """Control messages."""

    def test_known(self) -> None:
        """Each control message of the protocol is read."""
        self.assertTrue(decode_control(EOF_MESSAGE).eof)
        self.assertEqual(decode_control(b'{"resize": [80, 24]}').resize, (80, 24))
        self.assertEqual(decode_control(b'{"exit": 3}').exit, 3)
        self.assertEqual(decode_control(b'{"met": {"mode": "v1", "from": "x"}}').met, Met("v1", "x"))

    def test_unknown_keys(self) -> None:
        """Unknown keys are ignored, so that later versions may say more."""
        self.assertEqual(decode_control(b'{"ack": 17, "eof": false, "x": {"y": []}}'), Control())

    def test_no_message(self) -> None:
        """What is no JSON object, or means nothing possible, is refused with 1002."""
        for message in (
            b"",
            b"[]",
            b"1",
            b"{",
            b'{"eof": 1}',
            b'{"resize": [0, 24]}',
            b'{"resize": [80]}',
            b'{"resize": [80, 10001]}',
            b'{"resize": ["80", "24"]}',
            b'{"exit": "x"}',
            b'{"exit": -1}',
            b'{"exit": 256}',
            b'{"exit": 99999999999999999999}',
            b'{"met": {"mode": "v2"}}',
            b'{"met": {"mode": "v1", "from": "a b"}}',
            b'{"met": {"mode": "v1", "from": "\\u001b[2J"}}',
            b'{"met": {}}',
            b"{}{}",
        ):
            self.assertEqual(self.assertRaises(PeerError, decode_control, message).code, 1002, message)

    def test_bad_utf8(self) -> None:
        """What is not UTF-8 is refused with 1007."""
        for message in (b"\xff", b'{"eof": "\xff"}', b'{"met": {"mode": "\xc3"}}'):
            self.assertEqual(self.assertRaises(PeerError, decode_control, message).code, 1007, message)

    def test_round_trip(self) -> None:
        """What we encode is read back, and says no more than it must."""
        for control in (Control(eof=True), Control(resize=(1, 10000)), Control(exit=0), Control(met=Met("raw", "a"))):
            self.assertEqual(decode_control(codec.encode(control)), control)
        self.assertEqual(codec.encode(Control(eof=True)), EOF_MESSAGE)

    @examples(200)
    @given(st.binary(max_size=60))
    def test_anything(self, message: bytes) -> None:
        """Any bytes are a control message or a `PeerError`, never another error."""
        try:
            self.assertIsInstance(decode_control(message), Control)
        except PeerError as error:
            self.assertIn(error.code, (1002, 1007))


class Printable(SynchronousTestCase):
    """A stranger's words."""

    def test_printable(self) -> None:
        """What controls a terminal or ends a line is replaced; other words stay, up to 200 characters."""
        self.assertEqual(printable("größer\x1b[2J\r\n\x07\x9b\u202e\u2028\x85!"), "größer?[2J???????!")
        self.assertEqual(len(printable("x" * 1000)), 200)

    def test_ending(self) -> None:
        """An outcome's text is printable, whatever its reason is."""
        self.assertEqual(str(Outcome(4711, "a\nb")), "4711 a?b")


class Outcomes(SynchronousTestCase):
    """Close codes in words."""

    def test_all_explained(self) -> None:
        """Every close code has its explanation, and nothing else has."""
        self.assertEqual(set(EXPLAIN), set(CloseCode))

    def test_clean(self) -> None:
        """Only 1000 is a clean outcome."""
        self.assertTrue(FINISHED.clean)
        self.assertEqual([code for code in CloseCode if Outcome(code).clean], [CloseCode.FINISHED])

    def test_words(self) -> None:
        """An outcome is told by its number, its meaning and its reason, each once, for unknown codes too."""
        self.assertEqual(str(outcome(CloseCode.OPERATOR)), "4006 ended by an operator")
        self.assertEqual(str(outcome(CloseCode.LEG_LOST, "why")), "4005 lost the connection to the other side: why")
        self.assertEqual(str(Outcome(4321, "why")), "4321 why")


class Names(SynchronousTestCase):
    """Names of hosts, targets, tokens."""

    def test_hosts(self) -> None:
        """A host is letters, digits, _ and - with single dots between: nothing else that a subject is made of."""
        longest = ".".join(["x" * 62] * 4)  # 251
        for name in ("a", "web-1", "A_b", "x" * 64, "a.b", "web-1.dc2.example.com", "_.-", "10.0.0.1", f"{longest}.y"):
            self.assertTrue(is_host(name), name)
        for name in ("", "x" * 65, "a*", ">", "a b", "a\n", "é", "a/b", "a:b", f"a.{'x' * 65}", f"{longest}.yz"):
            self.assertFalse(is_host(name), name)
        for name in (".", "..", ".a", "a.", "a..b", "..a", "a.b.", "a.b.\n", "a.*", "a.>", "a.é"):
            self.assertFalse(is_host(name), name)

    def test_targets(self) -> None:
        """A target's name is of safe characters, with single slashes inside, at most 256 long."""
        for name in ("log", "vm/web-1/console", "user@host:22", "a.b+c", "/".join("abcdefgh")):
            self.assertTrue(is_target(name), name)
        for name in ("", "/a", "a/", "a//b", "a b", "a\n", "é", "a{b}", "/".join("abcdefghi"), "x" * 129, "a\0"):
            self.assertFalse(is_target(name), name)
        self.assertFalse(is_target("/".join(["x" * 100] * 3)))

    def test_opaque(self) -> None:
        """An opaque token is 22 to 256 of A-Za-z0-9_-."""
        self.assertTrue(is_opaque("aZ09_-" + "x" * 16))
        self.assertTrue(is_opaque("x" * 256))
        for token in ("x" * 21, "x" * 257, "x" * 22 + "\n", "x" * 22 + ".", "é" * 22):
            self.assertFalse(is_opaque(token), token)

    def test_loopback(self) -> None:
        """Only names of the machine itself are loopback, not those that look like it."""
        for host in ("localhost", "127.0.0.1", "127.1.2.3", "::1"):
            self.assertTrue(is_loopback(host), host)
        others = ["", "localhost.example", "127.0.0.1.example", "1127.0.0.1", "0.0.0.0", "128.0.0.1", "127.0.0.1\n"]
        for host in (*others, "127.999.1.1", "127.0.0.01", "127.0.0.\u0661", "::1%eth0", "127.1"):
            self.assertFalse(is_loopback(host), host)

    def test_subjects(self) -> None:
        """Each host has subjects of its own, of as many parts whatever dots its name has."""
        self.assertEqual(open_subject("web-1"), "streamrelay.v1.host.web-1.open")
        self.assertEqual(end_subject("web-1"), "streamrelay.v1.host.web-1.end")
        self.assertEqual(event_subject("web-1", "up"), "streamrelay.v1.event.web-1.up")
        self.assertEqual(open_subject("a.b.c"), "streamrelay.v1.host.a:b:c.open")
        self.assertEqual(streams_subject("a.b"), "streamrelay.v1.host.a:b.streams")
        self.assertEqual(event_subject("a.b", "up"), "streamrelay.v1.event.a:b.up")

    @examples(200)
    @given(HOSTS, HOSTS)
    def test_subject_parts(self, host: str, other: str) -> None:
        """Every host is one part of a subject, the name itself where that has no dot, and no two hosts are the same."""
        self.assertTrue(is_host(host))
        part = subject_part(host)
        self.assertRegex(part, r"\A[A-Za-z0-9_:-]+\Z")
        self.assertEqual(host_of(part), host)
        self.assertEqual(part == host, "." not in host)
        self.assertEqual(part == subject_part(other), host == other)


class Messages(SynchronousTestCase):
    """What comes over the bus."""

    def test_summons(self) -> None:
        """A summons is read from JSON and from claims alike, with unknown keys ignored."""
        summons = codec.convert({**SUMMONS, "role": "summons"}, Summons)
        self.assertEqual(codec.decode(codec.encode(SUMMONS), Summons), summons)
        self.assertEqual((summons.user, summons.links), ("", 1))

    def test_bad_summons(self) -> None:
        """A summons with an impossible part is a `ValueError`, by both ways."""
        for change in (
            {"stream": "short"},
            {"stream": "s" * 22 + "\n"},
            {"target": "../x y"},
            {"target": "x" * 300},
            {"relay": "http://relay"},
            {"relay": "wss://re lay"},
            {"relay": "wss://relay\r\n"},
            {"jti": "short"},
            {"exp": "soon"},
            {"links": -1},
            {"links": 33},
            {"links": "1"},
            {"token": "x" * 9000},
            {"user": "x" * 300},
            {"view": 1},
            {"place": "a b"},
            {"place": "x" * 257},
            {"after": -1},
            {"lines": -1},
            {"lines": 100_001},
        ):
            self.assertRaises(ValueError, codec.convert, {**SUMMONS, **change}, Summons)
            self.assertRaises(ValueError, codec.decode, codec.encode({**SUMMONS, **change}), Summons)
        for key in SUMMONS:
            without = {name: value for name, value in SUMMONS.items() if name != key}
            self.assertRaises(ValueError, codec.convert, without, Summons)

    @examples(100)
    @given(st.binary(max_size=60))
    def test_anything(self, data: bytes) -> None:
        """Any bytes are an answer or a `ValueError`, never another error."""
        try:
            self.assertIsInstance(codec.decode(data, Answer), Answer)
        except ValueError:
            pass


class Odd(SynchronousTestCase):
    """Messages that are odd beyond their meaning."""

    def test_bad_utf8_in_what_is_ignored(self) -> None:
        """What is not UTF-8 is refused with 1007 within unknown keys too, as it would be passed on."""
        for message in (b'{"x": "\xff"}', b'{"\xc3": 1}', b'{"x": ["\xe2\x28"]}'):
            self.assertEqual(self.assertRaises(PeerError, decode_control, message).code, 1007, message)

    def test_deep_control(self) -> None:
        """A control message of thousands of nested brackets is refused with 1002 like any other that means nothing.

        How deep a message may be is Python's affair: from 3.13 on, 10,000.
        """
        message = b'{"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
        self.assertEqual(self.assertRaises(PeerError, decode_control, message).code, 1002)

    def test_deep_message(self) -> None:
        """A message of thousands of nested brackets is a `ValueError`."""
        self.assertRaises(ValueError, codec.decode, b'{"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}", Answer)
