"""drawing.py: what draws a screen leaves a terminal that shows the same."""

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.screen.drawing import drawn
from tests.agent.screen.outputs import RECORDED, play, played, shown, some_output

SEEDS = range(400)


class Drawn(SynchronousTestCase):
    def test_same(self) -> None:
        """Whatever a program has written, its screen drawn on a new terminal is the same: cells, cursor, modes, and the
        lines above."""
        for seed in SEEDS:
            random = Random(seed)
            size = random.choice(((20, 6), (1, 1), (2, 2), (7, 3), (80, 24)))
            screen, _ = played(b"".join(some_output(random) for _ in range(3)), *size)
            again, parser = played(drawn(screen), *size)
            self.assertEqual(shown(again), shown(screen), f"seed {seed}")
            self.assertEqual(parser.rest, b"")

    def test_any_state(self) -> None:
        """Whatever a terminal was shown before, perhaps half a sequence, the drawing leaves the same screen."""
        for seed in SEEDS:
            random = Random(seed)
            screen, _ = played(some_output(random))
            before = some_output(random)
            again, parser = played(before[: random.randrange(len(before) + 1)])
            play(parser, drawn(screen, whole=False))
            self.assertEqual(shown(again, above=False), shown(screen, above=False), f"seed {seed}")

    def test_missed(self) -> None:
        """A client that missed some output has the terminal's colours after a drawing, also those that were set back
        in what it missed."""
        for seed in range(200):
            random = Random(seed)
            before, missed = _coloured(random), _coloured(random)
            screen, _ = played(before + missed)
            again, parser = played(before)
            play(parser, drawn(screen, whole=False))
            self.assertEqual(again.modes.colours, screen.modes.colours, f"seed {seed}")

    def test_own_colours(self) -> None:
        """A terminal whose program has set no colour leaves those alone that a client's terminal has got elsewhere."""
        again, parser = played(b"\x1b]11;#123456\x07")
        screen, _ = played(b"plain")
        play(parser, drawn(screen))
        self.assertEqual(again.modes.colours, {"11": "#123456"})

    def test_open_ends(self) -> None:
        """A link, and output that is held back, which a client's terminal had begun when it missed the rest, are over
        before anything is drawn: or all of the screen would be that link, or not be shown."""
        screen, _ = played(b"some text")
        text = drawn(screen, whole=False)
        for end in (b"\x1b]8;;\x1b\\", b"\x1b[?2026l"):
            self.assertIn(end, text[: text.index(b"some text")])

    def test_goes_on(self) -> None:
        """Who gets the screen at any byte, and what had no effect yet, and then the rest, sees what all others see."""
        for seed in range(200):
            random = Random(seed)
            output = some_output(random)
            cut = random.randrange(len(output) + 1)
            screen, parser = played(output[:cut])
            late = drawn(screen) + parser.rest + output[cut:]
            play(parser, output[cut:])
            again, _ = played(late)
            self.assertEqual(shown(again), shown(screen), f"seed {seed}, cut at {cut}")

    def test_each_cut(self) -> None:
        """A cut within each sequence and each character of UTF-8 changes nothing, for those who were there and for who
        comes at that moment."""
        whole = (
            "one\r\n\x1b[1;38;2;10;20;30mé漢🙂\x1b]2;title\x1b\\\x1b]0;two\x07\x1b(0lqk\x1b(B\x1b[?1049h\x1b[2;3H\x1b[4:3mx"
            "\x1bP+q436f\x1b\\\x1b#8\x1b[3;5r\x1b[?2004h\x1b[?6h\x9b7m\x1b[3\n1mlast"
        ).encode()
        screen, _ = played(whole)
        wanted = shown(screen)
        for cut in range(len(whole) + 1):
            there, _ = played(whole, cuts=(cut,))
            self.assertEqual(shown(there), wanted, f"cut at {cut}")
            early, parser = played(whole[:cut])
            late, _ = played(drawn(early) + parser.rest + whole[cut:])
            self.assertEqual(shown(late), wanted, f"came at {cut}")

    def test_twice(self) -> None:
        """A drawing of a drawing is the same bytes, so that nothing creeps in however often it is drawn."""
        for seed in range(100):
            screen, _ = played(some_output(Random(seed)))
            first = drawn(screen)
            self.assertEqual(drawn(played(first)[0]), first, f"seed {seed}")


class Recorded(SynchronousTestCase):
    """Outputs of programs that people use."""

    def test_whenever(self) -> None:
        """Whoever comes at whatever moment sees what those see who were there from the beginning."""
        for path in sorted(RECORDED.iterdir()):
            output, random = path.read_bytes(), Random(path.name)
            screen, _ = played(output, 80, 24)
            self.assertEqual(shown(played(drawn(screen), 80, 24)[0]), shown(screen), path.name)
            for cut in sorted(random.sample(range(len(output)), 60)):
                early, parser = played(output[:cut], 80, 24)
                late, _ = played(drawn(early) + parser.rest + output[cut:], 80, 24)
                self.assertEqual(shown(late), shown(screen), f"{path.name}, came at {cut}")


def _coloured(random: Random) -> bytes:
    """Return what sets the terminal's colours, and sets some of them, or all, back."""
    sets = (b"\x1b]4;1;#ff0000\x07", b"\x1b]10;#111\x07", b"\x1b]11;#222\x07", b"\x1b]12;#333\x07")
    back = (b"\x1b]104\x07", b"\x1b]104;1\x07", b"\x1b]110\x07", b"\x1b]111\x07", b"\x1b]112\x07", b"\x1bc")
    return b"".join(random.choices(sets + back, k=random.randrange(6)))
