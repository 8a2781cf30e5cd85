"""places.py: places of a log, sealed."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.targets.logfile.file import HEAD, open_log
from streamrelay.agent.targets.logfile.places import Place
from streamrelay.agent.targets.logfile.position import Position
from streamrelay.agent.targets.sealed_places import seal
from streamrelay.protocol import codec
from streamrelay.protocol.summons import Terms
from tests.examples import examples, finished, there
from tests.fakes.files import folder

MOST = st.integers(0, 2**64 - 1)
POSITIONS = st.builds(Position, MOST, MOST, MOST, st.integers(0, HEAD), MOST, MOST)


class Places(SynchronousTestCase):
    """What a client keeps, and brings back."""

    @examples(100)
    @given(st.lists(POSITIONS, min_size=1, max_size=3), st.integers(0, 1), st.booleans())
    def test_round_trip(self, positions: list[Position], read: int, copied: bool) -> None:
        """A place comes back as it was, in words that a message may hold, and for its own log only.

        Of three files the oldest is left out if their numbers are too long, and the place says so.
        """
        place = Place(tuple(positions), min(read, len(positions) - 1), copied=copied)
        sealed = place.seal("/var/log/x")
        self.assertEqual(codec.decode(codec.encode(Terms(place=sealed)), Terms).place, sealed)
        back = there(Place.unseal(sealed, "/var/log/x"))
        self.assertEqual((list(back.positions[:2]), back.read, back.copied), (positions[:2], place.read, copied))
        self.assertEqual(back.positions, place.positions[: len(back.positions)])
        self.assertEqual(back.more, back.positions != place.positions)
        self.assertIsNone(Place.unseal(sealed, "/var/log/x.1"))

    def test_first_form(self) -> None:
        """A place as it was before, five numbers, counts as one that can't be found."""
        self.assertIsNone(Place.unseal(seal("1.2.3.4.5", "log /var/log/x"), "/var/log/x"))

    @examples(300)
    @given(st.text(max_size=80))
    def test_strangers(self, text: str) -> None:
        """Anything else is no place."""
        self.assertIsNone(Place.unseal(text, "/var/log/x"))

    def test_bent(self) -> None:
        """A place of which any one character is another one is none."""
        sealed = Place((Position(1, 2, 3, 4, 5, 6),)).seal("/log")
        for index, letter in enumerate(sealed):
            other = "7" if letter == "8" else "8"
            self.assertIsNone(Place.unseal(sealed[:index] + other + sealed[index + 1 :], "/log"))

    def test_reused_inode(self) -> None:
        """An inode that now holds something that begins otherwise is another file."""
        path = folder(self) / "log"
        path.write_bytes(b"one\n")
        file = there(open_log(str(path)))
        self.addCleanup(file.close)
        file.seek(4)
        place = Place.of(str(path), file)
        found = there(finished(place.reopen(str(path), 0)).file)
        self.assertEqual(found.offset, 4)
        found.close()
        path.write_bytes(b"two\nthree\n")
        self.assertRaises(FileNotFoundError, finished, place.reopen(str(path), 0))
