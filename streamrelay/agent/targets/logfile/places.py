"""Places of a log: how far its files were read. A client keeps one and brings it back to go on there.

Beside the file that is followed a place may name old ones, to which programs still write (`old_files`), each with its
own position. They are told in turn, and the place says which of them the bytes after it are of.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from attrs import astuple, define

from streamrelay.agent.targets.logfile.file import LogFile, open_log
from streamrelay.agent.targets.logfile.position import NOTHING, Position
from streamrelay.agent.targets.logfile.search import find
from streamrelay.agent.targets.logfile.steps import Steps
from streamrelay.agent.targets.sealed_places import seal, unseal

LONGEST: Final = 230
"""Characters of a place without its seal; with it they are 256 at most."""


@define
class Reopened:
    """Files that are gone on with."""

    file: LogFile | None
    """The one that is followed; None if there is none yet."""
    old: list[LogFile]
    lost: bool
    """True if lines may be missing that come between."""


@define(frozen=True)
class Place:
    """A place in a log."""

    positions: tuple[Position, ...]
    """Position in the file which is followed, then those in old ones."""
    read: int = 0
    """Number of the one whose file the bytes come from that come next: 0, or 1 for the first of the old ones."""
    more: bool = False
    """True if there were more old files than there is room for."""
    copied: bool = False
    """True if the file which is followed is a copy that rotation made of the log."""

    @classmethod
    def of(cls, path: str, file: LogFile | None, old: Sequence[LogFile] = (), read: LogFile | None = None) -> "Place":
        """Return the place up to which a log was read; `read`: the old file that is read next."""
        now = _before_any(path) if file is None else Position.of(file)
        first = sorted(old, key=lambda each: each is not read)
        copied = file is not None and file.copied is not None
        return cls((now, *map(Position.of, first)), int(read is not None), copied=copied)

    def seal(self, path: str) -> str:
        """Return the place as a client gets it, for the log of this path."""
        positions, more = list(self.positions), self.more
        while len(text := f"{self.read + 2 * more + 4 * self.copied}+" + "+".join(map(_text, positions))) > LONGEST:
            positions.pop()
            more = True
        return seal(text, f"log {path}")

    @classmethod
    def unseal(cls, sealed: str, path: str) -> "Place | None":
        """Read what a client brings back; None if it is nothing that this machine gave out for this log.

        Also None for a place of the first form, five numbers, which knows too little of its file.
        """
        number, *positions = unseal(sealed, f"log {path}").split("+")
        if not positions:
            return None
        flags = int(number)
        return cls(tuple(map(_position, positions)), flags & 1, bool(flags & 2), bool(flags & 4))

    def reopen(self, path: str, after: int, within: str = "") -> Steps[Reopened]:
        """Open the files, wherever rotation has put them, at so many bytes behind this place.

        `FileNotFoundError` if that which is followed is gone, or isn't what it was: truncated without a copy, written
        anew, or its inode used again.
        """
        with ExitStack() as held:
            files: list[LogFile] = []
            lost = self.more
            for number, position in enumerate(self.positions):
                besides = [each.identity for each in self.positions if each is not position]
                found = yield from find(path, position, within, besides)
                file = _ahead(found.file, after if number == self.read else 0)
                if file is not None:
                    held.callback(file.close)
                    files.append(file)
                elif number == 0 and (position.inode or (after and not self.read)):
                    raise FileNotFoundError
                lost = lost or found.doubt or (file is None and number > 0)
            newest = files.pop(0) if self.positions[0].inode else open_log(path, within)
            if newest is not None and self.copied:
                newest.copied = -1
            held.pop_all()
        return Reopened(newest, files, lost)


def _ahead(file: LogFile | None, bytes_after: int) -> LogFile | None:
    """Pass so many bytes of a file; give None, and close it, if there are fewer."""
    if file is not None and file.size < file.offset + bytes_after:
        file.close()
        return None
    if file is not None and bytes_after:
        file.seek(file.offset + bytes_after)
        file.copied = None if file.copied is None else file.offset
    return file


def _before_any(path: str) -> Position:
    """Return the position before the next file; others that come before it are newer than the directory is now."""
    try:
        since = os.stat(os.path.dirname(os.path.realpath(path))).st_mtime_ns
    except OSError:
        since = 0
    return Position(0, 0, 0, 0, NOTHING, since)


def _text(position: Position) -> str:
    return ".".join(f"{number:x}" for number in astuple(position))


def _position(text: str) -> Position:
    return Position(*(int(number, 16) for number in text.split(".")))
