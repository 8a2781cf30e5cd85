"""log: the last lines of a file, then what is appended to it.

The file may not exist yet, may be renamed and made anew, or truncated; a last line without an end is sent as it is
and continued. It is watched by looking (`LOOK`), which works on every file system.
"""

import os
import stat
from collections.abc import Sequence
from typing import Annotated, Any, Final

from attrs import define
from msgspec import Meta
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.errors import TargetError
from streamrelay.splice import Connection, Drain, Feed
from streamrelay.targets.kind import Kind
from streamrelay.wire import FINISHED, Ending, Refusal, Terms, Viewer

LOOK: Final = 0.2
"""Seconds between two looks at a file that has nothing new."""
CHUNK: Final = 65536
"""Bytes that are read at once."""
BACKLOG: Final = 16 << 20
"""Bytes at a file's end in which its last lines are searched."""


class Log(Kind, frozen=True, tag="log", tag_field="kind"):
    """Settings of a log target."""

    path: str
    """The file's absolute path."""
    lines: Annotated[int, Meta(ge=0, le=100_000)] = 100
    """Lines that are sent before the file is followed."""
    parts: dict[str, str] = {}
    """For a pattern: the regular expression that each named part must match."""

    @property
    def viewer(self) -> Viewer:
        return "log"

    def check(self) -> None:
        if not self.path.startswith("/"):
            raise ValueError(f"path {self.path!r}: expected an absolute path")

    async def connect(self, reactor: Any, terms: Terms) -> Connection:
        try:
            file = open_log(self.path)
        except OSError as error:
            raise TargetError(Refusal.TARGET_REFUSED, f"{self.path}: {error.strerror}") from None
        if file is not None:
            file.offset = last_lines(file.descriptor, self.lines)
        return LogConnection(reactor, self.path, file)


@define(eq=False)
class LogFile:
    """An open log: which file it is, and how far it was read."""

    descriptor: int
    identity: tuple[int, int]
    """Device and inode."""
    offset: int = 0


def open_log(path: str) -> LogFile | None:
    """Open a regular file, or give None where there is none yet; `OSError` for what can't be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise OSError(22, "not a regular file")
    return LogFile(descriptor, (status.st_dev, status.st_ino))


def last_lines(descriptor: int, lines: int) -> int:
    """Where the last `lines` lines begin; a last line without an end counts as one."""
    size = os.fstat(descriptor).st_size
    if lines == 0 or size == 0:
        return size
    ends_open = os.pread(descriptor, 1, size - 1) != b"\n"
    missing = lines if ends_open else lines + 1  # ends of lines to find, counted from the back
    position = size
    while position > max(0, size - BACKLOG):
        begin = max(0, position - CHUNK)
        block = os.pread(descriptor, position - begin, begin)
        found = block.count(b"\n")
        if found < missing:
            missing -= found
            position = begin
            continue
        at = len(block)
        for _ in range(missing):
            at = block.rindex(b"\n", 0, at)
        return begin + at + 1
    return position


@define(eq=False)
class LogConnection:
    """A followed file. What a client sends is not taken."""

    clock: IReactorTime
    path: str
    file: LogFile | None
    unsent: int = 0
    _feed: Feed | None = None
    _paused: bool = False
    _next: IDelayedCall | None = None

    def join(self, feed: Feed, drain: Drain) -> None:
        self._feed = feed
        self._read()

    def send(self, data: Sequence[memoryview], size: int) -> None:
        """A log takes nothing."""

    def send_control(self, message: bytes) -> None:
        """A log takes nothing."""

    def send_eof(self) -> None:
        """A log goes on when its reader has nothing to say."""

    def pause(self) -> None:
        self._paused = True
        self._stop()

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self._later(0)

    def close(self, ending: Ending) -> None:
        self.abort()

    def abort(self) -> None:
        self._stop()
        if self.file is not None:
            os.close(self.file.descriptor)
            self.file = None
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.over(FINISHED)
            feed.gone()

    def _read(self) -> None:
        """Send a chunk and come again at once, or look later if there is none."""
        self._next = None
        chunk = self._chunk() if self.file is not None else b""
        if not chunk and self._renewed():
            chunk = self._chunk()
        if chunk and self._feed is not None:
            self._feed.received([memoryview(chunk)], len(chunk))
        if self._feed is not None and not self._paused:
            self._later(0 if chunk else LOOK)

    def _chunk(self) -> bytes:
        file = self.file
        if file is None:
            return b""
        chunk = os.pread(file.descriptor, CHUNK, file.offset)
        if not chunk and os.fstat(file.descriptor).st_size < file.offset:  # truncated: from the start again
            file.offset = 0
            chunk = os.pread(file.descriptor, CHUNK, 0)
        file.offset += len(chunk)
        return chunk

    def _renewed(self) -> bool:
        """Whether another file stands under the path now; the one before was read to its end."""
        try:
            status = os.stat(self.path)
            if self.file is not None and (status.st_dev, status.st_ino) == self.file.identity:
                return False
            file = open_log(self.path)
        except OSError:
            return False
        if file is None:
            return False
        if self.file is not None:
            os.close(self.file.descriptor)
        self.file = file
        return True

    def _later(self, seconds: float) -> None:
        if self._next is None and self._feed is not None:
            self._next = self.clock.callLater(seconds, self._read)

    def _stop(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None


_check: type[Connection] = LogConnection
