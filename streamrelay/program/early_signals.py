"""Signals that come while a program starts: they are held back until it heeds them, as they would kill it."""

import signal
from typing import Any, Final

from streamrelay.program.log_file import begin_anew

HELD: Final = (signal.SIGHUP, signal.SIGUSR1)


def hold() -> None:
    """Hold signals back from now on. Processes that are forked meanwhile do so, too."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD)


def release(reactor: Any) -> None:
    """Have what was held back, and what comes, heeded."""
    signal.signal(signal.SIGUSR1, lambda number, frame: reactor.callFromThread(begin_anew))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
