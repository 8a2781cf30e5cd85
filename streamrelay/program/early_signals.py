"""Signals that come while a program starts: they are held back until it heeds them, as they would kill it."""

import signal
from typing import Any, Final

from streamrelay.logs import Logger

log = Logger()

HELD: Final = (signal.SIGHUP, signal.SIGUSR1)


def hold() -> None:
    """Hold signals back from now on. Processes that are forked meanwhile do so, too."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD)


def release(reactor: Any) -> None:
    """Have what was held back, and what comes, heeded; twistd itself heeds SIGUSR1 if its log is a file."""
    if signal.getsignal(signal.SIGUSR1) in (signal.SIG_DFL, None):
        signal.signal(signal.SIGUSR1, lambda number, frame: reactor.callFromThread(_say_no_file))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)


def _say_no_file() -> None:
    log.info("SIGUSR1: no new log is begun, as this one isn't a file (twistd --logfile)")
