"""connection.py: one connection, whose legs come and go."""

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.datapath.connection import HIGH
from streamrelay.errors import PeerError
from streamrelay.protocol.close import FINISHED, CloseCode, Outcome, outcome
from streamrelay.resume.connection import ResumableConnection
from streamrelay.resume.incoming import CONFIRM_TIME, MUCH, SOON
from streamrelay.resume.outgoing import LEAST, OVERHEAD, SPARE, Memory, Outgoing, OutOfReach, Piece
from tests.fakes.connections import Ear, FakeConnection

LOST = outcome(CloseCode.LEG_LOST)


class Case(SynchronousTestCase):
    """A connection with a leg."""

    def setUp(self) -> None:
        self.clock, self.ear = Clock(), Ear()
        self.lost: list[Outcome] = []
        self.memory = Memory(1 << 30)
        self.connection = ResumableConnection(self.clock, self.lost.append, 1 << 20, self.memory)
        self.connection.join(self.ear, self.ear)
        self.leg = self.attach(0)

    def attach(self, position: int) -> FakeConnection:
        leg = FakeConnection()
        self.connection.attach(leg, position)
        return leg

    def send(self, data: bytes) -> None:
        self.connection.send([memoryview(data)], len(data))


class Sending(Case):
    """What goes out, and is kept."""

    def test_again(self) -> None:
        """What the other end hasn't received goes out again by the next leg, from the very byte on."""
        self.send(b"hello")
        self.connection.send_control(b'{"exit":3}')
        self.send(b"world")
        self.leg.lose(LOST)
        self.assertEqual(self.lost, [LOST])
        self.send(b"!")
        leg = self.attach(3)
        self.assertEqual((bytes(leg.sent), leg.controls), (b"loworld!", [b'{"exit":3}']))
        self.assertEqual(leg.order, ["bytes", "control", "bytes", "bytes"])
        again = self.attach(6)
        self.assertTrue(leg.aborted)
        self.assertEqual((bytes(again.sent), again.controls), (b"world!", []))

    def test_out_of_reach(self) -> None:
        """A position that was never sent, or was confirmed before, is refused, and the leg that there is stays."""
        self.send(b"hello")
        self.leg.feed.control(b'{"ack":2}')
        for position in (1, 6, 1000):
            self.assertRaises(OutOfReach, self.connection.attach, FakeConnection(), position)
        self.assertFalse(self.leg.aborted)
        self.assertEqual(bytes(self.attach(2).sent), b"llo")

    def test_confirmed(self) -> None:
        """What is confirmed is kept no longer; what can't have come is a fault of the other end."""
        self.send(b"hello")
        self.send(b"world")
        self.leg.feed.control(b'{"ack":5}')
        self.assertEqual((self.connection.outgoing.weight, self.memory.kept), (5 + OVERHEAD, 5 + OVERHEAD))
        self.leg.feed.control(b'{"ack":3}')  # late, and of no use
        self.leg.feed.control(b'{"ack":10}')
        self.assertEqual(self.memory.kept, 0)
        self.assertRaises(PeerError, self.leg.feed.control, b'{"ack":11}')
        self.assertTrue(self.connection.is_over)

    def test_window(self) -> None:
        """A source isn't read while a window is kept, with a leg or without, and goes on once there is room."""
        self.send(bytes(1 << 20))
        self.assertGreater(self.connection.unsent, HIGH)
        self.leg.lose(LOST)
        self.assertGreater(self.connection.unsent, HIGH)
        leg = self.attach(0)
        self.ear.said.clear()
        leg.feed.control(b'{"ack":1048576}')
        self.assertEqual((self.connection.unsent, self.ear.said), (0, [("drained",)]))

    def test_full_memory(self) -> None:
        """Where all streams keep too much each goes on in small steps, and none is refused its bytes."""
        self.memory.most = 0
        self.send(bytes(SPARE - OVERHEAD - 1))
        self.assertEqual(self.connection.unsent, 0)
        self.send(b"x")
        self.assertGreater(self.connection.unsent, HIGH)
        self.leg.feed.control(b'{"ack":%d}' % self.connection.outgoing.end)
        self.assertEqual(self.connection.unsent, 0)

    def test_full_part(self) -> None:
        """One user's part that is full slows down nobody but that user; what fills the whole of it slows down all."""
        whole = Memory(1 << 30)
        parts = [Memory(most, whole=whole) for most in (0, 1 << 30)]
        ends = [Outgoing(4 << 20, part) for part in parts]
        for end in ends:
            end.put(Piece(bytes(SPARE)))
        self.assertEqual([end.is_full for end in ends], [True, False])
        whole.most = 0
        self.assertEqual([end.is_full for end in ends], [True, True])
        self.assertEqual(whole.kept, sum(part.kept for part in parts))
        for end in ends:
            end.clear()
        self.assertEqual([whole.kept, *(part.kept for part in parts)], [0, 0, 0])

    def test_slow_leg(self) -> None:
        """A new leg is given as much as it takes, not all that is kept at once."""
        for _ in range(8):
            self.send(bytes(HIGH))
        self.leg.lose(LOST)
        leg = FakeConnection(slow=True)
        self.connection.attach(leg, 0)
        self.assertLess(len(leg.queue), 3 * HIGH)
        self.assertGreater(self.connection.unsent, HIGH)
        while leg.queue:
            leg.drain()
        self.assertEqual(len(leg.sent), 8 * HIGH)

    def test_uncounted(self) -> None:
        """A hold is of one leg: it is neither kept nor counted."""
        self.connection.send_control(b'{"hold":true}')
        self.assertEqual((self.leg.controls, self.connection.outgoing.end), ([b'{"hold":true}'], 0))
        self.leg.lose(LOST)
        self.connection.send_control(b'{"hold":false}')
        self.assertEqual(self.attach(0).controls, [])


