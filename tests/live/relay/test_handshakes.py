"""The opening handshake at a real relay, byte by byte, and what a leg may not do before it is paired."""

import contextlib
import time

from streamrelay.protocol.tokens import new_id
from tests.documented import HANDSHAKE_TIME
from tests.live.relay.handshakes import ORIGIN, SLOW, TABLES, Row
from tests.live.support.case import LiveTest
from tests.live.support.chain import shared
from tests.live.support.pace import LATE, Stopwatch
from tests.live.support.raw import NONCE, TOKEN, RawLeg, RawSocket, accept, close, frame, request
from tests.live.support.waiting import WAIT

SETTINGS = {"alone": True, "tokens": "opaque", "relay": (f"--origin={ORIGIN}",)}


class Handshake(LiveTest):
    """A relay with opaque tokens, and a pair of legs that must not notice what strangers do."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared(**SETTINGS)
        token = new_id()
        self.neighbours = [self.leg("agent", token), self.leg("client", token)]
        self.count = 0

    def tearDown(self) -> None:
        self.assertNotIn("Traceback", self.common.relay.log)

    def leg(self, role: str, token: str, mode: str = "v1") -> RawLeg:
        leg = RawLeg(self.common, role, token, mode)
        self.addCleanup(leg.drop)
        return leg

    def dial(self, source: str = "127.0.0.1") -> RawSocket:
        stranger = RawSocket(self.common.relay_port, source)
        self.addCleanup(stranger.drop)
        return stranger

    def assert_well(self, what: str) -> None:
        """The relay lives, and the neighbours' bytes go both ways."""
        self.count += 1
        words = b"words %d;" % self.count
        for speaker, listener in (self.neighbours, self.neighbours[::-1]):
            speaker.send(frame(2, words))
            listener.read_until(words)
        self.assertTrue(self.common.relay.alive, what)


class Requests(Handshake):
    """Every row of `handshakes.TABLES`: its bytes, and the status that answers them."""

    def row(self, row: Row) -> str:
        """What is wrong with the answer; empty if nothing is."""
        stranger = self.dial()
        stranger.send(row.sent.replace(TOKEN.encode(), new_id().encode()))
        status, head = stranger.answer()
        wrong = []
        if status != row.status:
            wrong.append(f"{status} instead of {row.status}: {head!r}")
        if row.head not in head:
            wrong.append(f"no {row.head!r} in {head!r}")
        if status == 101 and "Extensions" in head:
            wrong.append("an extension was agreed")
        if status == 101 and NONCE.encode() in row.sent and accept(NONCE) not in head:
            wrong.append(f"a wrong accept: {head!r}")
        if status not in (0, 101):
            while not stranger.ended():
                pass
            if stranger.buffer.count(b"\n") != 1:
                wrong.append(f"no single line and end after {head!r}: {stranger.buffer!r}")
        stranger.drop()
        return f"{row.name}: {'; '.join(wrong)}" if wrong else ""

    def table(self, name: str) -> None:
        wrong = []
        for row in TABLES[name]:
            wrong.append(self.row(row))
            self.assert_well(row.name)
        self.assertEqual([fault for fault in wrong if fault], [])

    def test_request_lines(self) -> None:
        """Methods but GET are answered 405, versions but 1.1 505 (1.0: 426), and what is no request line 400."""
        self.table("request lines")

    def test_paths(self) -> None:
        """Only /client and /agent are there; a token that isn't one is 401, a path that is malformed 400."""
        self.table("paths")

    def test_tokens(self) -> None:
        """One token, in the path, a subprotocol or a header, lets a leg in."""
        self.table("tokens")

    def test_headers(self) -> None:
        """Each header that RFC 6455 §4.2.1 wants must be there once, well formed, in any case."""
        self.table("headers")

    def test_keys(self) -> None:
        """A key is 16 bytes in base64, and is answered by its accept."""
        self.table("keys")

    def test_subprotocols(self) -> None:
        """streamrelay.v1 is chosen if it is offered, else binary, else none."""
        self.table("subprotocols")

    def test_extensions(self) -> None:
        """No extension is agreed, whatever is offered; a malformed offer is refused."""
        self.table("extensions")

    def test_origins(self) -> None:
        """An Origin but the allowed one is 403, however alike it looks."""
        self.table("origins")

    def test_lines(self) -> None:
        """Folded lines, control characters, odd names and bodies are 400."""
        self.table("lines")

    def test_sizes(self) -> None:
        """A request of 16 KiB is taken, one byte more is 431."""
        self.table("sizes")

    def test_pipelined(self) -> None:
        """What follows a request before its 101 cuts the connection."""
        self.table("pipelined")

    def test_distinct(self) -> None:
        """There are hundreds of rows, and none stands there twice."""
        rows = [row for table in TABLES.values() for row in table]
        self.assertEqual(len({row.sent for row in rows}) + 1, len(rows))  # the good one is in two tables
        self.assertGreater(len(rows), 300)
        print(f"figure: {len(rows)} opening requests, each with its status")


