"""The command line's grammar: argparse, with its words as all others of ours."""

import argparse
import re
import string
import sys
from typing import Any, Final, NoReturn

from streamrelay.client.output import say, tell
from streamrelay.client.statuses import USAGE

NO_ESCAPE: Final = "none"
"""Value of ``--escape`` for none."""
CONTROLS: Final = string.ascii_letters + r"\]^_"
"""What makes a control character behind ``^``; not ``[``: that is Escape, with which cursor keys begin."""


class Once(argparse.Action):
    """The keeping of an option's value, of which only one counts: a second one is refused, rather than the first one
    dropped without a word."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: str | None = None) -> None:
        given = vars(namespace).setdefault("given", set())
        if option is not None and self.dest in given:
            raise argparse.ArgumentError(self, "given twice; only one counts")
        given.add(self.dest)
        setattr(namespace, self.dest, values)


class CommandParser(argparse.ArgumentParser):
    """A parser whose help is held to what other output is, and whose complaints are one line.

    No option can be cut short: `--key KEY` must not be taken for `--key-file`.
    """

    dashed: str = ""
    """Pattern of arguments that begin with ``-`` and are no options all the same."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)
        for name in (None, "store"):
            self.register("action", name, Once)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as argparse does, with a blank before what is `dashed`, which argparse takes for no option then."""
        given = sys.argv[1:] if args is None else args
        dashed = self.dashed or "(?!)"
        return super().parse_known_args(
            [f" {each}" if re.fullmatch(dashed, each) else each for each in given], namespace
        )

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


def target(text: str) -> str:
    """Return a target's name, if it can be one; an empty one is what an unset variable of a script makes of it."""
    from streamrelay.protocol.names import TARGET_WORDS, is_target

    if not is_target(text):
        raise argparse.ArgumentTypeError(f"{words(text)!r} is not a valid target name ({TARGET_WORDS})")
    return text


def zone(text: str) -> str:
    """Return the name of a zone, if it can be one."""
    from streamrelay.protocol.names import ZONE_WORDS, is_zone

    if not is_zone(text):
        raise argparse.ArgumentTypeError(f"{words(text)!r} is not a valid name of a zone ({ZONE_WORDS})")
    return text


def stream(text: str) -> str:
    """Return a stream's name, without the blanks that a list may have left around it."""
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a stream's name, as streamrelay streams lists them")
    return words(text.strip())


def terminal(text: str) -> str:
    """Return the id of a kept terminal, if it can be one, without the blanks that a list may have left around it."""
    from streamrelay.protocol.names import is_terminal

    if not is_terminal(text.strip()):
        raise argparse.ArgumentTypeError(f"{words(text)!r}: expected a terminal's id, as streamrelay terminals has it")
    return text.strip()


def attach(text: str) -> str:
    """Return the kept terminal that is to be attached to: its id, or HOST:TARGET for the one that is there."""
    host, colon, target = text.strip().partition(":")
    if colon and host and target:
        return words(text.strip())
    try:
        return terminal(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{words(text)!r}: expected a terminal's id, or HOST:TARGET") from None


def pattern(text: str) -> str:
    """Return a glob of a list's rows; an empty one, as of an unset variable, would leave nothing."""
    if not text.partition(":")[0]:
        raise argparse.ArgumentTypeError(f"{words(text)!r}: expected HOST or HOST:TARGET")
    return words(text)


def label(text: str) -> str:
    """Return a label by which hosts are chosen."""
    if not text.partition("=")[0] or "=" not in text:
        raise argparse.ArgumentTypeError(f"{words(text)!r}: expected NAME=VALUE")
    return words(text)


def address(text: str) -> str:
    """Return an address to listen at, for a port alone on this machine; an empty one would count as no option."""
    if not text:
        raise argparse.ArgumentTypeError("expected ADDRESS:PORT")
    return f"127.0.0.1:{text}" if re.fullmatch("[0-9]+", text) else words(text)


def file(text: str) -> str:
    """Return the name of a file, in whatever encoding; an empty one would count as no option."""
    if not text:
        raise argparse.ArgumentTypeError("expected a file's name")
    return text


def place(text: str) -> str:
    """Return a place in a log, if it can be one; an empty one is none."""
    if not re.fullmatch("[!-~]{0,256}", text):
        raise argparse.ArgumentTypeError("expected a place as it was told, at most 256 printable characters")
    return text


def lines(text: str) -> int:
    """Return a number of a log's lines."""
    from streamrelay.protocol.limits import MOST_LINES

    if not re.fullmatch("[0-9]{1,18}", text) or int(text) > MOST_LINES:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number, 0 to {MOST_LINES}")
    return int(text)


def count(text: str) -> int:
    """Return a number of bytes."""
    if not re.fullmatch("[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number, 0 or more")
    return int(text)


def escape_character(text: str) -> str:
    """Return the value of ``--escape`` as it is, empty for none; raise `ArgumentTypeError` if it can't be one."""
    if text == NO_ESCAPE:
        return ""
    single = len(text) == 1 and text in string.punctuation
    control = len(text) == 2 and text[0] == "^" and text[1] in CONTROLS
    if not (single or control):
        raise argparse.ArgumentTypeError(
            rf"{text!r}: expected one of {string.punctuation}, ^ and a letter or one of \]^_, or {NO_ESCAPE}"
        )
    return text


def early_dial(text: str) -> bool:
    """Return the value of ``--early-dial``: True for auto."""
    if text not in ("auto", "none"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected auto or none")
    return text == "auto"
