"""plain.py: bytes as they are."""

import socket

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.datapath.channel import KEEP_ALIVE
from streamrelay.datapath.plain import LINGER, PlainConnection, PlainProtocol
from streamrelay.protocol.close import FINISHED, CloseCode, outcome
from tests.documented import CLOSE_TIME
from tests.fakes.channels import FakeChannel, FakeTransport
from tests.fakes.connections import Ear

RESET = outcome(CloseCode.TARGET_RESET)


class Connections(SynchronousTestCase):
    """A plain connection over a fake channel."""

    def setUp(self) -> None:
        self.clock, self.channel, self.ear = Clock(), FakeChannel(), Ear()
        self.connection = PlainConnection(self.channel, self.clock, RESET)
        self.connection.join(self.ear, self.ear)

    def no_timers(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bytes(self) -> None:
        """Bytes go through as they are; control messages have nobody to take them."""
        self.channel.receive(b"in")
        self.connection.send([memoryview(b"o"), memoryview(b"ut")], 3)
        self.connection.send_control(b"{}")
        self.assertEqual((self.ear.data, self.channel.take()), (b"in", b"out"))

    def test_reset_before(self) -> None:
        """A peer that resets while nobody reads is noticed when one looks, the descriptor given back, and who joins
        then is told."""
        channel, ear = FakeChannel(), Ear()
        connection = PlainConnection(channel, self.clock, RESET)
        self.assertTrue(connection.is_there())
        channel.gone = True
        self.assertFalse(connection.is_there())
        self.assertTrue(channel.aborted)
        connection.join(ear, ear)
        self.assertEqual(ear.said, [("over", RESET), ("gone",)])

    def test_unsent(self) -> None:
        """The connection tells what is unsent, and when it has room again."""
        self.channel.full = True
        self.connection.send([memoryview(b"x")], 1)
        self.assertEqual(self.connection.unsent, 1)
        self.channel.drain()
        self.assertEqual(self.ear.named("drained"), [("drained",)])

    def test_eof(self) -> None:
        """Ends of file pass as half-closes, both ways; after the peer's, nothing is read again."""
        self.connection.send_eof()
        self.assertTrue(self.channel.finished)
        self.connection.eof_received()
        self.assertEqual(self.ear.said, [("eof",)])
        self.connection.pause()
        self.connection.resume()
        self.assertTrue(self.channel.paused)

    def test_clean_close_after_the_peers_end(self) -> None:
        """A clean close after the peer's end of file closes once all is out."""
        self.connection.eof_received()
        self.connection.close(FINISHED)
        self.assertTrue(self.channel.closed)
        self.assertFalse(self.channel.aborted)

    def test_clean_close_lingers(self) -> None:
        """A clean close before the peer's end half-closes, waits two seconds for that end, and then aborts."""
        self.connection.close(FINISHED)
        self.assertTrue(self.channel.finished)
        self.clock.advance(LINGER - 0.1)
        self.assertFalse(self.channel.aborted)
        self.clock.advance(0.1)
        self.assertTrue(self.channel.aborted)

    def test_peer_ends_while_lingering(self) -> None:
        """A peer that ends while we linger is closed in order."""
        self.connection.close(FINISHED)
        self.connection.eof_received()
        self.assertTrue(self.channel.closed)
        self.connection.connection_lost(True)
        self.no_timers()
        self.assertFalse(self.channel.aborted)

    def test_clean_close_waits_for_the_unsent(self) -> None:
        """What is unsent at a clean close has sixty seconds to go out; only then the linger begins."""
        self.channel.full = True
        self.connection.send([memoryview(b"x")], 1)
        self.connection.close(FINISHED)
        self.clock.advance(CLOSE_TIME - 1)
        self.assertFalse(self.channel.aborted)
        self.channel.drain()
        self.clock.advance(LINGER - 0.1)
        self.assertFalse(self.channel.aborted)
        self.clock.advance(0.1)
        self.assertTrue(self.channel.aborted)

    def test_unsent_for_ever(self) -> None:
        """A peer that takes nothing for sixty seconds after a clean close is aborted."""
        self.channel.full = True
        self.connection.send([memoryview(b"x")], 1)
        self.connection.close(FINISHED)
        self.clock.advance(CLOSE_TIME)
        self.assertTrue(self.channel.aborted)

    def test_limits(self) -> None:
        """The end by a limit closes as a clean one does: what came before is delivered."""
        for code in (CloseCode.IDLE, CloseCode.LIFETIME, CloseCode.QUOTA):
            self.setUp()
            self.connection.close(outcome(code))
            self.assertEqual((self.channel.finished, self.channel.aborted), (True, False))
            self.clock.advance(LINGER)
            self.assertTrue(self.channel.aborted)

    def test_unclean_close(self) -> None:
        """Any other ending resets, so that nobody takes a torso for the whole."""
        self.connection.close(outcome(CloseCode.LEG_LOST))
        self.assertTrue(self.channel.aborted)
        self.no_timers()

    def test_closing_takes_nothing(self) -> None:
        """What comes after our close is not told, though it is read, as the peer's end is behind it."""
        self.connection.pause()
        self.connection.close(FINISHED)
        self.assertFalse(self.channel.paused)
        self.connection.pause()
        self.assertFalse(self.channel.paused)
        self.channel.receive(b"late")
        self.assertEqual(self.ear.data, b"")

    def test_lost_in_order(self) -> None:
        """A connection that ends in order is finished, and told so once."""
        self.connection.connection_lost(True)
        self.assertEqual([event[0] for event in self.ear.said], ["over", "gone"])
        self.assertEqual(self.ear.codes, [CloseCode.FINISHED])

    def test_lost_by_a_reset(self) -> None:
        """A connection that the peer resets ends as the settings of its side say."""
        self.connection.connection_lost(False)
        self.assertEqual(self.ear.codes, [CloseCode.TARGET_RESET])

    def test_lost_before_joined(self) -> None:
        """A connection that is lost before it is joined says so when it is."""
        connection = PlainConnection(FakeChannel(), self.clock, RESET)
        connection.connection_lost(True)
        late = Ear()
        connection.join(late, late)
        self.assertEqual([event[0] for event in late.said], ["over", "gone"])


class Protocols(SynchronousTestCase):
    """What Twisted calls."""

    def setUp(self) -> None:
        self.made: list[PlainConnection] = []
        self.protocol = PlainProtocol(Clock(), RESET, self.made.append)
        self.transport = FakeTransport()
        self.protocol.makeConnection(self.transport)
        self.ear = Ear()

    def test_made(self) -> None:
        """A new connection is told, without delay and kept alive, and isn't read until it is joined."""
        [connection] = self.made
        self.assertTrue(self.transport.no_delay and self.transport.keep_alive)
        asked = {(socket.IPPROTO_TCP, getattr(socket, name)): value for name, value in KEEP_ALIVE.items()}
        self.assertEqual((self.transport.options, list(asked.values())), (asked, [60, 15, 4]))
        unix = FakeTransport(family=socket.AF_UNIX)
        self.protocol.makeConnection(unix)
        self.assertEqual(unix.options, {})
        self.assertFalse(self.transport.reading)
        connection.join(self.ear, self.ear)
        self.assertTrue(self.transport.reading)

    def test_events(self) -> None:
        """Bytes, the peer's half-close and the loss reach the feed in order."""
        self.assertTrue(IHalfCloseableProtocol.providedBy(self.protocol))
        self.made[0].join(self.ear, self.ear)
        self.protocol.dataReceived(b"x")
        self.protocol.readConnectionLost()
        self.protocol.writeConnectionLost()
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.ear.said, [("bytes", b"x"), ("eof",), ("over", outcome(CloseCode.FINISHED)), ("gone",)])

    def test_reset(self) -> None:
        """A loss that isn't orderly is the peer's reset."""
        self.made[0].join(self.ear, self.ear)
        self.protocol.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.ear.codes, [CloseCode.TARGET_RESET])


class ClosedLate(SynchronousTestCase):
    """A close after the end."""

    def test_closed_when_lost(self) -> None:
        """A connection that is closed after it was lost leaves no timer behind."""
        clock, ear = Clock(), Ear()
        connection = PlainConnection(FakeChannel(), clock, RESET)
        connection.join(ear, ear)
        connection.connection_lost(True)
        connection.close(FINISHED)
        self.assertEqual(clock.getDelayedCalls(), [])
