"""Logging: Twisted's, with debug lines only where they are wanted."""

from collections import Counter
from collections.abc import Callable
from typing import ClassVar, Final

from attrs import define, field
from constantly import NamedConstant
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.errors import printable
from twisted import logger


class Logger(logger.Logger):
    """A Twisted logger whose `debugging` turns debug lines on for the whole process.

    What strangers name (targets, hosts, reasons) can't forge a line or move a terminal: every text is `printable`.
    """

    debugging: ClassVar[bool] = False
    silent: ClassVar[bool] = False
    """True in a process that has no log."""

    def emit(self, level: NamedConstant, format: str | None = None, **kwargs: object) -> None:
        if not Logger.silent and (level is not logger.LogLevel.debug or Logger.debugging):
            super().emit(level, format, **{name: _shown(value) for name, value in kwargs.items()})


def _shown(value: object) -> object:
    if isinstance(value, Exception):
        value = str(value)
    return printable(value, None) if isinstance(value, str) else value


class Several(int):
    """A number of things that shows itself with their name: "1 line", "2 lines", "2 addresses"."""

    noun: str

    def __new__(cls, number: int, noun: str) -> "Several":
        made = super().__new__(cls, number)
        made.noun = noun
        return made

    def __str__(self) -> str:
        more = "es" if self.noun.endswith("s") else "s"
        return f"{int(self)} {self.noun}{'' if self == 1 else more}"

    def __format__(self, how: str) -> str:
        return format(str(self), how)


def steadily(work: Callable[[], None]) -> Callable[[], None]:
    """Make work fit for a timer that repeats it: an error, which would end the timer for good, is logged instead."""

    def guarded() -> None:
        try:
            work()
        except Exception:
            Logger().failure("an error in periodic work; it goes on")

    return guarded


EACH: Final = 60.0
"""Seconds between two lines about the same limit."""
MOST_COUNTED: Final = 1000
"""Those who are counted by themselves between two such lines."""


@define(eq=False)
class Seldom:
    """Words about what may happen very often, as when a limit is met: at once for the first, then for all of a minute
    (of `each` seconds).

    `say` is given a count of what happened since it was last called, by whom it happened to.
    """

    clock: IReactorTime
    say: Callable[[Counter[str]], None]
    each: float = EACH
    total: int = 0
    """Number of all that was counted since the start."""
    _unsaid: Counter[str] = field(factory=Counter)
    _timer: IDelayedCall | None = None  # while a minute lasts

    def count(self, whom: str = "") -> None:
        """Count one more; of very many whom there are, some are counted together as others."""
        self.total += 1
        known = whom in self._unsaid or len(self._unsaid) < MOST_COUNTED
        self._unsaid[whom if known else "others"] += 1
        if self._timer is None:
            self._begin_minute()

    def stop(self) -> None:
        """Say at once whatever was counted since the last time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._unsaid:
            self._speak()

    def _begin_minute(self) -> None:
        self._timer = self.clock.callLater(self.each, self._minute_ended)
        self._speak()

    def _minute_ended(self) -> None:
        self._timer = None
        if self._unsaid:
            self._begin_minute()

    def _speak(self) -> None:
        unsaid, self._unsaid = self._unsaid, Counter()
        self.say(unsaid)
