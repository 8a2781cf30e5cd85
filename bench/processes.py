"""Programs under test: started, measured by the kernel's own clocks, ended by their process id."""

import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import define

UP_TIME = 20.0
"""Seconds in which a program must listen."""
SYSTEM = "/usr/sbin"
_TICKS = os.sysconf("SC_CLK_TCK")


class Unusable(Exception):
    """A program can't be had or run here; the text says why in one line."""


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children, those that ended included.

    Living processes by their CPU clock (nanoseconds); children that ended by what their parent was told (10 ms).
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    seconds = time.clock_gettime((~pid << 3) | 2) + (int(fields[13]) + int(fields[14])) / _TICKS
    for child in _children(pid):
        with suppress(OSError):
            seconds += cpu_seconds(child)
    return seconds


def resident(pid: int) -> int:
    """Bytes of memory that a process and its children have resident (VmRSS)."""
    size = 0
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            size = int(line.split()[1]) * 1024
    for child in _children(pid):
        with suppress(OSError):
            size += resident(child)
    return size


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def machine_busy() -> float:
    """CPU seconds that all processes of the machine have used since it started."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:])
    return (user + nice + system + irq + softirq) / _TICKS


class Others:
    """All but this process and those that it has started, from now on."""

    def __init__(self) -> None:
        self._began, self._before = time.monotonic(), self._used()

    @staticmethod
    def _used() -> float:
        return machine_busy() - cpu_seconds(os.getpid())

    def cores(self) -> float:
        """Those that they have used since then."""
        return max(0.0, self._used() - self._before) / (time.monotonic() - self._began)


def free_port() -> int:
    """One that nobody has, below those that the kernel gives to connections: so none of these takes it meanwhile."""
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", random.randrange(10_000, 32_768)))
            return int(probe.getsockname()[1])


def program(name: str, *folders: str) -> str:
    """The path of a program, or `Unusable`."""
    path = os.pathsep.join([*folders, os.environ.get("PATH", ""), SYSTEM, str(Path.home() / "go/bin")])
    found = shutil.which(name, path=path)
    if found is None:
        raise Unusable(f"{name} is not installed")
    return found


@define(eq=False)
class Program:
    """One running program, its output in a file."""

    name: str
    process: "subprocess.Popen[bytes]"
    output: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def cpu(self) -> float:
        return cpu_seconds(self.pid)

    def resident(self) -> int:
        return resident(self.pid)

    def last_words(self) -> str:
        lines = self.output.read_text(errors="replace").splitlines()
        return lines[-1] if lines else "no word"

    def wait_until_listening(self, port: int) -> None:
        end = time.monotonic() + UP_TIME
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise Unusable(f"{self.name} ended with {self.process.returncode}: {self.last_words()}")
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            time.sleep(0.05)
        raise Unusable(f"{self.name} does not listen: {self.last_words()}")

    def wait_until_said(self, words: str) -> None:
        end = time.monotonic() + UP_TIME
        while time.monotonic() < end and self.process.poll() is None:
            if words in self.output.read_text(errors="replace"):
                return
            time.sleep(0.05)
        raise Unusable(f"{self.name} did not say {words!r}: {self.last_words()}")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(8)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@define(eq=False)
class Bench:
    """A folder for files of a run, and the programs that were started in it."""

    folder: Path
    _running: list[Program]

    def start(self, name: str, command: Sequence[str], **environment: str) -> Program:
        output = self.folder / f"{name}-{len(self._running)}.log"
        with output.open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        running = Program(name, process, output)
        self._running.append(running)
        return running

    def stop(self) -> None:
        while self._running:
            self._running.pop().stop()


@contextmanager
def bench() -> Iterator[Bench]:
    """A place to start programs in; at its end all of them are stopped and the files removed."""
    folder = Path(tempfile.mkdtemp(prefix="streamrelay-bench-"))
    place = Bench(folder, [])
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")  # where the native client notes relays
    try:
        yield place
    finally:
        place.stop()
        os.environ.pop("XDG_CACHE_HOME")  # or what draws the plots makes the folder anew
        if before is not None:
            os.environ["XDG_CACHE_HOME"] = before
        shutil.rmtree(folder, ignore_errors=True)
