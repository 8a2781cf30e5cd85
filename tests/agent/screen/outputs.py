"""What programs write to a terminal: made up at random from a seed, and in the manner of some that people use."""

from pathlib import Path
from random import Random
from typing import Any, Final

from streamrelay.agent.screen.drawing import _line
from streamrelay.agent.screen.parser import Parser
from streamrelay.agent.screen.screen import Screen

RECORDED: Final = Path(__file__).parent / "recorded"
"""Outputs of vim, less and a program of curses, on 80 columns and 24 rows, from start to nearly their ends."""
WORDS: Final = (
    "ls -l",
    "y",
    "e\u0301tude",
    "漢字",
    "かな",
    "🙂",
    "x" * 30,
    "\xe4\xf6\xfc",
    "│─┌",
    "a\u0300\u0301\u0302",
    "\xad",
    "    ",
)
MODES: Final = (
    1,
    5,
    6,
    7,
    9,
    25,
    45,
    47,
    66,
    1000,
    1002,
    1003,
    1004,
    1005,
    1006,
    1015,
    1047,
    1048,
    1049,
    2004,
    12,
    777,
)
CONTROLS: Final = ("\r", "\n", "\r\n", "\b", "\t", "\x07", "\x0e", "\x0f", "\v", "\x00", "\x7f")
ESCAPES: Final = ("7", "8", "D", "E", "M", "H", "=", ">", "(0", "(B", ")0", ")B", "#8", "%G", "N", "c", "\\")
OTHERS: Final = (
    *(
        "\x1b]2;a title\x07",
        "\x1b]0;another\x1b\\",
        "\x1b]4;1;#ff0000\x1b\\",
        "\x1b]10;?\x07",
        "\x1b]11;rgb:00/11/22\x07",
    ),
    *(
        "\x1b]104\x07",
        "\x1b]8;;http://x\x07link\x1b]8;;\x07",
        "\x1bP+q436f\x1b\\",
        "\x1b_Gi=1;AAAA\x1b\\",
        "\x1bX\n\x1b\\",
    ),
    *("\x1b[22;0t", "\x1b[23;0t", "\x1b[>4;2m", "\x1b[>4m", "\x1b[3 q", "\x1b[!p", "\x1b[c", "\x1b[6n", "\x1b[?2026h"),
    *(
        "\x1b[3\n1m",
        "\x1b[31\x18m",
        "\x1b[1 2m",
        "\x1b[\x7f4m",
        "\x9b1m",
        "\x1b]2;cut\x18",
        "\x1b[31\x1b[32m",
        "\x1b\n[1m",
    ),
)


def some_output(random: Random) -> bytes:
    """Return what some program might write at once."""
    return b"".join(_piece(random) for _ in range(random.randrange(1, 60)))


def _piece(random: Random) -> bytes:
    kind = random.random()
    if kind < 0.35:
        return random.choice(WORDS).encode()
    if kind < 0.5:
        return random.choice(CONTROLS).encode()
    if kind < 0.75:
        return _sequence(random).encode()
    if kind < 0.85:
        return _style(random).encode()
    if kind < 0.9:
        return f"\x1b[?{random.choice(MODES)}{random.choice('hhl')}".encode()
    if kind < 0.95:
        return b"\x1b" + random.choice(ESCAPES).encode()
    if kind < 0.96:
        return bytes(random.randrange(256) for _ in range(random.randrange(4)))
    return random.choice(OTHERS).encode()


def _sequence(random: Random) -> str:
    numbers = (random.choice(("", "0", "1", "2", "3", "5", "12", "999")) for _ in range(random.randrange(3)))
    return f"\x1b[{';'.join(numbers)}{random.choice('@ABCDEFGHIJKLMPSTXZ`abdefghlrsu')}"


def _style(random: Random) -> str:
    one = (
        "0",
        "1",
        "4",
        "7",
        "31",
        "42",
        "97",
        "38;5;200",
        "48;2;1;2;3",
        "38:2::9:8:7",
        "4:3",
        "58;5;1",
        "39",
        "22",
        "53",
    )
    return f"\x1b[{';'.join(random.choice(one) for _ in range(random.randrange(4)))}m"


def shown(screen: Screen, above: bool = True) -> dict[str, Any]:
    """Return all that counts of a screen; `above` with the lines above it and the titles that were put aside."""
    about: dict[str, Any] = {
        name: getattr(screen, name)
        for name in (
            "columns",
            "rows",
            "x",
            "y",
            "wrapping",
            "style",
            "charsets",
            "shift",
            "saved",
            "saved_main",
            "top",
        )
    }
    about |= {"bottom": screen.bottom, "tabs": screen.tabs, "modes": _modes(screen, above)}
    about |= {"lines": _cells(screen.lines), "main": _cells(screen.main or [])}
    return {**about, "above": [_line(row) for row in screen.history]} if above else about


def _modes(screen: Screen, above: bool) -> dict[str, Any]:
    modes = screen.modes
    about = {"on": modes.on, "inserts": modes.inserts, "new_lines": modes.new_lines, "cursor": modes.cursor}
    about |= {"keys": modes.keys}
    return {**about, "title": modes.title, "titles": modes.titles, "colours": modes.colours} if above else about


def _cells(rows: Any) -> list[list[tuple[str, Any]]]:
    return [list(zip(row.chars, row.styles, strict=True)) for row in rows]


def played(output: bytes, columns: int = 20, rows: int = 6, cuts: tuple[int, ...] = ()) -> tuple[Screen, Parser]:
    """Return a screen on which all of an output was done, in pieces that end at the cuts."""
    screen = Screen(columns, rows)
    parser = Parser(screen)
    play(parser, output, cuts)
    return screen, parser


def play(parser: Parser, output: bytes, cuts: tuple[int, ...] = ()) -> None:
    for start, end in zip((0, *cuts), (*cuts, len(output)), strict=True):
        parser.feed(output[start:end])
        parser.work(1 << 40)
