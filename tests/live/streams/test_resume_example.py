"""docs/examples/resume: a client in Go, written from protocol.rst alone. Its streams outlive their legs as ours do."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.live.streams.cut_stream import PIPES, CutStream
from tests.live.support.chain import HOST
from tests.live.support.processes import environment, need_program
from tests.live.support.waiting import WAIT

EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "examples" / "resume"
UNREACHABLE = re.compile(r"dial tcp|lookup disabled|connection refused|i/o timeout|TLS handshake timeout")
"""How Go says that it neither has a module nor gets it."""
BUILD_TIME = 300


class Example(CutStream):
    """The example, built and run."""

    def setUp(self) -> None:
        super().setUp()
        self.built = self.folder / "resume"
        done = subprocess.run(
            (need_program("go"), "build", "-o", str(self.built), "."),
            cwd=EXAMPLE,
            env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false"},
            capture_output=True,
            text=True,
            timeout=BUILD_TIME,
        )
        if done.returncode and UNREACHABLE.search(done.stderr):
            raise SkipTest("needs Go's module proxy (go mod download in docs/examples/resume)")
        self.assertEqual(done.returncode, 0, done.stderr)

    def run_example(self, target: str, key: str = "") -> "subprocess.Popen[bytes]":
        pipes: dict[str, Any] = PIPES
        process = subprocess.Popen(
            (str(self.built), f"http://127.0.0.1:{self.own.platform_port}", HOST, target),
            env=environment(STREAMRELAY_KEY=key or self.own.key),
            **pipes,
        )
        self.addCleanup(process.wait, WAIT)
        self.addCleanup(process.kill)
        return process

    def test_killed(self) -> None:
        """A relay that is killed again and again, under bytes both ways, costs no stream and no byte."""
        listener = self.listen()
        self.assertEqual(self.outlives_relays(self.run_example(listener.target), listener), [])

    def test_each_direction(self) -> None:
        """A target that takes nothing until what it says is taken stops nothing else."""
        listener = self.listen()
        self.each_direction_by_itself(self.run_example(listener.target), listener)

    def test_agent_restarted(self) -> None:
        """A stream whose agent is another one by now is over, and the client says why at once."""
        listener = self.listen()
        client = self.run_example(listener.target)
        target = listener.accept()
        target.sendall(b"hello")
        assert client.stdout is not None and client.stderr is not None
        self.assertEqual(client.stdout.read(5), b"hello")
        self.own.agent.kill()
        self.own.start_agent()
        self.own.wait()
        self.assertEqual(client.wait(WAIT), 1)
        self.assertIn("410 no such stream on this host", client.stderr.read().decode())

    def test_refused(self) -> None:
        """A stream that is refused ends the client with the platform's words."""
        client = self.run_example("none")
        assert client.stderr is not None
        self.assertEqual(client.wait(WAIT), 1)
        self.assertIn("404", client.stderr.read().decode())
