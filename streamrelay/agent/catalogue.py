"""A host's targets by name: the agent's own list, the only thing that says what may be connected.

A name may be a pattern with named parts (``vm/{name}/console``). Each part must match its own regular expression in
full and is filled into the settings; whatever isn't matched exactly is no target.
"""

import os
import pwd
from collections.abc import Callable, Mapping
from functools import reduce
from itertools import islice
from operator import or_
from typing import Any, Final

import msgspec
import re2
from attrs import define, field

from streamrelay.agent.target_files import Content, Read, TargetFiles, files_in
from streamrelay.agent.targets.container.container import Container
from streamrelay.agent.targets.journal.journal import Journal
from streamrelay.agent.targets.kind import PART, Kind, Launcher, Target
from streamrelay.agent.targets.logfile.log import Log
from streamrelay.agent.targets.qemu.qemu import Qemu
from streamrelay.agent.targets.sockets.tcp import Tcp
from streamrelay.agent.targets.sockets.unix import Unix
from streamrelay.agent.targets.terminal.pty import Pty, own_user
from streamrelay.errors import ConfigError, TargetError
from streamrelay.files import check_roots, read_own
from streamrelay.logs import Logger, Several
from streamrelay.program.settings import parse_toml, read_toml, unquoted
from streamrelay.protocol.limits import MOST_TARGETS
from streamrelay.protocol.names import is_target
from streamrelay.protocol.summons import HostAnswer, Refusal, TargetInfo

log = Logger()

KINDS: tuple[type[Kind], ...] = (Tcp, Unix, Log, Pty, Qemu, Container, Journal)
"""All kinds of targets. A new one takes its place here."""

_SETTINGS: Final = frozenset(name for kind in KINDS for name in kind.__struct_fields__)

NAMED: Final = 10
"""Targets that a line of the log names at most."""
_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False  # they are told by the exception
_OPTIONS.max_mem = 1 << 20  # bytes of one expression, compiled


@define(frozen=True)
class Entry:
    """One target of the list."""

    name: str
    settings: Kind
    pattern: Any
    """Compiled by RE2, which takes linear time whatever the expression and the name: one who asks can't stall us. None
    of a name without parts."""

    def match(self, name: str) -> Kind | None:
        """The target of this name with its parts filled in."""
        if self.pattern is None:
            return self.settings if name == self.name else None
        match = self.pattern.fullmatch(name)
        if match is None:
            return None
        parts = match.groupdict()
        if any(step in (".", "..") for part in parts.values() for step in part.split("/")):
            return None
        return fill(self.settings, parts)


def read_entry(name: str, table: object) -> Entry:
    """One ``[targets.NAME]`` table, or `ValueError`."""
    plain = PART.sub("x", name)
    if not is_target(plain):
        raise ValueError("a name is letters, digits, ._:@+- and {parts}, with / between")
    named = table.get("kind") if isinstance(table, dict) else None
    kinds = [str(kind.__struct_config__.tag) for kind in KINDS]
    if isinstance(named, str) and named not in kinds:
        raise ValueError(f"kind {named!r}: expected one of {', '.join(kinds)}")
    settings: Kind = msgspec.convert(table, type=reduce(or_, KINDS), strict=True)
    wanted = PART.findall(name)
    if len(set(wanted)) != len(wanted):
        raise ValueError("a part appears twice in the name")
    if set(wanted) != set(settings.parts):
        raise ValueError(f"parts: expected a regular expression for each of {wanted or 'no parts'}")
    unknown = set(PART.findall(" ".join(settings.all_texts()))) - set(wanted)
    if unknown:
        raise ValueError(f"{{{min(unknown)}}} is not a part of the name")
    settings = settings.bounded()
    if not wanted:
        settings.check()
    return Entry(name, settings, _pattern(name, settings.parts) if wanted else None)


