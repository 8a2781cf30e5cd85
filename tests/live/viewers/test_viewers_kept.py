"""The viewer of terminals that a host keeps, on streams that are the test's own: whose size is drawn, who is there, and
what is shown of one that is attached to anew. In Chromium."""

from typing import Any

from tests.live.support.waiting import until
from tests.live.viewers.viewing import TerminalTest

SHOW = """([kept, view]) => {
  const tab = { said: [], sizes: [], typed: '', events: [], opened: 0 };
  window.kept = tab;
  tab.panel = document.createElement('div');
  tab.panel.className = 'panel';
  tab.panel.id = 'tab0';
  document.body.append(tab.panel);
  for (const name of ['leave', 'end']) tab.panel.addEventListener(name, () => tab.events.push(name));
  tab.stream = () => {
    const stream = new EventTarget();
    const { promise: closed, resolve } = Promise.withResolvers();
    let reader;
    const items = new ReadableStream({ start: (controller) => { reader = controller; } });
    const write = (bytes) => { tab.typed += new TextDecoder().decode(bytes); };
    Object.assign(stream, {
      items, closed, people: null, others: 0, size: null, detached: null,
      ticket: { view, terminal: kept },
      writable: new WritableStream({ write }),
      resize: (...size) => tab.sizes.push(size),
      close: () => resolve({}),
    });
    tab.draw = (text) => reader.enqueue(new TextEncoder().encode(text));
    tab.tell = (told) => { Object.assign(stream, { others: 0 }, told); reader.enqueue(told); };
    tab.end = () => { reader.close(); resolve({ clean: true, words: 'over' }); };
    tab.opened += 1;
    return Promise.resolve(stream);
  };
  tab.source = { user: 'ann', view, terminal: kept, open: tab.stream, ended: () => { tab.source.terminal = ''; } };
  return import('/viewers/terminal.js').then(({ create }) => {
    tab.viewer = create(tab.panel, tab.source);
    return tab.viewer.connect().then(() => true);
  });
}"""
AT_ONCE = "([told, text]) => { kept.tell(told); kept.draw(text); return [...kept.sizes]; }"
"""What is there comes; gives the sizes that were told by then. It may be told once nothing more comes for 60 ms."""
CELLS = """() => {
  const rows = document.querySelectorAll('#tab0 .xterm-rows > div').length;
  const { width } = document.querySelector('#tab0 .xterm-screen').getBoundingClientRect();
  return [rows, Math.round(width)];
}"""
PEOPLE = [{"user": "ann", "view": False}, {"user": "bob", "view": True}]
TIMES = "\N{MULTIPLICATION SIGN}"


