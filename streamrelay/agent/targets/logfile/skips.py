"""Skips of lines of a log, which a client is too far behind to get; they are counted a bit at a time."""

import os
from typing import Final

from attrs import define

STEP: Final = 1 << 20
"""Bytes that are counted in one turn: half a millisecond."""


@define(eq=False)
class Skip:
    """A skip of a file's oldest lines from `position` on, so that `keep` bytes of it are left."""

    descriptor: int
    position: int
    keep: int
    lines: int = 0
    """Number of lines whose end was left out."""

    def step(self) -> bool:
        """Go a bit further; return True if that was all.

        It ends where a line begins, or within one that is longer than `STEP`. What is appended meanwhile counts: the
        end moves along.
        """
        rest = os.fstat(self.descriptor).st_size - self.keep - self.position
        block = os.pread(self.descriptor, max(0, min(rest, STEP)), self.position)
        self._pass(block)
        if rest > STEP and block:
            return False
        if not block.endswith(b"\n"):
            ahead = os.pread(self.descriptor, min(STEP, self.keep), self.position)
            self._pass(ahead[: ahead.find(b"\n") + 1])
        return True

    def _pass(self, block: bytes) -> None:
        self.lines += block.count(b"\n")
        self.position += len(block)
