"""Effects of controls and escape sequences on a screen; those that aren't here have no effect on what it shows."""

from collections.abc import Callable
from typing import Final

from streamrelay.agent.screen.screen import Screen
from streamrelay.agent.screen.style import PLAIN, restyled

_MOST: Final = 100_000
_MOST_REPEATED: Final = 2000
"""Times that a character is repeated at once."""


def control(screen: Screen, char: str) -> None:
    """Do what a control of C0 says."""
    screen.last = ""
    if char == "\r":
        screen.x, screen.wrapping = 0, False
    elif char in "\n\v\f":
        screen.line_feed()
        if screen.modes.new_lines:
            screen.x = 0
    elif char == "\b":
        screen.move(screen.x - 1, screen.y)
    elif char == "\t":
        screen.tab(1)
    elif char in "\x0e\x0f":
        screen.shift = 1 if char == "\x0e" else 0


def escape(screen: Screen, between: str, final: str) -> None:
    """Do what ESC, some intermediate characters and a final one say."""
    screen.last = ""
    if between in ("(", ")"):
        charset = "0" if final == "0" else "B"
        screen.charsets = (charset, screen.charsets[1]) if between == "(" else (screen.charsets[0], charset)
    elif between == "#" and final == "8":
        _align(screen)
    elif not between and final in _ESCAPES:
        _ESCAPES[final](screen)


def csi(screen: Screen, prefix: str, parameters: str, final: str) -> None:
    """Do what a control sequence says, of this prefix (one of ``<=>?``), parameters, and final characters."""
    if final != "b":
        screen.last = ""
    if prefix == "" and final == "m":
        screen.style = restyled(screen.style, parameters)
        return
    numbers = [min(int(text[:9]), _MOST) if text.isdecimal() else 0 for text in parameters.split(";")]
    if prefix == "?" and final in ("h", "l"):
        for mode in numbers:
            _private(screen, mode, final == "h")
    elif prefix == "" and final in ("h", "l"):
        for mode in numbers:
            _ansi(screen, mode, final == "h")
    elif prefix == ">" and final == "m":
        screen.modes.keys = _at(numbers, 1) if numbers[0] == 4 else screen.modes.keys
    elif final in _CSI and (prefix == "" or (prefix == "?" and final in ("J", "K"))):
        _CSI[final](screen, numbers)


def _at(numbers: list[int], index: int) -> int:
    return numbers[index] if index < len(numbers) else 0


def _ansi(screen: Screen, mode: int, on: bool) -> None:
    if mode == 4:
        screen.modes.inserts = on
    elif mode == 20:
        screen.modes.new_lines = on


def _private(screen: Screen, mode: int, on: bool) -> None:
    if mode in (47, 1047, 1049):
        if mode == 1049 and on:
            screen.save()
        (screen.alternate if on else screen.back)()
        if mode == 1049 and not on:
            screen.restore()
    elif mode == 1048:
        (screen.save if on else screen.restore)()
    else:
        screen.modes.switch(mode, on)
        if mode == 6:
            screen.place(0, 0)
        elif mode == 7:
            screen.wrapping = False


def _align(screen: Screen) -> None:
    """Fill the screen with E, as DECALN does to adjust a picture tube."""
    screen.top, screen.bottom = 0, screen.rows - 1
    screen.erase_rows(0, screen.rows)
    for row in screen.lines:
        row.put(0, "E" * screen.columns, PLAIN)
    screen.move(0, 0)


def _next_line(screen: Screen) -> None:
    screen.x = 0
    screen.line_feed()


def _keypad(on: bool) -> Callable[[Screen], None]:
    return lambda screen: screen.modes.switch(66, on)


_ESCAPES: Final[dict[str, Callable[[Screen], None]]] = {
    "7": Screen.save,
    "8": Screen.restore,
    "c": Screen.reset,
    "D": Screen.line_feed,
    "E": _next_line,
    "M": Screen.reverse_feed,
    "H": lambda screen: screen.tabs.add(screen.x),
    "=": _keypad(True),
    ">": _keypad(False),
}


def _erase_display(screen: Screen, numbers: list[int]) -> None:
    how = numbers[0]
    screen.wrapping = False
    if how == 0:
        _erase_line(screen, [0])
        screen.erase_rows(screen.y + 1, screen.rows)
    elif how == 1:
        _erase_line(screen, [1])
        screen.erase_rows(0, screen.y)
    elif how == 2:
        screen.erase_rows(0, screen.rows)
    elif how == 3:
        screen.history.clear()


def _erase_line(screen: Screen, numbers: list[int]) -> None:
    if numbers[0] <= 2:
        start, end = ((screen.x, screen.columns), (0, screen.x + 1), (0, screen.columns))[numbers[0]]
        _erase(screen, start, end)


