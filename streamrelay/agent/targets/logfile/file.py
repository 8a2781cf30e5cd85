"""One file of a log: its identity, how far it was read, and whether it still is what it was."""

import errno
import os
import stat
from collections.abc import Callable
from functools import partial
from typing import Final

from attrs import define, field

from streamrelay.agent.targets.logfile.encodings import encoding_of, unit_of, whole
from streamrelay.agent.targets.logfile.nuls import FEW, MANY, Nuls, next_hole, text_before, text_end
from streamrelay.agent.targets.logfile.steps import Steps
from streamrelay.agent.targets.sockets.paths import held

CHUNK: Final = 65536
"""Bytes that are read at once."""
BLOCKS: Final = 16
"""Such blocks in which lines are searched in one step: half a millisecond."""
HEAD: Final = 64
"""Bytes at a file's beginning that tell it from others: after a truncation, or with an inode that is used again."""
TAIL: Final = 256
"""Bytes before where it was read to that do so, too: many files begin alike."""
NO_FILE: Final = "not a regular file"


@define(eq=False)
class LogFile:
    """An open file of a log, and how far it was read."""

    descriptor: int
    identity: tuple[int, int]
    """Device and inode of the file."""
    offset: int = 0
    head: bytes = b""
    """First bytes of the file, as far as they were passed, `HEAD` at most."""
    begins: bytes = b""
    """First bytes of the file when it was opened or sought in, passed or not, `HEAD` at most, without NULs."""
    tail: bytes = b""
    """Last bytes that were passed, `TAIL` at most."""
    modified: int = 0
    """Nanoseconds of the file's own time of change, before the last bytes that were passed had come."""
    looked: int = 0
    """The same, at the last read."""
    seen: int = 0
    """Most bytes that the file was seen to have."""
    copied: int | None = None
    """Offset from which a copy is read that rotation made before it truncated the log; None: it is no copy.

    0: what came after a copy, and may be another one, or the log, renamed since.
    """
    nuls: Nuls = field(factory=Nuls)
    """NULs that stand next."""

    @property
    def size(self) -> int:
        return os.fstat(self.descriptor).st_size

    def quiet(self, newer: "LogFile") -> float:
        """Return the seconds in which another file was written to since this one was, or was renamed."""
        return max(0.0, os.fstat(newer.descriptor).st_mtime - os.fstat(self.descriptor).st_ctime)

    @property
    def encoding(self) -> str:
        return encoding_of(self.descriptor)

    def seek(self, offset: int) -> None:
        """Go on at another offset, of what the file holds now."""
        if offset < self.offset:
            self.nuls = Nuls()
        self.modified = self.looked = os.fstat(self.descriptor).st_mtime_ns
        self.head = os.pread(self.descriptor, min(HEAD, offset), 0)
        self.tail = os.pread(self.descriptor, min(TAIL, offset), max(0, offset - TAIL))
        self.offset, self.seen, self.begins = offset, self.size, _begins(self.descriptor)

    def read(self, most: int, past: bool = False) -> bytes:
        """Return the next bytes, `most` at most, and pass them; none beyond NULs that may say nothing.

        `past`: only the last ones aren't passed, as others can't be told now.
        """
        return self.read_all(most, partial(self._text, past))

    def read_all(self, most: int, cut: Callable[[bytes], int] = len) -> bytes:
        """Return the next bytes, `most` at most, and pass them; none if they don't come after those passed before.

        `cut` counts those that are passed.
        """
        # A write changes the time before its bytes can be seen, so theirs isn't that of now.
        before, self.looked, known = self.looked, os.fstat(self.descriptor).st_mtime_ns, len(self.tail)
        block = os.pread(self.descriptor, known + most, self.offset - known)
        if not block.startswith(self.tail):
            return b""
        chunk = block[known:]
        chunk = chunk[: cut(chunk)]
        self.modified, self.offset = before if chunk else self.modified, self.offset + len(chunk)
        self.head = self.head + chunk[: HEAD - len(self.head)]
        self.tail = (self.tail + chunk)[-TAIL:]
        return chunk

    def _text(self, past: bool, chunk: bytes) -> int:
        before = text_before(chunk, None if past else self.begins_line)
        return before if before == len(chunk) else whole(self.descriptor, self.offset + before) - self.offset

    def begins_line(self) -> bool:
        """Tell whether a line begins here, or a NUL stands before."""
        return self.tail[-1:] in (b"", b"\n", b"\0")

    def has_text(self) -> bool:
        """Tell whether something comes next, and not the file's last NULs."""
        return text_before(os.pread(self.descriptor, CHUNK, self.offset)) > 0

    def has_more(self, most: int) -> bool:
        """Tell whether more bytes than these come before a hole, and not NULs."""
        if self.size - self.offset <= most or os.pread(self.descriptor, len(MANY), self.offset) == MANY:
            return False
        return (next_hole(self.descriptor, self.offset) or self.size) - self.offset > most

    def fewest_nuls(self) -> int:
        """Count the NULs that say nothing here, if no fewer stand next."""
        return len(FEW) if self.begins_line() else len(MANY)

    def read_lines(self, most: int) -> bytes:
        """Return the next whole lines in as many bytes, and pass them; part of a line only if it is longer."""
        return self.read_all(self._lines_ahead(most))

    def has_line(self) -> bool:
        """Tell whether a whole line comes next, or a longer one than is waited for."""
        return self._lines_ahead(CHUNK) > 0

    def _lines_ahead(self, most: int) -> int:
        ahead = os.pread(self.descriptor, most, self.offset)
        text = text_before(ahead)
        lines = ahead.rfind(b"\n", 0, text) + 1
        if lines:
            return whole(self.descriptor, self.offset + lines) - self.offset
        return 0 if text < most else most

    def renewed(self) -> bool:
        """Tell whether the file was truncated or written anew since it was sought in.

        Then it is shorter than it was, or something else stands before where it was read to, or at its beginning.
        """
        known, size = len(self.tail), self.size
        self.seen = max(self.seen, size)
        return (
            size < self.seen
            or os.pread(self.descriptor, known, self.offset - known) != self.tail
            or os.pread(self.descriptor, len(self.head), 0) != self.head
            or os.pread(self.descriptor, len(self.begins), 0) != self.begins
        )

    def nameless(self) -> bool:
        """Tell whether the file was deleted, so that it takes room on the disk only while it is open."""
        return os.fstat(self.descriptor).st_nlink == 0

    def cut_off(self) -> bool:
        """Tell whether lines may be missing after this file: a copy of a log to which more came than was read of it."""
        return self.copied is not None and self.offset > self.copied

    def within_line(self) -> bool:
        return self.offset > 0 and b"\n" not in self.tail[-unit_of(self.descriptor) :]

    def rest_of_line(self, most: int) -> int:
        """Count the bytes up to the end of a line that is passed in part; 0 if none is, or it has more than `most`."""
        rest = os.pread(self.descriptor, most, self.offset).find(b"\n") + 1 if self.within_line() else 0
        return whole(self.descriptor, self.offset + rest) - self.offset if rest else 0

    def close(self) -> None:
        os.close(self.descriptor)


