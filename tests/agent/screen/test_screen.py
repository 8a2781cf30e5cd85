"""screen.py, parser.py, sequences.py: what a terminal shows of what a program writes."""

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.screen.drawing import MOST_ABOVE, drawn
from streamrelay.agent.screen.parser import LONGEST, Parser
from streamrelay.agent.screen.screen import HISTORY, MOST_COLUMNS, MOST_ROWS, Screen
from tests.agent.screen.outputs import play, played


def text(output: str | bytes, columns: int = 10, rows: int = 4) -> list[str]:
    """Return the lines that a screen shows after an output, without the blanks at their ends."""
    screen, _ = played(output if isinstance(output, bytes) else output.encode(), columns, rows)
    return ["".join(row.chars).rstrip(" ") for row in screen.lines]


class Shown(SynchronousTestCase):
    def test_lines(self) -> None:
        """Text wraps at the last column, but only once more comes; it scrolls, and what leaves is kept above."""
        self.assertEqual(text("0123456789"), ["0123456789", "", "", ""])
        self.assertEqual(text("0123456789\r\nx"), ["0123456789", "x", "", ""])
        self.assertEqual(text("0123456789x"), ["0123456789", "x", "", ""])
        screen, _ = played(b"1\r\n2\r\n3\r\n4\r\n5", 10, 4)
        self.assertEqual([row.cells for row in screen.history], ["1"])
        self.assertEqual(text("\x1b[?7l0123456789xyz"), ["012345678z", "", "", ""])

    def test_wide(self) -> None:
        """A wide character takes two cells and is never halved, neither at a line's end nor by what is put over it."""
        self.assertEqual(text("012345678漢"), ["012345678", "漢", "", ""])
        self.assertEqual(text("漢字\x1b[1;2Hx"), [" x字", "", "", ""])
        self.assertEqual(text("漢字\x1b[1;3Hx"), ["漢x", "", "", ""])
        self.assertEqual(text("漢字\x1b[1;2H\x1b[P"), [" 字", "", "", ""])
        self.assertEqual(text("e\u0301\u0302x"), ["e\u0301\u0302x", "", "", ""])
        self.assertEqual(text("漢", columns=1), ["", "", "", ""])

    def test_edits(self) -> None:
        """Lines and cells are inserted, deleted and erased within the region and the row."""
        four = "1\r\n2\r\n3\r\n4"
        self.assertEqual(text(four + "\x1b[2;3r\x1b[2H\x1b[L"), ["1", "", "2", "4"])
        self.assertEqual(text(four + "\x1b[2;3r\x1b[2H\x1b[M"), ["1", "3", "", "4"])
        self.assertEqual(text(four + "\x1b[2;3r\x1b[3H\n"), ["1", "3", "", "4"])
        self.assertEqual(text(four + "\x1b[2;3r\x1b[2H\x1bM"), ["1", "", "2", "4"])
        self.assertEqual(text("abcdef\x1b[1;3H\x1b[2@"), ["ab  cdef", "", "", ""])
        self.assertEqual(text("abcdef\x1b[1;3H\x1b[2P"), ["abef", "", "", ""])
        self.assertEqual(text("abcdef\x1b[1;3H\x1b[2X"), ["ab  ef", "", "", ""])
        self.assertEqual(text("abcdef\x1b[1;3H\x1b[4h--"), ["ab--cdef", "", "", ""])
        self.assertEqual(text(four + "\x1b[2H\x1b[J"), ["1", "", "", ""])
        self.assertEqual(text(four + "\x1b[2H\x1b[1J"), ["", "", "3", "4"])
        self.assertEqual(text("x\x1b[4b"), ["xxxxx", "", "", ""])

    def test_alternate(self) -> None:
        """What a full-screen program has drawn is gone once it has left, and the cursor is where it was."""
        self.assertEqual(text("shell\x1b[?1049h\x1b[3;3Hvim"), ["", "", "  vim", ""])
        self.assertEqual(text("shell\x1b[?1049h\x1b[3;3Hvim\x1b[?1049l>"), ["shell>", "", "", ""])

    def test_strings(self) -> None:
        """Strings for the terminal itself are never shown, however long, and end where a terminal ends them."""
        self.assertEqual(text("\x1bP+q436f\x1b\\a\x1b_x\x1b\\b\x1b]0;t\x07c\x1b^y\x9cd"), ["abcd", "", "", ""])
        long = "\x1bPq" + "~" * (3 * LONGEST)
        for cuts in ((), (2, 2 * LONGEST), (LONGEST, LONGEST + 9)):
            screen, parser = played((long + "\x1b\\end").encode(), 10, 4, cuts)
            self.assertEqual("".join(screen.lines[0].chars).strip(), "end")
            self.assertEqual(parser.rest, b"")
        screen, parser = played(long.encode(), 10, 4, (LONGEST, 2 * LONGEST))
        self.assertLess(len(parser.rest), 2 * LONGEST)
        late, _ = played(drawn(screen) + parser.rest + b"more\x1b\\end", 10, 4)
        self.assertEqual("".join(late.lines[0].chars).strip(), "end")
        self.assertEqual(text("\x1b[" + "1;" * LONGEST + "mx"), ["x", "", "", ""])

    def test_resize(self) -> None:
        """A smaller screen keeps the cursor's rows, and puts those above it away; the alternate one has none above."""
        screen, parser = played(b"1\r\n2\r\n3\r\n4", 10, 4)
        screen.resize(8, 2)
        self.assertEqual(["".join(row.chars) for row in screen.lines], ["3       ", "4       "])
        self.assertEqual([row.cells for row in screen.history], ["1", "2"])
        self.assertEqual((screen.x, screen.y, screen.bottom), (1, 1, 1))
        screen.resize(10, 4)
        play(parser, b"\x1b[?1049hx\x1b[4;1Hy")
        screen.resize(10, 2)
        self.assertEqual(len(screen.history), 2)
        self.assertEqual("".join(screen.lines[1].chars).strip(), "y")

    def test_title(self) -> None:
        """A title and colours are kept, without what isn't for a title; what is only asked for changes nothing."""
        screen, _ = played(b"\x1b]2;a\x08 title\x07\x1b[22;0t\x1b]2;vim\x07\x1b]11;?\x07\x1b]4;1;#f00;2;?\x07")
        self.assertEqual((screen.modes.title, screen.modes.titles), ("vim", ["a title"]))
        self.assertEqual(screen.modes.colours, {"4;1": "#f00"})


