"""limits.py: a stream held to its idle time, its lifetime and its quota."""

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.datapath.connection import HIGH
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.datapath.limits import Bounds, first
from streamrelay.datapath.splice import Half, Splice
from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.protocol.limits import Limits, strictest
from tests.documented import BEAT
from tests.examples import examples, there
from tests.fakes.connections import FakeConnection, FakeSplice
from tests.fakes.frames import cut


class Case(SynchronousTestCase):
    """Splices of fakes, held to limits."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.heartbeat = Heartbeat(self.clock)
        self.ends: list[Splice] = []

    def bounds(self, **limits: Any) -> Bounds:
        return Bounds(Limits(**limits), self.clock, self.heartbeat)

    def held(self, bounds: Bounds) -> FakeSplice:
        splice = bounds.splice(FakeConnection(), FakeConnection(), self.ends.append)
        splice.start()
        return cast(FakeSplice, splice)

    def assert_ended(self, splice: FakeSplice, code: int) -> None:
        """Both ends were closed with this code, once, and the same reason."""
        self.assertEqual({splice.near.closed, splice.far.closed}, {splice.outcome})
        self.assertEqual((there(splice.outcome).code, splice.near.closes, splice.far.closes), (code, 1, 1))
        self.assertTrue(there(splice.outcome).reason)


class Strictest(SynchronousTestCase):
    """Limits from several places."""

    def test_least_of_each(self) -> None:
        """Of each limit the least that is set counts, and what nobody sets is none."""
        self.assertEqual(strictest(), Limits())
        self.assertEqual(
            strictest(Limits(idle=60, quota=5), Limits(idle=30, lifetime=9), Limits()),
            Limits(idle=30, lifetime=9, quota=5),
        )

    def test_claims(self) -> None:
        """Only limits that are set become claims."""
        self.assertEqual(Limits(idle=1.5, quota=2).claims(), {"idle": 1.5, "quota": 2})
        self.assertEqual(Limits().claims(), {})


class Idle(Case):
    """Seconds without a byte."""

    def test_ends(self) -> None:
        """A stream without a byte ends with 4008, not before its idle time and at most a beat later."""
        for idle in (1, 5, 12, 60):
            self.setUp()
            splice = self.held(self.bounds(idle=idle))
            self.clock.advance(0.1)
            splice.near.receive(b"x")
            while splice.outcome is None:
                self.clock.advance(0.1)
                self.assertLess(self.clock.seconds(), 2 * BEAT + idle + 0.2)
            self.assertGreaterEqual(self.clock.seconds() - 0.1, idle)
            self.assert_ended(splice, CloseCode.IDLE)

    def test_either_direction(self) -> None:
        """A byte in either direction counts."""
        splice = self.held(self.bounds(idle=10))
        for number in range(20):
            self.clock.advance(8)
            (splice.near if number % 2 else splice.far).receive(b"x")
        self.assertIsNone(splice.outcome)

    def test_control_messages(self) -> None:
        """Control messages are no bytes."""
        splice = self.held(self.bounds(idle=10))
        for _ in range(4):
            self.clock.advance(BEAT)
            splice.near.feed.control(b'{"resize":[80,24]}')
        self.assert_ended(splice, CloseCode.IDLE)

    def test_slow_reader(self) -> None:
        """Whoever still takes what was sent before isn't idle; one who takes nothing is."""
        splice = self.held(self.bounds(idle=10))
        splice.far.slow = True
        splice.near.receive(b"x" * (HIGH + 1))
        for _ in range(20):
            self.clock.advance(BEAT)
            del splice.far.queue[:100]
        self.assertIsNone(splice.outcome)
        self.clock.pump([BEAT] * 3)
        self.assert_ended(splice, CloseCode.IDLE)

    def test_links(self) -> None:
        """A link without a byte lives as long as another of its stream is busy."""
        bounds = self.bounds(idle=10)
        busy, quiet = self.held(bounds), self.held(bounds)
        for _ in range(6):
            self.clock.advance(BEAT)
            busy.near.receive(b"x")
        self.assertEqual((busy.outcome, quiet.outcome), (None, None))
        self.clock.pump([BEAT] * 3)
        self.assert_ended(busy, CloseCode.IDLE)
        self.assert_ended(quiet, CloseCode.IDLE)


