"""tests.live.support.pace: one bystander for all workers of a run."""

import os
import tempfile
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.live.support.pace import KEPT, LATE, PAUSE, Bystander, start


class Bystanding(SynchronousTestCase):
    """What a bystander prints, and who reads it."""

    def setUp(self) -> None:
        descriptor, name = tempfile.mkstemp()
        os.close(descriptor)
        self.addCleanup(os.unlink, name)
        self.path = Path(name)

    def test_since(self) -> None:
        """The bits since a time count, and one just before it; none that is half written, and none twice."""
        now = time.monotonic()
        found = Bystander(self.path)
        self.path.write_text(f"{now - 9} 50.0\n{now - PAUSE} 2.0\n{now} 4.")
        self.assertEqual(found.slowness(now, now), 2.0)
        with self.path.open("a") as file:
            file.write(f"5\n{now} 5.5\n")
        self.assertEqual(found.slowness(now, now), 4.0)
        self.assertEqual(len(found.bits), 4)
        self.assertEqual(found.slowness(now + 99, now), 1.0)
        self.assertEqual(found.bits.maxlen, KEPT)

    def test_under_way(self) -> None:
        """A bit that isn't done yet counts for as long as it was held up; one that is far too late isn't under way."""
        now = time.monotonic()
        for seconds, least, most in ((1.0, 50.0, 51.0), (LATE + 1, 1.0, 1.0)):
            self.path.write_text(f"{now - PAUSE - seconds} 1.0\n")
            slowness = Bystander(self.path).slowness(now, now)
            self.assertTrue(least <= slowness <= most, (seconds, slowness))

    def test_two_readers(self) -> None:
        """Two read what one prints: what the machine takes at the moment; it ends with who started it."""
        began = time.monotonic()
        process = start(self.path)
        self.addCleanup(process.kill)
        readers = Bystander(self.path), Bystander(self.path)
        while not all(reader.bits for reader in readers):
            for reader in readers:
                reader.look()
            time.sleep(0.005)
        self.assertEqual(readers[0].bits[0], readers[1].bits[0])
        self.assertGreater(readers[0].bits[0][0], began)
        self.assertGreater(readers[0].bits[0][1], 0.9)
        assert process.stdin is not None
        process.stdin.close()
        self.assertEqual(process.wait(60), 0)
