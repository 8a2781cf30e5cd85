"""The log file of a program: made before twistd opens it, so that others can't read it, and begun anew at SIGUSR1."""

import os
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, Final

from twisted.logger import ILogObserver, textFileLogObserver
from twisted.python.logfile import LogFile

from streamrelay.logs import Logger

log = Logger()

MODE: Final = 0o640
_chosen: Final[list[str]] = []
"""Path of the log; twistd calls a logger that was given by its name, and tells it nothing."""
_open: Final[list[LogFile]] = []


def make_log(twistd: MutableMapping[str, Any]) -> None:
    """Make the file that twistd is about to log to, if there is none; those that follow it get its mode."""
    path = twistd["logfile"] or ("-" if twistd["nodaemon"] else "twistd.log")
    if path == "-" or twistd["syslog"] or twistd["logger"]:
        return
    with suppress(OSError):  # it is there, or twistd says why it can't be
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE))
    _chosen[:] = [path]
    twistd["logger"] = f"{__name__}.{observer.__name__}"


def observer() -> ILogObserver:
    """Log to the chosen file, as twistd does; it alone can't begin anew what somebody has moved away."""
    file = LogFile.fromFullPath(*_chosen)
    _open[:] = [file]
    return textFileLogObserver(file)


def begin_anew() -> None:
    """Begin a new file. The old one is renamed, unless somebody has done so already, as logrotate does."""
    if not _open:
        log.info("SIGUSR1: no new log is begun, as this one isn't a file (twistd --logfile)")
        return
    [file] = _open
    try:
        os.close(os.open(file.path, os.O_WRONLY | os.O_CREAT, MODE))
        moved = not os.path.samestat(os.stat(file.path), os.fstat(file._file.fileno()))
        if not moved and not os.access(file.directory, os.W_OK):  # of which Twisted says nothing
            raise PermissionError(0, "its directory can't be written to")
    except OSError as error:
        log.error("SIGUSR1: no new log is begun: {path}: {why}", path=file.path, why=error.strerror)
        return
    if moved:
        file.reopen()
    else:
        file.rotate()
