"""Tests of the harness' programs: one that is forked is as one that is started anew."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, shared
from tests.live.support.ports import answers, free_port
from tests.live.support.processes import PROGRAMS, Program, links, run, run_forked, twistd
from tests.live.support.sockets import LISTENING, seeded, table, take_all
from tests.live.support.waiting import Work, until

TREE = Path(__file__).resolve().parents[3]


def descriptors(program: Program) -> list[str]:
    """What it has open, but for connections: who comes back to a port that was another program's has nothing to do with
    how this one was started."""
    held = links(program.pid)  # looked at once, as a connection may come and go between two looks
    connections = {f"socket:[{number}]" for _, _, state, number in table() if state != LISTENING}
    return sorted(link.replace(str(program.folder), "").split(":")[0] for link in held if link not in connections)


def seen(program: Program) -> dict[str, Any]:
    """What the system says of a process, but for numbers that differ from run to run."""
    place = Path(f"/proc/{program.pid}")
    status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
    return {
        "session": os.getsid(program.pid) == os.getpgid(program.pid) == program.pid,
        "folder": os.readlink(place / "cwd") == str(program.folder),
        "program": os.readlink(place / "exe"),
        "descriptors": descriptors(program),
        "environment": sorted((place / "environ").read_bytes().split(b"\0")),
        "limits": (place / "limits").read_text(),
        "spaces": [os.readlink(path) for path in sorted((place / "ns").iterdir())],
        "status": {name: status[name] for name in ("Uid", "Groups", "Threads", "SigBlk", "SigIgn", "SigCgt", "CapEff")},
    }


class Alike(LiveTest):
    """The same program, started both ways."""

    maxDiff = None

    def start(self, forked: bool, *arguments: str) -> Program:
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        program = Program("relay", (*twistd(), "streamrelay", *arguments), folder, forked=forked)
        self.addCleanup(program.stop)
        return program

    def pair(self) -> list[Program]:
        """One of each, which look alike as soon as they have let go of who asked."""
        both = []
        for forked in (False, True):
            port = free_port()
            both.append(self.start(forked, "--tokens=opaque", f"--listen=tcp:{port}:interface=127.0.0.1"))
            until(lambda port=port: answers(port), what="the relay")
        with contextlib.suppress(AssertionError):
            until(lambda: seen(both[0]) == seen(both[1]))
        return both

    def test_runs(self) -> None:
        """Its process can't be told from the other's, nor what it logs, nor how it ends."""
        both = self.pair()
        self.assertEqual(seen(both[1]), seen(both[0]))
        for program in both:
            program.process.terminate()
        self.assertEqual(both[1].process.wait(60), both[0].process.wait(60))
        self.assertFalse(both[1].alive)
        logs = [re.sub(r"(?m)^\S+ |\d{4,}", "", program.log) for program in both]
        self.assertEqual(logs[1], logs[0])
        self.assertIn("Server Shut Down", logs[1])

    def test_fails(self) -> None:
        """What is wrong with its options is said by the same words and status; a killed one is known as such."""
        wrong = [self.start(forked, "--nothing") for forked in (False, True)]
        statuses = [program.process.wait(60) for program in wrong]
        self.assertEqual((statuses[1], wrong[1].log), (statuses[0], wrong[0].log))
        self.assertNotEqual(statuses[1], 0)
        killed = self.start(True, "--tokens=opaque", f"--listen=tcp:{free_port()}:interface=127.0.0.1")
        killed.kill()
        self.assertEqual((killed.process.poll(), killed.alive), (-9, False))

    def test_client(self) -> None:
        """What the native client is given, says and ends with is the same, also where its words are of many bytes."""
        common, command = shared(), str(PROGRAMS / "streamrelay")
        more = {"STREAMRELAY_PLATFORM": f"http://127.0.0.1:{common.platform_port}", "STREAMRELAY_KEY": common.key}
        listener, up, down = self.listen(), seeded(100_000), seeded(200_000)

        def serve() -> None:
            for _ in range(2):
                with listener.accept() as target:
                    self.assertEqual(take_all(target), up)
                    target.sendall(down)

        serving = Work(serve)
        for words, given, wanted in (
            (("connect", HOST, listener.target), up, (0, down)),
            (("connect", HOST, "nothing"), None, (4, b"")),
            (("connect", HOST), None, (2, b"")),
        ):
            source: dict[str, Any] = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
            anew = run(command, *words, more=more, **source)
            forked = run_forked(command, *words, folder=self.folder, given=given, more=more)
            self.assertEqual((forked.returncode, forked.stdout), wanted, forked.stderr)
            self.assertEqual((anew.returncode, anew.stdout, anew.stderr), (*wanted, forked.stderr))
        serving.result()

    def test_shared(self) -> None:
        """A chain that tests share is stopped, and its folder removed, when the process of tests ends."""
        script = "from tests.live.support.chain import shared; print(shared(alone=True).folder)"
        done = subprocess.run((sys.executable, "-c", script), cwd=TREE, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertFalse(Path(done.stdout.strip()).exists())
