"""A program's own directory, in which it keeps what must outlive it."""

import os
from pathlib import Path

from streamrelay.files import check_own


def why_unusable(error: OSError, named: str) -> str:
    """Say in words why the directory that is named, or a file in it, can't be used."""
    where = error.filename or named
    return f"{where}: {error.strerror}" if where else str(error.strerror)


def find_state(named: str, whose: str) -> Path:
    """Return the directory that is named, or else the one that systemd has made, and make it if there is none.

    `ConfigError` is raised if others may write to it, `OSError` if there is none.
    """
    found = named or os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if not found:
        raise FileNotFoundError(0, "no setting state, and no STATE_DIRECTORY of systemd's")
    path = Path(found)
    try:
        path.mkdir(0o700)
    except FileExistsError:
        pass
    check_own(found, path.stat(), f"directory of the {whose}'s state")
    return path
