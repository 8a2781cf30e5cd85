"""The three programs as daemons, as `twistd` without `-n` makes them; on later Pythons, where a fork forgets asyncio's
loop, too: `./check --pythons`.
"""

import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path

from streamrelay.protocol.tokens import generate
from tests.live.programs.test_privileges import low_port
from tests.live.support.case import LiveTest
from tests.live.support.chain import Chain
from tests.live.support.pace import timed
from tests.live.support.processes import PROGRAMS, alive, environment, need_root, run, run_forked, signal_pid
from tests.live.support.sockets import MIB, seeded
from tests.live.support.waiting import WAIT, Work, until
from tests.live.support.websockets import read_exactly

SHELL = '[targets.shell]\nkind = "pty"\ncommand = ["/bin/echo", "hi"]\n'


class Daemons(Chain):
    """A chain whose relay, agent and platform are daemons of the Python at `python`."""

    python = Path(sys.executable)

    def start(self) -> None:
        self.start_nats()
        self.daemon("streamagent", f"--config={self.folder}/agent.toml")
        self.daemon("streamrelay", *self.relay_arguments())
        self.daemon("streamplatform", *self.platform_arguments())
        self.wait()

    def daemon(self, name: str, *options: str) -> None:
        # Their output is no pipe of ours, as a daemon would hold it open.
        done = subprocess.run(
            [
                *(self.python, self.python.with_name("twistd")),
                *(f"--pidfile={self.folder}/{name}.pid", f"--logfile={self.folder}/{name}.log", name, *options),
            ],
            cwd=self.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=WAIT,
        )
        if done.returncode:
            raise AssertionError(f"{name} ended with {done.returncode}")

    def pids(self) -> list[int]:
        return [int(path.read_text()) for path in self.folder.glob("*.pid")]

    def logs(self) -> str:
        return "".join(path.read_text(errors="replace") for path in self.folder.glob("*.log"))

    def stop(self) -> None:
        pids = self.pids()
        for pid in pids:
            signal_pid(pid)
        try:
            until(lambda: not any(map(alive, pids)), what="the end of all daemons")
        finally:
            for pid in pids:
                signal_pid(pid, signal.SIGKILL)
            super().stop()


class DaemonTest(LiveTest):
    """Daemons pass streams."""

    def test_daemons(self) -> None:
        """A stream passes, a spawned command's end is noticed; SIGHUP ends none, SIGTERM all."""
        chain = Daemons(self.folder, targets=SHELL)
        self.addCleanup(chain.stop)
        chain.start()
        self.assertEqual(len(chain.pids()), 3)
        for log in chain.folder.glob("*.log"):
            self.assertEqual(log.stat().st_mode & 0o027, 0, log)
        self.assertEqual({os.getsid(pid) for pid in chain.pids()} & {os.getsid(0)}, set())
        leg, target = self.stream(chain)
        data = seeded(4 * MIB)
        sending = Work(target.sendall, data)
        self.assertEqual(read_exactly(leg, len(data)), data)
        sending.result()
        for pid in chain.pids():
            signal_pid(pid, signal.SIGHUP)
        done = Work(read_exactly, leg, 12)
        leg.send(b"x")
        self.assertEqual(target.recv(1), b"x")
        target.sendall(b"and it works")
        self.assertEqual(done.result(), b"and it works")
        shell = self.websocket(self.open(chain, "shell"))
        self.assertEqual(read_exactly(shell, 4), b"hi\r\n")
        self.assert_closed(shell, 1000)
        self.assertNotIn("Traceback", chain.logs())
        chain.stop()
        self.assertEqual(list(chain.folder.glob("*.pid")), [])


