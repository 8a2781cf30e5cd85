"""splice.py: two connections joined."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.datapath.connection import Connection
from streamrelay.datapath.splice import Half, Splice
from streamrelay.protocol.close import FINISHED, CloseCode, outcome
from tests.documented import IN_ONE_DIRECTION, READ
from tests.examples import examples, there
from tests.fakes.connections import FakeConnection

HIGH = IN_ONE_DIRECTION - READ
"""Bytes that may be unsent while a source is still read."""


class Joined(SynchronousTestCase):
    """A splice of two fakes."""

    def setUp(self) -> None:
        self.near, self.far = FakeConnection(), FakeConnection()
        self.ends: list[Splice] = []
        self.splice = Splice(self.near, self.far, self.ends.append)
        self.splice.start()

    def test_both_ways(self) -> None:
        """What comes out of one connection goes into the other and vice versa, and is counted."""
        self.near.receive(b"up")
        self.far.receive(b"down!")
        self.assertEqual((bytes(self.far.sent), bytes(self.near.sent)), (b"up", b"down!"))
        self.assertEqual((self.splice.outward.count, self.splice.inward.count), (2, 5))

    def test_control(self) -> None:
        """Control messages pass in order with the bytes."""
        self.near.receive(b"a")
        self.near.feed.control(b"{}")
        self.near.receive(b"b")
        self.assertEqual(self.far.order, ["bytes", "control", "bytes"])
        self.assertEqual(self.far.controls, [b"{}"])

    def test_backpressure(self) -> None:
        """A source isn't read from the moment its sink holds over 64 KiB until all of that is out."""
        self.far.slow = True
        self.near.receive(b"x" * HIGH)
        self.assertFalse(self.near.paused)
        self.near.receive(b"x")
        self.assertTrue(self.near.paused)
        self.assertFalse(self.far.paused)
        self.far.drain()
        self.assertFalse(self.near.paused)

    def test_given_halves(self) -> None:
        """A splice passes bytes through the halves that it was given a factory for, each of them made once."""
        made: list[Half] = []

        def half(splice: Splice, source: Connection, sink: Connection) -> Half:
            made.append(Half(splice, source, sink, count=100))
            return made[-1]

        near, far = FakeConnection(), FakeConnection()
        splice = Splice(near, far, self.ends.append, half)
        splice.start()
        near.receive(b"up")
        self.assertEqual((made, splice.outward.count), ([splice.outward, splice.inward], 102))
        self.assertEqual([(half.source, half.sink) for half in made], [(near, far), (far, near)])

    def test_half_close(self) -> None:
        """An end of file goes through once, and the other direction goes on to its own end, which ends the splice."""
        self.near.feed.eof()
        self.near.feed.eof()
        self.assertEqual(self.far.order, ["eof"])
        self.far.receive(b"still")
        self.assertEqual(bytes(self.near.sent), b"still")
        self.assertIsNone(self.near.closed)
        self.far.feed.eof()
        self.assertTrue(self.near.eof_sent)
        self.assertEqual((self.near.closed, self.far.closed), (FINISHED, FINISHED))

    def test_one_ends(self) -> None:
        """When a connection is over the other is closed for the same reason, and the first is told nothing."""
        why = outcome(CloseCode.TARGET_RESET)
        self.far.end(why)
        self.assertEqual(self.near.closed, why)
        self.assertIsNone(self.far.closed)
        self.assertEqual(self.splice.outcome, why)

    def test_first_reason_counts(self) -> None:
        """The first reason of an end stays the outcome."""
        self.far.end(outcome(CloseCode.TARGET_RESET))
        self.near.end(outcome(CloseCode.LEG_LOST))
        self.assertEqual(there(self.splice.outcome).code, CloseCode.TARGET_RESET)

    def test_told_to_end(self) -> None:
        """A splice that is ended from outside closes both connections with that ending."""
        why = outcome(CloseCode.OPERATOR)
        self.splice.end(why)
        self.assertEqual((self.near.closed, self.far.closed), (why, why))

    def test_ended_once(self) -> None:
        """The end is told once, when both connections are gone."""
        self.near.lose()
        self.assertEqual(self.ends, [])
        self.far.lose()
        self.assertEqual(self.ends, [self.splice])

    def test_sudden_close(self) -> None:
        """A connection that is gone as soon as it is closed ends the splice as well, once."""
        self.far.sudden = True
        self.near.lose(outcome(CloseCode.LEG_LOST))
        self.assertEqual(self.ends, [self.splice])
        self.assertEqual(there(self.splice.outcome).code, CloseCode.LEG_LOST)

    def test_end_lifts_backpressure(self) -> None:
        """A source that was paused for its sink is read again when the sink ends, so that its own end is noticed."""
        self.far.slow = True
        self.near.receive(b"x" * (HIGH + 1))
        self.assertTrue(self.near.paused)
        self.far.end()
        self.assertFalse(self.near.paused)

    def test_abort(self) -> None:
        """An aborted splice aborts both connections."""
        self.splice.abort()
        self.assertTrue(self.near.aborted and self.far.aborted)


