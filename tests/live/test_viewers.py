"""The viewers, each on a bare page under the policy of the platform's pages, on real processes."""

from tests.live.chain import until
from tests.live.viewing import ViewerTest

SHELL = '[targets.shell]\nkind = "pty"\ncommand = ["/bin/sh"]\nenvironment = { PS1 = "$ " }\n\n'


class Terminal(ViewerTest):
    """viewers/terminal.js: xterm.js on a stream."""

    def lines(self, number: int = 0) -> str:
        """What a terminal shows, without blanks at the ends."""
        rows = self.page.locator(f"#tab{number} .xterm-rows > div").all_inner_texts()
        return "\n".join(row.replace("\xa0", " ").rstrip() for row in rows)

    def shows(self, text: str, number: int = 0) -> str:
        until(lambda: text in self.lines(number), what=f"{text!r} on the terminal")
        return self.lines(number)

    def run_line(self, line: str, number: int = 0) -> None:
        self.page.evaluate("n => tabs[n].viewer.focus()", number)
        self.page.keyboard.type(line)
        self.page.keyboard.press("Enter")

    def test_size_and_status(self) -> None:
        """The host knows the size that is shown, also after it has changed, and the status of `exit 3` is told."""
        self.start(SHELL)
        self.show("terminal", "shell")
        self.shows("$")
        sizes = []
        for width, height in ((800, 480), (520, 300)):
            self.page.evaluate(
                "([w, h]) => { const s = tab0.style; s.width = `${w}px`; s.height = `${h}px`; }", [width, height]
            )
            self.page.wait_for_timeout(600)
            self.run_line("clear; stty size; echo over")
            shown = self.shows("\nover")
            rows, columns = map(int, next(line for line in shown.splitlines() if line[:1].isdigit()).split())
            self.assertEqual(rows, self.page.locator("#tab0 .xterm-rows > div").count())
            self.run_line(f"clear; printf '=%.0s' $(seq {columns}); echo; echo again")
            self.assertIn(f"\n{'=' * columns}\nagain\n", "\n" + self.shows("=\nagain"))
            sizes.append((rows, columns))
        self.assertLess(sizes[1], sizes[0])
        self.assertLess(sizes[1][1], sizes[0][1])
        self.run_line("exit 3")
        self.shows("the command ended with status 3")
        outcome = self.wait_state(0, "closed")["outcome"]
        self.assertEqual((outcome["exit"], outcome["words"]), (3, "the command ended with status 3"))
        self.assert_quiet()
