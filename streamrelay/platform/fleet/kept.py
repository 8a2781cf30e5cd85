"""A database of the platform's own, in which it keeps hosts as they were last known over a restart.

Without it hosts that are down while a platform starts would be forgotten. Nothing else is kept, and nobody asks it: it
is read at the start, and written a little behind what is known.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from attrs import define, field
from msgspec import structs

from streamrelay.logs import Logger, Several
from streamrelay.platform.fleet.inventory import Inventory
from streamrelay.protocol.summons import HostInfo

log = Logger()

EACH: Final = 5.0
"""Seconds between two times that changes are written."""
MOST_AT_ONCE: Final = 500
"""Hosts that are written at a time, as other requests wait meanwhile."""
FORGOTTEN: Final = 14 * 86400.0
"""Seconds after which a host that is down is forgotten."""
PATIENCE: Final = 5.0
"""Seconds for which another program that has the file locked is waited for at a start."""
JUMP: Final = 86400.0
"""Seconds from one time that changes are written to the next, over which no time has passed, but the clock was set."""
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS hosts (host TEXT PRIMARY KEY, told BLOB NOT NULL, seen REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS written (at REAL NOT NULL);
"""


@define(eq=False)
class Kept:
    """The database of one platform."""

    path: Path
    inventory: Inventory
    now: Callable[[], float]
    _database: sqlite3.Connection | None = None
    _changed: dict[str, None] = field(factory=dict)
    _failed: bool = False
    _again: bool = False
    """True if it couldn't be opened for a reason that may pass: the disk is full, another program has it locked."""
    _latest: float = 0.0
    """When changes were written last, or tried to be."""

    def open(self) -> None:
        """Take up what was kept, each host as down until it is heard, and keep what changes from now on."""
        self._latest, heard = self.now(), dict.fromkeys(self.inventory.hosts)
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._database = sqlite3.connect(self.path, PATIENCE if not self._failed else 0, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.executescript(_TABLES)
            self._database.execute("PRAGMA busy_timeout = 0")  # from now on all requests would wait
            self._read(self._database)
        except (sqlite3.Error, OSError, ValueError) as error:
            self._again = isinstance(error, (sqlite3.OperationalError, OSError))
            self._tell(error)
            self.close()
            return
        self._again = False
        self._changed.update(heard)
        self.inventory.changed.append(self._touch)

    def _read(self, database: sqlite3.Connection) -> None:
        """Put into the inventory what is kept. One that was up is taken for seen when we last wrote."""
        written = max((at for (at,) in database.execute("SELECT at FROM written")), default=self.now())
        count = 0
        for told, seen in database.execute("SELECT told, seen FROM hosts"):
            info = msgspec.json.decode(told, type=HostInfo)
            seen = min(seen or written, self.now())  # a clock that was ahead
            self.inventory.remember(structs.replace(info, state="down", seen=seen))
            count += 1
        log.info("knows {count} from before", count=Several(count, "host"))

    def _touch(self, host: str) -> None:
        self._changed[host] = None

    def write(self) -> None:
        """Write some of what has changed, and forget who has been down for long; to be called every `EACH` seconds."""
        if self._database is None and self._again:
            self.open()
        if self._database is None:
            return
        passed, self._latest = self.now() - self._latest, self.now()
        if passed < 0 or passed > JUMP:
            self.inventory.clock_was_set(max(passed, 0.0))
        oldest = self.now() - FORGOTTEN
        for host in [info.host for info in self.inventory.hosts.values() if info.seen and info.seen < oldest]:
            if self.inventory.state(host) == "down":
                self.inventory.forget(host)
        some = list(self._changed)[:MOST_AT_ONCE]
        try:
            self._write(self._database, some)
        except sqlite3.Error as error:
            self._tell(error)
            return
        self._failed = False
        for host in some:
            del self._changed[host]

    def _write(self, database: sqlite3.Connection, hosts: list[str]) -> None:
        known = {host: self.inventory.hosts.get(host) for host in hosts}
        there = [(info.host, msgspec.json.encode(info), info.seen) for info in known.values() if info is not None]
        database.execute("BEGIN")
        try:
            database.executemany("INSERT OR REPLACE INTO hosts VALUES (?, ?, ?)", there)
            gone = [(host,) for host, info in known.items() if info is None]
            database.executemany("DELETE FROM hosts WHERE host = ?", gone)
            database.execute("DELETE FROM written")
            database.execute("INSERT INTO written VALUES (?)", (self.now(),))
            database.execute("COMMIT")
        except sqlite3.Error:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Write all that is left, and close the database."""
        while self._database is not None and self._changed:
            before = len(self._changed)
            self.write()
            if len(self._changed) == before:
                break
        if self._database is not None:
            self._database.close()
            self._database = None

    def _tell(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            log.warn("hosts aren't kept over a restart: {path}: {error}", path=self.path, error=error)
