"""nats_client.py, gathering: how long answers to one question are waited for, and how many bytes of them are kept."""

from nats.aio.msg import Msg
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.bus.nats_client import Gathered, Gathering
from tests.documented import ALL_ANSWERS, ANSWERS, FIRST_ANSWER, NEXT_ANSWER, STRANGE_ANSWER
from tests.fakes.reactors import LeapingLoop

INBOX = "_INBOX.x"


class Answers(SynchronousTestCase):
    """Hosts that answer at times of their own."""

    def hear(self, known: frozenset[str], *answers: tuple[float, str, bytes]) -> tuple[Gathered, float]:
        """What was gathered of answers that come at these seconds, from hosts of these names; and when it was over."""
        loop = LeapingLoop()
        self.addCleanup(loop.close)
        gathering = Gathering(INBOX, known)
        for when, name, data in answers:
            message = Msg(None, f"{INBOX}.{name}", "", data)  # type: ignore[arg-type]  # no client
            loop.call_at(when, gathering.coming.put_nowait, message)
        return loop.run_until_complete(gathering.hear()), loop.time()

    def test_nobody(self) -> None:
        """The first answer may take a second, not more; what is there by then is complete if nobody is missing."""
        gathered, seconds = self.hear(frozenset())
        self.assertEqual((gathered.answers, gathered.complete), ([], True))
        self.assertAlmostEqual(seconds, FIRST_ANSWER, 2)
        for late, count in ((-0.01, 1), (0.01, 0)):
            self.assertEqual(len(self.hear(frozenset(), (FIRST_ANSWER + late, "a", b""))[0].answers), count)

    def test_next(self) -> None:
        """After an answer a host that is new has 0.1 s, and 0.5 s where none is known yet."""
        for known, time in ((frozenset("a"), NEXT_ANSWER), (frozenset[str](), STRANGE_ANSWER)):
            for late, count in ((-0.01, 2), (0.01, 1)):
                gathered, _ = self.hear(known, (0.5, "a", b""), (0.5 + time + late, "b", b""))
                self.assertEqual((len(gathered.answers), gathered.complete), (count, True))

    def test_known(self) -> None:
        """A host that answered the last time has a second; without it the list isn't complete."""
        for late, count in ((-0.01, 2), (0.01, 1)):
            gathered, _ = self.hear(frozenset("b"), (0.5, "a", b""), (FIRST_ANSWER + late, "b", b""))
            self.assertEqual((len(gathered.answers), gathered.complete), (count, count == 2))
            self.assertEqual(gathered.missing, frozenset("b" if count == 1 else ""))

    def test_first(self) -> None:
        """Of one host the first answer counts."""
        gathered, _ = self.hear(frozenset(), (0.1, "a", b"first"), (0.2, "a", b"second"))
        self.assertEqual((gathered.answers, gathered.complete), ([("a", b"first")], True))

    def test_many(self) -> None:
        """Of many hosts that are up answers are taken for a second more for each 5000 of them."""
        known = frozenset(map(str, range(10_000)))
        many = [(4.9 * number / 10_000, str(number), b"") for number in range(10_000)]
        gathered, _ = self.hear(known, *many)
        self.assertTrue(gathered.complete)
        gathered, seconds = self.hear(known, *((5.2 * when / 4.9, name, data) for when, name, data in many))
        self.assertFalse(gathered.complete)
        self.assertAlmostEqual(seconds, ALL_ANSWERS + 2, 1)

    def test_in_all(self) -> None:
        """Answers that come one after another are cut off after 3 s, and the list isn't complete."""
        many = [((number + 0.5) / 20, str(number), b"") for number in range(400)]
        gathered, seconds = self.hear(frozenset(), *many)
        self.assertFalse(gathered.complete)
        self.assertAlmostEqual(seconds, ALL_ANSWERS, 1)
        self.assertEqual(len(gathered.answers), ALL_ANSWERS * 20)

    def test_bytes(self) -> None:
        """64 MiB of answers are kept; one byte more isn't, and the list isn't complete."""
        half = bytes(ANSWERS // 2)
        for more, whole in ((b"", True), (b"x", False)):
            gathered, _ = self.hear(frozenset(), (0.1, "a", half), (0.1, "b", half + more))
            self.assertEqual((len(gathered.answers), gathered.complete), (1 + whole, whole))
