"""Cold starts: of a program beside the user for one connection, of ssh through it, of those that stay, and the shortest
answers of a command line."""

import os
import resource
import shlex
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from statistics import median
from typing import IO

from bench.chain import Chain
from bench.chains import CHAINS, SshDoor
from bench.legs import TIME, Socket, dial
from bench.processes import Others, cpu_seconds, free_port
from bench.sampling import Plan, Row, Sample, interleave
from bench.works.work import NEAR_AND_FAR, Plot, Table, Target, Work

COUNT = 10
ANSWERS = ("--version", "--help")
Pipes = tuple[int, IO[bytes], IO[bytes]]
"""A program's process id, standard input and output."""


@contextmanager
def _running(command: Sequence[str]) -> Iterator[Pipes]:
    """A program that ends with its measurement, or after `TIME`, and all that it started."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0, start_new_session=True
    ) as process:
        assert process.stdin and process.stdout
        limit = threading.Timer(TIME, os.killpg, (process.pid, signal.SIGKILL))
        limit.start()
        try:
            yield process.pid, process.stdin, process.stdout
        finally:
            limit.cancel()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


def _cold(chain: Chain) -> tuple[float, float]:
    """Seconds from a program's start to the first byte of an answer through it, and its CPU seconds until then."""
    port = 0 if chain.has_pipe else free_port()
    command = chain.user(port)
    began = time.perf_counter()
    with _running(command) as (pid, stdin, stdout):
        if port:
            with _dial_soon(port) as user:
                _ask(chain, user.send, user.recv)
        else:
            _ask(chain, stdin.write, stdout.read)
        return time.perf_counter() - began, cpu_seconds(pid)


def _ask(chain: Chain, write: Callable[[bytes], object], read: Callable[[int], bytes]) -> None:
    write(b"?")
    with _accept(chain) as target:
        target.sendall(target.recv(1))
        if read(1) != b"?":
            raise ConnectionError(f"{chain.name} ended before the first byte")


def _accept(chain: Chain) -> Socket:
    """The next connection by which something comes: chisel opens one more as its client is ended."""
    while True:
        target = chain.far.accept()
        with suppress(ConnectionResetError):
            if target.recv(1, socket.MSG_PEEK):
                return target
        target.close()


def _dial_soon(port: int) -> Socket:
    """A connection to a port as soon as a program listens there."""
    end = time.monotonic() + TIME
    while time.monotonic() < end:
        with suppress(ConnectionRefusedError):
            return dial(port)
        time.sleep(0.001)
    raise TimeoutError(f"nobody listens on port {port}")


def _prompt(chain: Chain, door: SshDoor) -> tuple[float, float]:
    """Seconds from the start of an ssh, whose way is a program of the chain, to the first byte of its command."""
    way = f"ProxyCommand={shlex.join(chain.user(0))}"
    began = time.perf_counter()
    with _running([*door.ssh, "-o", way, door.there, "echo !; exec cat"]) as (pid, _, stdout):
        with _accept(chain) as target:
            server = door.serve(target)
        if stdout.read(1) != b"!":
            raise ConnectionError(f"ssh through {chain.name} ended before its command's first byte")
        measured = time.perf_counter() - began, cpu_seconds(pid)
    server.wait(TIME)
    return measured


def _sample(chain: Chain, measure: Callable[[Chain], tuple[float, float]], count: int) -> Sample:
    measure(chain)  # once for the caches of files
    others = Others()
    taken = []
    for _ in range(count):
        with suppress(ConnectionError, TimeoutError):
            taken.append(measure(chain))
    if not taken:
        raise ConnectionError(f"none of {count} starts led to a first byte")
    wall, cpu = (median(figures) * 1e3 for figures in zip(*taken, strict=True))
    return Sample({"wall": wall, "cpu": cpu, "worked": len(taken) / count * 100}, others.cores())


