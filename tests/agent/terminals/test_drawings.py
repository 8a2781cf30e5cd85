"""agent/terminals: what is drawn for who attaches, which is work where a screen is large and colourful."""

from streamrelay.agent.screen.drawing import BEGIN, Drawing, drawn
from streamrelay.agent.screen.screen import Screen
from streamrelay.agent.terminals import model
from streamrelay.agent.terminals.attachment import MOST_BEHIND
from streamrelay.agent.terminals.terminal import TOLD_EVERY
from streamrelay.protocol import codec
from streamrelay.protocol.close import FINISHED
from streamrelay.protocol.control import Control
from tests.agent.terminals.test_terminals import Kept


class Drawings(Kept):
    """Drawings that many get, and how long one is kept."""

    def setUp(self) -> None:
        super().setUp()
        self.drawn = 0
        self.patch(model, "Drawing", self.draw)

    def draw(self, screen: Screen, whole: bool) -> Drawing:
        self.drawn += 1
        return Drawing(screen, whole)

    def test_burst(self) -> None:
        """Many who attach at once cost one drawing, and all get it."""
        self.open()
        self.program.receive(b"hello")
        self.reactor.pump([0.001] * 4)
        legs = [self.attach() for _ in range(50)]
        self.assertEqual(self.drawn, 1)
        self.assertEqual({bytes(leg.sent) for leg in legs}, {bytes(legs[0].sent)})
        self.assertIn(b"hello", bytes(legs[0].sent))

    def test_changed(self) -> None:
        """Who attaches after a change gets the screen as it is then: be it output, taken or yet to be, or a size."""
        leg = self.open()
        self.attach()
        self.program.receive(b"waits")
        self.assertTrue(bytes(self.attach().sent).endswith(b"waits"))
        self.reactor.pump([0.001] * 4)
        self.program.receive(b"\rtaken")
        self.reactor.pump([0.001] * 4)
        late = bytes(self.attach().sent)
        self.assertIn(b"taken", late)
        self.assertNotIn(b"waits", late)
        self.reactor.advance(TOLD_EVERY)
        leg.feed.control(codec.encode(Control(resize=(3, 24))))
        self.reactor.advance(TOLD_EVERY)
        self.assertNotIn(b"taken", bytes(self.attach().sent))

    def test_forgotten(self) -> None:
        """A drawing, which may be some MB, isn't kept for longer than a moment."""
        self.open()
        self.attach()
        self.reactor.advance(model.DRAWING_KEPT)
        self.attach()
        self.assertEqual(self.drawn, 2)


