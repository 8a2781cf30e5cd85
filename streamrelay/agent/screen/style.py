"""Looks of cells: the attributes and colours of SGR (ECMA-48 §8.3.117, and xterm's colours)."""

from typing import Final, NamedTuple

ON: Final = {1: 1, 2: 2, 3: 4, 5: 8, 6: 8, 7: 16, 8: 32, 9: 64, 53: 128}
"""Bits of attributes by the number that sets them."""
OFF: Final = {22: 1 | 2, 23: 4, 25: 8, 27: 16, 28: 32, 29: 64, 55: 128}
_NUMBERS: Final = {1: 1, 2: 2, 4: 3, 8: 5, 16: 7, 32: 8, 64: 9, 128: 53}


class Style(NamedTuple):
    """Looks of a cell. Colours are the parameters of SGR that set them; empty: the terminal's own."""

    attributes: int = 0
    underline: str = ""
    foreground: str = ""
    background: str = ""
    line: str = ""
    """Colour of the underline."""

    def sequence(self) -> str:
        """Return the escape sequence by which it is set, whatever was set before."""
        numbers = [str(number) for bit, number in _NUMBERS.items() if self.attributes & bit]
        colours = [text for text in (self.underline, self.foreground, self.background, self.line) if text]
        return f"\x1b[{';'.join(['0', *numbers, *colours])}m"


PLAIN: Final = Style()


def erased(style: Style) -> Style:
    """Return how cells look that are erased while this is set: they keep its background alone."""
    return Style(background=style.background) if style.background else PLAIN


def restyled(style: Style, parameters: str) -> Style:
    """Return a style with the parameters of one SGR sequence applied; what is unknown is passed over."""
    if not parameters:
        return PLAIN
    parts = parameters.split(";")
    at = 0
    while at < len(parts):
        number, colon, _ = parts[at].partition(":")
        if number in ("38", "48", "58"):
            colour, used = (_colon(parts[at]), 1) if colon else _semicolons(parts[at:])
            at += used
            if colour:
                style = _coloured(style, number, colour)
            continue
        style = _underlined(style, parts[at]) if number == "4" else _applied(style, _number(number))
        at += 1
    return style


def _number(text: str) -> int:
    return int(text[:9]) if text.isascii() and text.isdecimal() else 0


def _underlined(style: Style, part: str) -> Style:
    kind = part.partition(":")[2]
    if kind == "0":
        return style._replace(underline="")
    return style._replace(underline=f"4:{kind}" if kind in ("2", "3", "4", "5") else "4")


def _applied(style: Style, number: int) -> Style:
    if number == 0:
        return PLAIN
    if bit := ON.get(number):
        return style._replace(attributes=style.attributes | bit)
    if number == 21:
        return style._replace(underline="4:2")
    if bits := OFF.get(number):
        return style._replace(attributes=style.attributes & ~bits)
    if number == 24:
        return style._replace(underline="")
    if 30 <= number <= 37 or 90 <= number <= 97:
        return style._replace(foreground=str(number))
    if 40 <= number <= 47 or 100 <= number <= 107:
        return style._replace(background=str(number))
    if number in (39, 49, 59):
        return _coloured(style, {39: "38", 49: "48", 59: "58"}[number], "")
    return style


def _coloured(style: Style, number: str, colour: str) -> Style:
    text = f"{number};{colour}" if colour else ""
    if number == "38":
        return style._replace(foreground=text)
    return style._replace(background=text) if number == "48" else style._replace(line=text)


def _semicolons(parts: list[str]) -> tuple[str, int]:
    """Return a colour of ``38;5;n`` or ``38;2;r;g;b``, and how many parts that took."""
    kind = parts[1] if len(parts) > 1 else ""
    if kind == "5":
        return _colour(kind, parts[2:3]), 3
    return (_colour(kind, parts[2:5]), 5) if kind == "2" else ("", 2)


def _colon(part: str) -> str:
    """Return a colour of ``38:5:n``, ``38:2:r:g:b`` or ``38:2::r:g:b``."""
    _, kind, *numbers = part.split(":")
    return _colour(kind, numbers[:1] if kind == "5" else numbers[1:4] if len(numbers) > 3 else numbers)


def _colour(kind: str, numbers: list[str]) -> str:
    wanted = {"5": 1, "2": 3}.get(kind)
    values = [_number(text) for text in numbers]
    if len(values) != wanted or max(values) > 255:
        return ""
    return ";".join([kind, *map(str, values)])
