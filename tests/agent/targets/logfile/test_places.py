"""places.py: places of a log, sealed."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.targets.logfile.file import open_log
from streamrelay.agent.targets.logfile.places import Place
from streamrelay.protocol import codec
from streamrelay.protocol.summons import Terms
from tests.examples import examples, finished, there
from tests.fakes.files import folder

MOST = st.integers(0, 2**64 - 1)


class Places(SynchronousTestCase):
    """What a client keeps, and brings back."""

    @examples(100)
    @given(MOST, MOST, MOST, st.integers(0, 64), MOST)
    def test_round_trip(self, device: int, inode: int, offset: int, length: int, check: int) -> None:
        """A place comes back as it was, in words that a message may hold, and for its own log only."""
        place = Place(device, inode, offset, length, check)
        sealed = place.seal("/var/log/x")
        self.assertEqual(codec.decode(codec.encode(Terms(place=sealed)), Terms).place, sealed)
        self.assertEqual(Place.unseal(sealed, "/var/log/x"), place)
        self.assertIsNone(Place.unseal(sealed, "/var/log/x.1"))

    @examples(300)
    @given(st.text(max_size=80))
    def test_strangers(self, text: str) -> None:
        """Anything else is no place."""
        self.assertIsNone(Place.unseal(text, "/var/log/x"))

    def test_bent(self) -> None:
        """A place of which any one character is another one is none."""
        sealed = Place(1, 2, 3, 4, 5).seal("/log")
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
        place = Place.of(file)
        found = there(finished(place.reopen(str(path), 0)))
        self.assertEqual(found.offset, 4)
        found.close()
        path.write_bytes(b"two\nthree\n")
        self.assertRaises(FileNotFoundError, finished, place.reopen(str(path), 0))
