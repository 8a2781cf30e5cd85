"""Rotation of a log: the files beside it, by their names, and their order in time."""

import os
import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from attrs import define

from streamrelay.agent.targets.logfile.file import LogFile, open_log

NEIGHBOURS: Final = 10_000
"""Files of a directory among which rotated ones are looked for."""

_ROTATED: Final = re.compile(r"[._-](?:(\d{1,5})|\d[\dTt:._+-]{5,}|old)(\.(?:gz|xz|bz2|zst|lz4|lzma|Z))?")
"""What follows a log's name in a rotated one's: a number that grows with age, a date, or ``.old``; perhaps packed."""


@define(frozen=True)
class Rotated:
    """A file beside a log that rotation has made of it, by its name."""

    path: str
    order: tuple[bool, int, str]
    """Key by which newer files come later, among those that are named alike."""
    packed: bool

    def open(self) -> LogFile | None:
        try:
            return None if self.packed else open_log(self.path, follow=False)
        except OSError:
            return None

    def follows(self, other: "Rotated") -> bool:
        return self.order > other.order and self.order[0] == other.order[0]


def rotated(path: str) -> Iterator[Rotated]:
    """Yield a log's rotated files, in no order: ``log.1``, ``log.2.gz``, ``log-20260731`` … for ``log``."""
    directory, name = os.path.split(path)
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in islice(entries, NEIGHBOURS) if entry.name.startswith(name)]
    except OSError:
        return
    for other in names:
        match = _ROTATED.fullmatch(other[len(name) :])
        if match is not None:
            number, packing = match.groups()
            suffix = match[0].removesuffix(packing or "")
            order = (number is not None, -int(number or 0), "" if number else suffix)
            yield Rotated(os.path.join(directory, other), order, packing is not None)


def find(path: str, identity: tuple[int, int], within: str = "") -> LogFile | None:
    """Open the file of this identity under the path or, rotated, beside it; None if there is none.

    Of the files beside the log none but this one is ever opened.
    """
    try:
        found = open_log(path, within=within)
    except OSError:
        found = None
    if found is not None and found.identity == identity:
        return found
    if found is not None:
        found.close()
    old = _rotated_as(path, identity)
    return None if old is None else _same(old.open(), identity)


def successor(path: str, file: LogFile | None, within: str = "") -> tuple[LogFile | None, bool | None]:
    """Open what came after a file that isn't under the path any more, and tell whether something is missing.

    That is the next one by the names that rotation gives, or the log itself. Missing is what has been packed; None
    says that the file isn't beside the log, so nobody can know.
    """
    old = _rotated_as(path, file.identity) if file is not None else None
    missing = None if old is None and file is not None else False
    if file is not None and old is not None:
        for newer in sorted((each for each in rotated(path) if each.follows(old)), key=lambda each: each.order):
            found = newer.open()
            if found is not None and found.identity != file.identity:
                if old == _rotated_as(path, file.identity):
                    return found, missing
                found.close()  # rotated at this very moment
                return None, missing
            missing = True
    try:
        return open_log(path, within=within), missing
    except OSError:
        return None, missing


def _rotated_as(path: str, identity: tuple[int, int]) -> Rotated | None:
    for each in rotated(path):
        try:
            status = os.lstat(each.path)
        except OSError:
            continue
        if (status.st_dev, status.st_ino) == identity:
            return each
    return None


def _same(file: LogFile | None, identity: tuple[int, int]) -> LogFile | None:
    if file is not None and file.identity != identity:
        file.close()
        return None
    return file
