"""Files of settings and secrets: whether they have changed, whether others may read them, how they are made."""

import os
import stat
from pathlib import Path
from typing import Final

from streamrelay.errors import ConfigError

NOTHING: Final = (0, 0, 0, 0)
"""How a file looks that isn't there."""


def look(path: str) -> tuple[int, int, int, int]:
    """What changes when a file does, its permissions last: to be compared with an earlier look."""
    try:
        status = os.stat(path)
    except OSError:
        return NOTHING
    return (status.st_mtime_ns, status.st_size, status.st_ino, stat.S_IMODE(status.st_mode))


def read(path: str, most: int = 1 << 20) -> bytes:
    """A file's content, or `ConfigError`; no more than `most` bytes."""
    try:
        with open(path, "rb") as file:
            return file.read(most)
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from None


def read_secret(path: str, what: str) -> bytes:
    """A file that holds a secret, which nobody but its owner may read: or `ConfigError`.

    What isn't a plain file (a pipe of a shell) is taken as it is, and so is a credential of systemd, whose mode shows
    what its access list allows to the service itself.
    """
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            ours = os.path.dirname(os.path.abspath(path)) == os.environ.get("CREDENTIALS_DIRECTORY")
            if stat.S_ISREG(mode) and stat.S_IMODE(mode) & 0o077 and not ours:
                raise ConfigError(f"{path}: others may read this {what}; run: chmod 600 {path}")
            return file.read(1 << 20)
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from None


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Create a file with this mode, or raise `ConfigError` if it exists or can't be made."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise ConfigError(f"{path}: can't be created: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
