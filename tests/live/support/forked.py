"""Programs that are forked from a process which has loaded them: to load one takes half a second of CPU.

Run as a program it is that process, one for each worker. What it forks goes on as a new twistd does, or as a new
`streamrelay`: with its own arguments, session, folder, output, limits and environment. It is for chains, of which a run
starts hundreds, for `LiveTest.twistd`, for settings that are refused, and for `Chain.streamrelay`; what
`LiveTest.program` starts, and what a test looks at the start of, is started anew.
"""

import contextlib
import gc
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import weakref
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from attrs import define, field

MOST = 1 << 17
"""Bytes of an order: a command line, no more."""


@define(eq=False)
class Forked:
    """A program that was forked, with what `Popen` has and the harness uses."""

    args: tuple[str, ...]
    pid: int
    returncode: int | None = None
    _end: int = field(init=False)
    _lock: threading.Lock = field(factory=threading.Lock)

    def __attrs_post_init__(self) -> None:
        self._end = os.pidfd_open(self.pid)  # its number can't be another's before it is reaped
        weakref.finalize(self, os.close, self._end).atexit = False  # what ends the program then needs it

    def poll(self) -> int | None:
        return self._ended(0.0)

    def wait(self, timeout: float | None = None) -> int:
        status = self._ended(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return status

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._end], [], [], timeout)[0]:
            with self._lock:
                if self.returncode is None:
                    self.returncode = os.waitstatus_to_exitcode(loaded().ask({"reap": self.pid}))
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._end, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@define(eq=False)
class Loaded:
    """The process that has loaded the programs, seen from outside."""

    _channel: socket.socket
    _lock: threading.Lock = field(factory=threading.Lock)

    def ask(self, order: dict[str, Any], *descriptors: int) -> int:
        with self._lock:
            socket.send_fds(self._channel, [json.dumps(order).encode()], descriptors)
            return int(self._channel.recv(100))


def spaces() -> tuple[str, ...]:
    """The namespaces that this thread is in."""
    return tuple(os.readlink(f"/proc/thread-self/ns/{name}") for name in ("net", "mnt"))


HERE = spaces()


def can_fork() -> bool:
    """Whether this process is where the loaded one is: a test may have gone to namespaces of its own."""
    return spaces() == HERE


_starting = threading.Lock()


def loaded() -> Loaded:
    """This worker's one, which ends with the worker."""
    with _starting:  # threads may be the first to ask
        return _load()


@cache
def _load() -> Loaded:
    from tests.live.support.processes import environment

    ours, others = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with others:
        subprocess.Popen(
            (sys.executable, "-P", __file__, str(others.fileno())),
            stdin=subprocess.DEVNULL,
            pass_fds=(others.fileno(),),
            env=environment(),
            start_new_session=True,
        )
    return Loaded(ours)


def start(command: tuple[str, ...], folder: Path, *files: BinaryIO, **more: str) -> Forked:
    """Start what a command of `twistd` or `streamrelay` starts, with `more` in its environment.

    The files are its standard input, output and error; of two there is no input.
    """
    from tests.live.support.processes import environment

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    arguments = command[1:] if command[0] == sys.executable else command
    order = {"arguments": arguments, "folder": str(folder), "limits": limits, "environment": environment(**more)}
    return Forked(command, loaded().ask(order, *(file.fileno() for file in files)))


# -- the process itself --------------------------------------------------------------------------------------


def load() -> None:
    """Load all that the three programs and the native client need."""
    import twisted.scripts.twistd  # noqa: F401
    from twisted.application.service import IServiceMaker
    from twisted.plugin import getPlugins

    import streamrelay.agent.tap
    import streamrelay.client.lists
    import streamrelay.client.platform_api
    import streamrelay.client.stdio
    import streamrelay.client.stream
    import streamrelay.main
    import streamrelay.platform.tap
    import streamrelay.relay.tap  # noqa: F401

    with contextlib.suppress(ImportError):
        import uvloop  # noqa: F401
    list(getPlugins(IServiceMaker))
    assert "twisted.internet.reactor" not in sys.modules, "each program makes its own"


def serve(channel: socket.socket) -> dict[str, Any]:
    """Fork for each order; it returns in a process that is to become a program, and nowhere else."""
    while True:
        data, descriptors, *_ = socket.recv_fds(channel, MOST, 3)
        if not data:  # whoever gave orders has ended
            os._exit(0)
        order: dict[str, Any] = json.loads(data)
        if "reap" in order:
            channel.send(b"%d" % os.waitpid(order["reap"], 0)[1])
            continue
        pid = os.fork()
        if pid == 0:
            channel.close()
            become(order, descriptors)
            return order
        for descriptor in descriptors:
            os.close(descriptor)
        channel.send(b"%d" % pid)


def become(order: dict[str, Any], descriptors: list[int]) -> None:
    """Be as a process that was started anew."""
    os.setsid()
    os.chdir(order["folder"])
    for number, descriptor in enumerate(descriptors, 3 - len(descriptors)):
        os.dup2(descriptor, number)
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, order["limits"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = order["arguments"]


def main(descriptor: int) -> None:
    load()
    gc.collect()
    gc.freeze()  # and it stays so: a program that ends would look through all of it, which takes 0.2 s
    serve(socket.socket(fileno=descriptor))
    from twisted.scripts.twistd import run

    from streamrelay.main import main as run_client

    run_client() if Path(sys.argv[0]).name == "streamrelay" else run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
