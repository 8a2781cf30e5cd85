"""Logging: Twisted's, with debug lines only where they are wanted."""

from typing import ClassVar

from constantly import NamedConstant

from twisted import logger


class Logger(logger.Logger):
    """A Twisted logger whose `debugging` says for the whole process whether debug lines are made."""

    debugging: ClassVar[bool] = False

    def emit(self, level: NamedConstant, format: str | None = None, **kwargs: object) -> None:
        if level is not logger.LogLevel.debug or Logger.debugging:
            super().emit(level, format, **kwargs)


class Silent:
    """autobahn's logger, without a word: its lines hold requests, and requests hold tokens."""

    def _nothing(self, *args: object, **kwargs: object) -> None: ...

    trace = debug = info = warn = error = failure = critical = _nothing
