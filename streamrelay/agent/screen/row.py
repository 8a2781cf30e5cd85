"""One row of a screen: its cells' characters and styles.

A wide character stands in its first cell; the second one is empty, and neither is ever there without the other.
"""

from typing import Final, NamedTuple

from streamrelay.agent.screen.style import PLAIN, Style

LONGEST: Final = 8
"""Characters of one cell at most: one that takes room, and those that join it."""


class Kept(NamedTuple):
    """A row above the screen: its text, or its cells where not all of them are plain."""

    cells: str | tuple[str, ...]
    styles: tuple[Style, ...] | None


class Row:
    """One row of a screen."""

    __slots__ = ("chars", "styles")

    def __init__(self, columns: int, style: Style) -> None:
        self.chars = [" "] * columns
        self.styles = [style] * columns

    def put(self, x: int, text: str, style: Style) -> None:
        """Put characters of one cell each from a column on; they fit."""
        end = x + len(text)
        self._part(x, end)
        self.chars[x:end] = text
        self.styles[x:end] = [style] * len(text)

    def put_wide(self, x: int, char: str, style: Style) -> None:
        self._part(x, x + 2)
        self.chars[x : x + 2] = (char, "")
        self.styles[x : x + 2] = (style, style)

    def join(self, x: int, char: str) -> None:
        """Let a character join that of a cell."""
        x -= not self.chars[x]
        if len(self.chars[x]) < LONGEST:
            self.chars[x] += char

    def erase(self, start: int, end: int, style: Style) -> None:
        """Erase the cells from `start` to before `end`."""
        if start < end:
            self.put(start, " " * (end - start), style)

    def insert(self, x: int, count: int, style: Style) -> None:
        """Insert empty cells; what goes beyond the end is lost."""
        columns = len(self.chars)
        count = min(count, columns - x)
        self._part(x, columns - count)
        self.chars[x:] = [" "] * count + self.chars[x : columns - count]
        self.styles[x:] = [style] * count + self.styles[x : columns - count]

    def delete(self, x: int, count: int, style: Style) -> None:
        """Delete cells; what comes from beyond the end is empty."""
        count = min(count, len(self.chars) - x)
        self._part(x, x + count)
        self.chars[x:] = self.chars[x + count :] + [" "] * count
        self.styles[x:] = self.styles[x + count :] + [style] * count

    def resize(self, columns: int) -> None:
        more = columns - len(self.chars)
        if more < 0:
            self._part(columns, len(self.chars))
            del self.chars[columns:], self.styles[columns:]
        else:
            self.chars += [" "] * more
            self.styles += [PLAIN] * more

    def _part(self, start: int, end: int) -> None:
        """Blank wide characters of which but one half is between these columns."""
        chars = self.chars
        if start < len(chars) and not chars[start]:
            chars[start - 1] = chars[start] = " "
        if end < len(chars) and not chars[end]:
            chars[end - 1] = chars[end] = " "

    @property
    def is_plain(self) -> bool:
        """True if all cells are in the terminal's own colours, without attributes."""
        return self.styles.count(PLAIN) == len(self.styles)

    @property
    def is_blank(self) -> bool:
        return self.chars.count(" ") == len(self.chars) and self.is_plain

    def kept(self) -> Kept:
        if self.is_plain:
            return Kept("".join(self.chars).rstrip(" "), None)
        return Kept(tuple(self.chars), tuple(self.styles))