class Bounds(SynchronousTestCase):
    def test_size(self) -> None:
        """No screen is larger than it may be, whatever size is asked for."""
        screen = Screen(10000, 10000)
        self.assertEqual((screen.columns, screen.rows), (MOST_COLUMNS, MOST_ROWS))
        screen.resize(10000, 0)
        self.assertEqual((screen.columns, screen.rows, len(screen.lines)), (MOST_COLUMNS, 1, 1))

    def test_above(self) -> None:
        """So many lines are kept above the screen, and no more is drawn of them than its bound."""
        screen, _ = played(b"x\r\n" * (HISTORY + 100), 10, 4)
        self.assertEqual(len(screen.history), HISTORY)
        rainbow = b"".join(b"\x1b[38;2;1;2;%dmx" % (number % 256) for number in range(100_000))
        screen, _ = played(rainbow, 200, 4)
        self.assertLess(len(drawn(screen)), 2 * MOST_ABOVE)
        self.assertGreater(len(drawn(screen)), MOST_ABOVE)

    def test_pieces(self) -> None:
        """Work is done a bounded piece at a time, also where a few bytes have much done; all of it is done in the
        end."""
        for output in (b"\x1b#8" * 500, b"\x1b[2J" * 500, b"y\r\n" * 500, b"\x1b\n" * 500):
            screen = Screen(MOST_COLUMNS, MOST_ROWS)
            parser = Parser(screen)
            parser.feed(output)
            pieces, most, before = 0, 0, screen.cost
            while not parser.work(500):
                pieces, most, before = pieces + 1, max(most, screen.cost - before), screen.cost
            self.assertGreater(pieces, 0)
            self.assertLess(most, 500 + MOST_ROWS * 20)
            self.assertLess(len(parser.rest), 8)
