"""Ends what a process of tests has started once that process is gone, however it went.

`watch` starts a process that waits for the end of a pipe whose other end only the process of tests holds. What that one
starts inherits a mark in its environment; those that bear it and all their descendants are killed. It begins with the
mark of the run, which all its processes have in common.
"""

import os
import signal
import subprocess
import sys
import uuid
from functools import cache
from pathlib import Path

MARK = "STREAMRELAY_SUITE"


def mark_run() -> None:
    """Let what this process starts be of one run: its own, or the one in which it was started."""
    os.environ[MARK] = run() or uuid.uuid4().hex


def run() -> str:
    """The mark of the run that this process is of; empty if it is of none."""
    return os.environ.get(MARK, "").partition(".")[0]


@cache
def watch() -> "subprocess.Popen[bytes]":
    """Guard this process from now on."""
    mark_run()
    os.environ[MARK] = f"{run()}.{uuid.uuid4().hex}"
    command = (sys.executable, "-I", "-S", __file__, os.environ[MARK])
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)


def bears_mark(pid: int) -> bool:
    """Whether a process inherited a mark of this one's run, as far as can be seen: not of another user's."""
    mark = f"{MARK}={run()}.".encode()
    try:
        return any(text.startswith(mark) for text in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    except OSError:
        return False


def marked(mark: str) -> set[int]:
    """Return the processes that bear the mark, and their descendants, without this one."""
    parents: dict[int, int] = {}
    found = set()
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            parents[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            if f"{MARK}={mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.add(pid)
        except OSError:  # it is gone, or another user's
            continue
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


def end(mark: str) -> None:
    """Kill until none is left; bounded, as a process in an uninterruptible call can't be."""
    for _ in range(20):
        left = marked(mark)
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue


def main(mark: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    end(mark)


if __name__ == "__main__":
    main(sys.argv[1])
