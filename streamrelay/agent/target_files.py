"""Files of targets: only those that have changed are read again, by a thread, so that no stream waits for it."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from threading import Thread
from typing import Any, Final, Generic, TypeVar

from attrs import define, field

from streamrelay.errors import ConfigError
from streamrelay.files import check_own, complain, look, reason
from streamrelay.logs import Logger, Several

log = Logger()
Entry = TypeVar("Entry")
Result = TypeVar("Result")

TOLD: Final = 10
"""Files that are complained about by themselves when many have become wrong at once."""

Apart = Callable[[Callable[[], Any], Callable[[Any], None]], None]
"""A way to have work done: what is to be called, and what the reactor then gives the result to."""


def at_once(work: Callable[[], Result], done: Callable[[Result], None]) -> None:
    """Do work here and now."""
    done(work())


def in_thread(reactor: Any) -> Apart:
    """Return the way to have work done by a thread of its own, which lets ours go on every few milliseconds."""

    def apart(work: Callable[[], Result], done: Callable[[Result], None]) -> None:
        Thread(target=lambda: reactor.callFromThread(done, work()), name="targets", daemon=True).start()

    return apart


@define(frozen=True)
class Content(Generic[Entry]):
    """Targets and settings, as they stand in a file."""

    targets: Mapping[str, Entry]
    settings: Mapping[str, Any]
    """All but its targets."""


@define(frozen=True)
class File(Generic[Entry]):
    """A file as it was when it was last tried."""

    seen: tuple[int, ...]
    content: Content[Entry] | None
    """The last that was good, which counts; None if nothing was."""
    error: str = ""
    """The reason why what is there now doesn't count."""


@define(frozen=True)
class Read(Generic[Entry]):
    """All files, in the order in which they count, and what they come to."""

    files: Mapping[str, File[Entry]]
    targets: Mapping[str, Entry]
    troubles: Mapping[str, str]
    """Faults of files, by their paths."""

    def is_made_of(self, files: Mapping[str, File[Entry]]) -> bool:
        return list(self.files) == list(files) and all(self.files[path] is files[path] for path in files)


NOTHING: Final[Read[Any]] = Read({}, {}, {})


def read_changed(
    paths: Iterable[str],
    known: Read[Entry],
    read: Callable[[str], Content[Entry]],
    again: Callable[[File[Entry]], bool] = lambda file: False,
) -> Read[Entry]:
    """Read the files that have changed, or are to be read `again`; return `known` itself if there are none."""
    files: dict[str, File[Entry]] = {}
    for path in paths:
        before, seen = known.files.get(path), look(path)  # before it is read, so that a change meanwhile is seen later
        if before is not None and before.seen == seen and not again(before):
            files[path] = before
            continue
        try:
            files[path] = File(seen, read(path))
        except Exception as error:  # whatever it is, the next look may go well
            files[path] = File(seen, before.content if before else None, reason(error))
    return known if known.is_made_of(files) else merge(files)


def merge(files: Mapping[str, File[Entry]]) -> Read[Entry]:
    """Put the targets of all files together. Of those with the same name the first one counts."""
    targets: dict[str, Entry] = {}
    owners: dict[str, str] = {}
    troubles = {path: file.error for path, file in files.items() if file.error}
    for path, file in files.items():
        for name, entry in (file.content.targets if file.content else {}).items():
            if name in targets:
                troubles.setdefault(path, f"{path}: targets.{name!r} is in another file already, {owners[name]}")
            else:
                targets[name], owners[name] = entry, path
    return Read(files, targets, troubles)


@define(eq=False)
class TargetFiles(Generic[Entry]):
    """The agent's own file and those beside it. One that is wrong keeps only its own targets back, and of those what
    was read before stays in force.
    """

    paths: Callable[[], list[str]]
    read: Callable[[str], Content[Entry]]
    """Called to read one file, by a thread."""
    take: Callable[[Read[Entry]], None]
    """Called with all that counts now, whenever a file was read."""
    news: Callable[[], None]
    """Called then by `refresh`, which others are to hear of."""
    own: str = ""
    """The file without which there is no start."""
    apart: Apart = at_once
    known: Read[Entry] = NOTHING
    _told: Mapping[str, str] = field(factory=dict)
    _looking: bool = False
    _forced: bool = False  # while we look: to read all

    def load(self) -> None:
        """Read all files, or raise `ConfigError` if the own one is wrong, or the directory of the others."""
        found = read_changed(self.paths(), NOTHING, self.read)
        if self.own and (error := found.files[self.own].error):
            raise ConfigError(error)
        self._take(found)

    def refresh(self, force: bool = False) -> None:
        """Read what has changed or has failed before; `force`: in any case. To be called every few seconds."""
        if self._looking:
            self._forced |= force
            return
        if force:
            self._told = {}  # who asks for it waits to hear how it went
        self._looking = True
        self.apart(partial(self._look, lambda file: force or bool(file.error)), self._looked)

    def glance(self) -> None:
        """Read what has changed since it was last tried, here and now."""
        self._took(self._look(lambda file: False))

    def _look(self, again: Callable[[File[Entry]], bool]) -> Read[Entry] | Exception:
        try:
            return read_changed(self.paths(), self.known, self.read, again)
        except Exception as error:
            return error

    def _looked(self, found: Read[Entry] | Exception) -> None:
        self._looking, forced, self._forced = False, self._forced, False
        if self._took(found):
            self.news()
        if forced:
            self.refresh(force=True)

    def _took(self, found: Read[Entry] | Exception) -> bool:
        if isinstance(found, Exception):
            self._complain({**self.known.troubles, "": reason(found)}, self.known)
            return False
        return self._take(found)

    def _take(self, found: Read[Entry]) -> bool:
        """Let what was found count, and tell whether it is anything new."""
        before, self.known = self.known, found
        self._complain(found.troubles, found)
        new = found is not before and _contents(before) != _contents(found)
        if new:
            self.take(found)
        return new

    def _complain(self, troubles: Mapping[str, str], found: Read[Entry]) -> None:
        """Say what is wrong, once until it is wrong otherwise."""
        new = [path for path, text in troubles.items() if self._told.get(path) != text]
        self._told = troubles
        for path in new[:TOLD]:
            if not path or (found.files[path].error and found.files[path].content):
                complain("the targets", troubles[path])
            else:
                log.error("kept back, while other targets count: {error}", error=troubles[path])
        if new[TOLD:]:
            log.error(
                "kept back, or as they were before: the targets of {count}", count=Several(len(new[TOLD:]), "more file")
            )


def _contents(read: Read[Any]) -> list[int]:
    """Return what tells whether any file was read, or has gone: contents are kept, so none has another's id."""
    return [id(file.content) for file in read.files.values() if file.content is not None]


def files_in(folder: str) -> list[str]:
    """The `*.toml` of a directory that aren't hidden; one that can't be listed is an error, not an empty one, and so is
    one that others may write to."""
    try:
        check_own(folder, os.stat(folder), "directory of targets")
        names = os.listdir(folder)
    except OSError as error:
        missing = "no such directory; make it, or leave drop_in out"
        why = missing if isinstance(error, FileNotFoundError) else f"can't be listed: {error.strerror}"
        raise ConfigError(f"{folder}: {why}") from None
    return [os.path.join(folder, name) for name in sorted(names) if re.fullmatch(r"[^.].*\.toml", name)]
