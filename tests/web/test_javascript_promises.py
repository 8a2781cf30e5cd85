"""What the JavaScript client, and the console by it, promise: each by a function of tests/javascript/promises*.mjs."""

import re
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from tests.live.support.node import SCENARIOS, need_node

PROMISES = [
    (path.name, name)
    for path in sorted(SCENARIOS.glob("promises*.mjs"))
    for name in re.findall(r"^export (?:async )?function (\w+)", path.read_text(), re.MULTILINE)
]


class Promises(SynchronousTestCase):
    """The client in Node, with a platform and a relay that are the test."""

    def keep(self, file: str, name: str) -> None:
        """Run one of them, or fail with what Node says."""
        command = (need_node(), "--unhandled-rejections=strict", str(SCENARIOS / "run.mjs"), file, name)
        done = subprocess.run(command, input="{}\n", capture_output=True, text=True, check=False, timeout=120)
        self.assertEqual((done.returncode, done.stdout), (0, "null\n"), done.stderr)

    def test_promises(self) -> None:
        """Each of them is kept."""
        self.assertGreater(len(PROMISES), 15)
        for file, name in PROMISES:
            with self.subTest(name):
                self.keep(file, name)
