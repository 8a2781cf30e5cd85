"""launcher.py, child.py, keeper.py: real commands of another user, ordered as an agent does, and as one that was taken
over might.
"""

import array
import asyncio
import os
import pwd
import re
import select
import signal
import socket
import time
from pathlib import Path

from streamrelay.agent.catalogue import Catalogue
from streamrelay.agent.launcher.launcher import begin
from streamrelay.agent.launcher.messages import Order, Report
from streamrelay.protocol import codec
from tests.live.support.case import LiveTest
from tests.live.support.processes import need_root
from tests.live.support.waiting import WAIT

MOST = 3
LEAVE = "(setsid sh -c 'trap \"\" HUP; echo left=$$=; exec sleep 600 >/dev/null 2>&1 </dev/null' &) & sleep 600"
"""A command that leaves a process behind which nobody in its session knows any more."""
TARGETS = f"""
[targets."say/{{word}}"]
kind = "pty"
command = ["echo", "{{word}}"]
user = "nobody"
parts = {{ word = "[a-z]+" }}

[targets.shell]
kind = "pty"
command = ["sh", "-c", "id -un; cat"]
user = "nobody"

[targets.stubborn]
kind = "pty"
command = ["sh", "-c", "trap '' HUP; echo pid=$$=; while :; do sleep 1; done"]
user = "nobody"

[targets.leave]
kind = "pty"
command = ["sh", "-c", '''{LEAVE}''']
user = "nobody"

[targets.kill]
kind = "pty"
command = ["sh", "-c", '''{LEAVE}''']
user = "nobody"
leftovers = "kill"

[targets.status]
kind = "pty"
command = ["sh", "-c", "echo bye; exit 7"]
user = "nobody"
leftovers = "kill"

[targets.own]
kind = "pty"
command = ["sh"]

[targets.log]
kind = "log"
path = "/etc/shadow"
"""


class Case(LiveTest):
    """A launcher, and the agent's end of its socket."""

    def setUp(self) -> None:
        super().setUp()
        need_root("a launcher")
        self.path = self.folder / "agent.toml"
        self.path.write_text(TARGETS)
        self.texts: dict[int, str] = {}
        self.begin()

    def begin(self) -> None:
        catalogue = Catalogue(str(self.path), may_change_users=True)
        catalogue.changed = lambda: asyncio.get_running_loop().stop()  # an agent's, which only its reactor can take
        catalogue.load()
        self.agent = begin(catalogue, MOST, time.monotonic)
        self.agent.settimeout(WAIT)
        self.addCleanup(self.agent.close)

    def order(self, number: int, target: str = "", **more: str) -> None:
        self.agent.send(codec.encode(Order(number, target, **more)))  # type: ignore[arg-type]

    def report(self) -> tuple[Report, list[int]]:
        data, descriptors, _, _ = socket.recv_fds(self.agent, 16384, 1)
        for descriptor in descriptors:
            self.addCleanup(os.close, descriptor)
        return codec.decode(data, Report), descriptors

    def start(self, number: int, target: str) -> int:
        """Have a command started; return its terminal."""
        self.order(number, target)
        report, descriptors = self.report()
        self.assertEqual((report, len(descriptors)), (Report(number), 1), report.refused)
        return descriptors[0]

    def refusal(self, target: str) -> str:
        self.order(99, target)
        report, descriptors = self.report()
        self.assertEqual((report.id, descriptors, report.status), (99, [], None))
        return report.refused

    def read(self, terminal: int, pattern: str) -> str:
        """Read until a pattern is there; return its group."""
        end = time.monotonic() + WAIT
        text = self.texts.get(terminal, "")
        while (found := re.search(pattern, text)) is None:
            ready, _, _ = select.select([terminal], [], [], max(0.0, end - time.monotonic()))
            self.assertTrue(ready, f"{pattern} did not come: {text!r}")
            text = self.texts[terminal] = text + os.read(terminal, 4096).decode()
        return found[1]

    def gone(self, pid: int) -> None:
        """Wait for a process to end; one that nobody has reaped has ended."""
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        ended, _, _ = select.select([descriptor], [], [], WAIT)
        os.close(descriptor)
        self.assertTrue(ended, f"{pid} is still there")

    def over(self) -> None:
        """Wait for the launcher to end."""
        self.assertEqual(self.agent.recv(100), b"")


