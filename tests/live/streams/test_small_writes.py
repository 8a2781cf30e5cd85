"""Small writes, which leave at once: each socket of a stream's way has TCP_NODELAY."""

import contextlib
import ctypes
import errno
import os
import re
import socket
import time
from statistics import median

from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain, shared
from tests.live.support.ports import free_port
from tests.live.support.processes import PROGRAMS, Program
from tests.live.support.sockets import take
from tests.live.support.waiting import WAIT, Work

PIDFD_GETFD = 438
"""The number of a system call that Python has no name for, on all of Linux' machines (pidfd_getfd(2))."""


def sockets_of(pid: int) -> list[socket.socket]:
    """Copies of a process' descriptors that are connected TCP sockets."""
    found, process = [], os.pidfd_open(pid)
    get = ctypes.CDLL(None, use_errno=True).syscall
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile, so none of a stream that lives
                if not re.match(r"socket:", os.readlink(f"/proc/{pid}/fd/{number}")):
                    continue
            copy = get(PIDFD_GETFD, process, int(number), 0)
            if copy < 0 and ctypes.get_errno() == errno.EBADF:
                continue
            if copy < 0:
                raise OSError(ctypes.get_errno(), f"pidfd_getfd of {pid}: {os.strerror(ctypes.get_errno())}")
            one = socket.socket(fileno=copy)
            if one.family in (socket.AF_INET, socket.AF_INET6) and not is_listening(one):
                found.append(one)
            else:
                one.close()
    finally:
        os.close(process)
    return found


def is_listening(one: socket.socket) -> bool:
    return bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


class SmallWrites(LiveTest):
    """A stream through `streamrelay connect --listen`, and who carries it."""

    def local_port(self, chain: Chain, target: str) -> tuple[Program, socket.socket]:
        """The native client, and a connection to its port."""
        port = free_port()
        more = {"STREAMRELAY_PLATFORM": f"http://127.0.0.1:{chain.platform_port}", "STREAMRELAY_KEY": chain.key}
        more |= {"STREAMRELAY_CA": chain.ca} if chain.ca else {}
        command = (str(PROGRAMS / "streamrelay"), "connect", HOST, target, "--listen", f"127.0.0.1:{port}")
        client = self.program("connect", *command, environment=more)
        client.wait_for(f"listens on 127.0.0.1:{port}")
        connection = socket.create_connection(("127.0.0.1", port), WAIT)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.addCleanup(connection.close)
        return client, connection

    def test_no_delay(self) -> None:
        """No program of the chain holds back a small write for the ACK of the one before, without TLS and with it."""
        for chain in (shared(), shared(tls=True)):
            listener = self.listen()
            client, local = self.local_port(chain, listener.target)
            target = listener.accept()
            local.sendall(b"?")
            self.assertEqual(take(target, 1), b"?")
            for program, least in ((chain.agent, 3), (chain.relay, 2), (client, 2), (chain.platform, 1)):
                sockets = sockets_of(program.pid)
                self.assertGreaterEqual(len(sockets), least, program.name)
                for one in sockets:
                    with one:
                        delays = not one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                        self.assertFalse(delays, f"{program.name}: {one}")
            figure("tls" if chain.tls else "plain", local, target)
            client.stop()


def figure(chain: str, local: socket.socket, target: socket.socket) -> None:
    """Tell how long answers take that are written in two parts, a millisecond apart, beside those of one part."""

    def answer(parts: int) -> None:
        for _ in range(30):
            take(target, 1)
            for part in range(parts):
                target.sendall(b"x")
                time.sleep(0.001 if part + 1 < parts else 0)

    target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    took = {}
    for parts in (1, 2):
        serving, times = Work(answer, parts), []
        for _ in range(30):
            began = time.perf_counter()
            local.sendall(b"?")
            take(local, parts)
            times.append((time.perf_counter() - began) * 1e3)
        serving.result()
        took[parts] = median(times)
    print(f"figure: answers through --listen, {chain}: {took[1]:.2f} ms, in two writes 1 ms apart {took[2]:.2f} ms")
