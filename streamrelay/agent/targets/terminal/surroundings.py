"""Surroundings of a command in a terminal of ours, whoever starts it."""

import termios
from contextlib import suppress
from typing import Final

VARIABLES: Final = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
"""Variables that tell programs what the console's terminal can do, xterm.js."""
IUTF8: Final = 0o40000
"""Linux's flag of termios, which Python names from 3.13 on only."""


def set_utf8(terminal: int) -> None:
    """Let a terminal erase whole characters of UTF-8, not bytes, where it edits lines itself."""
    with suppress(termios.error):  # of a command that has ended already
        modes = termios.tcgetattr(terminal)
        modes[0] |= IUTF8
        termios.tcsetattr(terminal, termios.TCSANOW, modes)
