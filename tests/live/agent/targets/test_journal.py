"""systemd's journal as a target, through the whole chain: real journal files, written while journalctl follows them.

No journald needs to run: systemd-journal-remote writes a journal of what it reads on its standard input. Debian:
systemd (journalctl), systemd-journal-remote.
"""

import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from streamrelay.agent.targets.journal.boots import present_boot
from tests.live.agent.targets.test_targets import Ear
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, shared
from tests.live.support.command_lines import present
from tests.live.support.processes import need_program
from tests.live.support.waiting import WAIT, until
from tests.live.support.websockets import V1

REMOTE = "/lib/systemd/systemd-journal-remote"
BOOT = "5ee1e2e1ed9d4b7d8ee8a7a5a2d3c1f0"
DAY = 86400
NEXT_BOOT = "6ee1e2e1ed9d4b7d8ee8a7a5a2d3c1f0"

TARGETS = """
[targets."unit/{name}"]
kind = "journal"
unit = "{name}.service"
lines = 3
directory = "JOURNAL"
parts = { name = "[a-z]+" }

[targets.workers]
kind = "journal"
unit = "worker-*"
directory = "JOURNAL"

[targets.all]
kind = "journal"
directory = "JOURNAL"

[targets.none]
kind = "journal"
directory = "FOLDER/no-such-directory"
"""


class Journal:
    """A journal that is written as the test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not os.access(REMOTE, os.X_OK):
            raise SkipTest(f"needs the program {REMOTE}")
        self._log = (folder / "remote.log").open("wb")
        self._names = itertools.count()
        self._begin()

    def _begin(self) -> None:
        """Another file of the journal, as after a rotation."""
        self._writer: Any = subprocess.Popen(
            [REMOTE, f"--output={self.folder}/part-{next(self._names)}.journal", "-"],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
        )

    def write(self, unit: str, message: bytes, boot: str = BOOT, behind: int = 0) -> None:
        """Write an entry, by a clock that is so many seconds behind."""
        now = time.time_ns() // 1000 - behind * 10**6
        fields = (
            f"__REALTIME_TIMESTAMP={now}\n__MONOTONIC_TIMESTAMP={now % 10**12}\n_BOOT_ID={boot}\n_HOSTNAME=box\n"
            f"_SYSTEMD_UNIT={unit}.service\nSYSLOG_IDENTIFIER={unit}\n_PID=12\nMESSAGE\n"
        )
        size = len(message).to_bytes(8, "little")
        self._writer.stdin.write(fields.encode() + size + message + b"\n\n")
        self._writer.stdin.flush()

    def rotate(self, forget: bool = False) -> None:
        """Go on in another file; the first one stays, or doesn't."""
        self.stop()
        if forget:
            for part in self.folder.glob("part-*.journal"):
                part.unlink()
        self._begin()

    def stop(self) -> None:
        self._writer.stdin.close()
        self._writer.wait(WAIT)


