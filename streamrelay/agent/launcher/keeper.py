"""The keeper of one command with ``leftovers = "kill"``: a process of root's between the launcher and the command.

What leaves the command's session, or its parents, stays below its keeper, which ends all of it once the command ends.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from streamrelay.agent.launcher import child
from streamrelay.agent.targets.terminal.pty import Pty

HEEDED: Final = (signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD)
"""SIGHUP hangs the command up, SIGTERM kills it, as does the launcher's own end."""

_PDEATHSIG: Final = 1
_CHILD_SUBREAPER: Final = 36


def run(settings: Pty, terminal: int, complaints: int) -> NoReturn:
    """Start the command, and end as it does, once nothing is left of it."""
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED)
        child.prctl(_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if child.prctl(_CHILD_SUBREAPER, 1, 0, 0, 0):
            os.write(complaints, b"leftovers: this kernel can't keep what a command leaves")
            os._exit(127)
        command = os.fork()
        if not command:
            child.run(settings, terminal, complaints)
        child.close_all(0)
        Path("/proc/self/comm").write_text("streamkeeper")
        os._exit(_keep(command))
    finally:
        os._exit(127)


def _keep(command: int) -> int:
    """Heed signals until the command has ended, then end whatever else is there; return its status."""
    status = None
    while status is None:
        number = signal.sigwait(HEEDED)
        if number == signal.SIGHUP:
            for each in child.HANG_UP:
                child.send_signal(command, each)
        elif number == signal.SIGTERM:
            child.send_signal(command, signal.SIGKILL)
        status = _reap(command)
    _end_all()
    return status


def _reap(command: int) -> int | None:
    """Reap who has ended; return the command's status, as a shell tells it, if it was among them."""
    found = None
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == command:
                found = child.shell_status(ended[1])
    return found


def _end_all() -> None:
    """Kill all children, again and again, as each leaves us its own, until there is none."""
    with suppress(ChildProcessError):
        while True:
            for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
                os.kill(int(pid), signal.SIGKILL)  # ours until we reap it
            os.waitpid(-1, 0)
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
