"""A screen drawn anew: bytes after which a terminal shows what the model does, whatever state it was in before."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import inf
from typing import Final

from streamrelay.agent.screen.modes import KEPT, USUAL
from streamrelay.agent.screen.row import Kept, Row
from streamrelay.agent.screen.screen import Saved, Screen
from streamrelay.agent.screen.style import PLAIN, Style

_APART: Final = frozenset((6, 7, 25, 66))
"""Private modes that are set at their own places."""
MOST_ABOVE: Final = 256 << 10
"""Characters of the lines above a screen that are drawn; the oldest ones are left out."""
_ROW: Final = 20
"""Characters that take as long as a row does beside its own."""
_SWITCHED: Final = sorted(KEPT - _APART)
BEGIN: Final = "".join(
    (
        "\x18\x1b\\\x1b]8;;\x1b\\\x1b[?2026l",  # whatever sequence or link has begun is over, and nothing is held back
        "\x1b[?1047l\x1b[!p\x1b[4l\x1b[20l\x1b[?6l\x1b[?7h\x1b[?25h\x1b>\x1b[>4;0m\x1b[0 q",
        *(f"\x1b[?{mode}l" for mode in _SWITCHED),
        "\x1b(B\x1b)B\x0f\x1b[r\x1b[0m\x1b[H\x1b[2J",
    )
)
"""Beginning of each drawing: the terminal is as a new one then, and empty."""
_OWN_COLOURS: Final = "".join(f"\x1b]{number}\x1b\\" for number in (104, 110, 111, 112))
"""What sets all colours of a terminal back to its own."""


class Drawing:
    """One drawing of a screen, which is made in pieces, as one of a large and colourful screen takes half a second; the
    screen must not change meanwhile. `whole`: with the lines above it, and the titles that were put aside."""

    def __init__(self, screen: Screen, whole: bool) -> None:
        self.screen, self.whole = screen, whole
        self._text: list[str] = []
        self._rows = self._draw()

    @property
    def data(self) -> bytes:
        """What draws the screen, once no more work is left."""
        return "".join(self._text).encode()

    def work(self, characters: float) -> bool:
        """Draw about so many characters more; tell whether that was all."""
        for row in self._rows:
            characters -= len(row) + _ROW
            if characters <= 0:
                return False
        return True

    def _draw(self) -> Iterator[str]:
        """Draw one row after the other, and yield it."""
        screen, text = self.screen, self._text
        text += (BEGIN, _tabs(screen), *_told(screen, self.whole))
        above: list[str] = []
        if self.whole:
            yield from _above(screen, above)
        main = screen.lines if screen.main is None else screen.main
        text.append("".join(f"{row}\r\n" for row in reversed(above)))
        for y, row in enumerate(main):
            text.append(("\r\n" if y else "") + _line(row))
            yield text[-1]
        if screen.main is not None:
            text += (*_saved(screen.saved_main), "\x1b[?1047h\x1b[2J")
            for y, row in enumerate(screen.lines):
                text.append("" if row.is_blank else _place(0, y) + _line(row))
                yield text[-1]
        text += (*_saved(screen.saved), *_last(screen))


def drawn(screen: Screen, whole: bool = True) -> bytes:
    """Return what draws a screen, all of it at once."""
    drawing = Drawing(screen, whole)
    drawing.work(inf)
    return drawing.data


def _above(screen: Screen, lines: list[str]) -> Iterator[str]:
    """Draw the lines above the screen, the last ones if they are many, from below; yield each."""
    left = MOST_ABOVE
    for row in reversed(screen.history):
        lines.append(_line(row))
        yield lines[-1]
        left -= len(lines[-1])
        if left < 0:
            break


def _line(row: Row | Kept) -> str:
    """Return the text of one row, which begins and ends in plain style; empty cells at its end are left out."""
    if isinstance(row, Kept):
        if row.styles is None:
            return "".join(row.cells)
        return _styled(row.cells, row.styles)
    if row.is_plain:
        return "".join(row.chars).rstrip(" ")
    return _styled(row.chars, row.styles)


def _styled(chars: Sequence[str], styles: Sequence[Style]) -> str:
    end = len(chars)
    while end and chars[end - 1] == " " and styles[end - 1] == PLAIN:
        end -= 1
    parts, now = [], PLAIN
    for style, cells in groupby(range(end), styles.__getitem__):
        parts.append(style.sequence())
        parts += [chars[x] for x in cells]
        now = style
    return "".join(parts) + ("" if now == PLAIN else PLAIN.sequence())


def _place(x: int, y: int) -> str:
    return f"\x1b[{y + 1};{x + 1}H"


def _tabs(screen: Screen) -> str:
    return "\x1b[3g" + "".join(f"\x1b[{stop + 1}G\x1bH" for stop in sorted(screen.tabs)) + "\r"


def _told(screen: Screen, whole: bool) -> Iterator[str]:
    modes = screen.modes
    if modes.coloured:
        yield _OWN_COLOURS
    for which, colour in modes.colours.items():
        yield f"\x1b]{which};{colour}\x1b\\"
    for title in modes.titles if whole else ():
        yield f"\x1b]2;{title}\x1b\\\x1b[22;0t"
    if modes.title or modes.titles:
        yield f"\x1b]2;{modes.title}\x1b\\"


def _charsets(charsets: tuple[str, str], shift: int) -> str:
    if (charsets, shift) == (("B", "B"), 0):
        return ""
    return f"\x1b({charsets[0]}\x1b){charsets[1]}" + ("\x0e" if shift else "\x0f")


def _saved(saved: Saved) -> list[str]:
    """Return what has the terminal save the same cursor, and leaves it in plain style."""
    if saved == Saved():
        return []
    how = [saved.style.sequence(), _charsets(saved.charsets, saved.shift), "\x1b[?6h" if saved.origin else ""]
    return [*how, _place(saved.x, saved.y), "\x1b7\x1b[?6l\x1b[0m\x1b(B\x1b)B\x0f"]


def _last(screen: Screen) -> Iterator[str]:
    """Yield the modes, and put the cursor where it is; nothing is drawn any more but, perhaps, one cell."""
    modes = screen.modes
    if (screen.top, screen.bottom) != (0, screen.rows - 1):
        yield f"\x1b[{screen.top + 1};{screen.bottom + 1}r"
    above = screen.top if modes.origin else 0
    yield ("\x1b[?6h" if modes.origin else "") + _place(screen.x, screen.y - above)
    if screen.wrapping:
        yield from _last_cell(screen, screen.y - above)
    yield screen.style.sequence()
    yield _charsets(screen.charsets, screen.shift)
    yield from (f"\x1b[?{mode}h" for mode in sorted(modes.on - _APART))
    yield "" if modes.wraps else "\x1b[?7l"
    yield "\x1b[4h" if modes.inserts else ""
    yield "\x1b[20h" if modes.new_lines else ""
    yield "\x1b=" if 66 in modes.on else ""
    yield f"\x1b[{modes.cursor} q" if modes.cursor else ""
    yield f"\x1b[>4;{modes.keys}m" if modes.keys else ""
    yield "" if modes.on >= USUAL - {7} else "\x1b[?25l"


def _last_cell(screen: Screen, y: int) -> Iterator[str]:
    """Yield the last cell of the cursor's row once more, so that the next character begins a new line."""
    row = screen.lines[screen.y]
    x = screen.columns - 1 if row.chars[-1] else screen.columns - 2
    yield _place(x, y) + row.styles[x].sequence() + row.chars[x]