class Asked(Case):
    """An end that is asked whether it is there."""

    def test_answer(self) -> None:
        """A ping is answered at once, by its number, and counts nothing in either direction."""
        for number in (1, 7, 2**53 - 1):
            self.leg.feed.control(b'{"ping":%d}' % number)
        self.assertEqual(self.leg.controls, [b'{"pong":1}', b'{"pong":7}', b'{"pong":9007199254740991}'])
        self.assertEqual((self.connection.incoming.received, self.connection.outgoing.end), (0, 0))
        self.assertEqual(self.ear.named("control"), [])

    def test_none(self) -> None:
        """What is no number from 1 on is answered by nothing, and harms nothing."""
        for odd in ("0", "-1", "9007199254740992", "1.5", '"1"', "true", "null", "[1]", "{}"):
            self.leg.feed.control(b'{"ping":%s}' % odd.encode())
        self.assertEqual((self.leg.controls, self.connection.is_over), ([], False))

    def test_behind(self) -> None:
        """No answer waits behind over 64 KiB, which are a sign of life themselves: so pings can't fill a memory."""
        self.leg.slow = True
        self.send(bytes(2 * HIGH))
        self.leg.feed.control(b'{"ping":1}')
        self.assertEqual(self.leg.controls, [])

    def test_outlived(self) -> None:
        """Each leg knows that its stream outlives it."""
        self.assertTrue(self.leg.outlived and self.attach(0).outlived)


