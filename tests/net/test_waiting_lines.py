"""waiting_lines.py: how many of one address may be at something at once, and who waits for a turn."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import Refused
from streamrelay.net.quotas import ConnectionQuota
from streamrelay.net.waiting_lines import LINE, Waiter, WaitingLines
from tests.examples import examples
from tests.fakes.logs import Heard


class Turn:
    """A connection that asks again when its turn comes; if it is `frail`, it ends as soon as it has begun."""

    begun = dropped = False

    def __init__(self, lines: WaitingLines, bucket: str, frail: bool = False) -> None:
        self.lines, self.bucket, self.frail = lines, bucket, frail

    def begin(self) -> None:
        self.begun = self.lines.begin(self, self.bucket)
        if self.frail and self.begun:
            self.lines.end(self)

    def drop(self) -> None:
        self.dropped = True


_waiter: type[Waiter] = Turn


class Lines(SynchronousTestCase):
    """Connections by their buckets."""

    def start(self, most: int, most_from_one: int, most_waiting: int = 1000) -> None:
        self.lines = WaitingLines(Clock(), "max_handshakes", ConnectionQuota(most, most_from_one), most_waiting)

    def come(self, bucket: str, frail: bool = False) -> Turn:
        turn = Turn(self.lines, bucket, frail)
        turn.begin()
        return turn

    def refused(self, bucket: str) -> int:
        refusal: Refused = self.assertRaises(Refused, self.come, bucket)
        return refusal.status

    def test_length(self) -> None:
        """A line is ten times as long as there are turns; one too many is refused with 429, and counted nowhere."""
        self.start(100, 1)
        self.assertEqual([self.come("a").begun for _ in range(LINE + 1)], [True, *[False] * LINE])
        self.assertEqual(self.refused("a"), 429)
        self.assertEqual((self.lines.count, self.lines.waiting), (LINE + 1, LINE))

    def test_longest_gives_way(self) -> None:
        """Where too many wait in all, the last one of the longest line is dropped for one of a shorter line."""
        self.start(100, 1, most_waiting=4)
        crowd, other = [self.come("a") for _ in range(5)], [self.come("b") for _ in range(3)]
        self.assertEqual([turn.dropped for turn in crowd], [False] * 3 + [True] * 2)
        self.assertEqual([turn.begun for turn in other], [True, False, False])
        self.assertEqual((self.refused("b"), self.refused("a")), (429, 429))
        self.assertEqual((self.lines.waiting, any(turn.dropped for turn in other)), (4, False))
        self.lines.end(crowd[4])  # it is told that it was lost
        self.assertEqual(self.lines.count, 6)

    def test_moved(self) -> None:
        """One that counts by another bucket makes room in its former one; it stays where the other one has no room."""
        self.start(100, 1)
        first, second, third = (self.come("a") for _ in range(3))
        self.assertTrue(self.lines.move(first, "alice at a"))
        self.assertEqual((second.begun, third.begun), (True, False))
        self.assertFalse(self.lines.move(second, "alice at a"))
        self.assertFalse(third.begun)
        self.lines.end(first)
        self.assertTrue(self.lines.move(second, "alice at a"))
        self.assertTrue(third.begun)

    def test_many_that_end_at_once(self) -> None:
        """A long line of those that end as soon as they begin is passed in one go, however long it is."""
        self.start(10_000, 100, most_waiting=10_000)
        within = [self.come("a") for _ in range(100)]
        line = [self.come("a", frail=True) for _ in range(1000)]
        self.lines.end(within[0])
        self.assertTrue(all(turn.begun for turn in line))
        self.assertEqual(self.lines.count, 99)

    def test_said(self) -> None:
        """The log has who waits, once a minute, and who waited in vain; not who left by itself."""
        self.start(100, 1)
        heard = Heard(self)
        turns = [self.come("192.0.2.1") for _ in range(4)]
        limit = "max_handshakes_per_address = 1, since the last such line"
        self.assertEqual(heard.lines, [f"connections wait for their turn by {limit} 1: 1 of 192.0.2.1"])
        self.lines.end(turns[1])
        self.assertEqual(len(heard.lines), 1)
        self.lines.end(turns[2], late=True)
        self.lines.stop()
        dropped, waited = (f"connections {word} by {limit}" for word in ("were dropped", "wait for their turn"))
        self.assertEqual(heard.lines[1:], [f"{dropped} 1: 1 of 192.0.2.1", f"{waited} 2: 2 of 192.0.2.1"])

    @examples(100)
    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=60))
    def test_any_order(self, steps: list[tuple[bool, int]]) -> None:
        """Whatever comes and goes, an address has no more turns than it may, none waits without need, none is lost."""
        self.start(100, 3)
        here: list[Turn] = []
        for comes, number in steps:
            if comes:
                here.append(self.come("ab"[number % 2]))
            elif here:
                self.lines.end(here.pop(number % len(here)))
            for bucket in "ab":
                of_one = [turn for turn in here if turn.bucket == bucket]
                self.assertEqual(sum(turn.begun for turn in of_one), min(3, len(of_one)))
            self.assertEqual(self.lines.count, len(here))
        for turn in here:
            self.lines.end(turn)
        self.assertEqual((self.lines.count, self.lines._lines, self.lines._buckets), (0, {}, {}))
