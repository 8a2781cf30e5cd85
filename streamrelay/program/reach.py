"""A Python that the user who is to be become (``twistd --uid``) can't read: what it loads later is missing then."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from twisted.python.util import switchUID

from streamrelay.logs import Logger

log = Logger()


def warn_of_reach(uid: int | None, gid: int | None) -> None:
    """Say so, with the directory, if root is about to become a user who can't read this Python, or streamrelay.

    To be called before there is anything that a fork could disturb.
    """
    if uid is None or os.geteuid() != 0:
        return
    if closed := _tried_as(uid, gid):
        log.warn(
            "user {uid} can't read {path}: what this Python and its packages load from there later will be missing (No "
            "module named …); install them where all may read",
            uid=uid,
            path=closed,
        )


def first_closed(paths: Iterator[Path]) -> str:
    """Return the first directory on the way to these that we may not enter, or list; empty if there is none."""
    for path in paths:
        for step in (*reversed(path.parents), path):
            if not os.access(step, os.X_OK if step != path else os.X_OK | os.R_OK):
                return str(step)
    return ""


def _places() -> Iterator[Path]:
    roots = {Path(root).resolve() for root in (sys.prefix, sys.base_prefix)}
    for path in (os.__file__, __file__, *sys.path):
        place = Path(path).resolve()
        if place.is_dir() and roots.intersection(place.parents):
            yield place
        elif place.is_file():
            yield place.parent


def _tried_as(uid: int, gid: int | None) -> str:
    """Return what is closed to a user, as a child of ours finds it that has become that user."""
    places = tuple(_places())
    answer, word = os.pipe()
    child = os.fork()
    if not child:
        try:
            switchUID(uid, gid)
            os.write(word, first_closed(iter(places)).encode())
        finally:
            os._exit(0)
    os.close(word)
    with open(answer, "rb") as told:
        closed = told.read().decode()
    os.waitpid(child, 0)
    return closed
