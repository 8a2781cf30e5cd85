"""The log file of a program, which twistd opens: made before that, so that others can't read it."""

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

MODE: Final = 0o640


def make_log(twistd: Mapping[str, Any]) -> None:
    """Make the file that twistd is about to log to, if there is none; those that follow it get its mode."""
    path = twistd["logfile"] or ("-" if twistd["nodaemon"] else "twistd.log")
    if path == "-" or twistd["syslog"] or twistd["logger"]:
        return
    with suppress(OSError):  # it is there, or twistd says why it can't be
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE))
