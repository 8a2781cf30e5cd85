"""targets/places.py: places of a log, sealed."""

import base64

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay import wire
from streamrelay.targets import places
from streamrelay.targets.logfile import open_log
from streamrelay.targets.places import Place
from tests.fakes import examples, folder

MOST = st.integers(0, 2**64 - 1)


class Places(SynchronousTestCase):
    """What a client keeps, and brings back."""

    @examples(100)
    @given(MOST, MOST, MOST, st.integers(0, 64), st.binary(min_size=8, max_size=8))
    def test_round_trip(self, device: int, inode: int, offset: int, length: int, check: bytes) -> None:
        """A place comes back as it was, in words that a message may hold, and for its own log only."""
        place = Place(device, inode, offset, length, check)
        sealed = place.seal("/var/log/x")
        self.assertEqual(wire.decode(wire.encode(wire.Terms(place=sealed)), wire.Terms).place, sealed)
        self.assertEqual(Place.unseal(sealed, "/var/log/x"), place)
        self.assertIsNone(Place.unseal(sealed, "/var/log/x.1"))

    @examples(300)
    @given(
        st.one_of(
            st.text(max_size=80),
            st.binary(min_size=51, max_size=51).map(lambda raw: base64.urlsafe_b64encode(raw).decode()),
        )
    )
    def test_strangers(self, text: str) -> None:
        """Anything else is no place."""
        self.assertIsNone(Place.unseal(text, "/var/log/x"))

    def test_bent(self) -> None:
        """A place of which any one character is another one is none."""
        sealed = Place(1, 2, 3, 4, b"checksum").seal("/log")
        for index, letter in enumerate(sealed):
            other = "B" if letter == "A" else "A"
            self.assertIsNone(Place.unseal(sealed[:index] + other + sealed[index + 1 :], "/log"))

    def test_another_machine(self) -> None:
        """Another machine's places are none; without a machine's id they are good while the program runs."""
        self.addCleanup(places._key.cache_clear)
        sealed = []
        for machine in ("one", "two", "", ""):
            path = folder(self) / "machine-id"
            if machine:
                path.write_text(machine)
            self.patch(places, "MACHINE_ID", str(path))
            places._key.cache_clear()
            sealed.append(Place(1, 2, 3, 4, b"checksum").seal("/log"))
            self.assertIsNotNone(Place.unseal(sealed[-1], "/log"))
        self.assertEqual(len(set(sealed)), 4)

    def test_reused_inode(self) -> None:
        """An inode that now holds something that begins otherwise is another file."""
        path = folder(self) / "log"
        path.write_bytes(b"one\n")
        file = open_log(str(path))
        self.addCleanup(file.close)
        file.seek(4)
        place = Place.of(file)
        found = place.reopen(str(path), 0)
        self.assertEqual(found.offset, 4)
        found.close()
        path.write_bytes(b"two\nthree\n")
        self.assertRaises(FileNotFoundError, place.reopen, str(path), 0)
