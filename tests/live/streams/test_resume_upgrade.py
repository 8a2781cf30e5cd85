"""A relay that is upgraded, stopped by SIGTERM and started anew, under streams of all kinds that live.

`STREAMRELAY_UPGRADED`, 200 for the full form, is how many there are.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.live.console.console import ConsoleChain
from tests.live.support.machine import Machine
from tests.live.support.ports import answers, free_port
from tests.live.support.processes import environment
from tests.live.support.promise import kept
from tests.live.support.threaded_server import ThreadedServer
from tests.live.support.waiting import WAIT, until
from tests.live.viewers import viewing
from tests.live.viewers.screens import ScreenTest, echoes

STREAMS = int(os.environ.get("STREAMRELAY_UPGRADED", "24"))
TARGETS = """
[targets.terminal]
kind = "pty"
command = ["/bin/sh", "-c", "stty raw -echo; exec cat"]
max_streams = 1000

[targets.log]
kind = "log"
path = "FOLDER/app.log"
lines = 0
"""
DRAIN = 2
ROUNDS = 2
KINDS = ("tcp", "terminal", "log", "vnc")
"""Of streams by the native client; a page has a screen by SPICE and one by VNC."""
LOOKERS = 30
"""Clients by VNC of one machine, one fewer than QEMU has room for; a page is another one."""
MOST = 2 * STREAMS + 10
LIMITS = f"max_streams = {MOST}\nmax_streams_per_user = {MOST}\nmax_detached = {2 * MOST}\n"
"""One user has all of them, and may have half of those without a leg."""


class UpgradedChain(ConsoleChain):
    """A platform of which anybody may ask anything, and a relay that drains."""

    def __init__(self, folder: Path) -> None:
        screens = "".join(
            f"[targets.{one}" for one in viewing.TARGETS.split("[targets.") if one[:4] in ('"vnc', '"spi')
        )
        super().__init__(folder, TARGETS + screens, agent=LIMITS, relay=(f"--drain={DRAIN}",))
        with self.keys.open("a") as keys:
            keys.write(viewing.ANONYMOUS)


class Echo(ThreadedServer):
    """Says what it hears, on all connections."""

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionResetError):
            while data := connection.recv(65536):
                connection.sendall(data)


class Upgraded(ScreenTest):
    """One relay, whose streams have nowhere else to go until the new one is there."""

    own: Any

    def start(self) -> Any:
        self.own = self.start_chain(UpgradedChain(self.folder))
        return self.own

    def setUp(self) -> None:
        super().setUp()
        (self.folder / "app.log").touch()
        self.over = threading.Event()
        self.addCleanup(self.over.set)
        self.echo = Echo()
        self.addCleanup(self.echo.close)
        threading.Thread(target=self.write_log, daemon=True).start()

    def write_log(self) -> None:
        with (self.folder / "app.log").open("a", buffering=1) as file:
            number = 0
            while not self.over.wait(0.2):
                file.write(f"{number}\n")
                number += 1

    def load(self) -> "subprocess.Popen[bytes]":
        port, part = self.echo.port, STREAMS // 4
        targets = (f"port/{port}", "terminal", "log", f"vnc/{self.vnc_port}")
        looking = min(part, LOOKERS)
        counts = (STREAMS - 2 * part - looking, part, part, looking)
        kinds = tuple(f"{kind}:{target}:{count}" for kind, target, count in zip(KINDS, targets, counts, strict=True))
        root = str(Path(__file__).resolve().parents[3])
        errors = (self.folder / "load.err").open("wb")
        self.addCleanup(errors.close)
        process = subprocess.Popen(
            (
                sys.executable,
                "-m",
                "tests.live.support.many_streams",
                f"http://127.0.0.1:{self.own.platform_port}",
                *kinds,
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment(STREAMRELAY_KEY=self.own.key, PYTHONPATH=root),
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def show_screens(self) -> tuple[Machine, Machine]:
        """Two machines, each in a tab of a page, by SPICE and by VNC."""
        self.vnc_port, port = free_port(), free_port()
        self.view.evaluate("() => { window.resumes = true; }")
        machines = (
            self.machine("one", f"addr=127.0.0.1,port={port},disable-ticketing=on"),
            self.machine("two", vnc=f"127.0.0.1:{self.vnc_port - 5900}"),
        )
        for number, target in enumerate((f"spice/{port}", f"vnc/{self.vnc_port}")):
            self.show(target.partition("/")[0], target)
            self.same(machines[number], number)
        return machines

    def use_screens(self, machines: tuple[Machine, Machine]) -> list[float]:
        """The page's screens are the same streams, show their machines and take keys; for how long they were away."""
        for number, machine in enumerate(machines):
            self.wait_state(number, "connected")
            self.view.evaluate("n => tabs[n].viewer.focus()", number)
            machine.take(self.view.keyboard, "here")
            self.same(machine, number)
            echoes(machine, "\nhere")
        away = self.away()
        self.assertEqual([len(each) for each in away], [ROUNDS, ROUNDS])
        return [seconds for each in away for seconds in each]

    def away(self) -> list[list[float]]:
        """Of each screen for how many seconds it was without a connection, each time."""
        told: list[list[float]] = self.view.evaluate("tabs.map(({ away }) => away)")
        return told

    def upgrade(self) -> float:
        """Stop the relay, and start the new one as an operator does; return for how long none let anybody in."""
        began = time.monotonic()
        self.own.relay.stop()
        self.own.relay.start()
        until(lambda: answers(self.own.relay_port, self.own.address), what="the relay")
        return time.monotonic() - began

    def detached(self) -> int:
        listed = self.own.streams()
        return sum(1 for one in listed if one.get("detached") is not None)

    def test_upgraded(self) -> None:
        """No stream of any kind ends, and none loses or doubles a line, when its relay is stopped and a new one is
        started."""
        machines = self.show_screens()
        load = self.load()
        assert load.stdin is not None and load.stdout is not None
        first = load.stdout.readline()
        self.assertEqual(first, b"open\n", first + load.stdout.read() if first != b"open\n" else b"")
        away = []
        for _ in range(ROUNDS):
            time.sleep(2)
            away.append(self.upgrade())
            until(lambda: not self.detached(), 3 * WAIT, "all streams by the new relay")
            until(lambda: all(len(each) == len(away) for each in self.away()), 3 * WAIT, "both screens by it")
        time.sleep(2)
        screens = self.use_screens(machines)
        load.stdin.close()
        told: list[dict[str, Any]] = json.loads(load.stdout.read())
        self.assertEqual([one for one in told if one["ended"] or one["wrong"]], [])
        self.assertEqual(len(told), STREAMS)
        self.assertEqual({one["kind"] for one in told}, set(KINDS))
        self.assertEqual([one for one in told if one["came"] <= 5], [])
        longest = sorted(one["silences"][0] for one in told)
        each = sorted(silence for one in told for silence in one["silences"][:ROUNDS])
        words = (
            f"{STREAMS} streams, {ROUNDS} upgrades, the relay away for {max(away):.1f} s; silence: median "
            f"{each[len(each) // 2]:.1f} s, p99 {each[int(len(each) * 0.99)]:.1f} s, longest {longest[-1]:.1f} s; "
            f"a page's screens by SPICE and VNC were without a connection for {max(screens):.1f} s"
        )
        print(f"figure: {words}")
        kept("relay upgraded", words)