class Pieces(Handshake):
    """A request that comes in pieces."""

    def test_every_split(self) -> None:
        """A request that comes in two pieces, split at any byte, is answered as a whole one."""
        whole = request(Sec_WebSocket_Protocol="binary")
        left = list(range(1, len(whole)))
        while left:
            left = self.split(whole, left)
        self.assert_well("split")

    def split(self, whole: bytes, positions: list[int]) -> list[int]:
        """Send a request in two pieces for each of these splits; give those for which this was too late."""
        strangers, late = [], []
        for position in positions:
            passed = Stopwatch()
            stranger = self.dial(f"127.0.1.{position % 200 + 1}")  # as one address may not have so many at once
            data = whole.replace(TOKEN.encode(), new_id().encode())
            stranger.send(data[:position])
            strangers.append((position, stranger, data[position:], passed))
        time.sleep(0.05)  # the relay has read the first pieces
        for position, stranger, rest, passed in strangers:
            if self.finished(stranger, rest, passed):
                continue
            late.append(position)
        return late

    def finished(self, stranger: RawSocket, rest: bytes, passed: Stopwatch) -> bool:
        """Send what is left of a request, and see it let in; False if its time was over by then."""
        with contextlib.suppress(ConnectionError):
            stranger.send(rest)
        status = stranger.answer()[0]
        if status == 0 and passed() > HANDSHAKE_TIME:
            return False
        self.assertEqual(status, 101, rest)
        return True

    def test_byte_by_byte(self) -> None:
        """A request of single bytes is answered as a whole one."""
        pause, whole = 0.001, False
        while not whole:
            passed, stranger = Stopwatch(), self.dial()
            *begin, last = (bytes([byte]) for byte in request().replace(TOKEN.encode(), new_id().encode()))
            with contextlib.suppress(ConnectionError):
                for byte in begin:
                    stranger.send(byte)
                    time.sleep(pause)
            whole, pause = self.finished(stranger, last, passed), 0.0

    def test_slow(self) -> None:
        """What is no whole request after 5 s is cut, without an answer."""
        passed = Stopwatch()
        strangers = {name: self.dial() for name in SLOW}
        for name, stranger in strangers.items():
            stranger.send(SLOW[name])
        self.assert_well("slow")
        for name, stranger in strangers.items():
            self.assertEqual(stranger.answer(), (0, ""), name)
            self.assertTrue(passed() > HANDSHAKE_TIME - 0.5 and passed.fair < HANDSHAKE_TIME + LATE, name)
        self.assert_well("cut")


class Unread(Handshake):
    """A leg that waits isn't read."""

    def test_waits(self) -> None:
        """Whatever a leg sends while it waits is neither answered nor punished, until the other leg has come."""
        rows = {
            "a ping": (frame(9, b"?"), None),
            "bytes": (frame(2, b"early"), None),
            "a reserved bit": (frame(2, b"x", reserved=4), 1002),
            "no mask": (frame(2, b"x", key=None), 1002),
            "garbage": (b"\xff" * 1000, 1002),
            "a frame that is too big": (b"\x82\xff" + (1 << 40).to_bytes(8, "big") + bytes(4), 1009),
            "a close": (close(1000), 1000),
        }
        for role, other in (("client", "agent"), ("agent", "client")):
            waiting = {name: (self.leg(role, token := new_id()), token) for name in rows}
            for name, (leg, _) in waiting.items():
                leg.send(rows[name][0])
            time.sleep(0.2)
            for name, (leg, token) in waiting.items():
                leg.socket.setblocking(False)
                self.assertRaises(BlockingIOError, leg.socket.recv, 1)
                leg.socket.settimeout(WAIT)
                self.leg(other, token)
                code = rows[name][1]
                if code is not None:
                    self.assertEqual(int.from_bytes(leg.closed()[:2], "big"), code, f"{role}: {name}")
                elif name == "a ping":
                    while not leg.pongs:
                        leg.read()
            self.assert_well(role)