def _pattern(name: str, parts: Mapping[str, str]) -> Any:
    pieces = PART.split(name)  # literal, part, literal, part, … literal
    text = ""
    for index, piece in enumerate(pieces):
        if index % 2 == 0:
            text += re2.escape(piece)
            continue
        try:
            if re2.compile(parts[piece], _OPTIONS).groups:
                raise ValueError(f"parts.{piece}: write groups as (?:…)")
        except re2.error as error:
            raise ValueError(f"parts.{piece}: not a regular expression of RE2: {_reason(error)}") from None
        text += f"(?P<{piece}>(?:{parts[piece]}))"
    try:
        return re2.compile(text, _OPTIONS)
    except re2.error as error:
        raise ValueError(f"parts: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    reason = error.args[0]
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


def _dots(text: str) -> int:
    return sum(step in (".", "..") for step in text.split("/"))


def fill(settings: Kind, parts: Mapping[str, str]) -> Kind | None:
    """The settings with every ``{part}`` replaced; None if that makes no possible target.

    By what was filled in no argument may become an option, and no step of a path ``.`` or ``..``.
    """

    def filled(text: str) -> str:
        result = PART.sub(lambda match: parts[match[1]], text)
        if result.startswith("-") and not text.startswith("-"):
            raise ValueError("an argument became an option")
        if _dots(result) > _dots(text):
            raise ValueError("a step of a path became . or ..")
        return result

    try:
        result = settings.filled(filled)
        result.check()
    except ValueError:
        return None
    return result


def read_targets(tables: Mapping[str, Any], where: str) -> dict[str, Entry]:
    """All ``[targets]`` of a file, or `ConfigError`."""
    entries = {}
    for name, table in tables.items():
        try:
            entries[name] = read_entry(name, table)
        except (ValueError, msgspec.ValidationError) as error:
            hint = unquoted(name, table, "kind", _SETTINGS)
            raise ConfigError(f"{where}: targets.{name!r}: {error}{hint}") from None
    return entries


def _table(value: object, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: targets: expected a table for each target: [targets.NAME]")
    return value


@define(eq=False)
class Catalogue:
    """The targets of this host, read again when their files have changed.

    A file that has become wrong changes nothing: what was read of it before stays in force, and the log says so.
    """

    path: str = ""
    """The agent's own TOML file."""
    drop_in: str = ""
    """A directory with more."""
    entries: Mapping[str, Entry] = field(factory=dict)
    changed: Callable[[], None] = lambda: None
    """Called when there is a new list."""
    settings_read: Callable[[Mapping[str, Any]], None] = lambda settings: None
    """Called with what else stands in the agent's own file when files were read again."""
    launcher: Launcher | None = None
    """The process that starts commands as other users, if there is one."""
    may_change_users: bool = False
    """True if there is, or will be, a launcher: then targets can name users, in files that root alone may write."""
    check_file: Callable[[str, str], None] = check_roots
    """What such a file must pass, with the reason."""
    files: TargetFiles[Entry] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.files = TargetFiles(self._paths, self._read, self._take, self._read_again, self.path)

    def load(self) -> None:
        """Read all files, or raise `ConfigError` if the agent's own one, or the directory of the others, is wrong."""
        self.files.load()

    def _read(self, path: str) -> Content[Entry]:
        own = path == self.path
        table = read_toml(path) if own else parse_toml(path, read_own(path, "targets"))
        targets = read_targets(_table(table.pop("targets", {}), path), path)
        if not own and table:
            raise ConfigError(f"{path}: {min(table)}: only [targets] may be in a drop-in file")
        for entry in targets.values():
            self._check_user(entry, path)
        return Content(targets, table)

    def _check_user(self, entry: Entry, path: str) -> None:
        """Raise `ConfigError` if a target names a user that we can't become, or not because of this file."""
        user = entry.settings.runs_as
        if user and self.may_change_users:
            self.check_file(path, f"targets.{entry.name!r} names a user")
        elif user and user != own_user():
            raise ConfigError(
                f"{path}: targets.{entry.name!r}: user: only an agent that was started as root, with such a target in "
                f"its files, can run commands as {user}"
            )

    @property
    def names_users(self) -> bool:
        """True if a target is run by a user whom it names."""
        return any(entry.settings.runs_as for entry in self.entries.values())

    def tell_own(self) -> None:
        """Say which targets run programs as our own user, so that whoever may open them can do what we can, and what
        else of the targets one should know."""
        runs = {name: entry.settings.runs_as for name, entry in self.entries.items() if entry.settings.runs}
        uids = {user: _uid(user) if user else os.geteuid() for user in set(runs.values())}
        own = [name for name, user in runs.items() if uids[user] == os.geteuid()]
        if own:
            log.warn(
                "whoever may open {targets} can do all that this agent can: no other user runs it",
                targets=_listed(own),
            )
        if unknown := [name for name, user in runs.items() if uids[user] is None]:
            log.warn("the users of {targets} are unknown on this host; these can't be opened", targets=_listed(unknown))
        if len(self.entries) > MOST_TARGETS:
            log.warn(
                "lists show {most} of the {count} targets; the others can be opened by their names",
                most=MOST_TARGETS,
                count=len(self.entries),
            )

    def _take(self, found: Read[Entry]) -> None:
        self.entries = found.targets

    def _read_again(self) -> None:
        log.info("targets read again: {count}", count=len(self.entries))
        self.tell_own()
        own = self.files.known.files.get(self.path)
        if own is not None and own.content is not None:
            self.settings_read(own.content.settings)
        self.changed()

    def find(self, name: str) -> Target:
        """The target of this name, or `TargetError`."""
        return self.settings(name).offered(name, self.launcher)

    def settings(self, name: str) -> Kind:
        """The settings of the target of this name, with its parts filled in, or `TargetError`."""
        exact = self.entries.get(name)
        for entry in [exact] if exact else self.entries.values():
            target = entry.match(name) if is_target(name) else None
            if target is not None:
                return target
        raise TargetError(Refusal.NO_SUCH_TARGET, "no such target on this host")

    def infos(self) -> tuple[TargetInfo, ...]:
        """The targets as lists show them, the first `MOST_TARGETS`."""
        shown = islice(self.entries.values(), MOST_TARGETS)
        told = ((entry.name, entry.settings) for entry in shown)
        return tuple(TargetInfo(name, kind.kind, kind.viewer, kind.keep) for name, kind in told)

    def listed(self) -> HostAnswer:
        """The list of the targets as the bus is told it, and whether it is whole."""
        return HostAnswer(self.infos(), complete=len(self.entries) <= MOST_TARGETS)

    def _paths(self) -> list[str]:
        own = [self.path] if self.path else []
        return own + (files_in(self.drop_in) if self.drop_in else [])


def _listed(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {Several(len(names) - NAMED, 'other')}" if names[NAMED:] else "")


def _uid(user: str) -> int | None:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None