class Orders(Case):
    """What an agent orders."""

    def test_started(self) -> None:
        """A command runs as its target's user, by a terminal that is passed over, and its status is told."""
        terminal = self.start(1, "shell")
        self.assertEqual(self.read(terminal, r"(\w+)\r\n"), "nobody")
        os.write(terminal, b"over\n")
        self.read(terminal, r"(over)\r\nover")
        os.write(terminal, b"\x04")
        self.assertEqual(self.report(), (Report(1, status=0), []))
        self.start(2, "status")
        self.assertEqual(self.report(), (Report(2, status=7), []))

    def test_parts(self) -> None:
        """The parts of a name are held to their expressions by the launcher itself."""
        self.assertEqual(self.read(self.start(1, "say/hello"), r"(.*)\r\n"), "hello")
        self.report()
        self.assertIn("no such target", self.refusal("say/;id"))

    def test_new(self) -> None:
        """A target that came later is started like one of before, and so are those, once files are read again."""
        new = '\n[targets.new]\nkind = "pty"\ncommand = ["sh", "-c", "echo new; cat"]\nuser = "nobody"\n'
        self.path.write_text(TARGETS + new)
        self.assertEqual(self.read(self.start(1, "new"), r"(.*)\r\n"), "new")
        self.read(self.start(2, "shell"), "(nobody)")

    def test_fault(self) -> None:
        """A fault of the launcher's own refuses the one command, with its words, and ends no other."""
        self.agent.close()
        self.patch(Catalogue, "settings", lambda catalogue, name: catalogue.entries[name].settings)
        self.begin()
        terminal = self.start(1, "shell")
        self.assertEqual(self.refusal("fault"), "the launcher failed: KeyError: 'fault'")
        os.write(terminal, b"over\n")
        self.read(terminal, r"(over)")

    def test_ended(self) -> None:
        """A hang-up and a kill reach the command, and a signal tells as a shell does."""
        self.read(self.start(1, "shell"), "(nobody)")
        self.order(1, signal="hangup")
        self.assertEqual(self.report(), (Report(1, status=129), []))
        pid = int(self.read(self.start(2, "stubborn"), r"pid=(\d+)="))
        self.order(2, signal="hangup")
        self.order(2, signal="kill")
        self.assertEqual(self.report(), (Report(2, status=137), []))
        self.gone(pid)

    def test_agent_gone(self) -> None:
        """When the agent is gone all commands are hung up, those that don't mind are killed, and the launcher ends."""
        pids = [int(self.read(self.start(1, "stubborn"), r"pid=(\d+)="))]
        pids.append(int(self.read(self.start(2, "kill"), r"left=(\d+)=")))
        self.agent.close()
        for pid in pids:
            self.gone(pid)


class Leftovers(Case):
    """What has left its session, and its parents."""

    def test_kill(self) -> None:
        """It is ended with the command where the target says so, also if the command is killed."""
        for number, how in ((1, "hangup"), (2, "kill")):
            left = int(self.read(self.start(number, "kill"), r"left=(\d+)="))
            self.order(number, signal=how)
            report, _ = self.report()
            self.assertEqual(report.status, 128 + (signal.SIGHUP if how == "hangup" else signal.SIGKILL))
            self.assertFalse(Path(f"/proc/{left}").exists())

    def test_leave(self) -> None:
        """It goes on otherwise."""
        left = int(self.read(self.start(1, "leave"), r"left=(\d+)="))
        self.order(1, signal="kill")
        self.assertEqual(self.report(), (Report(1, status=137), []))
        os.kill(left, signal.SIGKILL)  # which finds it
        self.gone(left)


class Hostile(Case):
    """What an agent might order that was taken over."""

    def test_not_offered(self) -> None:
        """Only targets with a user can be had: what the agent itself may do, root doesn't do for it."""
        for target, words in {
            "own": "names no user",
            "log": "names no user",
            "none": "no such target",
            "../shell": "no such target",
            "say/{word}": "no such target",
        }.items():
            self.assertIn(words, self.refusal(target), target)
        self.read(self.start(1, "shell"), "(nobody)")

    def test_no_order(self) -> None:
        """What is no order ends the launcher, and does nothing."""
        for packet in (
            b"x",
            b"{}",
            b'{"id": 0, "target": "shell"}',
            b'{"id": 1, "target": "shell", "user": "root"}',
            b'{"id": 1, "target": "shell", "command": ["id"]}',
            b'{"id": 1, "signal": "SIGTERM"}',
            b'{"id": 1, "target": "' + b"a" * 2000 + b'"}',
            codec.encode(Order(1, "shell")) + b" " * 9000 + b"x",
        ):
            self.agent.send(packet)
            self.over()
            self.begin()

    def test_descriptors(self) -> None:
        """Descriptors that come with an order go nowhere, and a number that is in use starts nothing."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [self.agent.fileno()]))]
        self.agent.sendmsg([codec.encode(Order(1, "shell"))], rights)
        self.assertEqual(self.report()[0], Report(1))
        self.order(1, "shell")
        self.order(1, signal="kill")
        self.assertEqual(self.report(), (Report(1, status=137), []))

    def test_many(self) -> None:
        """No more commands run at once than an agent may have streams."""
        for number in range(1, MOST + 1):
            self.start(number, "shell")
        self.assertIn(f"runs {MOST} commands already", self.refusal("shell"))

    def test_others_files(self) -> None:
        """A file that others may write to counts no more than before it was, whatever it says."""
        self.path.write_text(TARGETS.replace('user = "nobody"', 'user = "root"'))
        self.path.chmod(0o666)
        self.assertEqual(self.read(self.start(1, "shell"), r"(\w+)\r\n"), "nobody")
        self.path.chmod(0o644)
        os.chown(self.path, pwd.getpwnam("nobody").pw_uid, -1)
        self.assertEqual(self.read(self.start(2, "shell"), r"(\w+)\r\n"), "nobody")
        os.chown(self.path, 0, -1)
        self.assertEqual(self.read(self.start(3, "shell"), r"(\w+)\r\n"), "root")
