"""Skips of lines of a log, which a client is too far behind to get; they are counted a bit at a time."""

from typing import Final

from attrs import Factory, define, field

from streamrelay.agent.targets.logfile.encodings import whole
from streamrelay.agent.targets.logfile.file import LogFile
from streamrelay.agent.targets.logfile.nuls import text_end
from streamrelay.agent.targets.logfile.steps import Steps
from streamrelay.protocol.control import Control

STEP: Final = 1 << 20
"""Bytes that are counted in one turn: half a millisecond."""


@define(eq=False)
class Skip:
    """A skip of a file's oldest lines from where it was read to, so that `keep` bytes of its text are left."""

    file: LogFile
    keep: int
    lines: int = 0
    """Number of lines whose end was left out."""
    _begin: int = field(default=Factory(lambda self: self.file.offset, takes_self=True))
    _search: Steps[int] | None = field(default=Factory(lambda self: text_end(self.file.descriptor), takes_self=True))

    def step(self) -> bool:
        """Go a bit further; return True if that was all.

        It ends where a line begins, or within one that is longer than `STEP`. What is appended meanwhile counts: the
        end moves along.
        """
        if self._search is not None and not self._found(self._search):
            return False
        rest = self.file.size - self.keep - self.file.offset
        if rest <= 0 and self.file.offset == self._begin:  # only NULs are behind the text that is kept
            return True
        block = self.file.read_all(max(0, min(rest, STEP)))
        self.lines += block.count(b"\n")
        if rest > STEP and block:
            return False
        ahead = self.file.read_all(self.file.rest_of_line(min(STEP, self.keep)))
        self.lines += ahead.count(b"\n")
        self.file.read_all(whole(self.file.descriptor, self.file.offset) - self.file.offset)
        return True

    def told(self) -> Control | None:
        """Return what tells the client of it; None if nothing was left out."""
        return Control(skipped=max(1, self.lines)) if self.file.offset > self._begin else None

    def go_on_in(self, copy: LogFile) -> None:
        """Go on in a copy of the file, which has been truncated."""
        self.file = copy
        if self._search is not None:
            self._search = text_end(copy.descriptor)

    def _found(self, search: Steps[int]) -> bool:
        """Look on for the text's end; what is behind it is kept, too."""
        try:
            next(search)
        except StopIteration as done:
            self.keep += max(0, self.file.size - done.value)
            self._search = None
        return self._search is None
