"""targets/container_spots.py, targets/seals.py: places in a container's log, and that nobody can make one."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.targets.container_messages import Piece
from streamrelay.targets.container_spots import SLACK, Spot, Track
from streamrelay.targets.seals import seal, unseal
from tests.fakes import examples

SECOND = 10**9
Log = list[tuple[int, bytes]]
MESSAGES = st.lists(st.tuples(st.integers(1, 4), st.sampled_from([b"a\n", b"b\n"])), min_size=1, max_size=60)


def track(log: Log) -> Track:
    found = Track()
    for time, text in log:
        found.heard(Piece(time, text, True, True))
    return found


def after(log: Log, spot: Spot) -> Log | None:
    """What comes behind a spot, of a log that is read again from its time on."""
    since = max(0, spot.time - SLACK)
    found = Track()
    rest = [each for each in log if each[0] >= since]
    for index, (time, text) in enumerate(rest):
        found.heard(Piece(time, text, True, True))
        if found.reaches(spot):
            return rest[index + 1 :]
    return None


class Spots(SynchronousTestCase):
    """`Spot`, `Track`"""

    @examples(300)
    @given(
        st.lists(st.tuples(st.integers(1, 4), st.sampled_from([b"a\n", b"b\n"])), min_size=1, max_size=60), st.data()
    )
    def test_goes_on(self, log: Log, data: st.DataObject) -> None:
        """Of a log that was read from its start a spot gives exactly the rest, whatever the messages and their times,
        if none is later than what is allowed for."""
        log = [(5 * SECOND + number * SECOND // 8, text) for number, text in log]
        here = data.draw(st.integers(1, len(log)))
        self.assertEqual(after(log, track(log[:here]).spot()), log[here:])

    @examples(300)
    @given(st.lists(st.integers(1, 3), min_size=1, max_size=60), st.data())
    def test_from_within(self, times: list[int], data: st.DataObject) -> None:
        """So it is for a stream that began anywhere, as in a second of which it doesn't know the beginning, as long as
        messages differ."""
        log = [(time * SECOND, b"%d\n" % number) for number, time in enumerate(sorted(times))]
        begin = data.draw(st.integers(0, len(log) - 1))
        here = data.draw(st.integers(begin + 1, len(log)))
        self.assertEqual(after(log, track(log[begin:here]).spot()), log[here:])

    @examples(100)
    @given(st.lists(st.integers(1, 3), min_size=1, max_size=30), st.data())
    def test_before(self, times: list[int], data: st.DataObject) -> None:
        """A spot before a message is before that one, also where its time is that of many; and there or nowhere."""
        log = [Piece(time, b"%d\n" % number, True, True) for number, time in enumerate(sorted(times))]
        here = data.draw(st.integers(0, len(log) - 1))
        spot = Spot.read(str(Spot.before(log[here])))
        self.assertEqual([each for each in log if spot.is_before(each)], [log[here]])
        self.assertFalse(track([(piece.time, piece.text) for piece in log]).reaches(spot))
        self.assertTrue(all(Spot(1).is_before(each) for each in log))

    def test_gone(self) -> None:
        """A spot in a log that is another by now isn't found."""
        log = [(SECOND, b"one\n"), (SECOND, b"two\n"), (2 * SECOND, b"three\n")]
        spot = track(log[:2]).spot()
        for other in (log[1:], log[2:], [], [(SECOND, b"one\n"), (SECOND, b"2\n")]):
            self.assertIsNone(after(other, spot))

    def test_text(self) -> None:
        """A spot's text is read as what it was; anything else is none."""
        spot = Spot(1795576322364752000, 3, 2**32 - 1)
        self.assertEqual(Spot.read(str(spot)), spot)
        self.assertEqual(spot.since, "1795576321.364752000")
        self.assertEqual(Spot(1).since, "0.000000000")
        for text in ("", "1.2", "a.b.c", "1.2.3.4"):
            self.assertRaises(ValueError, Spot.read, text)


class Seals(SynchronousTestCase):
    """`seal`, `unseal`"""

    def test_sealed(self) -> None:
        """What was sealed is given back for the log that it was sealed for, and fits a control message."""
        sealed = seal("1.2.3+4", "container")
        self.assertEqual(unseal(sealed, "container"), "1.2.3+4")
        self.assertRegex(sealed, r"\A[!-~]{1,256}\Z")

    def test_forged(self) -> None:
        """What was changed, was sealed for another log, or isn't sealed, is nothing."""
        sealed = seal("1.2.3", "one")
        for text, of in (
            (sealed, "two"),
            (sealed.replace("3", "4"), "one"),
            ("1.2.3", "one"),
            ("", "one"),
            ("~", "one"),
        ):
            self.assertEqual(unseal(text, of), "")
