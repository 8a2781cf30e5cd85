"""The command line's grammar: argparse, with its words as all others of ours."""

import argparse
import sys
from typing import Any, NoReturn

from streamrelay.client.output import say, tell
from streamrelay.client.statuses import USAGE


class CommandParser(argparse.ArgumentParser):
    """A parser whose help is held to what other output is, and whose complaints are one line.

    No option can be cut short: `--key KEY` must not be taken for `--key-file`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help or the version; `OutputError` if standard output doesn't take it (argparse swallows that)."""
        tell(message.rstrip("\n"))

    def error(self, message: str) -> NoReturn:
        say(f"{message} ({self.prog} --help tells more)")
        sys.exit(USAGE)


def words(text: str) -> str:
    """Return an argument that is no file's name, so must be UTF-8: it goes into JSON, TOML or a header."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError("expected UTF-8") from None
    return text