def _ended() -> float:
    """CPU seconds of children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _shortest(chain: Chain, option: str) -> Sample:
    others, before, began = Others(), _ended(), time.monotonic()
    for _ in range(COUNT):
        subprocess.run([chain.user(0)[0], option], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=TIME)
    wall, cpu = time.monotonic() - began, _ended() - before
    return Sample({"wall": wall / COUNT * 1e3, "cpu": cpu / COUNT * 1e3}, others.cores())


def _daemons(plan: Plan, kind: type[Chain]) -> Sample:
    """CPU milliseconds of those that stay, from their start until the first connection is through."""
    others, started = Others(), plan.started([kind])
    if not started:
        return Sample({})
    (chain,) = started
    try:
        chain.pair().close()
        return Sample({f"{name}'s": cpu * 1e3 for name, cpu in chain.shares().items()}, others.cores())
    finally:
        chain.stop()


def run(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    door, kinds = SshDoor(plan.bench), [kind for kind in CHAINS if kind.has_user]
    for where, trip in NEAR_AND_FAR.items():
        chains = plan.started(partial(kind, trip) for kind in kinds)
        piped = [chain for chain in chains if chain.has_pipe]
        count = COUNT // (2 if trip else 1) // (2 if plan.quick else 1)
        rows += interleave(plan, f"to an answer, {where}", chains, partial(_sample, measure=_cold, count=count))
        prompt = partial(_prompt, door=door)
        rows += interleave(plan, f"ssh by it, {where}", piped, partial(_sample, measure=prompt, count=count))
        if not trip:
            kinds = [type(chain) for chain in chains]
            for option in ANSWERS:
                able = [chain for chain in chains if chain.name != "ssh"]
                rows += interleave(plan, option, able, partial(_shortest, option=option))
        for chain in chains:
            chain.stop()
    rows += interleave(plan, "of those that stay", kinds, partial(_daemons, plan))
    return rows


_IMPORTS = (
    "Python alone takes a twentieth of what our client takes; with Twisted and TLS (pyOpenSSL, cryptography) loaded it "
    "is four fifths. The rest is the request itself."
)
_TRIPS = (
    "From nothing it is seven round trips until a byte of the target is at its client (architecture.rst), one more "
    "where it answers, and a quarter of a second is the client's own start."
)

START = Work(
    "start",
    "Cold starts",
    "*To an answer*: the program beside the user, from its start to the first byte of an answer through it, one "
    "connection on standard input and output (frp has no such thing: by a local port). *Ssh by it*: an ssh whose "
    "``ProxyCommand`` it is, to the first byte of a command at the target; with the CPU of ssh itself. *Of those that "
    "stay*: all programs of a chain, until the first connection is through. The files are in the kernel's cache; the "
    "native client knows its relay from the start before.",
    run,
    (
        Table("wall", "Milliseconds (wall time)", 0, better="least"),
        Table("cpu", "CPU milliseconds of the program beside the user", 1, better="least"),
        Table("worked", f"Per cent of the starts that led to a first byte within {TIME:.0f} seconds", 0, False),
        Table("host's", "CPU milliseconds of the host's program", 0),
        Table("public's", "CPU milliseconds of the public one", 0),
        Table("platform's", "CPU milliseconds of the platform", 0),
        Table("bus's", "CPU milliseconds of nats-server", 0),
        Table("user's", "CPU milliseconds of the user's, which listens", 0),
    ),
    (Plot("cpu", "CPU milliseconds of the program beside the user"),),
    (
        Target("to an answer, near: CPU, ms", "cpu", "to an answer, near", 200.0, why=_IMPORTS),
        *(Target(f"{option}: CPU, ms", "cpu", option, 60.0) for option in ANSWERS),
        Target("to an answer, 100 ms away: wall time, ms", "wall", "to an answer, 100 ms away", 700.0, why=_TRIPS),
        Target("ssh by it, 100 ms away: wall time against chisel", "wall", "ssh by it, 100 ms away", 1.0, "chisel"),
        *(
            Target(f"of those that stay: CPU of the {name}, ms", f"{part}'s", "of those that stay", 1000.0)
            for part, name in (("host", "agent"), ("public", "relay"), ("platform", "platform"))
        ),
    ),
)
