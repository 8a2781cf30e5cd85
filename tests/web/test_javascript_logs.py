"""What of the log's viewer needs no page: each by a function of tests/javascript/log-*.mjs, in Node."""

import json
import re
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.client.log_text import LogText
from tests.live.support.node import SCENARIOS, need_node

PROMISES = [
    (path.name, name)
    for path in sorted(SCENARIOS.glob("log-*.mjs"))
    for name in re.findall(r"^export (?:async )?function (\w+)", path.read_text(), re.MULTILINE)
]


def run(file: str, name: str) -> object:
    """Run one of them; gives what it returns, or fails with what Node says."""
    command = (need_node(), "--unhandled-rejections=strict", str(SCENARIOS / "run.mjs"), file, name)
    done = subprocess.run(command, input="{}\n", capture_output=True, text=True, check=False, timeout=120)
    if done.returncode or done.stderr:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


class Logs(SynchronousTestCase):
    """The modules of `<stream-log>`."""

    def test_promises(self) -> None:
        """Each of them is kept."""
        self.assertGreater(len(PROMISES), 2)
        for file, name in PROMISES:
            with self.subTest(name):
                run(file, name)

    def test_unseen(self) -> None:
        """The page and the native client show the same characters as symbols."""
        codes = [code for code in range(0x110000) if code not in (10, 27) and not 0xD800 <= code < 0xE000]
        lines = [f"a{chr(code)}." for code in codes]
        shown = LogText().take("\n".join(lines).encode()).decode().split("\n")
        native = [code for code, line, other in zip(codes, lines, shown, strict=True) if line != other]
        self.assertEqual(native, run("log-text.mjs", "unseen_all"))
