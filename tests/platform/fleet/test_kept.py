"""kept.py: what is known of hosts after a restart."""

import sqlite3
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.platform.fleet import kept
from streamrelay.platform.fleet.inventory import Inventory
from streamrelay.platform.fleet.kept import Kept
from streamrelay.protocol.summons import HostAnswer, TargetInfo
from tests.documented import HOST_FORGOTTEN
from tests.fakes.files import folder
from tests.fakes.logs import Heard

UP = HostAnswer((TargetInfo("log", "log"),), "1.2", "vm-a", labels={"site": "fra"}, address="10.0.0.7")


class Starts(SynchronousTestCase):
    """A platform's starts, one after another."""

    def setUp(self) -> None:
        self.path = folder(self) / "hosts.sqlite"
        self.now = 1e9
        self.heard = Heard(self)
        self.start()
        self.addCleanup(lambda: self.kept.close())

    def start(self) -> None:
        self.inventory = Inventory(lambda: self.now)
        self.kept = Kept(self.path, self.inventory, lambda: self.now)
        self.kept.open()

    def test_down(self) -> None:
        """A host is known as it was, with when it was last there: when it went down, or else when that was written."""
        for name in ("a", "b", "c"):
            self.inventory.told(name, UP)
        self.now += 10
        self.inventory.lost("a")
        self.inventory.forget("c")
        self.now += 10
        self.kept.write()
        self.now += 1000
        self.start()  # as after a kill
        hosts = self.inventory.hosts
        self.assertEqual(
            {name: (info.state, info.seen) for name, info in hosts.items()},
            {
                "a": ("down", 1e9 + 10),
                "b": ("down", 1e9 + 20),
            },
        )
        self.assertEqual((hosts["b"].targets, hosts["b"].labels, hosts["b"].version), (UP.targets, UP.labels, "1.2"))
        self.inventory.told("b", UP)
        self.assertEqual(self.inventory.state("b"), "up")

    def test_stop(self) -> None:
        """At a stop all is written that there is, however many there are."""
        self.patch(kept, "MOST_AT_ONCE", 10)
        for number in range(95):
            self.inventory.told(f"h-{number}", UP)
        self.kept.write()
        self.kept.close()
        self.start()
        self.assertEqual(len(self.inventory.hosts), 95)
        self.assertIn("knows 95 hosts from before", self.heard.lines[-1])

    def run_for(self, seconds: float) -> None:
        """Let time pass, in which what has changed is written now and then."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(self.now + 3600, until)
            self.kept.write()

    def test_forgotten(self) -> None:
        """One that is down for two weeks is forgotten; one that is up, or hangs, isn't."""
        for name in ("down", "up", "silent"):
            self.inventory.told(name, UP)
        self.inventory.lost("down")
        self.inventory.hangs("silent")
        for seconds, known in ((HOST_FORGOTTEN, 3), (1, 2)):
            self.run_for(seconds)
            self.assertEqual(len(self.inventory.hosts), known)
        self.kept.write()
        self.start()
        self.assertEqual(sorted(self.inventory.hosts), ["silent", "up"])

    def test_clock(self) -> None:
        """A clock that is set ahead, as after a start with an old one, makes nobody forgotten: who is down counts from
        that time on. One that is set back makes nobody seen in time to come."""
        self.inventory.told("a", UP)
        self.inventory.lost("a")
        self.kept.write()
        self.now += 400 * 86400
        self.kept.write()
        self.run_for(HOST_FORGOTTEN)
        self.assertEqual(sorted(self.inventory.hosts), ["a"])
        self.run_for(2)
        self.assertEqual(sorted(self.inventory.hosts), [])
        self.inventory.told("b", UP)
        self.inventory.lost("b")
        self.kept.write()
        self.now -= 400 * 86400
        self.kept.write()
        self.assertEqual(self.inventory.hosts["b"].seen, self.now)
        self.now -= 86400 / 2
        self.start()
        self.assertEqual(self.inventory.hosts["b"].seen, self.now)

    def test_no_database(self) -> None:
        """A file that is no database is said, with its path, and left as it is; the platform goes on without."""
        self.kept.close()
        self.path.write_bytes(b"something else" * 100)
        self.start()
        self.inventory.told("a", UP)
        self.kept.write()
        self.assertEqual(self.path.read_bytes()[:14], b"something else")
        self.assertIn(f"hosts aren't kept over a restart: {self.path}: file is not a database", self.heard.lines[-1])

    def test_locked(self) -> None:
        """While another program has the file locked (a backup, a shell) nothing is waited for, as all requests would
        wait, too: it is said, and written later."""
        other = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN EXCLUSIVE")
        self.inventory.told("a", UP)
        assert self.kept._database is not None
        self.assertEqual(self.kept._database.execute("PRAGMA busy_timeout").fetchone(), (0,))
        self.kept.write()
        self.assertIn(f"hosts aren't kept over a restart: {self.path}: database is locked", self.heard.lines[-1])
        other.execute("ROLLBACK")
        self.kept.write()
        self.start()
        self.assertEqual(sorted(self.inventory.hosts), ["a"])

    def test_opened_later(self) -> None:
        """A file that can't be opened at the start, on a full disk or so, is tried again: what was kept is listed, and
        what was heard meanwhile is kept."""
        self.inventory.told("a", UP)
        self.kept.close()
        self.path.rename(aside := self.path.with_suffix(".aside"))
        self.path.mkdir()
        self.start()
        self.inventory.told("b", UP)
        for _ in range(2):
            self.kept.write()
        self.assertEqual(len([line for line in self.heard.lines if "aren't kept" in line]), 1)
        self.path.rmdir()
        aside.rename(self.path)
        self.kept.write()
        self.assertEqual({one.host: one.state for one in self.inventory.hosts.values()}, {"a": "down", "b": "up"})
        self.start()
        self.assertEqual(sorted(self.inventory.hosts), ["a", "b"])

    def test_full_disk(self) -> None:
        """What can't be written is said once, and written later."""

        class Full(sqlite3.Connection):
            """A database on a full disk."""

            full = True

            def executemany(self, *arguments: Any) -> Any:
                if self.full:
                    raise sqlite3.OperationalError("database or disk is full")
                return super().executemany(*arguments)

        self.kept._database = database = sqlite3.connect(self.path, isolation_level=None, factory=Full)
        self.inventory.told("a", UP)
        for _ in range(3):
            self.kept.write()
        self.assertEqual(len([line for line in self.heard.lines if "disk is full" in line]), 1)
        database.full = False
        self.kept.write()
        self.start()
        self.assertEqual(sorted(self.inventory.hosts), ["a"])