class Unstarted(LiveTest):
    """A program that can't start, as a daemon and in the foreground."""

    def setUp(self) -> None:
        super().setUp()
        self.folder.chmod(0o1777)
        generate(self.folder / "platform.key", self.folder / "platform.pub")
        (self.folder / "keys.toml").write_text("")
        if os.geteuid() == 0:  # else no test becomes nobody
            for path in self.folder.glob("platform.*"):
                os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
        self.taken = self.listen().port

    def says(self, words: str, *arguments: str, before: tuple[str, ...] = (), pidfile: str = "twistd.pid") -> None:
        """Both ways it ends with status 1, soon, and with one line on the terminal that holds these words; nothing
        runs, and no pidfile is left."""
        for way in ((), ("-n",)):
            # By Python's name: in a path with a blank pip's scripts begin in a shell, which may not run root's Python.
            program = (sys.executable, str(PROGRAMS / "twistd"))
            command = (*before, *program, *way, f"--pidfile={pidfile}", *arguments)
            (self.folder / "twistd.log").unlink(missing_ok=True)  # another user's
            with timed() as passed:
                done = (
                    run(*command, cwd=self.folder, seconds=WAIT)
                    if before
                    else run_forked(*command, folder=self.folder, seconds=WAIT)
                )
            self.assertLess(passed.fair, 15, command)  # a second, and a machine that is late
            told = done.stderr.decode()
            self.assertEqual((done.returncode, told.count("\n")), (1, 1), f"{command}: {told}")
            self.assertTrue(told.startswith("streamrelay: "), told)
            self.assertIn(words, told)
            self.assertFalse((self.folder / pidfile).exists())
            for lock in self.folder.glob("*.lock"):  # it holds until init has reaped the daemon
                until(lambda lock=lock: not Path("/proc", os.readlink(lock)).exists(), what=f"the end of {lock}")

    def relay(self, endpoint: str) -> tuple[str, ...]:
        return ("streamrelay", "--tokens=opaque", f"--listen={endpoint}")

    def platform(self, endpoint: str) -> tuple[str, ...]:
        files = ("--key=platform.key", "--keys=keys.toml")
        return ("streamplatform", "--relay=ws://127.0.0.1:1", *files, f"--listen={endpoint}")

    def agent(self) -> tuple[str, ...]:
        return ("streamagent", "--host=h", "--platform-key=platform.pub")

    def test_taken(self) -> None:
        """A port that another has: the line names it."""
        for program in (self.relay, self.platform):
            self.says(
                f"can't listen: Couldn't listen on 127.0.0.1:{self.taken}: [Errno 98] Address already in use",
                *program(f"tcp:{self.taken}:interface=127.0.0.1"),
            )

    def test_pidfile(self) -> None:
        """A pidfile whose twistd lives keeps another one from starting, by one line that names both; one with the
        number of a process that is no twistd doesn't."""
        pidfile, relay = self.folder / "x.pid", self.relay("tcp:0:interface=127.0.0.1")
        command = (sys.executable, str(PROGRAMS / "twistd"), "-n", "--pidfile=x.pid", *relay)
        running = self.program("running", *command)
        running.wait_for("opaque tokens, patience")
        for way in ((), ("-n",)):
            done = run(*command[:2], *way, *command[3:], cwd=self.folder)
            told = done.stderr.decode()
            self.assertEqual((done.returncode, told.count("\n")), (1, 1), told)
            self.assertIn(f"x.pid: a twistd with this pidfile runs already, as process {running.pid}; ", told)
            self.assertEqual(pidfile.read_text(), str(running.pid))
        running.kill()
        pidfile.write_text(str(os.getpid()))  # trial's
        again = self.program("again", *command)
        again.wait_for("opaque tokens, patience")
        self.assertIn("x.pid was left by a process that is gone", again.log)
        self.assertEqual(pidfile.read_text(), str(again.pid))

    def test_not_allowed(self) -> None:
        """A port that only root may have, a socket in no directory, and one whose path another file has."""
        need_root("another user")
        (self.folder / "file").write_text("")
        nobody = ("setpriv", "--reuid=nobody", "--clear-groups")
        port = f"tcp:{low_port()}:interface=127.0.0.1"
        self.says("Permission denied", *self.relay(port), before=nobody)
        self.says(
            f"there is no directory {self.folder}/none; make it, ", *self.platform(f"unix:{self.folder}/none/x.sock")
        )
        self.says(
            f"can't listen: Couldn't listen on any:b'{self.folder}/file': ", *self.relay(f"unix:{self.folder}/file")
        )

    def test_other_errors(self) -> None:
        """A pidfile that can't be written, and a user that can't be become."""
        need_root("another user")
        nobody = ("setpriv", "--reuid=nobody", "--clear-groups")
        uid = ("--uid=1", "--gid=1")
        port = "tcp:0:interface=127.0.0.1"
        for program in (
            self.relay(port),
            self.platform(port),
            self.agent(),
        ):
            self.says("No such file or directory", *program, pidfile="none/x.pid")
            self.says("ended before it had started", *uid, *program, before=nobody)
