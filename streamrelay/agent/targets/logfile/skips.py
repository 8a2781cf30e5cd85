"""Skips of lines of a log, which a client is too far behind to get; they are counted a bit at a time."""

from typing import Final

from attrs import define

from streamrelay.agent.targets.logfile.file import LogFile

STEP: Final = 1 << 20
"""Bytes that are counted in one turn: half a millisecond."""


@define(eq=False)
class Skip:
    """A skip of a file's oldest lines from where it was read to, so that `keep` bytes of it are left."""

    file: LogFile
    keep: int
    lines: int = 0
    """Number of lines whose end was left out."""

    def step(self) -> bool:
        """Go a bit further; return True if that was all.

        It ends where a line begins, or within one that is longer than `STEP`. What is appended meanwhile counts: the
        end moves along.
        """
        rest = self.file.size - self.keep - self.file.offset
        block = self.file.read(max(0, min(rest, STEP)))
        self.lines += block.count(b"\n")
        if rest > STEP and block:
            return False
        ahead = self.file.read(self.file.rest_of_line(min(STEP, self.keep)))
        self.lines += ahead.count(b"\n")
        return True
