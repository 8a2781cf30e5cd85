"""Programs as processes of their own."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from glob import glob
from pathlib import Path
from typing import Any, BinaryIO

from twisted.trial.unittest import SkipTest

from tests.live.support.forked import Forked, can_fork, start
from tests.live.support.secrets import SUITE
from tests.live.support.waiting import WAIT, Work, until
from tests.suite import guard

PROGRAMS = Path(sys.executable).parent
PATIENCE = 20.0
"""Seconds in which a program that is told to stop must have done so, on a busy machine; then it is killed."""


def need_root(what: str) -> None:
    if os.geteuid() != 0:
        raise SkipTest(f"needs root for {what}")


def need_program(name: str) -> str:
    """Where a program is, also where only root's path leads."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        raise SkipTest(f"needs the program {name}")
    return found


def faked(*settings: str) -> tuple[str, ...]:
    """What is put before a command so that libfaketime sets its clock, but for the monotonic one.

    The program faketime would run it as a child of its own, which a signal to faketime does not end.
    """
    (library,) = glob("/usr/lib/*/faketime/libfaketimeMT.so.1") or [""]
    if not library:
        raise SkipTest("needs libfaketime")
    return ("env", f"LD_PRELOAD={library}", "DONT_FAKE_MONOTONIC=1", *settings)


def twistd() -> tuple[str, ...]:
    return (sys.executable, str(PROGRAMS / "twistd"), "-n", "--pidfile=")


class Program:
    """One process, its output in a file."""

    def __init__(
        self,
        name: str,
        command: tuple[str, ...],
        folder: Path,
        environment: dict[str, str] | None = None,
        forked: bool = False,
    ) -> None:
        self.name, self.command = name, command
        self.folder, self.environment, self.forked = folder, environment, forked
        self.path = folder / f"{name}.out"
        self.process: subprocess.Popen[bytes] | Forked
        self.start()

    def start(self) -> None:
        SUITE.command("\0".join(self.command).encode())
        SUITE.watch_processes()
        with self.path.open("ab") as output:
            if self.forked and can_fork():
                self.process = start(self.command, self.folder, output, output, **self.environment or {})
            else:
                self.process = self._run(output)

    def _run(self, output: BinaryIO) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env=environment(**self.environment or {}),
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def log(self) -> str:
        return self.path.read_text(errors="replace")

    def wait_for(self, text: str, seconds: float = WAIT, count: int = 1) -> None:
        """Until the log holds a text so often."""
        until(lambda: self.log.count(text) >= count, seconds, f"{text!r} in the log of {self.name}")

    def freeze(self) -> None:
        """Stop it without a word, until `thaw`. On a busy machine some of its threads go on for a while after the
        signal."""
        os.kill(self.pid, signal.SIGSTOP)
        threads = list(Path(f"/proc/{self.pid}/task").glob("*/stat"))
        until(lambda: all(state(stat) in "TX" for stat in threads), what="a stop")

    def thaw(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.alive:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def rss(self) -> float:
        """MiB of memory."""
        return rss(self.pid)

    def descriptors(self) -> list[str]:
        """What its descriptors stand for, but for numbers that change."""
        return sorted(link.split(":")[0] for link in links(self.pid))

    def has_socket(self, inode: str) -> bool:
        """Whether it holds the socket of that number."""
        return f"socket:[{inode}]" in links(self.pid)


def links(pid: int) -> list[str]:
    """What a process' descriptors stand for."""
    folder = f"/proc/{pid}/fd"
    found = []
    for number in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(os.readlink(f"{folder}/{number}"))
    return found


def rss(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"no process {pid}")


def environment(**more: str) -> dict[str, str]:
    """What programs inherit: nothing of ours beside the path and the guard's mark, no proxy, and nothing that a client
    remembers."""
    guard.watch()
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "USER", "SHELL", guard.MARK) if name in os.environ}
    path = f"{PROGRAMS}:{os.environ.get('PATH', '/usr/bin:/bin')}"
    return {"PATH": path, "STREAMRELAY_EARLY_DIAL": "none", **kept, **more}


def run(*command: str, seconds: float = 4 * WAIT, more: dict[str, str] | None = None, **options: Any) -> Any:
    """Run a program to its end."""
    SUITE.command("\0".join(command).encode())
    SUITE.watch_processes()
    done = subprocess.run(command, timeout=seconds, env=environment(**more or {}), capture_output=True, **options)
    note_output(done.args, done.stdout, done.stderr)
    return done


def note_output(command: tuple[str, ...], out: bytes | str, err: bytes | str) -> None:
    SUITE.seen(f"output: {command[0]}", err)
    if not {"key", "host"} & set(command[1:2]):  # these print a new secret, once
        SUITE.seen(f"output: {command[0]}", out)


def run_forked(
    *command: str,
    folder: Path,
    seconds: float = 4 * WAIT,
    given: bytes | None = None,
    more: dict[str, str] | None = None,
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command of `twistd` or `streamrelay` to its end, for a tenth of what a start costs.

    What it is given comes by a pipe; its input is the null device if that is None. `TimeoutExpired` once it was killed.
    """
    if not can_fork():
        source: dict[str, Any] = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
        run_anew: subprocess.CompletedProcess[bytes] = run(*command, seconds=seconds, more=more, cwd=folder, **source)
        return run_anew
    SUITE.command("\0".join(command).encode())
    SUITE.watch_processes()
    with contextlib.ExitStack() as stack:
        (stdin, feed), (out, stdout), (err, stderr) = (map(stack.enter_context, pipe()) for _ in range(3))
        nothing = stack.enter_context(open(os.devnull, "rb"))
        process = start(command, folder, nothing if given is None else stdin, stdout, stderr, **more or {})
        for end in (stdin, stdout, stderr):
            end.close()
        Work(fill, feed, given or b"")
        reading = Work(out.read), Work(err.read)
        try:
            status = process.wait(seconds)
        finally:
            process.kill()
        done = subprocess.CompletedProcess(command, status, *(one.result() for one in reading))
    note_output(command, done.stdout, done.stderr)
    return done


def pipe() -> tuple[BinaryIO, BinaryIO]:
    """The end of a pipe from which is read, and the one into which is written."""
    reader, writer = os.pipe()
    return open(reader, "rb"), open(writer, "wb")


def fill(file: BinaryIO, data: bytes) -> None:
    """Write all of it, or what is taken, and close the file."""
    with contextlib.suppress(BrokenPipeError), file:
        file.write(data)


def signal_pid(pid: int, number: int = signal.SIGTERM) -> None:
    """To a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def alive(pid: int) -> bool:
    """Whether a process lives; a zombie doesn't."""
    return state(Path(f"/proc/{pid}/stat")) not in "ZX"


def state(stat: Path) -> str:
    """The letter of a process' or thread's state, by its file in /proc (proc_pid_stat(5)); X if it is gone."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # before its file was opened, and after
        return "X"
