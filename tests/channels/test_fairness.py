"""carrier.py, window.py: none of many channels is starved, and none takes more memory than its window."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.channels import frames
from streamrelay.channels.window import Spare, Window
from streamrelay.datapath.connection import HIGH
from tests.channels.pair import Pair
from tests.documented import CHANNEL_DATA, CHANNEL_SPARE, CHANNEL_WINDOW, CHANNEL_WINDOW_MOST

READ = 192 * 1024


class Fairness(SynchronousTestCase):
    """Bulk beside others, and sinks that don't read."""

    def setUp(self) -> None:
        self.pair = Pair()

    def test_slow_sink(self) -> None:
        """A program that doesn't read stops its own channel alone, at no more than its window and 64 KiB."""
        local, target, _ = self.pair.spliced()
        other, service, _ = self.pair.spliced()
        local.slow = True
        for _ in range(100):
            if not target.paused:
                target.receive(bytes(READ))
            self.pair.settle()
        self.assertTrue(target.paused)
        self.assertLessEqual(local.unsent, CHANNEL_WINDOW + HIGH + CHANNEL_DATA)
        service.receive(b"hello")
        self.pair.settle()
        self.assertEqual(bytes(other.sent), b"hello")
        local.drain()
        self.pair.settle()
        self.assertFalse(target.paused)

    def test_memory(self) -> None:
        """With all programs stalled, after their channels were as fast as may be, an agent and a client hold no more
        than a read and a window of each, and 8 MiB."""
        many = 8
        spliced = [self.pair.spliced()[:2] for _ in range(many)]
        for _ in range(40):
            for _, target in spliced:
                if not target.paused:
                    target.receive(bytes(READ))
            self.pair.settle()
        for local, _ in spliced:
            local.slow = True
        for _ in range(20):
            for _, target in spliced:
                if not target.paused:
                    target.receive(bytes(READ))
            self.pair.settle()
        held = sum(local.unsent for local, _ in spliced)
        least = many * (CHANNEL_WINDOW + HIGH + CHANNEL_DATA)
        self.assertGreater(held, 2 * least)  # so the windows have grown
        self.assertLessEqual(held, least + CHANNEL_SPARE)
        waiting = [end.unsent - HIGH for end in self.pair.agent.ends.values() if end.unsent]
        self.assertEqual(len(waiting), many)
        self.assertLessEqual(max(waiting), READ)

    def test_echo_beside_bulk(self) -> None:
        """On a slow leg an echo waits for a frame of each bulk channel and what the leg holds, not for their bytes."""
        self.pair = Pair(room=256 * 1024)
        bulks = [self.pair.spliced()[:2] for _ in range(4)]
        local, target, _ = self.pair.spliced()
        line = 64 * 1024  # bytes a turn
        longest = 0
        for _ in range(200):
            for _, source in bulks:
                if not source.paused:
                    source.receive(bytes(READ))
            before = len(local.sent)
            target.receive(b"x")
            waited = 0
            while len(local.sent) == before:
                self.pair.turn(line)
                self.pair.clock.advance(0.05)
                for _, source in bulks:
                    if not source.paused:
                        source.receive(bytes(READ))
                waited += line
            longest = max(longest, waited)
        sent = [len(sink.sent) for sink, _ in bulks]
        self.assertLess(longest, 256 * 1024 + HIGH + READ + 5 * CHANNEL_DATA + 2 * line)
        self.assertGreater(min(sent), 0.7 * max(sent))
        self.assertLessEqual(self.pair.far.most, HIGH + READ + CHANNEL_DATA)

    def test_small_frames_between(self) -> None:
        """A small frame that leaves while the leg has some room, but not all, doesn't keep others from their turns."""
        self.pair = Pair(room=HIGH // 4)
        local, target, _ = self.pair.spliced()
        target.receive(bytes(100_000))
        target.receive(bytes(20_000))
        for _ in range(2):
            self.pair.far.carry(self.pair.near)
        self.assertTrue(0 < self.pair.far.unsent <= HIGH)
        self.pair.agent.write(frames.window(1, 1))
        self.pair.settle()
        self.assertEqual(len(local.sent), 120_000)

    def test_leg_full(self) -> None:
        """While the leg is full a source is stopped after one read, and goes on when its bytes have gone."""
        self.pair = Pair(room=HIGH)
        local, target, _ = self.pair.spliced()
        other, service, _ = self.pair.spliced()
        target.receive(bytes(3 * HIGH))
        service.receive(bytes(READ))
        self.assertTrue(service.paused)
        self.pair.settle(CHANNEL_DATA)
        self.assertFalse(service.paused)
        self.assertEqual((len(local.sent), len(other.sent)), (3 * HIGH, READ))


class Windows(SynchronousTestCase):
    """The window of one channel."""

    def setUp(self) -> None:
        self.clock, self.spare = Clock(), Spare()
        self.window = Window(self.clock, self.spare)

    def pass_(self, pause: float = 0.0, stalled: bool = False) -> int:
        """Let a whole window pass in so many seconds; return its size after that."""
        self.window.stalled = stalled
        for _ in range(2):
            self.clock.advance(pause / 2)
            self.window.left -= self.window.size // 2
            self.window.went_out(self.window.size // 2)
        return self.window.size

    def test_grows(self) -> None:
        """A window that passes quickly is doubled, up to 2 MiB."""
        self.assertEqual(self.window.size, CHANNEL_WINDOW)
        self.assertEqual([self.pass_(0.1) for _ in range(5)], [CHANNEL_WINDOW << shift for shift in (1, 2, 3, 4, 4)])
        self.assertEqual((self.window.size, self.window.left), (CHANNEL_WINDOW_MOST, CHANNEL_WINDOW_MOST))

    def test_stays(self) -> None:
        """A window doesn't grow on a slow line, nor where its sink doesn't keep up."""
        self.assertEqual(self.pass_(1.0), CHANNEL_WINDOW)
        self.assertEqual(self.pass_(0.1, stalled=True), CHANNEL_WINDOW)

    def test_together(self) -> None:
        """The windows of one stream grow by 8 MiB together; who ends gives back what it had."""
        windows = [Window(self.clock, self.spare) for _ in range(8)]
        for self.window in windows:
            for _ in range(5):
                self.pass_()
        self.assertEqual(sum(window.size for window in windows), 8 * CHANNEL_WINDOW + CHANNEL_SPARE)
        windows[0].close()
        self.assertEqual(self.spare.left, CHANNEL_WINDOW_MOST - CHANNEL_WINDOW)

    def test_seldom(self) -> None:
        """Credit is given back half a window at once: short exchanges cost no frame."""
        self.assertEqual(self.window.went_out(CHANNEL_WINDOW // 2 - 1), 0)
        self.assertEqual(self.window.went_out(1), CHANNEL_WINDOW // 2)
