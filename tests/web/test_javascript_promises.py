"""What the JavaScript client, and the console by it, promise: each by a function of tests/javascript/promises*.mjs."""

import re
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from tests.live.support.node import SCENARIOS, need_node


def exported(files: str) -> dict[str, list[str]]:
    """The functions of each of some files of tests/javascript/."""
    function = re.compile(r"^export (?:async )?function (\w+)", re.MULTILINE)
    return {path.name: function.findall(path.read_text()) for path in sorted(SCENARIOS.glob(files))}


def keep(file: str, names: list[str]) -> None:
    """Run functions of one file, each with modules of its own; fail with what Node says of those that fail."""
    # Node 22's first versions call clocks that a test moves experimental.
    flags = ("--unhandled-rejections=strict", "--disable-warning=ExperimentalWarning")
    command = (need_node(), *flags, str(SCENARIOS / "run-each.mjs"), file, *names)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode or done.stdout or done.stderr:
        raise AssertionError(done.stderr or done.stdout)


class Promises(SynchronousTestCase):
    """The client in Node, with a platform and a relay that are the test."""

    def test_promises(self) -> None:
        """Each of them is kept."""
        promises = exported("promises*.mjs")
        self.assertGreater(sum(map(len, promises.values())), 15)
        for file, names in promises.items():
            with self.subTest(file):
                keep(file, names)
