"""Characters on a terminal: the cells that they take, as xterm.js counts them by Unicode, and line drawing."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

GRAPHICS: Final = str.maketrans("`abcdefghijklmnopqrstuvwxyz{|}~_", "◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·\xa0")
"""The DEC special graphics, which are a terminal's character set 0."""
NARROW: Final = re.compile(r"[^\u0300-\U0010ffff]+|[\u2500-\u259f]+")
"""Characters that take one cell each, whatever the tables say."""


@lru_cache(4096)
def width(char: str) -> int:
    """Return how many cells a printable character takes: 2 of a wide one, 0 of one that joins the one before."""
    if unicodedata.category(char) in ("Mn", "Me", "Cf") and char != "\xad":
        return 0
    if "\u1160" <= char <= "\u11ff":  # vowels and finals of Hangul syllables, which are put together
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
