"""A program's output, whatever it is, on the model of a terminal's screen.

However it is cut and however little is done at once, the screen is the same; what draws it draws the same screen on
another one, which goes on alike with what comes next; no piece of work costs much more than it may; and what is kept
of a sequence is bounded.
"""

from typing import Any, Final

from fuzz.choices import Choices
from streamrelay.agent.screen.drawing import drawn
from streamrelay.agent.screen.parser import LONGEST, Parser
from streamrelay.agent.screen.screen import Screen
from tests.agent.screen.outputs import play, shown

_SIZES: Final = ((20, 6), (1, 1), (2, 3), (80, 24))

SEEDS: Final = [
    b"\0\0\0\0\0\0\0\0" + said
    for said in (
        b"ready> ls\r\nfile\x1b[1;31mred\x1b[0m\r\n",
        "\x1b[?1049h\x1b[22;0t\x1b]2;vim\x07\x1b[1;24r漢字e\u0301\x1b[4;3H\x1b[L\x1b[?25l".encode(),
        b"\x1b(0lqqk\x1b(B\x0e\x0f\x1b7\x1b[5;5H\x1b8\x1b[?6h\x1b[3;4r\n\n\x1bM\x1b[2S\x1b[T",
        b"\x1bP+q436f\x1b\\\x1b_G\x1b\\\x1b]4;1;#f00\x07\x1b[>4;2m\x1b[3 q\x1b#8",
        b"0123456789" * 3 + b"\x1b[?7l" + b"x" * 30 + b"\x1b[4h\x1b[3@\x1b[3P\x1b[9X\x1b[K",
        b"\x9b31m\xc2\x9b1m\xff\xe6\xbc\x1b[3\n1m\x1b[\x18\x1b[1 2m",
    )
]
WORDS: Final = [
    b"\x1b[",
    b"\x1b]",
    b"\x1bP",
    b"\x1b\\",
    b"\x1b[?1049h",
    b"\x1b[999;999H",
    b"\x1b#8",
    b"\xe6\xbc\xa2",
    b"\xcc\x81",
]


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    columns, rows = choices.pick(_SIZES)
    most = 1 + choices.number(1000)
    cuts, output = Choices(choices.take(5)), choices.rest()
    whole = _screen(columns, rows, [output], 1 << 40)
    cut = _screen(columns, rows, cuts.pieces(output), most)
    assert shown(whole.screen) == shown(cut.screen), "it matters how it was cut"
    assert whole.rest == cut.rest, "it matters how it was cut to what is kept"
    assert len(whole.rest) <= LONGEST + len(output), "more is kept than came"
    again = _screen(columns, rows, [drawn(whole.screen)], 1 << 40)
    assert _without_above(whole.screen) == _without_above(again.screen), "it is drawn as another screen"
    for parser, rest in ((whole, b""), (again, whole.rest)):
        play(parser, rest + b"\x1b\\more\x1b[1m\r\n\xe6\xbc\xa2")
    assert _without_above(whole.screen) == _without_above(again.screen), "it doesn't go on alike"


def _screen(columns: int, rows: int, pieces: list[bytes], most: int) -> Parser:
    screen = Screen(columns, rows)
    parser = Parser(screen)
    for piece in pieces:
        parser.feed(piece)
        before = screen.cost
        while not parser.work(most):
            assert before < screen.cost <= before + most + 100 * (rows + 10) + len(piece), "a piece of work cost much"
            before = screen.cost
    return parser


def _without_above(screen: Screen) -> dict[str, Any]:
    """Return what is shown; of the lines above only the last ones are drawn, if they are long."""
    return {**shown(screen, above=False), "title": screen.modes.title}
