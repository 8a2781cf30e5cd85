"""Which summonses were followed, kept over a restart, so that an agent that starts again follows no copy of one."""

import fcntl
import os
import struct
from collections import deque
from collections.abc import Callable
from hashlib import blake2b
from typing import Final, Protocol

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from streamrelay.errors import ConfigError
from streamrelay.files import check_own
from streamrelay.protocol.limits import CLOCK_SKEW
from streamrelay.protocol.summons import Answer, Refusal, Resume, Summons

ROOM: Final = 8192
"""Summonses that are remembered: the file has room for them from the first day on, so it neither grows nor finds the
disk full. A host is summoned less often than that while a summons can be valid."""
_RECORD: Final = struct.Struct(">16sd")  # digest of a summons's id, and when it expires


class Memory(Protocol):
    """What an agent knows of summonses beside those that it has heard since its start."""

    def refusal(self, summons: Summons | Resume) -> Answer | None:
        """Remember a summons that is about to be followed, or return why it mustn't be."""

    def close(self) -> None:
        """Let go of what is open."""


@define(eq=False)
class Followed:
    """A file of the ids of those that were followed. Of `ROOM` of them the one that expires first gives way.

    It is written before anything is done, and survives the end of the program however that comes. `now` is wall-clock
    time.
    """

    path: str
    now: Callable[[], float]
    _file: int = field(init=False)
    _records: list[tuple[bytes, float]] = field(init=False)
    _order: deque[int] = field(init=False)  # places of records in the file, the next one to give way in front
    _known: set[bytes] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._read()
        except BaseException:
            self.close()
            raise

    def _read(self) -> None:
        check_own(self.path, os.fstat(self._file), "file of followed summonses")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"{self.path}: another agent of this host uses it; end that one first") from None
        os.posix_fallocate(self._file, 0, ROOM * _RECORD.size)
        self._records = list(_RECORD.iter_unpack(os.pread(self._file, ROOM * _RECORD.size, 0)))
        self._order = deque(sorted(range(ROOM), key=lambda at: self._records[at][1]))
        self._known = {digest for digest, exp in self._records if exp}

    def refusal(self, summons: Summons | Resume) -> Answer | None:
        digest = blake2b(summons.jti.encode(), digest_size=16).digest()
        if digest in self._known:
            return Answer(refused=Refusal.BAD_SUMMONS, reason="it is a copy of one that was followed before")
        at = self._order[0]
        old, until = self._records[at]
        if until and until + CLOCK_SKEW >= self.now():
            return Answer(refused=Refusal.BUSY, reason=f"this host was summoned {ROOM} times within half a minute")
        try:
            os.pwrite(self._file, _RECORD.pack(digest, summons.exp), at * _RECORD.size)
        except OSError as error:
            reason = f"{self.path}: can't be written: {error.strerror}; what isn't remembered isn't followed"
            return Answer(refused=Refusal.BUSY, reason=reason)
        self._known.discard(old)
        self._known.add(digest)
        self._records[at] = digest, summons.exp
        self._order.rotate(-1)
        return None

    def close(self) -> None:
        os.close(self._file)


@define(eq=False)
class NothingKept:
    """The memory of an agent that keeps nothing: whatever may have been signed before its start is refused.

    The clock that it was signed by may be `CLOCK_SKEW` ahead. The start is reckoned back from now, so that a clock that
    is set later is no way round. What isn't signed is followed: who can copy that can make it up, too.
    """

    clock: IReactorTime
    now: Callable[[], float]
    _began: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._began = self.clock.seconds()

    def refusal(self, summons: Summons | Resume) -> Answer | None:
        start = self.now() - (self.clock.seconds() - self._began)
        if summons.iat is None or summons.iat > start + CLOCK_SKEW:
            return None
        reason = "the agent has just started and keeps no memory of before (setting state); try again in 10 s"
        return Answer(refused=Refusal.BUSY, reason=reason)

    def close(self) -> None: ...
