"""A relay that is upgraded, stopped by SIGTERM and started anew, under streams of all kinds that live.

`STREAMRELAY_UPGRADED`, 200 for the full form, is how many there are.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.live.support.case import LiveTest
from tests.live.support.ports import answers
from tests.live.support.processes import environment
from tests.live.support.promise import kept
from tests.live.support.waiting import WAIT, until

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


class Upgraded(LiveTest):
    """One relay, whose streams have nowhere else to go until the new one is there."""

    def setUp(self) -> None:
        super().setUp()
        (self.folder / "app.log").touch()
        limits = f"max_streams = {2 * STREAMS + 10}\nmax_streams_per_user = {2 * STREAMS + 10}\n"
        self.own = self.chain(targets=TARGETS, agent=limits, relay=(f"--drain={DRAIN}",))
        self.over = threading.Event()
        self.addCleanup(self.over.set)
        self.echo = socket.create_server(("127.0.0.1", 0), backlog=500)
        self.addCleanup(self.echo.close)
        for work in (self.write_log, self.serve):
            threading.Thread(target=work, daemon=True).start()

    def write_log(self) -> None:
        with (self.folder / "app.log").open("a", buffering=1) as file:
            number = 0
            while not self.over.wait(0.2):
                file.write(f"{number}\n")
                number += 1

    def serve(self) -> None:
        """Say what is heard, on all connections, until the listener is closed."""

        def echo(connection: socket.socket) -> None:
            with connection:
                while data := connection.recv(65536):
                    connection.sendall(data)

        while True:
            try:
                connection, _ = self.echo.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(connection,), daemon=True).start()

    def load(self) -> "subprocess.Popen[bytes]":
        port, third = self.echo.getsockname()[1], STREAMS // 3
        kinds = (f"tcp:port/{port}:{STREAMS - 2 * third}", f"terminal:terminal:{third}", f"log:log:{third}")
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

    def upgrade(self) -> float:
        """Stop the relay, and start the new one as an operator does; return for how long none let anybody in."""
        began = time.monotonic()
        self.own.relay.stop()
        self.own.relay.start()
        until(lambda: answers(self.own.relay_port, self.own.address), what="the relay")
        return time.monotonic() - began

    def detached(self) -> int:
        listed = self.own.ask("GET", "/v1/streams").json["streams"]
        return sum(1 for one in listed if one.get("detached") is not None)

    def test_upgraded(self) -> None:
        """No stream of any kind ends, and none loses or doubles a line, when its relay is stopped and a new one is
        started."""
        load = self.load()
        assert load.stdin is not None and load.stdout is not None
        first = load.stdout.readline()
        self.assertEqual(first, b"open\n", first + load.stdout.read() if first != b"open\n" else b"")
        away = []
        for _ in range(ROUNDS):
            time.sleep(2)
            away.append(self.upgrade())
            until(lambda: not self.detached(), 3 * WAIT, "all streams by the new relay")
        time.sleep(2)
        load.stdin.close()
        told: list[dict[str, Any]] = json.loads(load.stdout.read())
        self.assertEqual([one for one in told if one["ended"] or one["wrong"]], [])
        self.assertEqual(len(told), STREAMS)
        self.assertEqual({one["kind"] for one in told}, {"tcp", "terminal", "log"})
        longest = sorted(one["silences"][0] for one in told)
        each = sorted(silence for one in told for silence in one["silences"][:ROUNDS])
        words = (
            f"{STREAMS} streams, {ROUNDS} upgrades, the relay away for {max(away):.1f} s; silence: median "
            f"{each[len(each) // 2]:.1f} s, p99 {each[int(len(each) * 0.99)]:.1f} s, longest {longest[-1]:.1f} s"
        )
        print(f"figure: {words}")
        kept("relay upgraded", words)
        self.assertGreater(min(one["came"] for one in told), 5)
