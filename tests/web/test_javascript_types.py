"""What the JavaScript client promises to programs in TypeScript, and whether our modules fit each other's types."""

import re
import shutil
import subprocess
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

TESTS = Path(__file__).resolve().parents[1]
WEB = TESTS.parent / "streamrelay" / "web"


def exported(name: str) -> set[str]:
    """What a module exports, but for types, which are nothing once it runs."""
    return set(re.findall(r"^export (?:async )?(?:function|class|const) (\w+)", (WEB / name).read_text(), re.MULTILINE))


class Types(SynchronousTestCase):
    """What tsc says, which `npm ci --prefix tests` brings."""

    def test_types(self) -> None:
        """A program that uses all of the API fits its types, wrong uses don't, and the client's own code is sound."""
        self.check("javascript")

    def test_pages(self) -> None:
        """The console, its viewers and the log's element fit each other, the client, and what browsers have."""
        self.check("javascript/pages.json")

    def check(self, project: str) -> None:
        """Have tsc look at what a file of its settings names, or fail with what it says."""
        found = shutil.which("tsc", path=TESTS / "node_modules" / ".bin")
        if found is None:
            raise SkipTest("needs TypeScript (npm ci --prefix tests)")
        done = subprocess.run((found, "-p", project), cwd=TESTS, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_exports(self) -> None:
        """Whatever the types name is there, and nothing else."""
        self.assertEqual(exported("streamrelay.d.ts"), exported("streamrelay.js"))
        terminals = {"terminals", "endTerminal"}
        known = {"Refused", "Stream", "ask", "connect", "open", "outcome", *terminals}
        self.assertEqual(exported("streamrelay.js"), known)
