"""Lines of commands: what was asked for on standard output, words about it on standard error."""

import os
import sys
from contextlib import suppress
from typing import Final

from streamrelay.client.statuses import BROKE, PIPE
from streamrelay.errors import printable

VIEW_ONLY: Final = "view only: nothing that is sent from here reaches the target"


class OutputError(Exception):
    """Failure of standard output to take all of what a command has to tell."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def say(text: str) -> None:
    """Print a line on standard error, if that takes it."""
    with suppress(OSError):
        print(f"streamrelay: {printable(text, None)}", file=sys.stderr, flush=True)


def tell(text: str) -> None:
    """Print a line on standard output, or raise `OutputError`."""
    try:
        print(text, flush=True)
    except OSError as error:
        raise OutputError(error) from None


def untold(error: OSError) -> int:
    """Return the status of a command whose output wasn't taken; say why, unless nobody reads it any more."""
    if isinstance(error, BrokenPipeError):
        return PIPE
    say(f"standard output: {error.strerror}")
    return BROKE


class Once:
    """Words that are said the first time only."""

    def __init__(self, text: str) -> None:
        self._text: str | None = text

    def say(self) -> None:
        text, self._text = self._text, None
        if text is not None:
            say(text)


class Cuts:
    """Words about a stream that is cut and goes on. They `disturb` where they would stand amid what a program draws on
    this terminal, as ssh does, whose ProxyCommand we may be."""

    def __init__(self, verbose: bool) -> None:
        self.disturb = not verbose and os.isatty(2) and not os.isatty(0)

    def say(self, text: str) -> None:
        if not self.disturb:
            say(text)
