"""Files of settings and secrets: read again once they have changed, kept from others, and made with a mode."""

import errno
import os
import re
import shlex
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, ClassVar, Final

from attrs import define

from streamrelay.errors import ConfigError
from streamrelay.logs import Logger

log = Logger()


def look(path: str) -> tuple[int, ...]:
    """Return what changes when a file does, or who may read it: to be compared with an earlier look; () for none."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    times = found.st_mtime_ns, found.st_ctime_ns
    return (*times, found.st_size, found.st_dev, found.st_ino, found.st_mode, found.st_uid, found.st_gid)


@define(eq=False)
class Watched:
    """Files that are read again when they have changed; what was read before counts until all is read anew.

    Seen is only what was read: what fails is tried again at every look, and told once until it fails otherwise.
    """

    what: str
    """Name in logs of what the files hold."""
    paths: Callable[[], Iterable[str]]
    read: Callable[[], None]
    """Called to read all of the files; if it raises, it has changed nothing."""
    news: Callable[[], None] = lambda: None
    """Called whenever the files were read again."""
    _seen: object = None
    _tried: object = None
    _told: str = ""

    def load(self) -> None:
        """Read the files, or raise what `read` does."""
        self._load(self._look())

    def refresh(self, force: bool = False) -> None:
        """Read what has changed or has failed before; `force`: in any case. To be called every few seconds."""
        if force:
            self._told = ""  # who asks for it waits to hear how it went
        self._refresh(None if force else self._seen)

    def glance(self) -> None:
        """Read what has changed since it was last tried. For who asks at every request, so failing must cost little."""
        self._refresh(self._tried)

    def _look(self) -> object:
        return [(path, look(path)) for path in self.paths()]

    def _load(self, looks: object) -> None:
        self._tried = looks  # from before, so that a change while they are read is seen later
        self.read()
        self._seen, self._told = looks, ""

    def _refresh(self, known: object) -> None:
        try:
            looks = self._look()
            if looks == self._seen:
                self._told = ""
            if looks == known:
                return
            self._load(looks)
        except Exception as error:  # whatever it is, the next look may go well
            self._complain(error)
        else:
            self.news()

    def _complain(self, error: Exception) -> None:
        text = reason(error)
        if text != self._told:
            self._told = text
            complain(self.what, text)


def complain(what: str, text: str) -> None:
    """Log why files, whose content has this name, weren't read again."""
    log.error("can't read {what} again: {error}; what was read before stays in force", what=what, error=text)


def reason(error: Exception) -> str:
    """Return the words for a fault of a file, whoever has found it."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error) if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"


_PASSED: Final = re.compile(r"/dev/(stdin|fd/\d+)|/proc/(self|\d+)/fd/\d+")
"""Paths of what a shell has passed by a descriptor."""


def open_file(path: str) -> IO[bytes]:
    """Open a file to be read, or raise `OSError`, or `ConfigError` if it is none that ends: a named pipe, for which one
    would wait until somebody writes, or a device. What a shell passes (``<(…)``) is taken as it is."""
    if _PASSED.fullmatch(path):
        return open(path, "rb")
    descriptor = _open_at_once(path, os.O_RDONLY | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        raise ConfigError(f"{path}: can't be read: not a regular file")
    return os.fdopen(descriptor, "rb")


def read(path: str, most: int = 1 << 20) -> bytes:
    """Read at most `most` bytes of a file, or raise `ConfigError`."""
    try:
        with open_file(path) as file:
            return file.read(most)
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from None


def read_secret(path: str, what: str) -> bytes:
    """Read a secret, 1 MiB at most, or raise `ConfigError` if it can't be read, or `open_secret` does."""
    try:
        return open_secret(path, what)
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from None


