"""Positions in files of a log, told by what stands before them: an inode is used again, and a file written anew."""

import os
from hashlib import blake2b
from typing import Final

from attrs import define

from streamrelay.agent.targets.logfile.file import HEAD, TAIL, LogFile


@define(frozen=True)
class Position:
    """A file, and how far into it. Device and inode 0: no file, so before the first byte of the next one."""

    device: int
    inode: int
    offset: int
    length: int
    """Number of the file's first bytes that are compared, also of those that come after the offset."""
    check: int
    """Digest of these, and of the last bytes before the offset."""
    modified: int
    """Nanoseconds of the file's own time of change when this position was taken. A copy of it isn't older."""

    @classmethod
    def of(cls, file: LogFile) -> "Position":
        """Return the position up to which a file was read."""
        ahead, known = os.pread(file.descriptor, HEAD, 0), max(file.head, file.begins, key=len)
        head = ahead if ahead.startswith(known) else known  # it may have been truncated
        return cls(*file.identity, file.offset, len(head), check(head, file.tail), file.modified)

    @property
    def identity(self) -> tuple[int, int]:
        return self.device, self.inode

    def fits(self, file: LogFile) -> bool:
        """Tell whether a file holds what stood before this position, and how it began."""
        return file.size >= self.offset and _check_at(file, self.offset, self.length) == self.check


def end_of(file: LogFile) -> Position:
    """Return the position at a file's end."""
    size = file.size
    length = min(HEAD, size)
    return Position(*file.identity, size, length, _check_at(file, size, length), file.modified)


def check(head: bytes, tail: bytes) -> int:
    """Digest a file's first bytes and those before a position."""
    return int.from_bytes(blake2b(len(head).to_bytes() + head + tail, digest_size=8).digest())


def _check_at(file: LogFile, offset: int, length: int) -> int:
    head = os.pread(file.descriptor, length, 0)
    return check(head, os.pread(file.descriptor, min(TAIL, offset), max(0, offset - TAIL)))


NOTHING: Final = check(b"", b"")
"""The digest at a file's beginning."""
