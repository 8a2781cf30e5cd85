"""Frames at a real relay, byte by byte, on either leg of a pair: what its sender is told, and what the other gets."""

import time
from itertools import product

from streamrelay.protocol.tokens import new_id
from tests.documented import FAILED_TIME
from tests.live.relay import framings, messages
from tests.live.relay.framings import Row
from tests.live.support.case import LiveTest
from tests.live.support.chain import shared
from tests.live.support.pace import LATE, Stopwatch
from tests.live.support.raw import BINARY, CLOSE, PING, TEXT, RawLeg, close, frame

END = b"<end>"
"""Bytes that follow a row which its leg survives."""
BEFORE = b"<before>"
"""Bytes that precede a row."""


class Frames(LiveTest):
    """Every row of the tables, on the client's leg and on the agent's, in each mode."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared(alone=True, tokens="opaque")
        self.neighbours = self.pair("client", "v1")
        self.count = 0

    def tearDown(self) -> None:
        self.assertNotIn("Traceback", self.common.relay.log)

    def pair(self, role: str, mode: str) -> tuple[RawLeg, RawLeg]:
        """Two legs that have met; the first one is the client's or the agent's, as `role` says."""
        token = new_id()
        agent = RawLeg(self.common, "agent", token, mode)
        client = RawLeg(self.common, "client", token, mode)
        self.addCleanup(agent.drop)
        self.addCleanup(client.drop)
        return (client, agent) if role == "client" else (agent, client)

    def assert_well(self, what: str) -> None:
        """The relay lives, and the neighbours' bytes go both ways."""
        self.count += 1
        words = b"words %d;" % self.count
        for speaker, listener in (self.neighbours, self.neighbours[::-1]):
            speaker.send(frame(BINARY, words))
            listener.read_until(words)
        self.assertTrue(self.common.relay.alive, what)

    def row(self, row: Row, role: str, mode: str) -> None:
        """Send a row between other bytes, and look at both legs."""
        near, far = self.pair(role, mode)
        near.send(
            frame(BINARY, BEFORE) + row.sent + (frame(BINARY, END) if row.code is None and not row.inside else b"")
        )
        if row.code is None:
            far.read_until(BEFORE + row.passed + (b"" if row.inside else END))
            far.send(frame(BINARY, END))
            near.read_until(END)
            self.assertEqual(near.bytes, END)
            self.assertEqual(far.bytes, BEFORE + row.passed + (b"" if row.inside else END))
        else:
            self.assertEqual(int.from_bytes(near.closed()[:2], "big"), row.code)
            self.assertEqual(int.from_bytes(far.closed()[:2], "big"), row.other)
            self.assertEqual(far.bytes, BEFORE + row.passed)
        self.assertEqual(tuple(near.pongs), row.pongs)
        self.assertEqual((tuple(near.texts), tuple(far.texts)), ((), row.texts))
        near.drop()
        far.drop()

    def table(self, rows: list[Row]) -> None:
        wrong = []
        for row, role, mode in product(rows, ("client", "agent"), ("v1", "raw")):
            if mode not in row.modes:
                continue
            try:
                self.row(row, role, mode)
            except (AssertionError, EOFError, OSError) as error:
                wrong.append(f"{row.name}, {role}'s leg, {mode}: {str(error)[:300]}")
            self.assert_well(row.name)
        self.assertEqual(wrong, [])

    def test_lengths(self) -> None:
        """Lengths in their shortest form pass, others are 1002; over 1 GiB 1009."""
        self.table(framings.LENGTHS)

    def test_headers(self) -> None:
        """Reserved bits, unknown opcodes and frames without a mask are 1002, and what came before them passes."""
        self.table(framings.HEADERS)

    def test_control_frames(self) -> None:
        """Pings are answered wherever they stand; control frames that are long or fragmented are 1002."""
        self.table(framings.CONTROL_FRAMES)

    def test_fragments(self) -> None:
        """Fragments pass as they come; continuations of nothing and messages within others are 1002."""
        self.table(framings.FRAGMENTS)

    def test_closes(self) -> None:
        """A close is repeated, and means to the other leg what protocol.rst says; one that may not be sent is 1002."""
        self.table(framings.CLOSES)

    def test_utf8(self) -> None:
        """Raw text is passed on if it is UTF-8, wherever it is cut, and 1007 if it isn't."""
        self.table(messages.UTF8)

    def test_control_messages(self) -> None:
        """Control messages pass as they are; what is none is 1002, 1007 or 1009, too many of them 1008."""
        self.table(messages.CONTROL_MESSAGES)

    def test_distinct(self) -> None:
        """There are hundreds of rows, and none stands there twice."""
        rows = [row for module in (framings, messages) for table in module.TABLES.values() for row in table]
        self.assertEqual(len({(row.sent, row.modes) for row in rows}), len(rows))
        self.assertGreater(len(rows), 300)
        runs = sum(2 * len(row.modes) for row in rows)
        print(f"figure: {len(rows)} sequences of frames, {runs} runs on both legs in both modes")

    def test_every_split(self) -> None:
        """A conversation that is cut at any byte means the same."""
        sent = (
            frame(BINARY, b"one") + frame(PING, b"?") + frame(BINARY, b"x" * 130, final=False) + frame(0, b"three")
            + frame(TEXT, b'{"a":1}') + close(4001, b"why")
        )  # fmt: skip
        pairs = [self.pair("client", "v1") for _ in range(1, len(sent))]
        for position, (near, _) in enumerate(pairs, 1):
            near.send(sent[:position])
        time.sleep(0.05)  # the relay has read the first pieces
        for position, (near, _) in enumerate(pairs, 1):
            near.send(sent[position:])
        for near, far in pairs:
            self.assertEqual(near.closed(), b"\x0f\xa1why")
            self.assertEqual(far.closed(), b"\x0f\xa1why")
            self.assertEqual((far.bytes, far.texts), (b"one" + b"x" * 130 + b"three", [b'{"a":1}']))
            self.assertEqual(near.pongs, [b"?"])

    def test_other_modes(self) -> None:
        """Control messages stop before a raw leg, text of a raw leg comes as bytes, and both go on."""
        for role, texts in (("client", "raw"), ("agent", "raw")):
            token = new_id()
            other = "agent" if role == "client" else "client"
            spoken = RawLeg(self.common, role, token, "v1")
            raw = RawLeg(self.common, other, token, texts)
            self.addCleanup(spoken.drop)
            self.addCleanup(raw.drop)
            spoken.send(frame(TEXT, b'{"resize":[80,24]}') + frame(BINARY, b"bytes"))
            raw.read_until(b"bytes")
            self.assertEqual((raw.bytes, raw.texts), (b"bytes", []))
            raw.send(frame(TEXT, b'{"eof":true}'))
            spoken.read_until(b'{"eof":true}')
            self.assertEqual(spoken.texts, [])

    def test_ping_flood(self) -> None:
        """80 pings at once are answered, the last one in any case; one more ends the stream, at no cost of memory."""
        near, far = self.pair("client", "v1")
        near.send(frame(PING, b"p" * 125) * 79 + frame(PING, b"last") + frame(BINARY, END))
        far.read_until(END)
        while not near.pongs or near.pongs[-1] != b"last":
            near.read()
        before = self.common.relay.rss()
        near.send(frame(PING, b"p" * 125) * 40_000)
        self.assertEqual(near.closed()[:2], (1008).to_bytes(2, "big"))
        self.assertEqual(far.closed()[:2], (4005).to_bytes(2, "big"))
        self.assert_well("flood")
        self.assertLess(self.common.relay.rss() - before, 8)

    def test_answer_is_awaited(self) -> None:
        """After a fault nothing more of the sender is passed on, and it is cut within 2 s though it never answers."""
        near, far = self.pair("client", "v1")
        near.send(frame(3) + frame(BINARY, b"late"))
        self.assertEqual(near.frame()[0], CLOSE)
        passed = Stopwatch()
        self.assertEqual(far.closed()[:2], (4005).to_bytes(2, "big"))
        self.assertEqual(far.bytes, b"")
        while not near.ended():
            near.send(frame(BINARY, b"later"))
        self.assertLess(passed.fair, FAILED_TIME + LATE)
