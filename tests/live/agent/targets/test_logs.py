"""Logs that are gone on with, and left behind: by the API, on running processes."""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain, shared
from tests.live.support.pace import timed
from tests.live.support.waiting import WAIT

TARGETS = r"""
[targets.log]
kind = "log"
path = "FOLDER/resumed/log"
lines = 5

[targets.short]
kind = "log"
path = "FOLDER/resumed/log"
lines = 5
behind = 1_000_000
"""


class Reader:
    """A client that keeps the last place and counts bytes since."""

    def __init__(self, test: Any, target: str, **more: Any) -> None:
        answer = test.common.ask("POST", "/v1/streams", {"host": HOST, "target": target, **more})
        test.assertEqual(answer.status, 201, answer.text)
        self.leg = test.websocket(str(answer.json["url"]))
        self.place, self.after = "", 0
        self.data = b""
        self.events: list[Any] = []
        """Lines that were left out, and "lost"."""

    def read(self, end: bytes, seconds: float = WAIT) -> bytes:
        """Until this comes, and everything before it."""
        stop = time.monotonic() + seconds
        while not self.data.endswith(end):
            self.take(self.leg.recv(max(0.01, stop - time.monotonic())))
        return self.data

    def take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self.data += message
            self.after += len(message)
            return
        told = json.loads(message)
        self.events += [told["skipped"]] if "skipped" in told else ["lost"] if told.get("lost") else []
        if "place" in told:
            self.place, self.after = told["place"], 0


class LogTest(LiveTest):
    """A log in a directory of its own on the common chain."""

    common: Chain

    def setUp(self) -> None:
        super().setUp()
        self.common = shared(targets=TARGETS)
        folder = self.common.folder / "resumed"
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        self.path = folder / "log"

    def append(self, data: bytes, path: Path | None = None) -> None:
        with (path or self.path).open("ab") as file:
            file.write(data)

    def go_on(self, reader: Reader, target: str = "log") -> Reader:
        return Reader(self, target, place=reader.place, after=reader.after)


class Resumed(LogTest):
    """A client that lost its stream and comes back."""

    def test_goes_on(self) -> None:
        """No byte is missing and none comes twice, also within a line."""
        self.append(b"one\ntwo\nthr")
        reader = Reader(self, "log")
        reader.read(b"thr")
        reader.leg.close()
        self.append(b"ee\n" + b"more\n" * 100)
        self.assertEqual(self.go_on(reader).read(b"more\n" * 100), b"ee\n" + b"more\n" * 100)

    def test_rotated(self) -> None:
        """Rotations while it was away leave no gap."""
        self.append(b"one\n")
        reader = Reader(self, "log")
        reader.read(b"one\n")
        reader.leg.close()
        self.append(b"two\n")
        for content in (b"three\n", b"four\n"):
            for number in (2, 1):
                old = self.path.with_suffix(f".{number}")
                if old.exists():
                    old.rename(self.path.with_suffix(f".{number + 1}"))
            self.path.rename(self.path.with_suffix(".1"))
            self.append(content)
        again = self.go_on(reader)
        self.assertEqual(again.read(b"four\n"), b"two\nthree\nfour\n")
        self.assertEqual(again.events, [])

    def test_agent_anew(self) -> None:
        """A place is still good when the agent has been started again."""
        self.append(b"one\n")
        reader = Reader(self, "log")
        reader.read(b"one\n")
        self.append(b"two\n")
        connected = self.common.agent.log.count("connected to NATS")
        self.common.agent.restart()
        self.common.agent.wait_for("connected to NATS", count=connected + 1)  # lists of hosts may be 2 s old
        again = self.go_on(reader)
        self.assertEqual((again.read(b"two\n"), again.events), (b"two\n", []))

    def test_lost(self) -> None:
        """Where it can't go on, it is told so before the last lines."""
        self.append(b"one\n" * 100)
        reader = Reader(self, "log")
        reader.read(b"one\n" * 5)
        self.path.write_bytes(b"a\nb\nc\nd\ne\nf\n")
        again = self.go_on(reader)
        self.assertEqual((again.read(b"f\n"), again.events), (b"b\nc\nd\ne\nf\n", ["lost"]))

    def test_strangers_places(self) -> None:
        """What isn't a place leads nowhere else; what couldn't be one is refused."""
        self.append(b"one\n")
        again = Reader(self, "log", place="../../etc/passwd", after=5)
        self.assertEqual((again.read(b"one\n"), again.events), (b"one\n", ["lost"]))
        for place, after in (("x" * 300, 0), ("a\nb", 0), ("x", -1), (5, 0)):
            answer = self.common.ask(
                "POST", "/v1/streams", {"host": HOST, "target": "log", "place": place, "after": after}
            )
            self.assertEqual(answer.status, 400, (place, after))


class Behind(LogTest):
    """A client that doesn't keep up."""

    def line(self, number: int) -> bytes:
        return b"%0100d\n" % number

    def test_skipped(self) -> None:
        """Who stops to read gets the newest lines, and the number of those that were left out, exactly."""
        self.append(self.line(0))
        reader = Reader(self, "short")
        reader.read(self.line(0))
        with self.path.open("ab") as file:
            for begin in range(1, 300_001, 1000):
                file.write(b"".join(self.line(number) for number in range(begin, begin + 1000)))
        time.sleep(1)
        self.append(b"end\n")
        data = reader.read(b"end\n")
        skipped = sum(reader.events)
        self.assertGreater(skipped, 100_000)
        self.assertEqual(len(data) // 101 + skipped, 300_001)
        numbers = [int(line) for line in data.splitlines()[:-1]]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual(numbers[-1], 300_000)

    def test_keeps_up(self) -> None:
        """100,000 lines at 10,000 a second all come, in their order, to one who reads."""
        self.append(b"begin\n")
        reader = Reader(self, "log")
        reader.read(b"begin\n")
        thread = threading.Thread(target=self.write_for_ten_seconds)
        thread.start()
        self.addCleanup(thread.join)
        data = reader.read(self.line(99_999), 4 * WAIT)
        lines = data.splitlines(keepends=True)[1:]
        differ = [(n, line) for n, line in enumerate(lines) if line != self.line(n)][:3]
        self.assertEqual((len(lines), differ, reader.events), (100_000, [], []))
        self.assertEqual(data[:6], b"begin\n")

    def write_for_ten_seconds(self) -> None:
        began = time.monotonic()
        with self.path.open("ab", buffering=0) as file:
            for step in range(1000):
                file.write(b"".join(map(self.line, range(step * 100, step * 100 + 100))))
                time.sleep(max(0.0, began + (step + 1) / 100 - time.monotonic()))

    def test_others_are_served(self) -> None:
        """While a GB of lines is counted for one client, another one's last lines come at once."""
        self.append(b"first\n")
        reader = Reader(self, "short")
        reader.read(b"first\n")
        block = b"x" * 99 + b"\n"
        with self.path.open("ab") as file:
            for _ in range(100):
                file.write(block * 100_000)
        self.assertEqual(os.path.getsize(self.path), 6 + 1_000_000_000)
        with timed() as passed:
            waiter = Reader(self, "log")
            waiter.read(block * 5)
        self.assertLess(passed.fair, 1.5)
        self.append(b"end\n")
        reader.read(b"end\n", 4 * WAIT)
        self.assertGreater(sum(reader.events), 9_000_000)
