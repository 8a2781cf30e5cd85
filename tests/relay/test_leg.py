"""leg.py: the life of one websocket at the relay."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.relay.leg import LegCore, make_leg
from tests.examples import there
from tests.fakes.connections import FakeConnection, FakeSplice


class Life(SynchronousTestCase):
    """A leg with a patience of ten seconds."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.said: list[str] = []
        self.connection = FakeConnection()
        self.leg = make_leg(
            LegCore(
                self.clock,
                10.0,
                lambda why: self.said.append(f"withdrawn {why.code}"),
                lambda: self.said.append("lost"),
                lambda: self.said.append("left"),
            )
        )

    def no_timers(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def pair(self) -> FakeSplice:
        splice = FakeSplice(self.connection, FakeConnection(), lambda splice: None)
        self.leg.pair(splice)
        splice.start()
        return splice

    def test_lost_in_greeting(self) -> None:
        """A leg that is lost before its 101 leaves, once."""
        self.leg.connection_lost()
        self.leg.connection_lost()
        self.assertEqual(self.said, ["left"])
        self.no_timers()

    def test_waits_unread(self) -> None:
        """A leg that waits isn't read: nobody has joined its connection."""
        self.leg.open(self.connection)
        self.clock.advance(9.9)
        self.assertIsNone(self.connection.joined)
        self.assertIsNone(self.connection.closed)
        self.assertEqual(self.said, [])

    def test_tires(self) -> None:
        """When its patience is over a leg withdraws, is closed with 4004, and leaves when its connection is gone."""
        self.leg.open(self.connection)
        self.clock.advance(10.0)
        self.assertEqual(self.connection.closing.code, CloseCode.NOBODY_CAME)
        self.assertEqual(self.said, ["withdrawn 4004"])
        self.connection.lose()
        self.assertEqual(self.said, ["withdrawn 4004", "left"])
        self.no_timers()

    def test_bytes_of_a_closing_leg(self) -> None:
        """What a leg sends after it tired goes nowhere."""
        self.leg.open(self.connection)
        self.clock.advance(10.0)
        self.connection.receive(b"x")
        self.connection.feed.control(b"{}")
        self.connection.feed.eof()
        self.assertEqual(self.connection.order, ["close"])

    def test_met(self) -> None:
        """A leg that has met the other one waits no longer, and leaves when it is lost."""
        self.leg.open(self.connection)
        self.pair()
        self.no_timers()
        self.clock.advance(100)
        self.assertIsNone(self.connection.closed)
        self.leg.connection_lost()
        self.assertEqual(self.said, ["left"])

    def test_dismissed_while_waiting(self) -> None:
        """A waiting leg that the relay ends withdraws and is closed for that reason."""
        self.leg.open(self.connection)
        self.leg.end(outcome(CloseCode.GOING_AWAY))
        self.assertEqual(self.connection.closing.code, CloseCode.GOING_AWAY)
        self.assertEqual(self.said, ["withdrawn 1001"])
        self.no_timers()

    def test_dismissed_in_a_splice(self) -> None:
        """A spliced leg that the relay ends takes its whole stream with it."""
        self.leg.open(self.connection)
        splice = self.pair()
        self.leg.end(outcome(CloseCode.OPERATOR))
        self.assertEqual(there(splice.outcome).code, CloseCode.OPERATOR)
        self.assertEqual(self.connection.closing.code, CloseCode.OPERATOR)
        self.assertEqual(splice.far.closing.code, CloseCode.OPERATOR)

    def test_lost_while_waiting(self) -> None:
        """A leg that is lost while it waits says so and leaves, and no timer stays."""
        self.leg.open(self.connection)
        self.leg.connection_lost()
        self.assertEqual(self.said, ["lost", "left"])
        self.no_timers()

    def test_tires_when_lost_already(self) -> None:
        """A leg whose connection was lost unnoticed while it waited leaves when its patience is over."""
        self.leg.open(self.connection)
        self.connection.lose()
        self.clock.advance(10.0)
        self.assertEqual(self.said, ["withdrawn 4004", "left"])
        self.no_timers()

    def test_sudden_close(self) -> None:
        """A connection that is gone as soon as it is closed makes its leg leave once."""
        self.connection.sudden = True
        self.leg.open(self.connection)
        self.leg.time_out()
        self.assertEqual(self.said, ["withdrawn 4004", "left"])
        self.no_timers()
