"""Logging: Twisted's, with debug lines only where they are wanted."""

from typing import ClassVar

from constantly import NamedConstant

from twisted import logger


def printable(text: str) -> str:
    """A text in one line that does nothing to a terminal: whatever isn't printable is a question mark."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "?" for character in text)


class Logger(logger.Logger):
    """A Twisted logger whose `debugging` says for the whole process whether debug lines are made.

    What strangers name (targets, hosts, reasons) can't forge a line or move a terminal: every text is `printable`.
    """

    debugging: ClassVar[bool] = False

    def emit(self, level: NamedConstant, format: str | None = None, **kwargs: object) -> None:
        if level is not logger.LogLevel.debug or Logger.debugging:
            super().emit(level, format, **{name: _shown(value) for name, value in kwargs.items()})


def _shown(value: object) -> object:
    if isinstance(value, Exception):
        value = str(value)
    return printable(value) if isinstance(value, str) else value


class Silent:
    """autobahn's logger, without a word: its lines hold requests, and requests hold tokens."""

    def _nothing(self, *args: object, **kwargs: object) -> None: ...

    trace = debug = info = warn = error = failure = critical = _nothing