def _erase_chars(screen: Screen, numbers: list[int]) -> None:
    _erase(screen, screen.x, min(screen.x + (numbers[0] or 1), screen.columns))


def _erase(screen: Screen, start: int, end: int) -> None:
    screen.cost += 1 + screen.columns // 64
    screen.wrapping = False
    screen.erase(start, end)


def _insert_chars(screen: Screen, numbers: list[int]) -> None:
    screen.shift_cells(numbers[0] or 1)


def _delete_chars(screen: Screen, numbers: list[int]) -> None:
    screen.shift_cells(-(numbers[0] or 1))


def _insert_lines(screen: Screen, numbers: list[int]) -> None:
    if screen.top <= screen.y <= screen.bottom:
        screen.scroll_down(screen.y, numbers[0] or 1)
        screen.move(0, screen.y)


def _delete_lines(screen: Screen, numbers: list[int]) -> None:
    if screen.top <= screen.y <= screen.bottom:
        screen.delete_rows(screen.y, numbers[0] or 1)
        screen.move(0, screen.y)


def _repeat(screen: Screen, numbers: list[int]) -> None:
    if screen.last:
        screen.text(screen.last * min(numbers[0] or 1, screen.columns * screen.rows, _MOST_REPEATED))


def _region(screen: Screen, numbers: list[int]) -> None:
    top, bottom = (numbers[0] or 1) - 1, min(_at(numbers, 1) or screen.rows, screen.rows) - 1
    if top < bottom:
        screen.top, screen.bottom = top, bottom
        screen.place(0, 0)


def _clear_tabs(screen: Screen, numbers: list[int]) -> None:
    if numbers[0] == 0:
        screen.tabs.discard(screen.x)
    elif numbers[0] == 3:
        screen.tabs.clear()


def _titles(screen: Screen, numbers: list[int]) -> None:
    if _at(numbers, 1) in (0, 2) and numbers[0] == 22:
        screen.modes.push_title()
    elif _at(numbers, 1) in (0, 2) and numbers[0] == 23:
        screen.modes.pop_title()


def _soft_reset(screen: Screen, numbers: list[int]) -> None:
    screen.modes.soften()
    screen.top, screen.bottom, screen.wrapping = 0, screen.rows - 1, False
    screen.style, screen.charsets, screen.shift = PLAIN, ("B", "B"), 0
    screen.saved = type(screen.saved)()


def _line_below(screen: Screen, numbers: list[int]) -> None:
    screen.down(numbers[0] or 1)
    screen.move(0, screen.y)


def _line_above(screen: Screen, numbers: list[int]) -> None:
    screen.up(numbers[0] or 1)
    screen.move(0, screen.y)


def _row(screen: Screen, numbers: list[int]) -> None:
    screen.place(screen.x, (numbers[0] or 1) - 1)


_CSI: Final[dict[str, Callable[[Screen, list[int]], None]]] = {
    "@": _insert_chars,
    "A": lambda screen, numbers: screen.up(numbers[0] or 1),
    "B": lambda screen, numbers: screen.down(numbers[0] or 1),
    "C": lambda screen, numbers: screen.move(screen.x + (numbers[0] or 1), screen.y),
    "a": lambda screen, numbers: screen.move(screen.x + (numbers[0] or 1), screen.y),
    "D": lambda screen, numbers: screen.move(screen.x - (numbers[0] or 1), screen.y),
    "E": _line_below,
    "F": _line_above,
    "G": lambda screen, numbers: screen.move((numbers[0] or 1) - 1, screen.y),
    "`": lambda screen, numbers: screen.move((numbers[0] or 1) - 1, screen.y),
    "H": lambda screen, numbers: screen.place((_at(numbers, 1) or 1) - 1, (numbers[0] or 1) - 1),
    "f": lambda screen, numbers: screen.place((_at(numbers, 1) or 1) - 1, (numbers[0] or 1) - 1),
    "I": lambda screen, numbers: screen.tab(numbers[0] or 1),
    "Z": lambda screen, numbers: screen.tab(-(numbers[0] or 1)),
    "J": _erase_display,
    "K": _erase_line,
    "L": _insert_lines,
    "M": _delete_lines,
    "P": _delete_chars,
    "S": lambda screen, numbers: screen.scroll_up(numbers[0] or 1),
    "T": lambda screen, numbers: screen.scroll_down(screen.top, numbers[0] or 1),
    "X": _erase_chars,
    "b": _repeat,
    "d": _row,
    "e": lambda screen, numbers: screen.down(numbers[0] or 1),
    "g": _clear_tabs,
    "r": _region,
    "s": lambda screen, numbers: screen.save(),
    "u": lambda screen, numbers: screen.restore(),
    "t": _titles,
    "!p": _soft_reset,
    " q": lambda screen, numbers: setattr(screen.modes, "cursor", min(numbers[0], 6)),
}
