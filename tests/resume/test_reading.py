"""What an end does with what its program doesn't take: it reads on, as confirmations for it come behind that."""

import random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.protocol.close import FINISHED, CloseCode, Outcome
from streamrelay.resume.connection import ResumableConnection
from streamrelay.resume.outgoing import LEAST, Memory, Outgoing, Piece
from tests.resume.wire import End, Half, Wire, attach

WINDOW = 1000


class Reader(End):
    """An end whose program takes nothing until it is told so."""

    def received(self, data: object, size: int) -> None:
        super().received(data, size)  # type: ignore[arg-type]
        self.connection.pause()


class Reading(SynchronousTestCase):
    """Two ends by a wire that is cut only where a test says so."""

    def setUp(self) -> None:
        self.clock, self.dice = Clock(), random.Random(1)
        self.client = End("client", [bytes(100) for _ in range(30)], self.dice, self.clock)
        self.host = Reader("host", [bytes(100) for _ in range(30)], self.dice, self.clock)
        for end in (self.client, self.host):
            end.make(WINDOW)
        self.dice.random = lambda: 0.9  # type: ignore[method-assign]
        self.wire = attach(self.client, self.host, self.dice)

    def carry(self, wire: Wire | None = None) -> None:
        """Let both send and the wire carry, until nothing moves any more, however long that is waited for."""
        quiet = 0
        while quiet < 3:
            moved = [self.client.act(), self.host.act(), (wire or self.wire).move()]
            if any(moved):
                quiet = 0
            else:
                quiet += 1
                self.clock.advance(1)

    def taken(self, end: End) -> int:
        return sum(len(item) for item in end.came)

    def test_other_direction(self) -> None:
        """A program that takes nothing doesn't stop what it says: each direction goes on by itself."""
        self.carry()
        self.assertEqual(self.taken(self.client), 3000)
        self.assertEqual(self.taken(self.host), 100)

    def test_in_order(self) -> None:
        """What was read ahead is told in order, with the messages between and the fin behind, once it is taken."""
        self.client.to_send, self.host.to_send = [b"one", '{"note":"1"}', b"two", '{"note":"2"}'], []
        self.carry()
        self.assertEqual(self.host.came, [b"one"])
        self.host.connection.resume()
        self.assertEqual(self.host.came, [b"one", '{"note":"1"}', b"two"])
        self.assertFalse(self.host.finished)
        self.host.connection.resume()
        self.assertEqual(self.host.came, [b"one", '{"note":"1"}', b"two", '{"note":"2"}'])
        self.assertTrue(self.host.finished)

    def test_window(self) -> None:
        """What waits for a program is never more than the other end's window, however often legs are lost."""
        for _ in range(10):
            self.carry()
            self.wire.cut()
            self.wire.move()
            self.wire.move()
            self.wire = attach(self.client, self.host, self.dice)
        self.carry()
        self.assertLessEqual(self.host.connection.incoming.received, 100 + WINDOW + 100)
        self.assertEqual(self.taken(self.client), 3000)
        while self.host.connection.incoming.waits:
            self.host.connection.resume()
            self.carry()
        self.assertEqual(self.taken(self.host), 3000)

    def test_end(self) -> None:
        """An end that is none in order is told at once, after all that came before it, whether or not there is room."""
        self.client.said_fin = self.host.said_fin = True  # both go on
        for word in (b"one", b"two", b"three"):
            self.client.connection.send([memoryview(word)], len(word))
        self.carry()
        self.client.connection.close(Outcome(CloseCode.LEG_LOST, "the client left"))
        self.carry()
        self.assertEqual(self.host.came, [b"onetwothree"])
        self.assertEqual(str(self.host.outcome), "4005 lost the connection to the other side: the client left")
        self.assertTrue(self.host.is_gone and self.client.is_gone)

    def test_end_in_order(self) -> None:
        """An end in order waits until all before it was taken, which may take longer than a close may."""
        self.client.to_send, self.host.to_send = [b"one", b"two"], []
        self.carry()
        self.assertEqual((self.host.came, self.client.outcome), ([b"one"], None))
        self.host.connection.resume()
        self.assertFalse(self.host.finished)
        self.host.connection.resume()
        self.carry()
        self.assertEqual((self.host.came, self.host.finished), ([b"onetwo"], True))
        self.assertEqual((self.host.outcome, self.client.outcome), (FINISHED, FINISHED))

    def test_flood(self) -> None:
        """Who sends more than a window that nobody takes is read no more."""
        connection = ResumableConnection(self.clock, lambda why: None, WINDOW)
        end = Reader("host", [], self.dice, self.clock)
        end.connection = connection
        connection.join(end, end)
        leg = Half("leg")
        attached = connection.attach(leg, 0)
        while not leg.paused:
            attached.received([memoryview(bytes(100))], 100)
            self.assertLess(connection.incoming.received, 4 * WINDOW)
        connection.abort()


class Small(SynchronousTestCase):
    """What small pieces weigh."""

    def test_pieces(self) -> None:
        """A source that says a byte at a time fills the window by what its pieces take of memory."""
        memory = Memory(1 << 30)
        outgoing = Outgoing(LEAST, memory)
        count = 0
        while not outgoing.is_full:
            outgoing.put(Piece(b"x"))
            count += 1
        self.assertLess(count, LEAST // 100)
