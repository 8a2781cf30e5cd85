"""Old files of a log: programs may go on to write to them for a while after a rotation.

They are read on beside the new one, by whole lines, each until nothing has come for a time (`linger`). One that was
deleted is let go as soon as it is read to its end, as it takes room on the disk until then.
"""

from typing import Final

from attrs import define, field

from streamrelay.agent.targets.logfile.file import CHUNK, LogFile

MOST: Final = 4
"""Old files that are read on; of more the oldest are let go once they are read to their ends."""
EVERY: Final = 0.5
"""Seconds between two looks at them; what they have takes two of the control messages that a leg may send (16/s)."""


@define(eq=False)
class OldFiles:
    """Old files of one stream."""

    linger: float
    """Seconds after their last bytes in which they are still looked at."""
    files: list[LogFile] = field(factory=list)
    """Newer ones first."""
    grown: LogFile | None = None
    """The one that is being read as it has something new."""
    _until: dict[int, float] = field(factory=dict)  # by descriptor: when nobody is thought to write to it any more
    _next: float = 0.0  # when they are looked at again

    def add(self, file: LogFile, now: float, quiet: float = 0.0) -> None:
        """Take a file that was read to its end, unless nobody writes to it: a copy, or a file without a name.

        `quiet`: seconds of `linger` that were over when a client came back: otherwise an old file would be named in
        places until it is deleted, and then nobody could know whether lines are missing.
        """
        if file.copied or file.nameless():
            file.close()
            return
        self.files.insert(0, file)
        self._until[file.descriptor] = now + self.linger - quiet

    def due(self, now: float) -> bool:
        return bool(self.files) and (self.grown is not None or now >= self._next)

    def look(self, now: float, torn: bool) -> bool:
        """Look whether one has grown; return True if one was let go. `torn`: a line of another file has not ended."""
        self._next, before = now + EVERY, len(self.files)
        for file in list(self.files):
            over = self._over(file, now)
            if file.has_text() and not file.renewed():
                if self.grown is None and (over or (not torn and file.has_line())):
                    self.grown = file
            elif over or file.nameless():
                self._let_go(file)
        return len(self.files) < before

    def read(self, now: float) -> bytes:
        """Return lines of the one that has grown; that is over once there are no more, or others have their turn."""
        if self.grown is None:
            return b""
        over = self._over(self.grown, now)  # then also a line without an end
        chunk = self.grown.read(CHUNK, past=True) if over else self.grown.read_lines(CHUNK)
        if chunk:
            self._until[self.grown.descriptor] = now + self.linger
        if len(chunk) < CHUNK // 2 or now >= self._next:
            self.grown = None
        return chunk

    def close(self) -> None:
        for file in list(self.files):
            self._let_go(file)

    def _over(self, file: LogFile, now: float) -> bool:
        """Tell whether a file is let go once it is read to its end: nothing came for long, or there are newer ones."""
        return now >= self._until[file.descriptor] or self.files.index(file) >= MOST

    def _let_go(self, file: LogFile) -> None:
        self.files.remove(file)
        del self._until[file.descriptor]
        if self.grown is file:
            self.grown = None
        file.close()
