"""Paths of sockets and files, which a client may have chosen a part of (operations.rst, "Addresses")."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from streamrelay.agent.targets.kind import PART
from streamrelay.errors import TargetError
from streamrelay.program.validation import check_socket
from streamrelay.protocol.summons import Refusal


class Outside(PermissionError):
    """The error of a path that leads out of the directory where it must stay; its text is for this host alone."""

    def refusal(self) -> TargetError:
        return TargetError(Refusal.NOT_ALLOWED, "the target's path is not allowed", detail=self.strerror or "")


def check_absolute(**paths: str) -> None:
    """Raise `ValueError` for a setting that is no absolute path; an empty one is let pass."""
    for setting, path in paths.items():
        if path and not path.startswith("/"):
            raise ValueError(f"{setting} {path!r}: expected an absolute path")


def check_socket_pattern(setting: str, path: str) -> None:
    """`ValueError` for a path that is too long for a unix socket whatever is filled in."""
    check_socket(setting, PART.sub("", path))


def within_of(path: str) -> str:
    """Return the directory before a pattern's first part, in which the path must stay."""
    return os.path.dirname(path.partition("{")[0])


@contextmanager
def held(path: str, within: str) -> Iterator[str]:
    """Hold what a path leads to, if that is `within` (empty: anywhere), and lend a path that leads to nothing else.

    One look decides: whoever swaps links meanwhile finds that what was checked is what is used. `Outside`, or another
    `OSError`, if it can't be had.
    """
    if not within:
        yield path
        return
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        _check(path, os.path.realpath(path), within)  # what isn't there is told of only if it may be asked for
        raise
    try:
        place = f"/proc/self/fd/{descriptor}"
        _check(path, os.readlink(place), within)
        yield place
    finally:
        os.close(descriptor)


def _check(path: str, real: str, within: str) -> None:
    bound = os.path.realpath(within)
    if not real.startswith("/") or os.path.commonpath([real, bound]) != bound:
        why = f"{path} is not allowed: it leads to {real}, which is not within {within}"
        raise Outside(errno.EACCES, why)


def socket_path(path: str) -> str:
    """Return a unix socket's path, or raise `TargetError` if it has become too long by what was filled in."""
    try:
        check_socket("the target's path", path)
    except ValueError as error:
        raise TargetError(Refusal.TARGET_REFUSED, str(error), detail=f"{path}: {error}") from None
    return path
