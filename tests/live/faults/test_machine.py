"""Faults of the machine that the programs run on: its clock is set, its descriptors or its disk are used up."""

import contextlib
import os
import resource
import select
import socket
import threading
import time
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain
from tests.live.support.pace import Stopwatch
from tests.live.support.processes import Program, faked, need_root, run, twistd
from tests.live.support.promise import kept, promised
from tests.live.support.waiting import until
from tests.live.support.websockets import PlainLeg

PATIENCE = 3.0
HOUR = 3600
BOUND = 96 << 20
"""Bytes of memory that a relay may use."""
VIEWERS = 60
"""Who read nothing."""
STREAMS = 30
"""Enough for the log to fill what is left of a page."""


class SteppedChain(Chain):
    """A chain whose programs have one clock, which the test sets; the monotonic one is the kernel's."""

    def add(self, name: str, *command: str) -> Program:
        if command[: len(twistd())] != twistd():
            return super().add(name, *command)
        clock = faked(f"FAKETIME_TIMESTAMP_FILE={self.folder}/clock", "FAKETIME_NO_CACHE=1")
        return super().add(name, *clock, *command)

    def step(self, seconds: int) -> None:
        """Set the clock, so many seconds ahead of the true one."""
        new = self.folder / "clock.new"
        new.write_text(f"{seconds:+d}\n")
        new.replace(self.folder / "clock")
        self.signer.now = lambda: time.time() + seconds


class Clocks(LiveTest):
    """The clock is set while everything runs."""

    def test_steps(self) -> None:
        """An hour ahead, and an hour back: a live stream goes on, a wait ends when it would have, new streams open."""
        own = SteppedChain(self.folder, relay=(f"--patience={PATIENCE:g}",))
        self.addCleanup(own.stop)
        own.step(0)
        own.start()
        beside = self.neighbour(*self.stream(own))
        for seconds, promise in ((HOUR, promised("clock ahead")), (0, promised("clock back"))):
            waited = Stopwatch()  # before it waits
            waiting = self.websocket(own.pair()[0])
            with promise:
                own.step(seconds)
                self.assert_closed(waiting, 4004)
            self.assertGreater(waited(), PATIENCE - 1)
            beside.goes_on()
            self.stream(own)
            ahead = said(own.relay.log) - time.time()
            self.assertLess(abs(ahead - seconds), 10 * 60, "the relay has another clock than it was given")


def said(log: str) -> float:
    """When the last line was written, by the program's clock."""
    return datetime.fromisoformat(log.splitlines()[-1].split()[0]).timestamp()


