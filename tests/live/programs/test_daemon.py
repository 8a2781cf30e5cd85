"""The three programs as daemons, as `twistd` without `-n` makes them, on this Python and on later ones."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SkipTest

from streamrelay.protocol.tokens import generate
from tests.live.programs.test_privileges import low_port
from tests.live.support.case import LiveTest
from tests.live.support.chain import Chain
from tests.live.support.processes import PROGRAMS, alive, environment, need_root, run, signal_pid
from tests.live.support.sockets import MIB, seeded
from tests.live.support.waiting import WAIT, Work, until
from tests.live.support.websockets import read_exactly

TREE = Path(__file__).resolve().parents[3]
NEEDED = ("streamrelay", "twisted", "setup.cfg", "pyproject.toml", "build_backend.py", "README.rst", "LICENSE")
SHELL = '[targets.shell]\nkind = "pty"\ncommand = ["/bin/echo", "hi"]\n'
LATER = ("3.12", "3.13", "3.14")


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

    def passes(self, chain: Daemons) -> None:
        self.addCleanup(chain.stop)
        chain.start()
        self.assertEqual(len(chain.pids()), 3)
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

    def test_this_python(self) -> None:
        """On this Python: a stream passes, a spawned command's end is noticed; SIGHUP ends none, SIGTERM all."""
        self.passes(Daemons(self.folder, targets=SHELL))

    def test_later_python(self) -> None:
        """The same on a Python of 3.12 or later, where a fork forgets asyncio's loop (slow: makes a venv)."""
        python = later_python()
        venv = self.folder / "venv"
        run(python, "-m", "venv", str(venv), check=True, seconds=300)
        copy = Path(tempfile.mkdtemp(dir=self.folder)) / "tree"  # pip writes next to what it builds
        shutil.copytree(TREE, copy, ignore=left_out)
        pip = run(
            *(str(venv / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", "--prefer-binary"),
            f"{copy}[relay]",
            more={**pip_settings(), "STREAMRELAY_VIEWERS": "no"},
            seconds=240,
        )
        told = pip.stderr.decode()
        if "No matching distribution found" in told:
            raise SkipTest(f"pip can't install for {python}: {told.strip().splitlines()[-1][:200]}")
        self.assertEqual(pip.returncode, 0, told)
        chain = Daemons(self.folder, targets=SHELL)
        chain.python = venv / "bin/python"
        self.passes(chain)


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
            done = run(*command, cwd=self.folder, seconds=WAIT)
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

    def test_not_allowed(self) -> None:
        """A port that only root may have, a socket in no directory, and one whose path another file has."""
        need_root("another user")
        (self.folder / "file").write_text("")
        nobody = ("setpriv", "--reuid=nobody", "--clear-groups")
        port = f"tcp:{low_port()}:interface=127.0.0.1"
        self.says("Permission denied", *self.relay(port), before=nobody)
        self.says("No such file or directory", *self.platform(f"unix:{self.folder}/none/x.sock"))
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


def left_out(folder: str, names: list[str]) -> list[str]:
    """What of the tree an installation doesn't need."""
    if Path(folder) != TREE:
        return [name for name in names if name == "__pycache__"]
    return [name for name in names if name not in NEEDED]


def later_python() -> str:
    """A Python of 3.12 or later that runs, from the path or from pyenv."""
    if sys.version_info >= (3, 12):
        raise SkipTest("this Python is 3.12 or later already")
    places = [Path(folder) for folder in os.environ.get("PATH", "").split(":")]
    places += sorted((Path.home() / ".pyenv/versions").glob("*/bin"))
    for version in LATER:
        for place in places:
            program = place / f"python{version}"
            if program.exists() and run(str(program), "-c", "import venv, ensurepip").returncode == 0:
                return str(program)
    raise SkipTest("needs a Python of 3.12 or later beside this one")


def pip_settings() -> dict[str, str]:
    """Where this machine's pip looks for packages."""
    return {
        name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_")) or "proxy" in name.lower()
    }
