"""Places of a log: a file, and how far into it. A client keeps one and brings it back to go on there."""

import os

from attrs import define

from streamrelay.agent.targets.logfile.file import LogFile, check, open_log
from streamrelay.agent.targets.logfile.rotation import find
from streamrelay.agent.targets.logfile.steps import Steps
from streamrelay.agent.targets.sealed_places import seal, unseal


@define(frozen=True)
class Place:
    """A place in a log. Device and inode 0: there was no file, so it is before the first byte of the next one."""

    device: int
    inode: int
    offset: int
    length: int
    """Number of the file's first bytes that are compared."""
    check: int
    """Digest of the file's first `length` bytes."""

    @classmethod
    def of(cls, file: LogFile | None) -> "Place":
        """Return the place up to which a file was read."""
        if file is None:
            return cls(0, 0, 0, 0, check(b""))
        return cls(*file.identity, file.offset, len(file.head), check(file.head))

    def seal(self, path: str) -> str:
        """Return the place as a client gets it, for the log of this path."""
        return seal(f"{self.device}.{self.inode}.{self.offset}.{self.length}.{self.check}", f"log {path}")

    @classmethod
    def unseal(cls, sealed: str, path: str) -> "Place | None":
        """Read what a client brings back; None if it is nothing that this machine gave out for this log."""
        text = unseal(sealed, f"log {path}")
        return cls(*map(int, text.split("."))) if text else None

    def reopen(self, path: str, after: int, within: str = "") -> Steps[LogFile | None]:
        """Open the file, wherever rotation has put it, at so many bytes behind this place.

        `FileNotFoundError` if it is gone, or isn't what it was: truncated, written anew, or its inode used again.
        """
        if not self.inode and not after:
            return open_log(path, within)
        file = yield from find(path, (self.device, self.inode), within)
        if file is None:
            raise FileNotFoundError
        if file.size < self.offset + after or check(os.pread(file.descriptor, self.length, 0)) != self.check:
            file.close()
            raise FileNotFoundError
        file.seek(self.offset + after)
        return file