class Kept(TerminalTest):
    """viewers/terminal.js with a stream of a kept terminal."""

    def begin(self, kept: str = "t", view: bool = False, size: tuple[int, int] = (70, 12)) -> None:
        """Attach to a terminal of a size, which shows a word."""
        self.assertTrue(self.view.evaluate(SHOW, [kept, view]))
        self.tell(size=size, people=PEOPLE[:1])
        self.draw("\x1b[2J\x1b[Hhere it is")
        self.shows("here it is")

    def tell(self, **told: Any) -> None:
        self.view.evaluate("told => kept.tell(told)", told)

    def draw(self, text: str) -> None:
        self.view.evaluate("text => kept.draw(text)", text)

    def sizes(self) -> list[list[int]]:
        told: list[list[int]] = self.view.evaluate("kept.sizes")
        return told

    def first_size(self) -> list[int]:
        """Until the host was told our size; gives that."""
        until(self.sizes, what="our size")
        return self.sizes()[0]

    def type_a_key(self) -> None:
        self.view.evaluate("kept.viewer.focus()")
        self.view.keyboard.press("a")

    def bar(self) -> Any:
        return self.view.get_by_role("group", name="Kept terminal")

    def drawn(self, columns: int, rows: int) -> None:
        """Until the terminal is drawn with so many rows, and its line ends behind so many columns."""
        self.draw(f"\x1b[1;1H\x1b[2K{'x' * columns}y")
        until(lambda: self.view.evaluate(CELLS)[0] == rows, what=f"{rows} rows")
        self.shows(f"{'x' * columns}\ny")

    def test_attached(self) -> None:
        """What is there is drawn with the size that it had, and our own is told only once all of it is there."""
        self.assertTrue(self.view.evaluate(SHOW, ["t", False]))
        there = [{"size": (40, 12), "people": PEOPLE[:1]}, "\x1b[2J\x1b[H" + "z" * 40 + "wrapped\r\n"]
        self.assertEqual(self.view.evaluate(AT_ONCE, there), [])
        columns, rows = self.first_size()
        self.assertGreater(columns, 60)
        self.shows("z" * 40 + "wrapped")  # and is as wide as the window by then
        self.drawn(columns, rows)
        self.expect(self.bar().get_by_role("status")).to_have_text("Nobody else is here.")
        self.assert_content()

    def test_others_size(self) -> None:
        """Somebody else's size is drawn, all of it in sight, with a word about it; who types has their own again."""
        self.begin()
        columns, rows = self.first_size()
        self.tell(size=(columns + 60, rows + 5))
        self.drawn(columns + 60, rows + 5)
        words = f"{columns + 60} {TIMES} {rows + 5}, as another window has it; it takes yours as you type"
        self.expect(self.bar().locator(".size")).to_have_text(words)
        fits = (
            "(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth)(document.querySelector('.terminal-screen'))"
        )
        self.until(f"() => {fits}", what="all of it in sight")
        self.picture(self.view, "terminal-others-larger")
        self.tell(size=(40, 10))
        self.drawn(40, 10)
        self.picture(self.view, "terminal-others-smaller")
        self.assertEqual(len(self.sizes()), 1)
        self.draw("\x1b[c\x1b[6n")  # it answers by itself, which is no typing
        until(lambda: "R" in self.view.evaluate("kept.typed"), what="its answers")
        self.assertEqual(len(self.sizes()), 1)
        self.type_a_key()
        until(lambda: len(self.sizes()) == 2, what="our size again")
        self.assertEqual(self.sizes()[1], [columns, rows])
        self.drawn(columns, rows)
        self.expect(self.bar().locator(".size")).to_be_hidden()
        self.assert_content()

    def test_window(self) -> None:
        """A window that is made another size counts; a tab that is hidden and shown again is none."""
        self.begin()
        columns, rows = self.first_size()
        self.tell(size=(40, 10))
        self.drawn(40, 10)
        for hidden in ("true", "false"):
            self.view.evaluate(
                f"kept.panel.hidden = {hidden}; kept.panel.style.display = kept.panel.hidden ? 'none' : ''"
            )
            self.view.wait_for_timeout(200)
        self.assertEqual(len(self.sizes()), 1)
        self.view.evaluate("kept.panel.style.width = '600px'")
        until(lambda: len(self.sizes()) == 2, what="another size")
        self.assertLess(self.sizes()[1][0], columns)
        self.assertEqual(self.sizes()[1][1], rows)
        self.assert_content()

    def test_looks(self) -> None:
        """Who only looks has the size of others, gives none, and isn't offered an end."""
        self.begin(view=True)
        self.drawn(70, 12)
        self.view.evaluate("kept.panel.style.width = '600px'")
        self.type_a_key()
        self.view.wait_for_timeout(900)
        self.drawn(70, 12)
        self.assertEqual((self.sizes(), self.view.evaluate("kept.typed")), ([], ""))
        self.expect(self.bar().locator(".size")).to_have_text(f"70 {TIMES} 12, the size of who types")
        self.expect(self.bar().get_by_role("button")).to_have_text(["Leave running"])
        self.assert_content()

    def test_people(self) -> None:
        """Who comes and goes is told, and the two ways to leave are there."""
        self.begin()
        said = self.bar().get_by_role("status")
        self.expect(said).to_have_text("Nobody else is here.")
        self.tell(people=[*PEOPLE, {"user": "<i>carol", "view": False}], others=2)
        self.expect(said).to_have_text("Also here: bob (looks only), <i>carol (types) and 2 more")
        self.pictures(self.view, "terminal-company")
        self.tell(people=PEOPLE[:1])
        self.expect(said).to_have_text("Nobody else is here.")
        for name in ("Leave running", "End …"):
            self.bar().get_by_role("button", name=name).click()
        self.assertEqual(self.view.evaluate("kept.events"), ["leave", "end"])
        self.assert_content()

    def test_again(self) -> None:
        """One that is attached to anew is drawn as it is, nothing of it twice; leaving it ends nothing."""
        self.begin()
        self.draw("\r\n".join(f"line {number}" for number in range(200)))
        self.shows("line 199")
        self.assertFalse(self.view.evaluate("kept.viewer.living"))
        self.view.evaluate("kept.end()")
        self.view.evaluate("kept.viewer.connect().then(() => true)")
        self.tell(size=(70, 12), people=PEOPLE[:1])
        self.draw("only this")
        self.shows("only this")
        self.assertEqual(self.lines().strip(), "only this")
        self.assert_content()

    def test_ended(self) -> None:
        """After the program's end its screen stays, with its status; the bar goes; what is opened then is another."""
        self.begin()
        self.tell(exit=3)
        self.shows("the command ended with status 3")
        self.view.evaluate("kept.end()")
        self.expect(self.bar()).to_have_count(0)
        self.assertIn("here it is", self.lines())
        self.assertEqual(self.view.evaluate("kept.source.terminal"), "")
        self.assert_content()

    def test_ordinary(self) -> None:
        """A terminal that isn't kept has no bar, tells its size at once, and ends with its page."""
        self.assertTrue(self.view.evaluate(SHOW, ["", False]))
        self.assertEqual(len(self.sizes()), 1)
        self.expect(self.bar()).to_have_count(0)
        self.assertTrue(self.view.evaluate("kept.viewer.living"))
        self.assert_content()