class Large(Kept):
    """A drawing of a large and colourful screen, which takes as long as a thousand of others."""

    def setUp(self) -> None:
        super().setUp()
        self.target.size = (500, 200)
        self.leave(self.open())
        self.program.receive(b"".join(b"\x1b[38;5;%dm%d" % (x % 255, x % 10) for x in range(100_000)))
        self.reactor.pump([model.UNSEEN_REST] * 3000)
        self.model = self.agent.streams.terminals.terminals[self.terminal].model
        self.assertEqual(self.model.waiting, 0)
        self.leg = self.open(terminal=self.terminal)

    def pieces(self, most: int = 3000) -> int:
        """Let it be drawn; return in how many pieces that was."""
        for count in range(most):
            if not self.model.is_drawing:
                return count
            self.reactor.advance(model.REST)
        raise AssertionError("it is still drawn")

    def test_pieces(self) -> None:
        """It is drawn in small pieces, between which other terminals have their turns, and comes as one."""
        done: list[int] = []
        work = Drawing.work

        def counted(drawing: Drawing, characters: float) -> bool:
            before = sum(map(len, drawing._text))
            over = work(drawing, characters)
            done.append(sum(map(len, drawing._text)) - before)
            return over

        self.patch(Drawing, "work", counted)
        self.open()
        self.program.receive(b"quiet")
        self.reactor.pump([model.REST] * 4)
        self.assertEqual(self.agent.streams.terminals.terminals[self.terminal].model.waiting, 0)
        self.assertTrue(self.model.is_drawing)
        self.assertGreater(self.pieces(), 50)
        self.assertLess(max(done), model.DRAWN + 500 * 14)
        self.assertEqual(bytes(self.leg.sent), drawn(self.model.screen))

    def test_meanwhile(self) -> None:
        """What the program says meanwhile comes behind it, and is no part of it; others see it at once."""
        late = self.open(terminal=self.terminal)
        self.reactor.advance(model.REST)
        as_it_was = drawn(self.model.screen)
        for words in (b"\x1b[2Jone", b"two"):
            self.target.made[0].receive(words)
            self.reactor.advance(model.REST)
        self.assertEqual((bytes(self.leg.sent), self.model.waiting), (b"", 10))
        self.pieces()
        for leg in (self.leg, late):
            self.assertEqual(bytes(leg.sent), as_it_was + b"\x1b[2Jonetwo")
        self.target.made[0].receive(b"three")
        self.assertTrue(bytes(self.leg.sent).endswith(b"onetwothree"))
        self.reactor.pump([model.REST] * 300)
        self.assertEqual(self.model.waiting, 0)

    def test_resized(self) -> None:
        """A size waits until it is drawn: it was drawn for the one before."""
        self.reactor.advance(TOLD_EVERY)
        self.assertTrue(self.model.is_drawing)
        self.sizes(self.leg)
        self.leg.feed.control(b'{"resize":[100,30]}')
        self.assertEqual(self.infos()[0].size, (500, 200))
        as_it_was = drawn(self.model.screen)
        self.pieces()
        self.assertEqual(bytes(self.leg.sent), as_it_was)
        self.reactor.advance(TOLD_EVERY)
        self.assertEqual((self.infos()[0].size, self.sizes(self.leg)[-1]), ((100, 30), (100, 30)))

    def test_ended(self) -> None:
        """A program that ends meanwhile ends the stream behind its screen, with its status; who left gets nothing."""
        other = self.open(terminal=self.terminal)
        self.leave(other)
        program = self.target.made[0]
        program.feed.control(b'{"exit":3}')
        program.feed.eof()
        program.lose()
        self.assertIsNone(self.leg.closed)
        self.pieces()
        self.assertEqual(bytes(self.leg.sent), drawn(self.model.screen))
        self.assertIn(3, [message.exit for message in self.told(self.leg)])
        self.assertEqual((self.leg.closing, bytes(other.sent)), (FINISHED, b""))

    def test_ended_behind(self) -> None:
        """A program that ends while clients take nothing ends their streams behind a screen of any size, each."""
        self.end_behind(drawn_before=False)

    def test_ended_behind_drawn(self) -> None:
        """The same where that screen was drawn for somebody else a moment ago."""
        self.end_behind(drawn_before=True)

    def end_behind(self, drawn_before: bool) -> None:
        legs = [self.leg, self.open(terminal=self.terminal)]
        for leg in legs:
            leg.slow = True
        self.pieces()
        program = self.target.made[0]
        program.receive(b"x" * (MOST_BEHIND + 1))
        if drawn_before:
            self.model.draw(False, lambda drawing: None)
            self.pieces()
        program.lose()
        self.pieces()
        for leg in legs:
            self.assertEqual(bytes(leg.queue).count(BEGIN.encode()), 2)
            self.assertEqual(leg.closing, FINISHED)

    def test_error(self) -> None:
        """An error of ours while it is drawn is logged; who waits gets an empty screen, and all goes on."""
        self.reactor.advance(model.REST)
        self.patch(self.model.screen, "lines", None)
        self.model._drawing = None
        self.pieces()
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.assertEqual(bytes(self.leg.sent), BEGIN.encode())
        self.target.made[0].receive(b"more")
        self.assertTrue(bytes(self.leg.sent).endswith(b"more"))
