"""journal: systemd's journal, one unit or all of it: its last entries, then what is added, a line for each.

By journalctl, as the journal's files are its own affair. A place is an entry's cursor, which is good across rotation,
reboots and restarts of the agent. Where the journal holds this machine's present boot, that is followed by itself, once
all that was before it has been told.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from attrs import define

from streamrelay.agent.targets.followed_log import Followed
from streamrelay.agent.targets.journal import units
from streamrelay.agent.targets.journal.boots import boot_of, present_boot
from streamrelay.agent.targets.journal.entries import FIELDS, Entry, read_entry
from streamrelay.agent.targets.journal.journalctl import MAX_LINE, Journalctl
from streamrelay.agent.targets.journal.lookup import first_line, look_up
from streamrelay.agent.targets.last_lines import LogKind, begin_with
from streamrelay.agent.targets.sealed_places import seal, unseal
from streamrelay.datapath.connection import Connection
from streamrelay.errors import TargetError
from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.protocol.summons import Refusal, Terms, Viewer

MACHINE_ID: Final = "/etc/machine-id"
MACHINES: Final = "--field=_MACHINE_ID"
"""Argument that asks for the ids of all machines which the journal has entries of."""
_UNIT: Final = re.compile(r"[A-Za-z0-9:_.@\\*?\[\]-]{1,255}")
TOO_LONG: Final = f"(an entry of more than {MAX_LINE} bytes was left out)\n".encode()


class Journal(LogKind, frozen=True, tag="journal"):
    """Settings of a journal target."""

    unit: str = ""
    """A unit, or a glob of units; empty: everything."""
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
        return await begin_with(self, terms, lambda settings: settings._follow(reactor, terms))

    async def _follow(self, reactor: Any, terms: Terms) -> Connection:
        boot = await self._boot(reactor)
        at, skip = self._read_place(terms.place)
        if at is not None and await self._is_there(reactor, at):
            skip += terms.after
            return Followed(reactor, JournalSource(reactor, self, at, boot, skip=skip), skip)
        then, count = await self._last_lines(reactor, boot) if boot else (EVERYTHING, 0)
        at = then if then.cursor and count >= self.lines else (await self._last_lines(reactor))[0]
        if boot and boot_of(at.cursor) == boot:  # there is nothing before it, or by its clock it is before all else
            at = then
        return Followed(reactor, JournalSource(reactor, self, at, boot, then, lost=bool(terms.place)))

    async def _boot(self, reactor: Any) -> str:
        """Return this machine's present boot if the journal is of it, and of no other machine's; empty if it isn't."""
        boot = present_boot()
        if boot and self.directory:
            found, _ = await self._first(reactor, of_boot(boot), "--lines=1")
            machines = 0 if found is None else (await first_line(reactor, [*self.arguments, MACHINES], whole=True))[1]
            return boot if found is not None and machines <= 1 else ""
        return boot

    async def _is_there(self, reactor: Any, mark: "Mark") -> bool:
        """Tell whether the entry of a mark is still kept; that of none is."""
        if not mark.cursor:
            return True
        found, _ = await self._first(reactor, f"--cursor={mark.cursor}", "--lines=1")
        return found is not None and found.cursor == mark.cursor

    async def _last_lines(self, reactor: Any, boot: str = "") -> "tuple[Mark, int]":
        """Find where the last entries begin, of a boot or of all, and how many of a boot there are; behind the last one
        of any unit if there are none to send."""
        of_it = [of_boot(boot)] if boot else []
        if self.lines:
            first, count = await self._first(reactor, *of_it, *self.matching, f"--lines={self.lines}", whole=bool(boot))
            if first is not None:
                return Mark(first.cursor, inclusive=True), count
        last, _ = await self._first(reactor, *of_it, "--lines=1")
        return Mark(last.cursor if last is not None else ""), 0

    def _read_place(self, place: str) -> "tuple[Mark | None, int]":
        text, _, skip = unseal(place, self.sealed_for).partition("+")
        return (Mark(text[1:], text[0] == "="), int(skip or 0)) if text else (None, 0)

    async def _first(self, reactor: Any, *arguments: str, whole: bool = False) -> tuple[Entry | None, int]:
        return await look_up(reactor, [*self.arguments, *arguments], whole)

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
    def is_glob(self) -> bool:
        return any(mark in self.unit for mark in "*?[")

    @property
    def sealed_for(self) -> str:
        """Name of the log that a place is good for."""
        return f"journal {self.directory} {self.unit}"


