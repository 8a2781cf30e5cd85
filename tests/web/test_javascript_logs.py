"""What of the log's viewer needs no page: each by a function of tests/javascript/log-*.mjs, in Node."""

import json
import random
import re
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.client.log_text import AGAIN, LogText
from tests.live.support.node import SCENARIOS, need_node
from tests.web.test_javascript_promises import exported, keep

GIVEN = ("drawn_all", "unseen_all")
"""Functions that are given something, or give it."""
LETTERS = ("a", "b", "1", " ", "é", "漢", "e\u0301", "\t", "\r", "\r", "\b", "\x1b[31m", "\x1b[m", "\x1b[K", "\x1b[1K")
MORE = ("\x1b[2K", "\x1b[3D", "\x1b[2C", "\x1b[5G", "\x1b[2P", "\x1b[2X", "\x1b[2@", "\x1b[G", "\x1b[A", "\x07")


def drawn(line: str) -> str:
    """The text of a line on a terminal, by the native client, with its sign."""
    last = LogText().take(f"{line}\n".encode()).decode().rpartition(AGAIN)[2]
    return re.sub("\x1b\\[[0-9;]*m", "", last).rstrip("\r\n")


def altered(lines: list[str]) -> list[str]:
    """Return those lines that the native client doesn't show as they are; a thousand in a row are tried as one."""
    found = []
    for at in range(0, len(lines), 1000):
        some = lines[at : at + 1000]
        if shown("".join(some)) != ["".join(some)]:
            found += [line for line, other in zip(some, shown("\n".join(some)), strict=True) if line != other]
    return found


def shown(text: str) -> list[str]:
    return LogText().take(text.encode()).decode().split("\n")


def run(file: str, name: str, given: object = None) -> object:
    """Run one of them; gives what it returns, or fails with what Node says."""
    command = (need_node(), "--unhandled-rejections=strict", str(SCENARIOS / "run.mjs"), file, name)
    done = subprocess.run(
        command, input=f"{json.dumps(given)}\n", capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode or done.stderr:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


class Logs(SynchronousTestCase):
    """The modules of `<stream-log>`."""

    def test_promises(self) -> None:
        """Each of them is kept."""
        promises = exported("log-*.mjs")
        self.assertGreater(len(promises), 2)
        for file, names in promises.items():
            with self.subTest(file):
                keep(file, [name for name in names if name not in GIVEN])

    def test_drawn(self) -> None:
        """The page and the native client draw the same of what goes back in a line."""
        chance = random.Random(5)
        lines = ["".join(chance.choices(LETTERS + MORE, k=chance.randint(1, 25))) + "." for _ in range(3000)]
        self.assertEqual([drawn(line) for line in lines], run("log-text.mjs", "drawn_all", lines))

    def test_unseen(self) -> None:
        """The page and the native client show the same characters as symbols."""
        codes = [code for code in range(0x110000) if code not in (10, 27) and not 0xD800 <= code < 0xE000]
        native = altered([f"a{chr(code)}." for code in codes])
        self.assertEqual([ord(line[1]) for line in native], run("log-text.mjs", "unseen_all"))
