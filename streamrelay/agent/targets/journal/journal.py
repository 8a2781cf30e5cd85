"""journal: systemd's journal, one unit or all of it: its last entries, then what is added, a line for each.

By journalctl, as the journal's files are its own affair. A place is an entry's cursor, which is good across rotation,
reboots and restarts of the agent.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from attrs import define
from msgspec import Meta
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from streamrelay.agent.targets.followed_log import Followed
from streamrelay.agent.targets.journal.entries import FIELDS, Entry, read_entry
from streamrelay.agent.targets.journal.journalctl import MAX_LINE, Journalctl
from streamrelay.agent.targets.kind import Kind
from streamrelay.agent.targets.sealed_places import seal, unseal
from streamrelay.datapath.connection import Connection
from streamrelay.errors import TargetError
from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.protocol.limits import CONNECT_TIME
from streamrelay.protocol.summons import Refusal, Terms, Viewer

MACHINE_ID: Final = "/etc/machine-id"
_UNIT: Final = re.compile(r"[A-Za-z0-9:_.@\\*?\[\]-]{1,255}")
TOO_LONG: Final = f"(an entry of more than {MAX_LINE} bytes was left out)\n".encode()


class Journal(Kind, frozen=True, tag="journal"):
    """Settings of a journal target."""

    unit: str = ""
    """A unit, or a glob of units; empty: everything."""
    lines: Annotated[int, Meta(ge=0, le=100_000)] = 100
    """Entries that are sent before it is followed."""
    directory: str = ""
    """Directory of the journal's files; empty: this machine's own."""

    @property
    def viewer(self) -> Viewer:
        return "log"

    def check(self) -> None:
        if self.unit and not _UNIT.fullmatch(self.unit):
            raise ValueError(f"unit {self.unit!r}: expected a unit's name, or a glob")
        if self.directory and not self.directory.startswith("/"):
            raise ValueError(f"directory {self.directory!r}: expected an absolute path")

    async def connect(self, reactor: Any, terms: Terms) -> Connection:
        at, skip = self._read_place(terms.place)
        if at is not None and at.cursor:
            entry = await self._first(reactor, f"--cursor={at.cursor}", "--lines=1")
            if entry is not None and entry.cursor == at.cursor:
                skip += terms.after
                return Followed(reactor, JournalSource(reactor, self, at, skip), skip)
            at = None
        if at is None:
            at = await self._start(reactor)
        return Followed(reactor, JournalSource(reactor, self, at, lost=bool(terms.place)))

    async def _start(self, reactor: Any) -> "Mark":
        """Find where the last entries begin; behind the journal's last one if there are none to send."""
        first = await self._first(reactor, *self.matching, f"--lines={self.lines}") if self.lines else None
        if first is not None:
            return Mark(first.cursor, inclusive=True)
        last = await self._first(reactor, "--lines=1")
        return Mark(last.cursor if last is not None else "")

    def _read_place(self, place: str) -> "tuple[Mark | None, int]":
        text, _, skip = unseal(place, self.sealed_for).partition("+")
        return (Mark(text[1:], text[0] == "="), int(skip or 0)) if text else (None, 0)

    async def _first(self, reactor: Any, *arguments: str) -> Entry | None:
        """Return the first of the entries; None if there is none, `TargetError` if they can't be read."""
        done: Deferred[Entry | None] = Deferred()

        def on_line(line: bytes) -> None:
            run.stop()
            try:
                done.callback(read_entry(line))
            except ValueError as error:
                done.errback(TargetError(Refusal.TARGET_REFUSED, f"journalctl: not what was asked for: {error}"))

        def on_end(why: str) -> None:
            if why:
                done.errback(TargetError(Refusal.TARGET_REFUSED, f"journalctl: {why}"))
            else:
                done.callback(None)

        def late(*_: object) -> Failure:
            run.stop()
            why = f"journalctl: no answer within {CONNECT_TIME:g} s"
            return Failure(TargetError(Refusal.TARGET_UNREACHABLE, why))

        run = Journalctl(on_line, on_end)
        # Whoever writes a very long entry must not keep others from the journal, so nothing of it is asked for.
        run.spawn(reactor, [*self.arguments, "--output-fields=_PID", *arguments])
        done.addTimeout(CONNECT_TIME, reactor, late)
        return await done

    @property
    def arguments(self) -> list[str]:
        """Arguments of every run. Without --merge a follower shows the current boot alone; with it it would show other
        machines' entries, too, so the machine's own id is asked for."""
        common = ["--no-pager", "--output=json", "--all", "--merge"]
        return [*common, f"--directory={self.directory}" if self.directory else f"_MACHINE_ID={machine()}"]

    @property
    def matching(self) -> list[str]:
        return [f"--unit={self.unit}"] if self.unit else []

    @property
    def sealed_for(self) -> str:
        """Name of the log that a place is good for."""
        return f"journal {self.directory} {self.unit}"


def machine() -> str:
    """Read this machine's id, or raise `TargetError`: without one it has no journal either."""
    try:
        return Path(MACHINE_ID).read_text("ascii").strip()
    except (OSError, ValueError):
        raise TargetError(Refusal.TARGET_REFUSED, f"{MACHINE_ID} can't be read: this machine has no journal") from None


@define(frozen=True)
class Mark:
    """A mark behind the entry of this cursor, or (`inclusive`) before it; without a cursor before everything."""

    cursor: str
    inclusive: bool = False

    def __str__(self) -> str:
        return ("=" if self.inclusive else ">") + self.cursor


@define(eq=False)
class JournalSource:
    """A journal that is followed, by one run of journalctl."""

    reactor: Any
    settings: Journal
    at: Mark
    skip: int = 0
    """Bytes of text behind the mark at which to go on."""
    lost: bool = False
    """True if a place was given that can't be found."""
    _log: Followed | None = None
    _run: Journalctl | None = None

    def start(self, log: Followed) -> None:
        self._log = log
        behind = f"+{self.skip}" if self.skip else ""
        log.place(seal(f"{self.at}{behind}", self.settings.sealed_for), self.lost)
        self._run = Journalctl(self._line, self._ended)
        try:
            fields = f"--output-fields={FIELDS}"
            self._run.spawn(self.reactor, [*self.settings.arguments, fields, *self.settings.matching, *self._from()])
        except TargetError as error:
            self._ended(error.reason)

    def _from(self) -> Sequence[str]:
        """Return the arguments to go on from the mark: by --cursor, not --after-cursor, which leaves out two entries
        where the first one is of another unit."""
        return ["--follow", "--no-tail", *([f"--cursor={self.at.cursor}"] if self.at.cursor else [])]

    def _line(self, line: bytes) -> None:
        log = self._log
        if log is None:
            return
        try:
            entry = read_entry(line) if line else None
        except ValueError as error:
            self._ended(f"not what was asked for: {error}")
            return
        if entry is None:
            log.text(TOO_LONG)
        elif self.at.inclusive or entry.cursor != self.at.cursor:
            self.at = Mark(entry.cursor)
            log.text(entry.line())

    def _ended(self, why: str) -> None:
        log, self._log = self._log, None
        if log is not None:
            log.ended(outcome(CloseCode.TARGET_RESET, f"journalctl: {why or 'it ended'}"))

    def place(self) -> str:
        return seal(str(self.at), self.settings.sealed_for)

    def pause(self) -> None:
        if self._run is not None:
            self._run.pause()

    def resume(self) -> None:
        if self._run is not None:
            self._run.resume()

    def stop(self) -> None:
        self._log = None
        if self._run is not None:
            self._run.stop()
