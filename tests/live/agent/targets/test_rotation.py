"""Rotated logs: what a client gets is what is on the disk, or it is told that lines are missing (operations.rst)."""

import itertools
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection

from tests.live.agent.targets.test_logs import Reader
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain, shared
from tests.live.support.processes import links
from tests.live.support.rotations import BANNER, WAYS, followed
from tests.live.support.waiting import WAIT, Work, until

TARGETS = r"""
[targets."rotated/{name}"]
kind = "log"
path = "FOLDER/rotated/{name}/app.log"
within = "FOLDER/rotated"
parts = { name = "[0-9]+" }
"""
AWAY = 3
"""Rotations of a log whose client is away."""
UNSURE = "deleted", "deleted, inode used again", "packed at once"
"""Ways of which nobody knows what came between, if the agent didn't come to look for a second."""
OPERATIONS = Path(__file__).resolve().parents[4] / "docs" / "operations.rst"

numbers = itertools.count()


def documented(column: int) -> dict[str, str]:
    """A column of the table in the manual."""
    text = OPERATIONS.read_text().partition("\nway of rotation")[2].partition("\n\n")[0]
    rows = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]
    return {row[0]: row[column] for row in rows if len(row) == 4 and row[0] in WAYS}


class Follower(Reader):
    """A client of one log that is rotated in one way."""

    def __init__(self, test: "Rotated", name: str) -> None:
        self.name, self.target = name, f"rotated/{next(numbers)}"
        self.way = WAYS[name](test.logs / self.target.partition("/")[2])
        test.addCleanup(self.way.close)
        self.way.write()
        super().__init__(test, self.target)
        self.read_line()
        if self.way.first:
            self.way.rotate()
            self.read_line()

    def read_line(self) -> None:
        """Write a line, and read until it comes."""
        begin, line = len(self.data), self.way.end()
        self.read_until(lambda: line in self.data[begin:])

    def read_until(self, true: Callable[[], Any], seconds: float = WAIT) -> None:
        stop = time.monotonic() + seconds
        while not true():
            if time.monotonic() > stop:
                raise AssertionError(
                    f"{self.name}: what was waited for did not come; {self.missing()[:3]} is missing of {self.events}"
                )
            try:
                self.take(self.leg.recv(0.2))
            except TimeoutError:
                pass

    def missing(self) -> list[bytes]:
        """Lines on the disk that didn't come."""
        came = set(self.data.splitlines(keepends=True))
        return [line for line in self.way.on_disk() if line not in came]

    @property
    def told(self) -> bool:
        return "lost" in self.events

    def finish(self) -> str:
        """Read all that is to come, and tell how many lines were lost and doubled, and whether that was told."""
        self.read_line()
        if not self.told:
            self.read_until(lambda: not self.missing())
        came = Counter(line for line in self.data.splitlines(keepends=True) if line != BANNER)
        lost = "some" if self.missing() else "0"
        return f"{lost}, {max(came.values()) - 1}, {'yes' if self.told else 'no'}"

    def live(self) -> str:
        """It follows, with `tail -F` beside it, while the log is written to and rotated."""
        beside = self.way.folder.with_name(f"{self.way.folder.name}.tail")
        tail = followed(self.way.path, beside)
        try:
            end = threading.Event()
            writer, rotator = Work(self.write, end), Work(self.rotate)
            self.read_until(lambda: not rotator.is_alive(), self.way.rotations * WAIT)
            end.set()
            for work in (rotator, writer):
                work.result()
            told = self.finish()
            begin, last = len(self.data), self.way.end()
            until(lambda: last in beside.read_bytes(), what=f"the last line by tail -F, {self.name}")
            self.read_until(lambda: last in self.data[begin:])
        finally:
            tail.kill()
            tail.wait()
        came = set(self.data.splitlines())
        if not self.told and (more := [line for line in beside.read_bytes().splitlines() if line not in came]):
            return f"{told}, but tail -F had {len(more)} lines more, as {more[:2]}"
        return told

    def write(self, end: threading.Event) -> None:
        while not end.wait(0.01):
            self.way.write()

    def rotate(self) -> None:
        for _ in range(self.way.rotations):
            if not self.way.at_any_time:
                self.wait_for_line()
            else:
                time.sleep(0.4)
            self.way.rotate()

    def wait_for_line(self) -> None:
        """Write a line, and wait until it comes, behind which any number may come, while another thread reads."""
        begin, line = len(self.data), self.way.end()
        until(lambda: line in self.data[begin:], what=f"a line, {self.name}")

    def away(self) -> None:
        """It leaves, and the log is written to and rotated."""
        self.read_until(lambda: self.after == 0)  # as nobody knows what came to a file whose beginning has no place yet
        self.leg.close()
        for _ in range(AWAY):
            for _ in range(3):
                self.way.write()
            self.way.rotate()
        self.way.write()

    def come_back(self, test: "Rotated") -> None:
        self.leg = test.open_log(self.target, place=self.place, after=self.after)


class Rotated(LiveTest):
    """Logs that are rotated in all ways, on one chain."""

    common: Chain

    def setUp(self) -> None:
        super().setUp()
        self.common = shared(targets=TARGETS)
        self.logs = self.common.folder / "rotated"
        self.logs.mkdir(mode=0o755, exist_ok=True)

    def open_log(self, target: str, **more: Any) -> ClientConnection:
        answer = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": target, **more})
        self.assertEqual(answer.status, 201, answer.text)
        return self.websocket(str(answer.json["url"]))

    def compare(self, measured: dict[str, str], column: int) -> None:
        """All cells are what the manual says."""
        for name in UNSURE:
            if measured[name] == "0, 0, yes":
                measured[name] = documented(column)[name]
        self.assertEqual(measured, documented(column))

    def held_without_name(self) -> list[str]:
        """Deleted logs for which the agent keeps the disk from having its room back."""
        found = links(self.common.agent.pid)
        return [link for link in found if link.startswith(str(self.logs)) and link.endswith("(deleted)")]

    def test_live(self) -> None:
        """A client that follows gets all lines that are on the disk, once, or is told; none that only tail -F gets."""
        works = {name: Work(Follower(self, name).live) for name in WAYS}
        self.compare({name: work.result(10 * WAIT) for name, work in works.items()}, 1)
        until(lambda: not self.held_without_name(), what="that the agent lets go of deleted logs")

    def test_came_back(self) -> None:
        """So does one that comes back after rotations, with its place."""
        followers = [Follower(self, name) for name in WAYS]
        for each in followers:
            each.away()
            each.come_back(self)
        self.compare({each.name: each.finish() for each in followers}, 2)

    def test_agent_anew(self) -> None:
        """So does one that comes back when the agent has been started again."""
        followers = [Follower(self, name) for name in WAYS]
        for each in followers:
            each.away()
        connected = self.common.agent.log.count("connected to NATS")
        self.common.agent.restart()
        self.common.agent.wait_for("connected to NATS", count=connected + 1)
        for each in followers:
            each.come_back(self)
        self.compare({each.name: each.finish() for each in followers}, 3)
