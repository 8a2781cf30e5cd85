"""Rotation of a log: the files beside it, by their names, and their order in time.

There may be thousands, so they are looked at by steps of `SLICE` files. Meanwhile more may be renamed: what was found
is opened only if it still is what it was. Where the log is a symbolic link, they are those of the file that it leads
to.
"""

import errno
import os
import re
import stat
from bisect import bisect_right, insort
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from operator import attrgetter
from typing import Final

from attrs import define, field

from streamrelay.agent.targets.logfile.file import LogFile, open_log, take
from streamrelay.agent.targets.logfile.steps import Steps
from streamrelay.agent.targets.logfile.unreadable import passed_over, readable
from streamrelay.agent.targets.sockets.paths import held

NEIGHBOURS: Final = 10_000
"""Files of a directory among which rotated ones are looked for."""
SLICE: Final = 25
"""Files that are looked at, or opened, in one step: a quarter of a millisecond."""
LOOKS: Final = 3
"""Looks at a directory in which files are renamed meanwhile, at most."""

_PACKED: Final = r"(?:\.(?:gz|xz|bz2|zst|lz4|lzma|Z))?"
_ROTATED: Final = re.compile(rf"([._-](?:(\d{{1,5}})|\d[\dTt:._+-]{{5,}}|old))({_PACKED})")
"""What follows a log's name in a rotated one's: a number that grows with age, a date, or ``.old``; perhaps packed."""
_WITHIN: Final = r"(\.(\d{{1,5}})|[._-](?:(?:19|20)\d\d[._-]?\d\d[\dTt:._+-]*|\d{{10}})){ending}({packed})"
"""What follows where the log's name keeps its ending (``app.1.log``, ``app-20260731.log``): stricter, as the logs of
other programs are named alike (``app-2.log``)."""
_ORDER: Final = attrgetter("order")


@define(frozen=True)
class Rotated:
    """A file beside a log that rotation has made of it, by its name."""

    name: str
    order: tuple[tuple[bool, bool], int, str]
    """Key by which newer files come later, among those that are named alike (first)."""
    readable: bool
    """False if it is packed, or no file at all, as a link."""
    identity: tuple[int, int]
    size: int = 0
    modified: int = 0

    def follows(self, other: "Rotated") -> bool:
        return self.order > other.order and self.order[0] == other.order[0]


@define(eq=False)
class Neighbours:
    """The rotated files beside a log, in a directory that was opened and stays the same, whatever links do."""

    descriptor: int
    directory: str
    name: str
    """The log's own name."""
    found: list[Rotated] = field(factory=list)
    """Files that were found, older ones first."""
    _looked: int = 0  # time of the directory's last change before it was looked at

    @property
    def settled(self) -> bool:
        """False if the directory has changed since it was looked at, so that a file may have been overlooked."""
        return os.fstat(self.descriptor).st_mtime_ns == self._looked

    def look(self, identity: tuple[int, int]) -> Steps[Rotated | None]:
        """Find all rotated files, and that of this identity; looked at anew if it may be overlooked."""
        for _ in range(LOOKS):
            self._looked = os.fstat(self.descriptor).st_mtime_ns
            old = yield from self._list(identity)
            if old is not None or self.settled:
                return old
        return None

    def after(self, old: Rotated) -> Steps[tuple[LogFile | None, bool]]:
        """Open the next newer file that can be read, and tell whether others before it can't."""
        missing = False
        for number, each in enumerate(self.found[bisect_right(self.found, old.order, key=_ORDER) :], 1):
            if not each.follows(old):
                break
            newer = self.open(each, missed=True) if each.identity != old.identity else None
            if newer is not None:
                return newer, missing
            missing = True
            if number % SLICE == 0:
                yield
        return None, missing

    def open(self, each: Rotated, missed: bool = False) -> LogFile | None:
        """Open a file that was found; None if it can't be read, or its name is another one's by now.

        `missed`: in the first case its lines are missing, which the agent's log is told.
        """
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
        path = os.path.join(self.directory, each.name)
        try:
            if not each.readable:
                raise OSError(errno.EINVAL, "it is packed, or no regular file")
            file = take(os.open(each.name, flags, dir_fd=self.descriptor))
        except FileNotFoundError:  # it is renamed meanwhile
            return None
        except OSError as error:
            if missed:
                passed_over(path, error.strerror or str(error))
            return None
        if file.identity != each.identity:
            file.close()
            return None
        readable(path)
        return file

    def has(self, old: Rotated) -> bool:
        """Tell whether a file that was found still has its name."""
        try:
            status = os.lstat(old.name, dir_fd=self.descriptor)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == old.identity

    def _list(self, identity: tuple[int, int]) -> Steps[Rotated | None]:
        self.found, old = [], None
        with os.scandir(self.descriptor) as entries:
            for number, entry in enumerate(islice(entries, NEIGHBOURS), 1):
                each = self._rotated(entry.name)
                if each is not None:
                    insort(self.found, each, key=_ORDER)
                    old = each if each.identity == identity else old
                if number % SLICE == 0:
                    yield
        return old

    def _rotated(self, name: str) -> Rotated | None:
        stem, ending = os.path.splitext(self.name)
        pattern = re.compile(_WITHIN.format(ending=re.escape(ending), packed=_PACKED)) if ending else None
        match, kept = None, False
        if name.startswith(self.name):
            match = _ROTATED.fullmatch(name, len(self.name))
        if match is None and pattern is not None and name.startswith(stem):
            match, kept = pattern.fullmatch(name, len(stem)), True
        if match is None:
            return None
        try:
            status = os.lstat(name, dir_fd=self.descriptor)
        except OSError:
            return None
        mark, number, packing = match.groups()
        order = ((kept, number is not None), -int(number or 0), "" if number else mark)
        readable = not packing and stat.S_ISREG(status.st_mode)
        return Rotated(name, order, readable, (status.st_dev, status.st_ino), status.st_size, status.st_mtime_ns)


@contextmanager
def beside(path: str, within: str = "") -> Iterator[Neighbours]:
    """Open a log's directory, which must be `within`; `OSError` if it can't be read."""
    directory, name = os.path.split(os.path.realpath(path))
    with held(directory, within) as place:
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Neighbours(descriptor, directory, name)
    finally:
        os.close(descriptor)


def successor(path: str, file: LogFile | None, within: str = "") -> Steps[tuple[LogFile | None, bool | None]]:
    """Open what came after a file that isn't under the path any more, and tell whether something is missing.

    That is the next one by the names that rotation gives, or the log itself; None while files are being renamed.
    Missing is what has been packed; None says that nobody can know: there was no file, or it isn't beside the log.
    """
    if file is None:
        return _open(path, within), None
    present, missing = identity_of(path), None
    try:
        with beside(path, within) as neighbours:
            old = yield from neighbours.look(file.identity)
            if old is not None:
                newer, missing = yield from neighbours.after(old)
                renamed = not neighbours.has(old)
                if renamed or newer is not None:
                    return _unless(renamed, newer), missing
            elif not neighbours.settled:
                missing = True
    except OSError:
        pass  # nobody can know
    newer = _open(path, within)
    return _unless(newer is not None and newer.identity != present, newer), missing


def _unless(renamed: bool, file: LogFile | None) -> LogFile | None:
    if renamed and file is not None:
        file.close()
    return None if renamed else file


def identity_of(path: str) -> tuple[int, int] | None:
    """Return device and inode of what a path leads to; None if that can't be seen."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _open(path: str, within: str) -> LogFile | None:
    try:
        return open_log(path, within)
    except OSError:
        return None
