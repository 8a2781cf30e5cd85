"""Ways in which logs are rotated, by logrotate or as programs do it themselves, each with a program that writes."""

import gzip
import itertools
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.live.support.processes import need_program
from tests.live.support.waiting import until

BANNER = b"=" * 80 + b" started\n"
"""A first line that every start of a program writes."""
BATCH = 10
"""Lines that are written at once."""


class Way:
    """One way, in a directory of its own: a log, who writes to it, and who rotates it."""

    options = ""
    """Those of logrotate."""
    rotations = 4
    """Number of them while it is followed."""
    at_any_time = True
    """Whether it is rotated whenever, or once a client has had a line of each file, as the files are gone then."""
    first = False
    """Whether it is rotated once before a client leaves."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.path = folder, folder / "app.log"
        self.numbers = itertools.count()
        self.prepare()

    def prepare(self) -> None:
        """Make what must be there before the log."""

    def line(self) -> bytes:
        return b"line %07d of the program\n" % next(self.numbers)

    def write(self) -> None:
        """As a program that opens its log for each write, or took the new one when it was told."""
        with self.path.open("ab") as file:
            file.write(b"".join(self.line() for _ in range(BATCH)))

    def rotate(self) -> None:
        settings = self.folder.with_name(f"{self.folder.name}.conf")
        settings.write_text(f"{self.path} {{\n rotate 99\n missingok\n {self.options}\n}}\n")
        state = self.folder.with_name(f"{self.folder.name}.state")
        command = (need_program("logrotate"), "-f", "-s", str(state), str(settings))
        done = subprocess.run(command, capture_output=True, timeout=120)
        if done.returncode:
            raise AssertionError(f"logrotate failed with {done.returncode}: {done.stderr.decode()}")

    def end(self) -> bytes:
        """Write the last lines, and return what stands for them."""
        last = self.line()
        with self.path.open("ab") as file:
            file.write(last)
        return last

    def close(self) -> None:
        """Let go of all files."""

    def on_disk(self) -> list[bytes]:
        """All lines in the log and beside it, packed ones, too."""
        lines: list[bytes] = []
        for path in self.folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                lines += (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines(keepends=True)
        return lines


class CopyTruncate(Way):
    options = "copytruncate"
    rotations = 8


class LateWriter(Way):
    """A program that doesn't take the new file, beside one that does."""

    first = True

    def prepare(self) -> None:
        self.late = [self.path.open("ab", 0)]

    def write(self) -> None:
        super().write()
        self.late[-1].write(self.line())

    def rotate(self) -> None:
        self.late.append(self.path.open("ab", 0))
        super().rotate()

    def close(self) -> None:
        for file in self.late:
            file.close()


class BegunAnew(Way):
    at_any_time = False

    def rotate(self) -> None:
        self.path.write_bytes(BANNER)
        self.write()


class Deleted(Way):
    at_any_time = False

    def rotate(self) -> None:
        self.path.unlink()


class InodeUsedAgain(Way):
    """A program that makes its log anew, with the same first line and the inode of the old one, if that is free."""

    at_any_time = False

    def prepare(self) -> None:
        self.lock = threading.RLock()

    def write(self) -> None:
        with self.lock:
            super().write()

    def rotate(self) -> None:
        with self.lock:
            self.begin_anew()

    def begin_anew(self) -> None:
        before = self.path.stat().st_ino
        self.path.unlink()
        fresh = [self.path.with_name(f"fresh.{number}") for number in range(50)]
        for path in fresh:
            path.touch()
            if path.stat().st_ino == before:
                break
        path.write_bytes(BANNER)
        path.rename(self.path)
        for path in fresh:
            path.unlink(missing_ok=True)
        self.write()


class KubernetesLink(Way):
    """What the kubelet does: a link to a file elsewhere, beside which it is rotated by date."""

    def prepare(self) -> None:
        self.real = self.folder / "pods" / "0.log"
        self.real.parent.mkdir()
        self.path.symlink_to(self.real)
        self.dates = itertools.count(20260731120000)

    def rotate(self) -> None:
        date = str(next(self.dates))
        self.real.rename(self.real.with_name(f"0.log.{date[:8]}-{date[8:]}"))


class Extension(Way):
    options = "dateext\n dateformat -%Y%m%d-%s\n extension .log"

    def rotate(self) -> None:
        until(lambda: time.time() >= self.after)  # there is one name for each second, of a clock that is some ms late
        super().rotate()
        self.after = int(time.time()) + 1.1

    def prepare(self) -> None:
        self.after = 0.0


class PackedAtOnce(Way):
    options = "compress"
    at_any_time = False


WAYS: dict[str, Callable[[Path], Way]] = {
    "renamed, new file": Way,
    "copytruncate": CopyTruncate,
    "renamed, late writer": LateWriter,
    "begun anew, same first line": BegunAnew,
    "deleted": Deleted,
    "deleted, inode used again": InodeUsedAgain,
    "behind Kubernetes' link": KubernetesLink,
    "app-DATE.log": Extension,
    "packed at once": PackedAtOnce,
}
"""By their names in docs/operations.rst."""


def followed(path: Path, into: Path) -> subprocess.Popen[bytes]:
    """Start `tail -F` on a log, from its beginning."""
    with into.open("wb") as output, open(os.devnull, "wb") as nothing:
        command = (need_program("tail"), "-n", "+1", "-F", str(path))
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=nothing)
