"""outgoing.py: what is kept until it is confirmed, and how much that is."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.channels import frames
from streamrelay.channels.carrier import MOST_UNSENT, Carrier
from streamrelay.errors import PeerError
from streamrelay.protocol.close import Outcome
from streamrelay.resume.connection import ResumableConnection
from streamrelay.resume.outgoing import LEAST, SPARE, Memory, Outgoing, OutOfReach, Piece
from tests.fakes.connections import Ear, FakeConnection

WINDOW = 1 << 20


class Kept(SynchronousTestCase):
    """The pieces of one direction."""

    def test_tiny(self) -> None:
        """Pieces of a byte fill a window by what they take in memory, not by their bytes."""
        outgoing = Outgoing(WINDOW)
        while not outgoing.is_full:
            outgoing.put(Piece(b"x"))
        self.assertLess(outgoing.end, WINDOW // 100)
        outgoing.rewind(0)
        while outgoing.next():
            pass
        outgoing.confirm(outgoing.end)
        self.assertEqual((outgoing.weight, outgoing.memory.kept), (0, 0))

    def test_full_memory(self) -> None:
        """However full the memory is, a stream goes on: it may send what the other end confirms at once."""
        for size in (200, 4096, 65536):
            outgoing = Outgoing(WINDOW, Memory(0, kept=1))
            while not outgoing.is_full:
                outgoing.put(Piece(bytes(size)))
            self.assertGreaterEqual(outgoing.end, LEAST)
            self.assertLessEqual(outgoing.weight, SPARE + size + 200)

    def test_parts(self) -> None:
        """A new leg goes on in the midst of a piece, and what was confirmed can't be gone back to."""
        outgoing = Outgoing(WINDOW)
        for text in (b"abc", b"def"):
            outgoing.put(Piece(text))
            outgoing.next()
        outgoing.rewind(4)
        piece = outgoing.next()
        self.assertEqual((piece and piece.data, outgoing.next()), (b"ef", None))
        for position in (3, 7):
            self.assertRaises(OutOfReach, outgoing.check, position)


class Answers(SynchronousTestCase):
    """A peer that has us answer, and confirms nothing."""

    def test_never_confirmed(self) -> None:
        """A stream of channels whose peer reads all answers and confirms none ends, before they fill the memory."""
        leg, clock, lost = FakeConnection(), Clock(), list[Outcome]()
        connection = ResumableConnection(clock, lost.append, WINDOW, first=leg)
        carrier = Carrier(connection, clock, 3, lambda end: end.join(Ear(), Ear()))
        carrier.join()
        with self.assertRaisesRegex(PeerError, "frames that are to be answered"):
            for number in range(2, 200_000):
                leg.receive(frames.header(frames.OPEN, number) + frames.header(frames.END, number, 2) + b"\x03\xe8")
                clock.advance(1)
                leg.sent.clear()
                self.assertLess(connection.outgoing.weight, WINDOW + 2 * MOST_UNSENT)
        self.assertEqual((connection.is_over, connection.outgoing.weight, lost), (True, 0, []))
