"""Paths of sockets, which a client may have chosen a part of (operations.rst, "Addresses")."""

import os

from streamrelay.errors import TargetError
from streamrelay.program.validation import check_socket
from streamrelay.protocol.summons import Refusal


def check_absolute(**paths: str) -> None:
    """Raise `ValueError` for a setting that is no absolute path; an empty one is let pass."""
    for setting, path in paths.items():
        if path and not path.startswith("/"):
            raise ValueError(f"{setting} {path!r}: expected an absolute path")


def within_of(path: str) -> str:
    """Return the directory before a pattern's first part, in which the path must stay."""
    return os.path.dirname(path.partition("{")[0])


def real_path(path: str, within: str) -> str:
    """Follow symbolic links, or raise `TargetError` if they don't lead `within`; empty: anywhere."""
    if not within:
        return path
    real, bound = os.path.realpath(path), os.path.realpath(within)
    if os.path.commonpath([real, bound]) != bound:
        why = f"{path} is not allowed: it leads to {real}, which is not within {within}"
        raise TargetError(Refusal.NOT_ALLOWED, "the target's path is not allowed", detail=why)
    return real


def socket_path(path: str, within: str = "") -> str:
    """Follow symbolic links as `real_path` does, to a unix socket; `TargetError` for a path longer than one may have.

    It may have become too long by what was filled in, or by a link.
    """
    real = real_path(path, within)
    try:
        check_socket("the target's path", real)
    except ValueError as error:
        raise TargetError(Refusal.TARGET_REFUSED, str(error), detail=f"{real}: {error}") from None
    return real
