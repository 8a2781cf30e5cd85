"""Surroundings of a command in a terminal of ours, whoever starts it."""

import fcntl
import struct
import termios
from typing import Final

VARIABLES: Final = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
"""Variables that tell programs what the console's terminal can do, xterm.js."""
IUTF8: Final = 0o40000
"""Linux's flag of termios, which Python names from 3.13 on only."""


def prepare(terminal: int, size: tuple[int, int]) -> None:
    """Set a terminal up before its command begins: its size, and that it erases characters of UTF-8, not bytes."""
    set_size(terminal, *size)
    modes = termios.tcgetattr(terminal)
    modes[0] |= IUTF8
    termios.tcsetattr(terminal, termios.TCSANOW, modes)


def set_size(terminal: int, columns: int, rows: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