def open_log(path: str, within: str = "") -> LogFile | None:
    """Open a regular file, or give None where there is none yet; `OSError` for what can't be read.

    Symbolic links are followed, and may not lead out of the directory `within`.
    """
    try:
        with held(path, within) as place:
            if not stat.S_ISREG(os.stat(place).st_mode):  # a device may act on being opened
                raise OSError(errno.EINVAL, NO_FILE)
            return take(os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except FileNotFoundError:
        return None


def take(descriptor: int) -> LogFile:
    """Make a log's file of what was opened; `OSError`, and it is closed, if that is no regular file."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, NO_FILE)
    modified, size = status.st_mtime_ns, status.st_size
    file = LogFile(descriptor, (status.st_dev, status.st_ino), modified=modified, looked=modified, seen=size)
    file.begins = _begins(descriptor)
    return file


def _begins(descriptor: int) -> bytes:
    """Return a file's first bytes; what is written over NULs later is no other beginning."""
    return os.pread(descriptor, HEAD, 0).partition(b"\0")[0]


def replaced(path: str, identity: tuple[int, int] | None) -> bool:
    """Tell whether another file stands under the path and has something to say; one that is still empty may wait."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    return identity is None or (status.st_size > 0 and (status.st_dev, status.st_ino) != identity)


def last_lines(descriptor: int, lines: int, within: int) -> Steps[int]:
    """Find where the last lines begin, in at most `within` bytes at the text's end; one without an end counts."""
    unit = unit_of(descriptor)
    size = whole(descriptor, (yield from text_end(descriptor)))
    size = min(size, os.fstat(descriptor).st_size // unit * unit)  # a character may be there in part
    if lines == 0 or size == 0:
        return size
    ends_open = b"\n" not in os.pread(descriptor, unit, size - unit)
    missing = lines if ends_open else lines + 1  # ends of lines to find, counted from the back
    position, least, blocks = size, max(0, size - within), 0
    while position > least:
        blocks += 1
        if blocks % BLOCKS == 0:
            yield
        begin = max(least, position - CHUNK)
        block = os.pread(descriptor, position - begin, begin)
        found = block.count(b"\n")
        if found < missing:
            missing -= found
            position = begin
            continue
        at = len(block)
        for _ in range(missing):
            at = block.rindex(b"\n", 0, at)
        return whole(descriptor, begin + at + 1)
    return whole(descriptor, position)
