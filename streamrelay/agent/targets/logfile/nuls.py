"""NULs of a log that say nothing: holes of truncated files that are written on, and room that was taken in advance."""

import errno
import os
from collections import deque
from collections.abc import Callable
from typing import Final

from attrs import define

from streamrelay.agent.targets.logfile.encodings import unit_of
from streamrelay.agent.targets.logfile.steps import Steps

FEW: Final = bytes(4)
"""NULs where a line begins that say nothing; fewer are text, as that of UTF-16 without a mark."""
MANY: Final = bytes(4096)
"""NULs within a line that say nothing; a file system leaves no fewer after a crash."""
STEP: Final = 1 << 20
"""Bytes that are looked through in one step."""
PIECES: Final = 1000
"""Pieces between a file's last holes in which the end of its text is looked for."""
LOOKED_AT: Final = 200
"""Such pieces that are found in one step."""
ANEW: Final = 1.0
"""Seconds between two looks through a file's last NULs while the file changes; for each `SLOW` bytes of them."""
SLOW: Final = 100 << 20

_ZEROS: Final = bytes(STEP)


def text_before(chunk: bytes, begins: Callable[[], bool] | None = None) -> int:
    """Count the bytes of a chunk before NULs that may say nothing: the last ones, too, as more may follow.

    `begins` tells whether with this chunk a line begins; without it the last ones are all.
    """
    if 0 not in chunk:
        return len(chunk)
    if begins is not None and chunk.startswith(FEW) and begins():
        return 0
    last = len(chunk.rstrip(b"\0"))
    if begins is None:
        return last
    line, many = chunk.find(b"\n" + FEW, 0, last) + 1, chunk.find(MANY, 0, last)
    return min(line or last, many if many >= 0 else last, last)


def leading(block: bytes) -> int:
    """Count the NULs with which a block of at most `STEP` bytes begins."""
    begin, end = 0, len(block)
    while end - begin > 64:
        middle = (begin + end + 1) // 2
        if block[begin:middle] == _ZEROS[: middle - begin]:
            begin = middle
        else:
            end = middle
    return begin + len(block[begin:end]) - len(block[begin:end].lstrip(b"\0"))


def text_end(descriptor: int) -> Steps[int]:
    """Find where the text of a file ends, behind which are only NULs."""
    size = os.fstat(descriptor).st_size
    if not size or os.pread(descriptor, 1, size - 1) != b"\0":
        return size
    pieces: deque[tuple[int, int]] = deque(maxlen=PIECES)
    position, count = 0, 0
    while (begin := _seek(descriptor, position, os.SEEK_DATA)) is not None:
        position = next_hole(descriptor, begin) or size
        pieces.append((begin, position))
        count += 1
        if count % LOOKED_AT == 0:
            yield
    for begin, end in reversed(pieces):
        while end > begin:
            at = max(begin, end - STEP)
            block = os.pread(descriptor, end - at, at)
            if leading(block) < len(block):
                return at + len(block.rstrip(b"\0"))
            end = at
            yield
    return pieces[0][0] if len(pieces) == PIECES else 0


def next_hole(descriptor: int, position: int) -> int | None:
    """Find where the next hole begins; None if that is beyond the file's end."""
    return _seek(descriptor, position, os.SEEK_HOLE)


def _seek(descriptor: int, position: int, what: int) -> int | None:
    """Find the next data or hole; None if there is none up to the file's end."""
    try:
        return os.lseek(descriptor, position, what)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return None


@define(eq=False)
class Nuls:
    """The NULs that stand next in a file, which are looked through a bit at a time."""

    begin: int = 0
    end: int = -1
    """Up to here, from `begin` on, there were only NULs."""
    _modified: int = 0  # when the file was, at the beginning of the look
    _anew: float = 0.0  # until then what was seen of the last ones counts

    def measure(self, descriptor: int, offset: int, now: float) -> int | None:
        """Count the NULs from the offset on; 0 if nothing else follows. None: there may be more, so it is called again.

        Whoever writes over a file's last NULs begins with the first one, which is looked at by whoever reads there.
        If it is another one, that is found later.
        """
        modified = os.fstat(descriptor).st_mtime_ns
        if not self.begin <= offset <= self.end or (modified != self._modified and now >= self._anew):
            self.begin = self.end = offset
            self._modified, self._anew = modified, float("inf")
        if not self._step(descriptor):
            return None
        self._anew = min(self._anew, now + ANEW * max(1, (self.end - self.begin) / SLOW))
        if self.end >= os.fstat(descriptor).st_size:
            return 0
        return self.end - self.end % unit_of(descriptor) - offset

    def _step(self, descriptor: int) -> bool:
        begin = _seek(descriptor, self.end, os.SEEK_DATA)
        if begin is None:
            self.end = max(self.end, os.fstat(descriptor).st_size)
            return True
        block = os.pread(descriptor, STEP, begin)
        count = leading(block)
        self.end = begin + count
        return count < len(block) or not block
