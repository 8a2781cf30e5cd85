"""Logging: Twisted's, with debug lines only where they are wanted."""

from collections.abc import Callable
from typing import ClassVar, Final

from attrs import define
from constantly import NamedConstant
from twisted.internet.interfaces import IReactorTime

from streamrelay.errors import printable
from twisted import logger


class Logger(logger.Logger):
    """A Twisted logger whose `debugging` turns debug lines on for the whole process.

    What strangers name (targets, hosts, reasons) can't forge a line or move a terminal: every text is `printable`.
    """

    debugging: ClassVar[bool] = False

    def emit(self, level: NamedConstant, format: str | None = None, **kwargs: object) -> None:
        if level is not logger.LogLevel.debug or Logger.debugging:
            super().emit(level, format, **{name: _shown(value) for name, value in kwargs.items()})


def _shown(value: object) -> object:
    if isinstance(value, Exception):
        value = str(value)
    return printable(value, None) if isinstance(value, str) else value


def steadily(work: Callable[[], None]) -> Callable[[], None]:
    """Make work fit for a timer that repeats it: an error, which would end the timer for good, is logged instead."""

    def guarded() -> None:
        try:
            work()
        except Exception:
            Logger().failure("an error in periodic work; it goes on")

    return guarded


class Silent:
    """autobahn's logger, without a word: its lines hold requests, and requests hold tokens."""

    def _nothing(self, *args: object, **kwargs: object) -> None: ...

    trace = debug = info = warn = error = failure = critical = _nothing


EACH: Final = 60.0
"""Seconds between two lines about the same limit."""


@define(eq=False)
class Seldom:
    """A count of what may happen very often, and is said once in `EACH` seconds at most."""

    clock: IReactorTime
    _unsaid: int = 0
    _next: float = float("-inf")

    def count(self) -> int:
        """Count one more. Return how many since the last that was said, if it is to be said now; else 0."""
        self._unsaid += 1
        now = self.clock.seconds()
        if now < self._next:
            return 0
        count, self._unsaid, self._next = self._unsaid, 0, now + EACH
        return count
