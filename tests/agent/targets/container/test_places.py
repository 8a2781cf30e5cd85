"""places.py, agent/targets/sealed_places.py: places in a container's log, and that nobody can make one."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.targets.container.messages import Piece
from streamrelay.agent.targets.container.places import SLACK, Position, Track
from streamrelay.agent.targets.sealed_places import seal, unseal
from tests.examples import examples

SECOND = 10**9
Log = list[tuple[int, bytes]]
MESSAGES = st.lists(st.tuples(st.integers(1, 4), st.sampled_from([b"a\n", b"b\n"])), min_size=1, max_size=60)


def track(log: Log) -> Track:
    found = Track()
    for time, text in log:
        found.heard(Piece(time, text, True, True))
    return found


def after(log: Log, position: Position) -> Log | None:
    """What comes behind a position, of a log that is read again from its time on."""
    since = max(0, position.time - SLACK)
    found = Track()
    rest = [each for each in log if each[0] >= since]
    for index, (time, text) in enumerate(rest):
        found.heard(Piece(time, text, True, True))
        if found.reaches(position):
            return rest[index + 1 :]
    return None


class Positions(SynchronousTestCase):
    """`Position`, `Track`"""

    @examples(300)
    @given(
        st.lists(st.tuples(st.integers(1, 4), st.sampled_from([b"a\n", b"b\n"])), min_size=1, max_size=60), st.data()
    )
    def test_goes_on(self, log: Log, data: st.DataObject) -> None:
        """Of a log that was read from its start a position gives exactly the rest, whatever the messages and their
        times,
        if none is later than what is allowed for."""
        log = [(5 * SECOND + number * SECOND // 8, text) for number, text in log]
        here = data.draw(st.integers(1, len(log)))
        self.assertEqual(after(log, track(log[:here]).position()), log[here:])

    @examples(300)
    @given(st.lists(st.integers(1, 3), min_size=1, max_size=60), st.data())
    def test_from_within(self, times: list[int], data: st.DataObject) -> None:
        """So it is for a stream that began anywhere, as in a second of which it doesn't know the beginning, as long as
        messages differ."""
        log = [(time * SECOND, b"%d\n" % number) for number, time in enumerate(sorted(times))]
        begin = data.draw(st.integers(0, len(log) - 1))
        here = data.draw(st.integers(begin + 1, len(log)))
        self.assertEqual(after(log, track(log[begin:here]).position()), log[here:])

    @examples(100)
    @given(st.lists(st.integers(1, 3), min_size=1, max_size=30), st.data())
    def test_before(self, times: list[int], data: st.DataObject) -> None:
        """A position before a message is before that one, also where its time is that of many; and there or nowhere."""
        log = [Piece(time, b"%d\n" % number, True, True) for number, time in enumerate(sorted(times))]
        here = data.draw(st.integers(0, len(log) - 1))
        position = Position.read(str(Position.before(log[here])))
        self.assertEqual([each for each in log if position.is_before(each)], [log[here]])
        self.assertFalse(track([(piece.time, piece.text) for piece in log]).reaches(position))
        self.assertTrue(all(Position(1).is_before(each) for each in log))

    def test_gone(self) -> None:
        """A position in a log that is another by now isn't found."""
        log = [(SECOND, b"one\n"), (SECOND, b"two\n"), (2 * SECOND, b"three\n")]
        position = track(log[:2]).position()
        for other in (log[1:], log[2:], [], [(SECOND, b"one\n"), (SECOND, b"2\n")]):
            self.assertIsNone(after(other, position))

    def test_text(self) -> None:
        """A position's text is read as what it was; anything else is none."""
        position = Position(1795576322364752000, 3, 2**32 - 1)
        self.assertEqual(Position.read(str(position)), position)
        self.assertEqual(position.since, "1795576321.364752000")
        self.assertEqual(Position(1).since, "0.000000000")
        for text in ("", "1.2", "a.b.c", "1.2.3.4"):
            self.assertRaises(ValueError, Position.read, text)


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
