"""A terminal's screen: cells, cursor, and how the next character will look. It knows no escape sequences.

`cost` grows with the work that is done, about a microsecond a unit, so that whoever feeds it can stop in time.
"""

from collections import deque
from typing import Final

from attrs import define, evolve, field, fields

from streamrelay.agent.screen.characters import GRAPHICS, NARROW, width
from streamrelay.agent.screen.modes import Modes
from streamrelay.agent.screen.row import Kept, Row
from streamrelay.agent.screen.style import PLAIN, Style, erased

HISTORY: Final = 500
"""Lines above the screen that are kept."""
MOST_COLUMNS: Final = 500
MOST_ROWS: Final = 200
"""Size of a screen at most: what it costs in memory is some MiB then."""
TAB: Final = 8
"""Columns from one tab stop to the next where a program has set none."""


@define(frozen=True)
class Saved:
    """A cursor, as far as DECSC saves it."""

    x: int = 0
    y: int = 0
    style: Style = PLAIN
    charsets: tuple[str, str] = ("B", "B")
    shift: int = 0
    origin: bool = False


@define(eq=False)
class Screen:
    """A screen of so many columns and rows."""

    columns: int
    rows: int
    lines: list[Row] = field(init=False)
    """Rows that are shown."""
    main: list[Row] | None = None
    """Rows of the main screen while the alternate one is shown; else None."""
    history: deque[Kept] = field(factory=lambda: deque(maxlen=HISTORY))
    x: int = 0
    y: int = 0
    wrapping: bool = False
    """True if the last column was written, so that the next character begins a new line."""
    style: Style = PLAIN
    charsets: tuple[str, str] = ("B", "B")
    shift: int = 0
    saved: Saved = field(factory=Saved)
    saved_main: Saved = field(factory=Saved)
    """Cursor that was saved on the main screen, while the alternate one is shown."""
    top: int = 0
    bottom: int = field(init=False)
    """First and last row of the region that scrolls."""
    tabs: set[int] = field(init=False)
    modes: Modes = field(factory=Modes)
    last: str = ""
    """The last character that was drawn."""
    cost: int = 0

    def __attrs_post_init__(self) -> None:
        self.columns, self.rows = bounded(self.columns, self.rows)
        self.lines = [Row(self.columns, PLAIN) for _ in range(self.rows)]
        self.bottom, self.tabs = self.rows - 1, stops(0, self.columns)

    # -- characters ------------------------------------------------------------------------------------------

    def text(self, text: str) -> None:
        """Draw printable characters from the cursor on."""
        if self.charsets[self.shift] == "0":
            text = text.translate(GRAPHICS)
        self.cost += 1 + len(text) // 64
        self.last = text[-1]
        if text.isascii():
            self._narrow(text)
            return
        at = 0
        while at < len(text):
            run = NARROW.match(text, at)
            if run is not None:
                self._narrow(run[0])
                at = run.end()
                continue
            self.cost += 1
            self._odd(text[at])
            at += 1

    def _narrow(self, text: str) -> None:
        """Draw characters of one cell each."""
        at = 0
        while at < len(text):
            self._wrap()
            piece = text[at : at + self.columns - self.x]
            at += len(piece)
            self._make_room(len(piece))
            self.lines[self.y].put(self.x, piece, self.style)
            self._advance(len(piece))
            if self.x == self.columns - 1 and at < len(text) and not self.modes.wraps:
                at = len(text) - 1  # only the last one stays, in the last column

    def _odd(self, char: str) -> None:
        """Draw a character that may take two cells, or none."""
        cells = width(char)
        if cells == 1:
            self._narrow(char)
        elif cells == 0:
            if self.x or self.wrapping:
                self.lines[self.y].join(self.x - (not self.wrapping), char)
        elif self.columns > 1:
            self._wrap()
            if self.x == self.columns - 1:
                if not self.modes.wraps:
                    return
                self.wrapping = True
                self._wrap()
            self._make_room(2)
            self.lines[self.y].put_wide(self.x, char, self.style)
            self._advance(2)

    def _wrap(self) -> None:
        if self.wrapping:
            self.x = 0
            self.line_feed()

    def _make_room(self, cells: int) -> None:
        if self.modes.inserts:
            self.cost += 1 + self.columns // 64
            self.lines[self.y].insert(self.x, cells, erased(self.style))

    def _advance(self, cells: int) -> None:
        self.x += cells
        if self.x >= self.columns:
            self.x, self.wrapping = self.columns - 1, self.modes.wraps

    # -- the cursor ------------------------------------------------------------------------------------------

    def move(self, x: int, y: int) -> None:
        """Put the cursor into a column and row, or as near as there is one."""
        self.x, self.y = min(max(x, 0), self.columns - 1), min(max(y, 0), self.rows - 1)
        self.wrapping = False

    def place(self, x: int, y: int) -> None:
        """Put the cursor where a program says, which counts rows from the region's first one in origin mode."""
        if self.modes.origin:
            y = min(max(y, 0) + self.top, self.bottom)
        self.move(x, y)

    def up(self, count: int) -> None:
        top = self.top if self.y >= self.top else 0
        self.move(self.x, max(self.y - count, top))

    def down(self, count: int) -> None:
        bottom = self.bottom if self.y <= self.bottom else self.rows - 1
        self.move(self.x, min(self.y + count, bottom))

    def line_feed(self) -> None:
        """Go to the next line, scrolling at the region's end."""
        self.wrapping = False
        if self.y == self.bottom:
            self.scroll_up(1)
        elif self.y < self.rows - 1:
            self.y += 1

    def reverse_feed(self) -> None:
        self.wrapping = False
        if self.y == self.top:
            self.scroll_down(self.top, 1)
        elif self.y:
            self.y -= 1

    def tab(self, count: int) -> None:
        """Go to the next tab stop so many times; to ones before if `count` is negative."""
        for _ in range(min(abs(count), self.columns)):
            if count > 0:
                self.x = min((stop for stop in self.tabs if stop > self.x), default=self.columns - 1)
            else:
                self.x = max((stop for stop in self.tabs if stop < self.x), default=0)
            self.cost += 4
        self.wrapping = False

    def save(self) -> None:
        self.saved = Saved(self.x, self.y, self.style, self.charsets, self.shift, self.modes.origin)

    def restore(self) -> None:
        saved = self.saved
        self.style, self.charsets, self.shift = saved.style, saved.charsets, saved.shift
        self.modes.origin = saved.origin
        y = min(max(saved.y, self.top), self.bottom) if saved.origin else saved.y
        self.move(saved.x, y)

    # -- rows ------------------------------------------------------------------------------------------------

    def scroll_up(self, count: int) -> None:
        """Move the region's rows up; what leaves the main screen's first row is kept above it."""
        if self.top == 0 and self.main is None:
            self.cost += 1 + self.columns // 64
            self.history.extend(row.kept() for row in self.lines[: min(count, self.bottom + 1)])
        self.delete_rows(self.top, count)

    def delete_rows(self, top: int, count: int) -> None:
        """Move the rows behind some from `top` on up, as far as the region goes."""
        count = min(count, self.bottom - top + 1)
        del self.lines[top : top + count]
        self.lines[self.bottom + 1 - count : self.bottom + 1 - count] = self._new(count)

    def scroll_down(self, top: int, count: int) -> None:
        """Move the rows from `top` to the region's end down."""
        count = min(count, self.bottom - top + 1)
        del self.lines[self.bottom + 1 - count : self.bottom + 1]
        self.lines[top:top] = self._new(count)

    def erase(self, start: int, end: int) -> None:
        """Erase cells of the cursor's row from column `start` to before `end`."""
        self.lines[self.y].erase(start, end, erased(self.style))

    def shift_cells(self, count: int) -> None:
        """Insert so many cells at the cursor; delete them if `count` is negative."""
        self.cost += 1 + self.columns // 64
        self.wrapping = False
        row = self.lines[self.y]
        (row.insert if count > 0 else row.delete)(self.x, abs(count), erased(self.style))

    def erase_rows(self, start: int, end: int) -> None:
        """Erase the rows from `start` to before `end`."""
        if start < end:
            self.lines[start:end] = self._new(end - start)

    def _new(self, count: int) -> list[Row]:
        self.cost += count * (2 + self.columns // 32)
        style = erased(self.style)
        return [Row(self.columns, style) for _ in range(count)]

    # -- the whole -------------------------------------------------------------------------------------------

    def alternate(self) -> None:
        """Show the alternate screen, which is empty."""
        if self.main is None:
            self.main, self.saved_main, self.saved = self.lines, self.saved, Saved()
            self.lines = self._new(self.rows)

    def back(self) -> None:
        """Show the main screen again."""
        if self.main is not None:
            self.lines, self.saved, self.main, self.saved_main = self.main, self.saved_main, None, Saved()
            self.wrapping = False

    def reset(self) -> None:
        """Become as a new screen is, without lines above it."""
        new = Screen(self.columns, self.rows, cost=self.cost + self.rows * (2 + self.columns // 32))
        new.modes.coloured = self.modes.coloured  # not of the screen, but of clients' terminals
        for attribute in fields(Screen):
            setattr(self, attribute.name, getattr(new, attribute.name))

    def resize(self, columns: int, rows: int) -> None:
        """Have another size. Rows are cut and filled up, not folded anew: programs draw again when they are told."""
        columns, rows = bounded(columns, rows)
        old = self.columns
        for lines in (self.lines, *([self.main] if self.main else [])):
            self._fit(lines, columns, rows)
        self.y = min(self.y, rows - 1)
        self.columns, self.rows = columns, rows
        self.tabs = {stop for stop in self.tabs if stop < columns} | stops(old, columns)
        self.top, self.bottom = 0, rows - 1
        self.move(self.x, self.y)
        self.saved, self.saved_main = self._near(self.saved), self._near(self.saved_main)

    def _near(self, saved: Saved) -> Saved:
        return evolve(saved, x=min(saved.x, self.columns - 1), y=min(saved.y, self.rows - 1))

    def _fit(self, lines: list[Row], columns: int, rows: int) -> None:
        while len(lines) > rows and len(lines) - 1 > self.y and lines[-1].is_blank:
            del lines[-1]
        gone, lines[:] = lines[: max(0, len(lines) - rows)], lines[max(0, len(lines) - rows) :]
        if lines is self.lines:
            self.y -= len(gone)
        if (lines is self.lines) == (self.main is None):
            self.history.extend(row.kept() for row in gone)
        for row in lines:
            row.resize(columns)
        lines += [Row(columns, PLAIN) for _ in range(rows - len(lines))]


def bounded(columns: int, rows: int) -> tuple[int, int]:
    """Return a size as near to this one as a screen may have."""
    return min(max(columns, 1), MOST_COLUMNS), min(max(rows, 1), MOST_ROWS)


def stops(start: int, columns: int) -> set[int]:
    """Return the tab stops that there are from a column on where a program has set none."""
    return {stop for stop in range(TAB, columns, TAB) if stop >= start}