class Receiving(Case):
    """What comes, and is confirmed."""

    def test_counted(self) -> None:
        """Bytes count one each, messages one each, but for those of a leg; and each is told once."""
        self.leg.receive(b"abc")
        of_the_leg = (b'{"hold":true}', b'{"ping":4}', b'{"pong":0}', b'{"met":{"mode":"v1"}}')
        for message in (b'{"resize":[80,24]}', *of_the_leg):
            self.leg.feed.control(message)
        self.assertEqual(self.connection.incoming.received, 4)
        self.assertEqual(self.ear.said[-2:], [("bytes", b"abc"), ("control", b'{"resize":[80,24]}')])

    def test_fast(self) -> None:
        """What comes fast is confirmed by the MiB, and the rest of it soon after, by timers that are few."""
        self.leg.receive(bytes(LEAST))
        for _ in range(8):
            self.leg.receive(bytes(MUCH))
            self.clock.advance(SOON / 4)
        self.leg.receive(b"x")
        position = LEAST + 8 * MUCH
        self.assertEqual(self.leg.controls[-1], b'{"ack":%d}' % position)
        self.assertLessEqual(len(self.leg.controls), 10)
        self.clock.advance(CONFIRM_TIME)
        self.assertEqual(self.leg.controls[-1], b'{"ack":%d}' % (position + 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_in_time(self) -> None:
        """What has come is confirmed after a second; soon if it is the first, or some of it; at once if much."""
        told, position = list[bytes](), 0
        for size, wait in ((1, SOON), (3, CONFIRM_TIME), (LEAST, SOON), (MUCH, 0.0), (5, CONFIRM_TIME)):
            position += size
            self.leg.receive(bytes(size))
            if wait and size != 5:
                self.clock.advance(0.9 * wait)
                self.assertEqual(self.leg.controls, told)
            self.clock.advance(wait)
            told.append(b'{"ack":%d}' % position)
            self.assertEqual(self.leg.controls, told)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_sooner(self) -> None:
        """Once there is more of it, it is confirmed sooner than a little would have been."""
        self.leg.receive(b"abc")
        self.leg.receive(bytes(LEAST))
        self.clock.advance(SOON)
        self.assertEqual(self.leg.controls, [b'{"ack":%d}' % (LEAST + 3)])

    def test_in_hand(self) -> None:
        """What our own sink hasn't taken isn't confirmed before it has; the leg is read all the same."""
        self.connection.pause()
        self.leg.receive(bytes(LEAST))
        self.clock.advance(CONFIRM_TIME)
        self.assertEqual((self.leg.controls, self.leg.paused), ([], False))
        self.connection.resume()
        self.clock.advance(SOON)
        self.assertEqual(self.leg.controls, [b'{"ack":%d}' % LEAST])

    def test_paused(self) -> None:
        """A leg isn't read while more waits for the sink than the other end may send, nor is one that comes then."""
        self.connection.pause()
        self.leg.receive(bytes(2 << 20))
        self.assertTrue(self.leg.paused)
        leg = self.attach(0)
        self.assertTrue(leg.paused)
        self.connection.resume()
        self.assertFalse(leg.paused)
        self.assertEqual(self.ear.data, bytes(2 << 20))

    def test_fin(self) -> None:
        """A fin is told once; bytes behind it, a second one, and an eof are faults, of which each ends the stream."""
        faults: tuple[Callable[[], None], ...] = (
            lambda: self.leg.receive(b"x"),
            lambda: self.leg.feed.control(b'{"fin":true}'),
            lambda: self.leg.feed.eof(),
        )
        for fault in faults:
            self.setUp()
            self.leg.feed.control(b'{"fin":true}')
            self.assertEqual(self.ear.said[-1], ("eof",))
            self.assertRaises(PeerError, fault)
            self.assertEqual((self.connection.is_over, self.ear.codes), (True, [CloseCode.LEG_LOST]))

    def test_old_leg(self) -> None:
        """What an older leg still brings counts no more."""
        old, new = self.leg, self.attach(0)
        old.receive(b"late")
        old.feed.control(b'{"ack":0}')
        old.lose(LOST)
        new.receive(b"abc")
        self.assertEqual((self.ear.data, self.connection.incoming.received, self.lost), (b"abc", 3, []))


class Ending(Case):
    """How it ends."""

    def test_said(self) -> None:
        """An end goes out behind all that was sent; once it is confirmed the leg is closed, and all is over."""
        self.send(b"bye")
        self.connection.close(FINISHED)
        self.assertEqual(self.leg.controls, [b'{"end":{"code":1000,"reason":""}}'])
        self.assertEqual(self.ear.codes, [])
        self.leg.feed.control(b'{"ack":4}')
        self.assertEqual((self.leg.closing.code, self.ear.codes, self.ear.named("gone")), (1000, [1000], []))
        self.leg.lose()
        self.assertEqual((len(self.ear.named("gone")), self.memory.kept), (1, 0))

    def test_heard(self) -> None:
        """The other end's end is confirmed at once, told, and answered by a close of the leg with the same code."""
        self.leg.feed.control(b'{"end":{"code":4003,"reason":"reset"}}')
        self.assertEqual(self.leg.controls, [b'{"ack":1}'])
        self.assertEqual((self.leg.closing, self.ear.codes), (Outcome(4003, "reset"), [4003]))

    def test_lost_before(self) -> None:
        """An end in order that wasn't confirmed is said again by the next leg, behind what was sent before."""
        self.send(b"bye")
        self.connection.close(FINISHED)
        self.leg.lose(LOST)
        leg = self.attach(1)
        self.assertEqual((bytes(leg.sent), leg.controls), (b"ye", [b'{"end":{"code":1000,"reason":""}}']))

    def test_not_in_order(self) -> None:
        """Without a leg an end that isn't in order is the end at once."""
        self.leg.lose(LOST)
        self.connection.close(outcome(CloseCode.OPERATOR))
        self.assertEqual((self.ear.codes, len(self.ear.named("gone")), self.connection.is_over), ([4006], 1, True))

    def test_breaks(self) -> None:
        """Whatever a leg is closed with, it is lost, but for outcomes of the stream itself."""
        for code in (1000, 1001, 1005, 1006, 1012, 1013, 4004, 4005):
            self.setUp()
            self.leg.lose(Outcome(code))
            self.assertEqual(([how.code for how in self.lost], self.ear.codes), ([code], []))
        for code in (4001, 4002, 4003, 4006, 4008, 4009, 4011):
            self.setUp()
            self.leg.lose(Outcome(code))
            self.assertEqual((self.lost, self.ear.codes), ([], [code]))

    def test_given_up(self) -> None:
        """One that is given up is over, and a leg that comes for it is aborted."""
        self.leg.lose(LOST)
        self.connection.give_up(outcome(CloseCode.LEG_LOST, "nobody came back"))
        self.assertEqual((self.ear.codes, self.memory.kept), ([4005], 0))
        self.assertTrue(self.attach(0).aborted)

    def test_no_timer_of_an_end(self) -> None:
        """The other one's end leaves nothing to be confirmed later."""
        self.leg.receive(b"abc")
        self.leg.feed.control(b'{"end":{"code":1000}}')
        self.assertEqual((self.leg.controls, self.clock.getDelayedCalls()), ([b'{"ack":4}'], []))

    def test_no_timer(self) -> None:
        """A program that takes more once all is over leaves nothing to be confirmed later."""
        self.leg.receive(b"abc")
        self.connection.give_up(LOST)
        self.connection.resume()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_timer_of_its_own(self) -> None:
        """A program that ends it while it is told of bytes leaves nothing to be confirmed later; nor do two ends."""
        self.ear.on_received = self.connection.abort
        self.leg.receive(b"abc")
        self.assertEqual((self.ear.codes, self.clock.getDelayedCalls()), ([4005], []))
        self.setUp()
        self.connection.pause()
        for message in (b'{"exit":0}', b'{"end":{"code":1000}}', b'{"end":{"code":4006}}'):
            self.leg.feed.control(message)
        self.assertEqual((self.ear.codes, self.clock.getDelayedCalls()), ([1000], []))

    def test_before_joined(self) -> None:
        """A stream that ends before it is joined, as its program left, says so by its first leg, or cuts it."""
        for end in (lambda: self.connection.close(LOST), lambda: self.connection.abort()):
            first = FakeConnection()
            self.connection = ResumableConnection(self.clock, self.lost.append, first=first)
            end()
            self.connection.join(Ear(), Ear())
            self.assertTrue(first.aborted or any(b'"end"' in message for message in first.controls))

    def test_end_before_confirmation(self) -> None:
        """What an end has dropped is confirmed behind that end, by each leg: the other one, if it is over, takes that
        for delivered."""
        dropped = bytes(MUCH)
        self.connection.pause()
        self.leg.feed.received([memoryview(dropped)], MUCH)
        self.leg.feed.control(b'{"end":{"code":1000}}')
        self.send(b"left")
        self.connection.close(outcome(CloseCode.TARGET_RESET))
        self.leg.lose(LOST)
        for _ in range(2):
            leg = self.attach(0)
            self.assertEqual(bytes(leg.sent), b"left")
            self.assertIn(b'"code":4003', leg.controls[0])
            self.assertEqual(leg.controls[1:], [b'{"ack":%d}' % (MUCH + 1)])
            leg.lose(LOST)

    def test_ends_cross(self) -> None:
        """An end that comes before ours could be said by its leg counts once ours is: the other one hears ours."""
        self.connection.close(outcome(CloseCode.TARGET_RESET))
        self.leg.lose(LOST)
        leg = FakeConnection()
        leg.queue += bytes(2 * HIGH)
        self.connection.attach(leg, 0)
        leg.feed.control(b'{"end":{"code":1000}}')
        self.clock.advance(CONFIRM_TIME)
        self.assertEqual((leg.controls, self.ear.codes), ([], []))
        leg.queue.clear()
        self.connection.go_on()
        self.assertIn(b'"code":4003', leg.controls[0])
        self.assertEqual((leg.controls[1:], self.ear.codes), ([b'{"ack":1}'], [4003]))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_dropped_behind_an_end(self) -> None:
        """What the other one confirms behind its end it has dropped, also where that came before ours could be said."""
        for drained in (False, True):
            self.setUp()
            self.leg.lose(LOST)
            self.send(b"bye")
            self.connection.close(FINISHED)
            leg = FakeConnection(slow=True, queue=bytearray(HIGH))
            self.connection.attach(leg, 0)
            leg.feed.control(b'{"end":{"code":4006}}')
            leg.feed.control(b'{"ack":3}')
            self.assertEqual((leg.controls, self.ear.codes), ([], []))
            if drained:
                leg.queue.clear()
                self.connection.go_on()
            else:
                leg.lose(LOST)
                self.connection.give_up(outcome(CloseCode.LEG_LOST, "nobody came back"))
            self.assertEqual(self.ear.codes, [4006 if drained else 4005])

    def test_unheard(self) -> None:
        """An end in order that nobody has heard is none: what was said before it may be lost. If only the end itself
        wasn't confirmed, all was delivered."""
        for acked, code in ((2, CloseCode.LEG_LOST), (3, CloseCode.FINISHED)):
            self.setUp()
            self.send(b"bye")
            self.connection.close(FINISHED)
            self.leg.feed.control(b'{"ack":%d}' % acked)
            self.leg.lose(LOST)
            self.connection.give_up(outcome(CloseCode.LEG_LOST, "nobody came back"))
            self.assertEqual((self.ear.codes, self.connection.outcome and self.connection.outcome.code), ([code], code))

    def test_aborted(self) -> None:
        """To abort cuts the leg; all is gone once that is."""
        self.connection.abort()
        self.assertEqual((self.leg.aborted, self.ear.codes, self.ear.named("gone")), (True, [4005], []))
        self.leg.lose()
        self.assertEqual(len(self.ear.named("gone")), 1)


class Kept(SynchronousTestCase):
    """outgoing.py by itself."""

    def test_parts(self) -> None:
        """A position within a piece leaves the rest of it."""
        outgoing = Outgoing(100)
        outgoing.put(Piece(b"abcdef"))
        outgoing.put(Piece(b"{}", is_control=True))
        self.assertEqual([outgoing.next(), outgoing.next(), outgoing.next()][2], None)
        outgoing.rewind(4)
        self.assertEqual((outgoing.next(), outgoing.next()), (Piece(b"ef"), Piece(b"{}", is_control=True)))
        outgoing.confirm(6)
        self.assertEqual(outgoing.weight, 2 + OVERHEAD)
        outgoing.confirm(7)
        self.assertEqual((outgoing.weight, outgoing.is_caught_up), (0, True))
