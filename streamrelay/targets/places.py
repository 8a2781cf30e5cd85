"""Places of a log: which file, and how far into it. A client keeps one and brings it back to go on there.

To a client a place is opaque. It is sealed for the very log that it was made for, by a secret of this machine, so that
nobody can make one that leads elsewhere (security.rst, "Logs").
"""

import base64
import binascii
import hmac
import os
import struct
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

from attrs import define

from streamrelay.targets.logfile import LogFile, check, open_log
from streamrelay.targets.rotation import find

MACHINE_ID: Final = "/etc/machine-id"
"""What is unknown to other machines and stays when the agent starts again. By its manual page it may be used for
secrets only through a keyed hash."""

_PLACE: Final = struct.Struct(">QQQB8s")  # device, inode, offset, length of the head that is checked, its check
_SEAL: Final = 18  # bytes; with them no padding is needed


@define(frozen=True)
class Place:
    """A spot in a log. Device and inode 0: where there was no file, so before the first byte of the next one."""

    device: int
    inode: int
    offset: int
    length: int
    check: bytes

    @classmethod
    def of(cls, file: LogFile | None) -> "Place":
        """Where a file is now."""
        if file is None:
            return cls(0, 0, 0, 0, check(b""))
        return cls(*file.identity, file.offset, len(file.head), file.check)

    def seal(self, path: str) -> str:
        """As a client gets it, for the log of this path."""
        plain = _PLACE.pack(self.device, self.inode, self.offset, self.length, self.check)
        return base64.urlsafe_b64encode(plain + _seal(plain, path)).decode()

    @classmethod
    def unseal(cls, text: str, path: str) -> "Place | None":
        """What a client brings back; None if it is nothing that this machine gave out for this log."""
        try:
            sealed = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error):
            return None
        plain, seal = sealed[: _PLACE.size], sealed[_PLACE.size :]
        if len(plain) != _PLACE.size or not hmac.compare_digest(seal, _seal(plain, path)):
            return None
        return cls(*_PLACE.unpack(plain))

    def reopen(self, path: str, after: int) -> LogFile | None:
        """The file, wherever rotation has put it, at so many bytes behind this place.

        `FileNotFoundError` if it is gone, or isn't what it was: truncated, written anew, or its inode used again.
        """
        if not self.inode and not after:
            return open_log(path)
        file = find(path, (self.device, self.inode))
        if file is None:
            raise FileNotFoundError
        if file.size < self.offset + after or check(os.pread(file.descriptor, self.length, 0)) != self.check:
            file.close()
            raise FileNotFoundError
        file.seek(self.offset + after)
        return file


def _seal(plain: bytes, path: str) -> bytes:
    return blake2b(plain + path.encode("utf-8", "surrogateescape"), key=_key(), digest_size=_SEAL).digest()


@cache
def _key() -> bytes:
    try:
        machine = Path(MACHINE_ID).read_bytes().strip()
    except OSError:
        machine = b""
    # Without one, places are good for as long as the agent runs.
    return blake2b(machine or os.urandom(32), person=b"streamrelay:log").digest()