class LostBefore(SynchronousTestCase):
    """Connections that were lost before they were joined."""

    def test_either(self) -> None:
        """A connection that was lost before ends the splice as it starts, and the other one is closed."""
        for lost in (0, 1):
            pair = (FakeConnection(), FakeConnection())
            pair[lost].lose()
            ends: list[Splice] = []
            splice = Splice(*pair, ends.append)
            splice.start()
            self.assertEqual(pair[1 - lost].closing.code, CloseCode.LEG_LOST)
            pair[1 - lost].lose()
            self.assertEqual(ends, [splice])

    def test_both(self) -> None:
        """When both were lost before, the splice is over as soon as it starts."""
        pair = (FakeConnection(lost=True), FakeConnection(lost=True))
        ends: list[Splice] = []
        Splice(*pair, ends.append).start()
        self.assertEqual(len(ends), 1)


BIGGEST = 70_000
steps = st.tuples(
    st.integers(0, 1),
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from([1, 100, 30_000, BIGGEST])),
        st.sampled_from([("drain",), ("eof",), ("slow",)]),
    ),
)
last_steps = st.tuples(st.integers(0, 1), st.sampled_from(["eofs", "end", "lose", "operator"]))


class Histories(SynchronousTestCase):
    """Random lives of a splice."""

    @examples(200)
    @given(st.lists(steps, max_size=40), last_steps)
    def test_any(self, history: list[tuple[int, tuple[Any, ...]]], last: tuple[int, str]) -> None:
        """Bytes out are a prefix of bytes in, bounded while the source honours a pause, and all in the end."""
        pair = (FakeConnection(), FakeConnection())
        ends: list[Splice] = []
        splice = Splice(*pair, ends.append)
        splice.start()
        given_in = [bytearray(), bytearray()]
        eof = [False, False]

        def write(side: int, size: int) -> None:
            source = pair[side]
            if source.paused or eof[side]:
                return
            data = (bytes(range(256)) * (size // 256 + 2))[len(given_in[side]) % 256 :][:size]
            given_in[side] += data
            source.receive(data)

        def check() -> None:
            for side in (0, 1):
                sink = pair[1 - side]
                out = bytes(sink.sent + sink.queue)
                self.assertEqual(out, bytes(given_in[side]))
                self.assertTrue(given_in[side].startswith(sink.sent))
                self.assertLessEqual(sink.unsent, HIGH + BIGGEST)
                if sink.unsent == 0 and not splice.outcome:
                    self.assertFalse(pair[side].paused)

        for side, (step, *size) in history:
            if step == "write":
                write(side, *size)
            elif step == "drain":
                pair[side].drain()
            elif step == "slow":
                pair[side].slow = True
            elif step == "eof" and not eof[side]:
                eof[side] = True
                pair[side].feed.eof()
            check()
        side, how = last
        if splice.outcome is None:
            if how == "eofs":
                for each in (0, 1):
                    if not eof[each]:
                        pair[each].feed.eof()
            elif how == "end":
                pair[side].end()
            elif how == "lose":
                pair[side].lose(outcome(CloseCode.LEG_LOST))
            else:
                splice.end(outcome(CloseCode.OPERATOR))
        self.assertIsNotNone(splice.outcome)
        for each in (0, 1):
            if how == "eofs" or each != side:
                self.assertIsNotNone(pair[each].closed)
                pair[each].drain()
                self.assertEqual(bytes(pair[each].sent), bytes(given_in[1 - each]))
        for connection in pair:
            if not connection.lost:
                connection.lose()
        self.assertEqual(ends, [splice])
