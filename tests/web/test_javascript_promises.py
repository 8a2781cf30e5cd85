"""What the JavaScript client, and the console by it, promise: each by a function of tests/javascript/promises*.mjs."""

import re
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from tests.live.support.node import SCENARIOS, need_node

ALONE = (
    *("promises-liveness.mjs", "promises-resume.mjs"),
    *("promises-resume-answers.mjs", "promises-resume-asking.mjs", "promises-resume-opening.mjs"),
)
"""Files each of whose functions needs a process of its own, as the client keeps there what it knows of its page."""


def exported(files: str) -> dict[str, list[str]]:
    """The functions of each of some files of tests/javascript/."""
    function = re.compile(r"^export (?:async )?function (\w+)", re.MULTILINE)
    return {path.name: function.findall(path.read_text()) for path in sorted(SCENARIOS.glob(files))}


def keep(file: str, names: list[str]) -> None:
    """Run functions of one file in one process, or fail with what Node says of those that fail."""
    # Node 22's first versions call clocks that a test moves experimental.
    flags = ("--unhandled-rejections=strict", "--disable-warning=ExperimentalWarning")
    command = (need_node(), *flags, str(SCENARIOS / "run-each.mjs"), file, *names)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode or done.stdout or done.stderr:
        raise AssertionError(done.stderr or done.stdout)


class Promises(SynchronousTestCase):
    """The client in Node, with a platform and a relay that are the test."""

    def test_promises(self) -> None:
        """Each of them is kept."""
        promises = exported("promises*.mjs")
        self.assertGreater(sum(map(len, promises.values())), 15)
        for file, names in promises.items():
            for some in [[name] for name in names] if file in ALONE else [names]:
                with self.subTest(file):
                    keep(file, some)