class Journals(LiveTest):
    """A journal's last entries, then what is added."""

    def setUp(self) -> None:
        super().setUp()
        need_program("journalctl")
        folder = Path(tempfile.mkdtemp(prefix="streamrelay-journal-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.journal = Journal(folder)
        self.addCleanup(self.journal.stop)
        self.common = shared(targets=TARGETS.replace("JOURNAL", str(folder)))

    def hear(self, target: str, **more: object) -> Ear:
        answer = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": target, **more})
        self.assertEqual((answer.status, answer.json.get("viewer")), (201, "log"), answer.text)
        return Ear(self.websocket(answer.json["url"], V1))

    def count(self, unit: str) -> int:
        """Entries of a unit that are in the journal."""
        command = ["journalctl", f"--directory={self.journal.folder}", "--merge", "--output=cat"]
        return subprocess.run([*command, f"--unit={unit}"], capture_output=True, check=True).stdout.count(b"\n")

    def fill(self) -> None:
        """Five entries of one unit, among them those of another."""
        for number in range(5):
            self.journal.write("web", b"entry %d" % number)
            self.journal.write("other", b"of the other %d" % number)
        until(lambda: self.count("web") == 5, what="the journal")

    def test_follows(self) -> None:
        """The last entries of a unit come, then what it adds, a line for each with its time, host, name and number."""
        self.fill()
        ear = self.hear("unit/web")
        self.assertIn("place", json.loads(ear.leg.recv(WAIT)))
        text = ear.expect(r"(?s).*entry 4\n")[0]
        stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d{4}"
        self.assertRegex(text, rf"\A({stamp} box web\[12\]: entry [234]\n){{3}}\Z")
        self.journal.write("other", b"unheard")
        self.journal.write("web", b"entry 5")
        self.assertRegex(ear.expect(r"(?s).*\n")[0], rf"\A{stamp} box web\[12\]: entry 5\n\Z")

    def test_all(self) -> None:
        """Without a unit everything comes."""
        self.fill()
        self.hear("all").expect(r"entry 0\n(.*\n)*.*of the other 4\n")

    def test_one_line_each(self) -> None:
        """A message of several lines, of bytes that are no text, or of a terminal's commands is one harmless line."""
        self.fill()
        ear = self.hear("unit/web")
        ear.expect("entry 4\n")
        self.journal.write("web", b"two\nlines \xff \x1b[31mred\x1b[0m \x1b]0;title\x07\n")
        self.assertEqual(ear.expect(r"12\]: (.*)\n")[1], r"two\nlines \xff red \x1b]0;title\x07")
        self.journal.write("web", b"x" * 100_000)
        self.assertEqual(len(ear.expect(r"12\]: (x+) \(and 34464 characters more\)\n")[1]), 65536)

    def test_very_long(self) -> None:
        """An entry of more than a mebibyte, which anybody may write, is left out and said; it keeps nobody out."""
        self.fill()
        for number in range(3):
            self.journal.write("web", bytes([65 + number]) * (3 << 20))
        until(lambda: self.count("web") == 8, what="the journal")
        ear = self.hear("unit/web")
        ear.expect(r"\A(\(an entry of more than 1048576 bytes was left out\)\n){3}")
        self.journal.write("web", b"the next")
        ear.expect(r"the next\n")

    def test_a_unit_without_entries(self) -> None:
        """A unit that has written nothing yet is followed from its first entry on."""
        self.fill()
        ear = self.hear("unit/fresh")
        place = json.loads(ear.leg.recv(WAIT))["place"]
        self.journal.write("fresh", b"first")
        ear.expect(r"first\n")
        ear = self.hear("unit/fresh", place=place, after=0)
        ear.expect(r"first\n")
        self.assertNotIn("lost", ear.controls[0])

    def left_before_boot(self) -> str:
        """The place of a client that has left, of whose unit an entry was missed, and the journal rotated since."""
        self.fill()
        ear = self.hear("unit/web")
        ear.expect(r"entry 4\n")
        place: str = json.loads(ear.leg.recv(WAIT))["place"]
        ear.leg.close()
        self.journal.write("web", b"missed")
        self.journal.rotate()
        return place

    def test_goes_on(self) -> None:
        """A stream goes on at its place to the byte: over a rotation, and a reboot."""
        place = self.left_before_boot()
        self.journal.write("web", b"after the boot", NEXT_BOOT)
        until(lambda: self.count("web") == 7, what="the journal")
        ear = self.hear("unit/web", place=place, after=10)
        text = ear.expect(r"(?s).*after the boot\n")[0]
        self.assertNotIn("lost", ear.controls[0])
        self.assertRegex(text, r"\AT\d\d:\d\d:\d\d\.\d{6}[+-]\d{4} box web\[12\]: missed\n")
        self.journal.write("web", b"and now", NEXT_BOOT)
        ear.expect(r"and now\n")

    def test_units_that_come_later(self) -> None:
        """A glob opens before any unit is named so, and shows those that come; each place goes on."""
        self.fill()
        ear = self.hear("workers")
        place = json.loads(ear.leg.recv(WAIT))["place"]
        for number in range(5):
            self.journal.write(f"worker-{number}", b"entry %d" % number)
            self.journal.write("other", b"unheard")
        text = ear.expect(r"(?s).*entry 4\n")[0]
        self.assertEqual([line[-7:] for line in text.splitlines()], [f"entry {number}" for number in range(5)])
        again = self.hear("workers", place=place, after=len(text) - 8)
        self.assertEqual(again.expect(r".*\n")[0], "entry 4\n")
        fresh = self.hear("workers").expect(r"(?s).*entry 4\n")[0]
        self.assertEqual(fresh, text)

    def test_clock_behind(self) -> None:
        """This machine's boot is followed though its clock is behind the one before, and places in both go on."""
        place = self.left_before_boot()
        self.journal.write("web", b"booted", present_boot(), DAY)
        until(lambda: self.count("web") == 7, what="the journal")
        live, back = self.hear("unit/web"), self.hear("unit/web", place=place, after=0)
        self.assertEqual(self.messages(live, "booted")[-1], "booted")
        self.assertEqual(self.messages(back, "booted"), ["missed", "booted"])
        for number in range(5):
            self.journal.write("web", b"now %d" % number, present_boot(), DAY)
        now = [f"now {number}" for number in range(5)]
        self.assertEqual(self.messages(live, "now 4"), now)
        self.assertEqual(self.messages(back, "now 4"), now)
        self.journal.write("web", b"more", present_boot(), DAY)
        self.assertEqual(self.messages(live, "more"), ["more"])
        place = json.loads(live.leg.recv(WAIT))["place"]
        self.journal.write("web", b"even more", present_boot(), DAY)
        self.assertEqual(self.messages(self.hear("unit/web", place=place, after=0), "even more"), ["even more"])
        self.assertFalse(any("lost" in control for control in live.controls + back.controls))

    def messages(self, ear: Ear, last: str) -> list[str]:
        """The messages that come, up to the last one."""
        text = ear.expect(rf"(?s).*?12\]: {last}\n")[0]
        return [line.partition("12]: ")[2] for line in text.splitlines()]

    def test_lost(self) -> None:
        """A place whose entry is gone is lost, which is said, and the last entries come."""
        self.fill()
        ear = self.hear("unit/web")
        ear.expect(r"entry 4\n")
        place = json.loads(ear.leg.recv(WAIT))["place"]
        self.journal.rotate(forget=True)
        self.journal.write("web", b"all that is left")
        until(lambda: self.count("web") == 1, what="the journal")
        ear = self.hear("unit/web", place=place, after=3)
        ear.expect(r"box web\[12\]: all that is left\n")
        self.assertTrue(ear.controls[0]["lost"])

    def test_no_journal(self) -> None:
        """What can't be read is refused, with journalctl's own words."""
        answer = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": "none"})
        self.assertEqual((answer.status, answer.json["code"]), (502, "target_refused"))
        self.assertIn("no-such-directory: No such file or directory", answer.json["detail"])

    def test_nothing_stays(self) -> None:
        """journalctl ends with its stream."""
        self.fill()
        ear = self.hear("unit/web")
        ear.expect(r"entry 4\n")
        found = [line for line in self.followers() if str(self.journal.folder) in line]
        self.assertEqual(len(found), 1, found)
        ear.leg.close()
        until(lambda: not [line for line in self.followers() if str(self.journal.folder) in line], what="its end")

    def followers(self) -> list[str]:
        """The command lines of all journalctl that follow."""
        found = [line.split(b"\0") for _, line in present()]
        followers = [one for one in found if one[0] == b"journalctl" and b"--follow" in one]
        return [b" ".join(one).decode() for one in followers]

    def test_slow_client(self) -> None:
        """A client that doesn't read costs the agent no memory; when it reads it gets everything."""
        self.fill()
        ear = self.hear("unit/web")
        ear.expect(r"entry 4\n")
        before = self.common.agent.rss()
        for number in range(4000):
            self.journal.write("web", b"%04d" % number + b"." * 4000)
        until(lambda: self.count("web") == 4005, 4 * WAIT, what="the journal")
        time.sleep(3)
        self.assertLess(self.common.agent.rss() - before, 8)
        data, end = b"", time.monotonic() + 4 * WAIT
        while not data.endswith(b"3999" + b"." * 4000 + b"\n") and time.monotonic() < end:
            message = ear.leg.recv(WAIT)
            data += message if isinstance(message, bytes) else b""
        numbers = [line.split(b"12]: ")[1][:4] for line in data.splitlines()]
        self.assertEqual(numbers, [b"%04d" % number for number in range(4000)])