def open_secret(path: str, what: str) -> bytes:
    """Read a secret, 1 MiB at most, or raise `OSError`, or `ConfigError` if others than its file's owner may read it.

    Where we aren't root, the group of a file of root's may, too (mode 0640): so a service gets what root's own programs
    renew, such as the keys of certificates. What isn't a plain file (a pipe of a shell) is taken as it is, and so is a
    credential of systemd, whose mode shows what its access list allows to the service itself.
    """
    with open_file(path) as file:
        found = os.fstat(file.fileno())
        lent = found.st_uid == 0 and (os.geteuid() or Owners.becoming)
        most = 0o640 if lent else 0o600
        ours = os.path.dirname(os.path.abspath(path)) == os.environ.get("CREDENTIALS_DIRECTORY")
        if stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) & 0o077 & ~most and not ours:
            raise ConfigError(f"{path}: others may read this {what}; run: chmod {most:o} {shlex.quote(path)}")
        return file.read(1 << 20)


class Owners:
    """Users who are this program: who it runs as, and who it is about to become (``twistd --uid``)."""

    becoming: ClassVar[int | None] = None


def check_own(path: str, found: os.stat_result, what: str) -> None:
    """Raise `ConfigError` if a file or directory is another user's than ours or root's, or if others may write to it.

    In a directory with the sticky bit, as ``/tmp`` is one, others can neither replace nor rename a file of ours.
    """
    if found.st_uid not in (0, os.geteuid(), Owners.becoming):
        whose = f"belongs to another user ({found.st_uid}), not to ours ({os.geteuid()}) or root"
        raise ConfigError(f"{path}: this {what} {whose}; chown it, or start the program as its user")
    check_unwritable(path, found, what)


def check_unwritable(path: str, found: os.stat_result, what: str) -> None:
    """Raise `ConfigError` if others than its owner may write to a file or directory; see `check_own`."""
    sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    if found.st_mode & 0o022 and not sticky:
        raise ConfigError(f"{path}: others may write to this {what}; run: chmod go-w {shlex.quote(path)}")


def check_roots(path: str, why: str) -> None:
    """Raise `ConfigError` if another user than root may change a file, or any directory or link on the way to it."""
    for whole in {os.path.abspath(path), os.path.realpath(path)}:
        for step in (Path(whole), *Path(whole).parents):
            found = os.lstat(step)
            others = found.st_mode & 0o022 and not stat.S_ISLNK(found.st_mode)
            shared = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX  # there only owners rename
            if found.st_uid != 0 or (others and not shared):
                raise ConfigError(f"{path}: {why}, so root alone may be able to change it; {_mend(step, found.st_uid)}")


def _mend(step: Path, owner: int) -> str:
    """Say who can change a file or directory that should be root's alone, and what mends that."""
    if owner != 0:
        return f"user {owner} can change {step}: make it root's, or keep the file elsewhere"
    return f"others can change {step}; run: chmod go-w {shlex.quote(str(step))}"


def check_folder(path: str, what: str) -> None:
    """Raise `ConfigError` as `check_own` does for the directory of a file, and for the one where a link leads."""
    for folder in {os.path.dirname(os.path.abspath(path)), os.path.dirname(os.path.realpath(path))}:
        with suppress(OSError):  # then the file itself can't be read either
            check_own(folder, os.stat(folder), f"directory of {what}")


def read_own(path: str, what: str) -> bytes:
    """Read a file that says what others may do, or raise `ConfigError` if those could write to it, or replace it."""
    check_folder(path, what)
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):  # of a shell, neither
                raise ConfigError(f"{path}: can't be read: not a regular file")
            check_own(path, found, f"file of {what}")
            return file.read()
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from None


def _open_at_once(path: str, flags: int) -> int:
    """Open a file; a named pipe, too, without waiting for one who writes to it."""
    return os.open(path, flags | os.O_NONBLOCK)


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Create a file with this mode, or raise `ConfigError` if it exists or can't be made; none of ours stays then."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise ConfigError(f"{path}: can't be created: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise ConfigError(f"{path}: can't be written: {error.strerror}") from None