class Descriptors(LiveTest):
    """No descriptor is left to a program."""

    def setUp(self) -> None:
        super().setUp()
        self.own = self.chain()
        self.beside = self.neighbour(*self.stream(self.own))

    def limit(self, program: Program, most: int) -> None:
        """Set a program's soft limit."""
        hard = resource.prlimit(program.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(program.pid, resource.RLIMIT_NOFILE, (most, hard))

    def starve(self, program: Program) -> None:
        """Leave no descriptor to it until the test is over, nor one that it just then closes, or has closed."""
        self.starved, self.before = program, resource.prlimit(program.pid, resource.RLIMIT_NOFILE)[0]
        until(lambda: self.is_starved(program), what="a program that closes nothing more")

    def is_starved(self, program: Program) -> bool:
        """Limit it to the descriptors below its first free one, and tell whether that was no other a moment later."""
        free = first_free(program)
        self.limit(program, free)
        time.sleep(0.2)
        return first_free(program) == free

    def ask(self) -> Any:
        return self.own.ask("POST", "/v1/streams", {"host": HOST, "target": self.listen().target})

    def back(self) -> None:
        """The program lives, and with descriptors new streams open."""
        self.limit(self.starved, self.before)
        until(lambda: self.ask().status == 201, what="a new stream")
        self.stream(self.own)

    def test_agent(self) -> None:
        """Of the agent: a request is answered 503 with the reason, what lives goes on, and all is well after."""
        self.starve(self.own.agent)
        with promised("agent out of descriptors"):
            answer = self.ask()
        self.assertEqual(answer.status, 503, answer.text)
        self.assertIn("no file descriptor left", answer.json["detail"])
        self.beside.goes_on()
        with promised("agent has descriptors"):
            self.back()

    def test_relay(self) -> None:
        """Of the relay: what lives goes on, it takes nothing new, and all is well after."""
        self.starve(self.own.relay)
        with promised("relay out of descriptors"):
            answer = self.ask()
        self.assertIn(answer.status, (502, 503), answer.text)
        self.beside.goes_on()
        with promised("relay has descriptors"):
            self.back()


def first_free(program: Program) -> int:
    """The descriptor that a program would be given next."""
    taken = {int(name) for name in os.listdir(f"/proc/{program.pid}/fd")}
    return next(number for number in count() if number not in taken)


class BoundedChain(Chain):
    """A chain whose relay may use so much memory, as its unit's MemoryMax= says."""

    group: Path

    def start_relay(self) -> None:
        joined = ("sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.group / "cgroup.procs"))
        self.relay = self.add("streamrelay", *joined, *twistd(), "streamrelay", *self.relay_arguments())


class Memory(LiveTest):
    """A program may use little memory."""

    def group(self, most: int) -> Path:
        """A control group (cgroups(7), version 1 or 2) whose processes are killed over so many bytes."""
        need_root("a control group")
        unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
        group = Path("/sys/fs/cgroup" if unified else "/sys/fs/cgroup/memory") / f"streamrelay-test-{os.getpid()}"
        limit = group / ("memory.max" if unified else "memory.limit_in_bytes")
        try:
            group.mkdir()
            self.addCleanup(group.rmdir)
            limit.write_text(str(most))
        except OSError as error:
            raise SkipTest(f"needs control groups: {error}") from None
        return group

    def test_relay(self) -> None:
        """Viewers of floods that read nothing don't cost a relay so much that it is killed; a neighbour's stream goes
        on, and new ones open."""
        own = BoundedChain(self.folder)
        own.group = self.group(BOUND)
        self.addCleanup(own.stop)
        own.start()
        beside = self.neighbour(*self.stream(own))
        targets = [self.flooded(own) for _ in range(VIEWERS)]
        until(lambda: not select.select([], targets, [], 1)[1], what="the end of what is taken")
        beside.goes_on()
        self.stream(own)
        self.assertTrue(own.relay.alive)
        kept("little memory", f"{VIEWERS} viewers in {BOUND >> 20} MiB, of which {own.relay.rss():.0f} were taken")

    def flooded(self, chain: Chain) -> socket.socket:
        """The target of a stream whose viewer reads nothing; it sends what is taken."""
        listener = self.listen()
        leg = PlainLeg(self.open(chain, listener.target))
        self.addCleanup(leg.socket.close)
        target = listener.accept()
        threading.Thread(target=flood, args=(target,), daemon=True).start()
        return target


def flood(target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            target.sendall(bytes(1 << 16))


class Disks(LiveTest):
    """The disk is full on which a program has its log."""

    def test_full(self) -> None:
        """Streams go on and new ones open; with room the log goes on as well, and says how many lines it lacks."""
        need_root("a small file system")
        where = self.folder / "small"
        where.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=64k,mode=0755", "tmpfs", str(where), check=True)
        self.addCleanup(run, "umount", "-l", str(where))
        own = self.start_chain(LoggingChain(self.folder))
        beside = self.neighbour(*self.stream(own))
        filler, log = where / "filler", where / "relay.log"
        fill(filler)
        for _ in range(STREAMS):
            self.end_one(own)
        until(lambda: log.stat().st_size and log.stat().st_size % 4096 == 0, what="the log's end at the disk's")
        beside.goes_on()
        filler.unlink()
        size = log.stat().st_size
        self.end_one(own)
        until(lambda: " ended: " in log.read_bytes()[size:].decode(), what="the line of a stream in the log")
        until(lambda: " of this log could not be written" in log.read_bytes()[size:].decode(), what="what was lost")
        kept("disk full", f"{STREAMS} of {STREAMS} streams")

    def end_one(self, chain: Chain) -> None:
        """A stream that works, and ends."""
        leg, target = self.stream(chain)
        leg.send(b"new")
        self.assertEqual(target.recv(10), b"new")
        leg.close()
        self.assertEqual(target.recv(10), b"")


class LoggingChain(Chain):
    """A chain whose relay has its log on the small file system."""

    def start_relay(self) -> None:
        log = f"--logfile={self.folder}/small/relay.log"
        self.relay = self.add("streamrelay", *twistd(), log, "streamrelay", *self.relay_arguments())


def fill(path: Path) -> None:
    """Write until there is no room."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(512))
