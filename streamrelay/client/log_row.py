"""A row of a log as a terminal draws it, as the log's page does (streamrelay/web/log/drawn.js).

Carriage returns, backspaces and moves go back in it, and what comes then is written over what was there.
"""

import unicodedata
from typing import Final

from attrs import define, field

WIDEST: Final = 1000
"""Columns into which a move leads, where nothing is written yet."""
SIGN: Final = " \u21ba"
"""Sign behind a row in which something was written over, as that may have been to deceive."""
BLANK: Final = (" ", "")
REST: Final = ("", "")
"""The second column of a wide letter."""


@define(eq=False)
class Row:
    """Cells, each a letter and the sequences that colour it, and the column where the cursor is."""

    cells: list[tuple[str, str]] = field(factory=list)
    column: int = 0
    over: bool = False
    """True once something that could be read was written over or deleted."""

    def write(self, text: str, pen: str) -> None:
        """Write text without controls but for tabs, in the colours of `pen`."""
        for letter in text:
            if letter == "\t":
                self._go((self.column // 8 + 1) * 8)
                self._fill()
            elif (unicodedata.combining(letter) or letter in "\u200c\u200d") and self._before():
                owner = self._before() - 1
                self.cells[owner] = (self.cells[owner][0] + letter, self.cells[owner][1])
            else:
                self._set((letter, pen))
                if unicodedata.east_asian_width(letter) in "WF":
                    self._set(REST)

    def control(self, numbers: str, final: str) -> None:
        """Take a control sequence (ECMA-48): a move in the row, or a deletion."""
        first = numbers.split(";")[0]
        count = max(1, int(first[:6] or 1))
        match final:
            case "\r":
                self.column = 0
            case "C" | "a":
                self._go(self.column + count)
            case "\b" | "D":
                self._go(self.column - count)
            case "G" | "`":
                self._go(count - 1)
            case "K":
                self._erase(first)
            case "X":
                self._blank(self.column, self.column + count)
            case "P" | "@" if len(self.cells) > 4 * WIDEST:
                return  # to shift so much would cost too much, and no terminal is so wide
            case "P":
                self._lose(self.column, self.column + count)
                del self.cells[self.column : self.column + count]
            case "@" if self.column < len(self.cells):
                self.cells[self.column : self.column] = [BLANK] * min(count, WIDEST)

    def shown(self, columns: int | None = None) -> str:
        """Return its text with its colours, cut to so many columns; each colour begins with a reset."""
        out, last = [], ""
        for letter, pen in self.cells[:columns]:
            if pen != last and letter:
                out.append(f"\x1b[m{pen}")
                last = pen
            out.append(letter)
        return "".join(out) + ("\x1b[m" if last else "")

    def _go(self, column: int) -> None:
        self.column = max(0, min(column, max(WIDEST, len(self.cells))))

    def _fill(self) -> None:
        self.cells.extend([BLANK] * (self.column - len(self.cells)))

    def _before(self) -> int:
        """Return the column behind the letter before the cursor, or 0."""
        at = self.column
        return at - 1 if 1 < at <= len(self.cells) and self.cells[at - 1] is REST else min(at, len(self.cells))

    def _set(self, cell: tuple[str, str]) -> None:
        self._fill()
        at = self.column
        if at == len(self.cells):
            self.cells.append(cell)
        else:
            self._lose(at, at + 1, cell[0])
            if at and self.cells[at] is REST and cell is not REST:
                self.cells[at - 1] = BLANK  # half a letter is none
            if at + 1 < len(self.cells) and self.cells[at + 1] is REST:
                self.cells[at + 1] = BLANK
            self.cells[at] = cell
        self.column += 1

    def _erase(self, way: str) -> None:
        if way in ("", "0"):
            self._lose(self.column, len(self.cells))
            del self.cells[self.column :]
        elif way == "1":
            self._blank(0, self.column + 1)
        elif way == "2":
            self._lose(0, len(self.cells))
            self.cells.clear()

    def _blank(self, begin: int, end: int) -> None:
        self._lose(begin, end)
        until = min(end, len(self.cells))
        self.cells[begin:until] = [BLANK] * (until - begin)

    def _lose(self, begin: int, end: int, letter: str = "") -> None:
        """Take note of what is lost between two columns, unless it is this letter."""
        self.over |= any(each.strip() and each != letter for each, _ in self.cells[begin:end])