def of_boot(boot: str) -> str:
    """Return the argument that asks for the entries of one boot."""
    return f"_BOOT_ID={boot}"


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


EVERYTHING: Final = Mark("")
"""Mark before everything."""


@define(eq=False)
class JournalSource:
    """A journal that is followed by a run of journalctl; from before the present boot by two, one after the other."""

    reactor: Any
    settings: Journal
    at: Mark
    boot: str = ""
    """Id of the present boot, if the journal is of this machine."""
    then: Mark = EVERYTHING
    """Mark at which the present boot is begun when what was before it has been told; without a cursor its beginning."""
    skip: int = 0
    """Bytes of text behind the mark at which to go on."""
    lost: bool = False
    """True if a place was given that can't be found."""
    _log: Followed | None = None
    _run: Journalctl | None = None
    _begun: Mark = EVERYTHING  # where this run did
    _last: bool = False  # whether this run follows
    _paused: bool = False

    def start(self, log: Followed) -> None:
        self._log = log
        behind = f"+{self.skip}" if self.skip else ""
        log.place(seal(f"{self.at}{behind}", self.settings.sealed_for), self.lost)
        self._begin(self.at, last=boot_of(self.at.cursor) == self.boot or not self.boot)

    def _begin(self, mark: Mark, last: bool) -> None:
        """Run journalctl from a mark on: through what was before the present boot, or, the `last` run, on for ever."""
        self._begun, self._last = mark, last
        self._run = Journalctl(self._line, self._ended)
        fields = FIELDS
        arguments = [of_boot(self.boot)] if last and self.boot else []
        if last and self.settings.is_glob:
            fields = f"{FIELDS},{units.FIELDS}"
        else:
            arguments += self.settings.matching
        try:
            arguments = [*self.settings.arguments, f"--output-fields={fields}", *arguments, *self._from(mark, last)]
            self._run.spawn(self.reactor, arguments)
        except TargetError as error:
            self._end(error.reason)
        if self._paused:
            self._run.pause()

    def _from(self, mark: Mark, last: bool) -> Sequence[str]:
        """Return the arguments to go on from a mark: by --cursor, not --after-cursor, which leaves out two entries
        where the first one is of another unit."""
        follow = ["--follow", "--no-tail"] if last else []
        return [*follow, *([f"--cursor={mark.cursor}"] if mark.cursor else [])]

    def _line(self, line: bytes) -> None:
        log = self._log
        if log is None:
            return
        try:
            entry = read_entry(line) if line else None
        except ValueError as error:
            self._end(f"not what was asked for: {error}")
            return
        if entry is None:
            log.text(TOO_LONG)
        elif not self._last and boot_of(entry.cursor) == self.boot:
            return  # its turn comes
        elif self._begun.inclusive or entry.cursor != self._begun.cursor:
            self.at = Mark(entry.cursor)
            if not self._last or not self.settings.is_glob or units.is_of(entry, self.settings.unit):
                log.text(entry.line())

    def _ended(self, why: str) -> None:
        log = self._log
        if self._last or why not in ("", units.NONE_YET):
            self._end(why or "it ended")
        elif log is not None:
            if self.then.cursor:
                self.at = self.then
                log.place(self.place())
            self._begin(self.then, last=True)

    def _end(self, why: str) -> None:
        log, self._log = self._log, None
        if log is not None:
            log.ended(outcome(CloseCode.TARGET_RESET, f"journalctl: {why}"))

    def place(self) -> str:
        return seal(str(self.at), self.settings.sealed_for)

    def pause(self) -> None:
        self._paused = True
        if self._run is not None:
            self._run.pause()

    def resume(self) -> None:
        self._paused = False
        if self._run is not None:
            self._run.resume()

    def stop(self) -> None:
        self._log = None
        if self._run is not None:
            self._run.stop()