class Lifetime(Case):
    """Seconds from the pairing."""

    def test_ends(self) -> None:
        """A stream ends with 4009 when its time is over, however busy, and not before."""
        splice = self.held(self.bounds(lifetime=7.5))
        for _ in range(74):
            self.clock.advance(0.1)
            splice.near.receive(b"x")
        self.assertIsNone(splice.outcome)
        self.clock.advance(0.2)
        self.assert_ended(splice, CloseCode.LIFETIME)

    def test_later_links(self) -> None:
        """A later link has what is left of its stream's time, though nobody was there in between."""
        bounds = self.bounds(lifetime=10)
        splice = self.held(bounds)
        self.clock.advance(4)
        splice.near.lose()
        splice.far.lose()
        self.clock.advance(4)
        later = self.held(bounds)
        self.clock.advance(2)
        self.assert_ended(later, CloseCode.LIFETIME)
        last = self.held(bounds)
        self.clock.advance(0)
        self.assert_ended(last, CloseCode.LIFETIME)


class Ends(Case):
    """What stays of a limit."""

    def test_nothing_stays(self) -> None:
        """A stream that ends by itself leaves no timer and no member of the heartbeat, and its end is told once."""
        splice = self.held(self.bounds(idle=60, lifetime=60, quota=60))
        self.assertEqual(len(self.clock.getDelayedCalls()), 2)
        splice.near.lose()
        splice.far.lose()
        self.assertEqual(self.ends, [splice])
        self.assertEqual((self.clock.getDelayedCalls(), self.heartbeat.members), ([], {}))

    def test_no_limits(self) -> None:
        """A stream without limits is left as it is."""
        splice = self.held(self.bounds())
        self.assertEqual((type(splice.outward), type(splice.inward)), (Half, Half))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_first_reason(self) -> None:
        """A stream that is ending for another reason keeps that, whatever limit it reaches meanwhile."""
        splice = self.held(self.bounds(idle=5, lifetime=5, quota=5))
        splice.end(outcome(CloseCode.OPERATOR))
        splice.near.receive(b"more than 5")
        self.clock.pump([BEAT] * 4)
        self.assert_ended(splice, CloseCode.OPERATOR)


pieces = st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=40), st.lists(st.integers(0, 40), max_size=3)))


class Quota(Case):
    """Bytes of both directions together."""

    def test_exactly(self) -> None:
        """A stream that carries its whole quota and no more goes on; one byte more ends it with 4011."""
        splice = self.held(self.bounds(quota=10))
        splice.near.receive(b"12345")
        splice.far.receive(b"67890")
        self.assertIsNone(splice.outcome)
        splice.far.receive(b"x")
        self.assert_ended(splice, CloseCode.QUOTA)
        self.assertEqual((bytes(splice.far.sent), bytes(splice.near.sent)), (b"12345", b"67890"))
        self.assertEqual((splice.outward.count, splice.inward.count), (5, 5))

    def test_cut(self) -> None:
        """A read that goes over is cut at the byte, and what fits goes out before the close."""
        splice = self.held(self.bounds(quota=3))
        splice.near.receive(b"12345")
        self.assertEqual((bytes(splice.far.sent), splice.far.order), (b"123", ["bytes", "close"]))

    def test_links(self) -> None:
        """All links of a stream use up one quota, one after the other too, and end together."""
        bounds = self.bounds(quota=10)
        gone, one, two = (self.held(bounds) for _ in range(3))
        gone.near.receive(b"1234")
        gone.near.lose()
        gone.far.lose()
        one.near.receive(b"5678")
        two.near.receive(b"90x")
        self.assertEqual(bytes(two.far.sent), b"90")
        self.assert_ended(one, CloseCode.QUOTA)
        self.assert_ended(two, CloseCode.QUOTA)

    @examples(200)
    @given(st.integers(1, 120), pieces)
    def test_whatever_the_splits(self, quota: int, history: list[tuple[int, bytes, list[int]]]) -> None:
        """Bytes out are exactly the first min(quota, in), each way in order, whatever the reads and views."""
        self.setUp()
        splice = self.held(self.bounds(quota=quota))
        ends = (splice.near, splice.far)
        wanted, left, over = [b"", b""], quota, False
        for side, data, places in history:
            views = [memoryview(bytearray(piece)) for piece in cut(data, places)]
            ends[side].feed.received(views, len(data))
            wanted[side] += data[:left]
            over = over or len(data) > left
            left -= min(left, len(data))
        self.assertEqual([bytes(splice.far.sent), bytes(splice.near.sent)], wanted)
        self.assertEqual(splice.outward.count + splice.inward.count, quota - left)
        self.assertEqual(splice.outcome is not None, over)
        if over:
            self.assert_ended(splice, CloseCode.QUOTA)

    @examples(100)
    @given(st.binary(min_size=1, max_size=50), st.lists(st.integers(0, 50), max_size=6), st.integers(1, 50))
    def test_first(self, data: bytes, places: list[int], size: int) -> None:
        """The first bytes of some views are those of all of them joined."""
        size = min(size, len(data))
        views = [memoryview(piece) for piece in cut(data, places)]
        self.assertEqual(b"".join(first(views, size)), data[:size])
