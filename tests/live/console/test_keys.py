"""What the console's keys do once a target is open, and what it asks before a living one is left. In Chromium."""

import contextlib
from typing import Any

from tests.live.console.console import ConsoleTest
from tests.live.support.chain import HOST
from tests.live.support.waiting import until

ROWS = """() => {
    const root = document.querySelector('stream-log').shadowRoot;
    const outer = root.querySelector('.scroller').getBoundingClientRect();
    return [...root.querySelectorAll('.row')].filter((row) => {
        const inner = row.getBoundingClientRect();
        return inner.bottom > outer.top + 1 && inner.top < outer.bottom - 1;
    }).map((row) => Number(row.querySelector('.text').textContent.split(' ')[1]));
}"""
"""The numbers of the log's lines in sight."""
TOP = "document.querySelector('stream-log').shadowRoot.querySelector('.scroller').scrollTop"


class LogKeys(ConsoleTest):
    """A log that was opened, without a click into it."""

    def rows(self, page: Any) -> tuple[int, int]:
        rows = page.evaluate(ROWS)
        return (rows[0], rows[-1]) if rows else (-1, -1)

    def at(self, page: Any, first: int = -1, last: int = -1) -> None:
        """Until a line is the first, or the last one in sight."""

        def there() -> bool:
            rows = self.rows(page)
            return (first < 0 or rows[0] == first) and (last < 0 or rows[1] == last)

        until(there, what=f"the lines {first} to {last}")

    def walk(self, page: Any) -> None:
        press = page.keyboard.press
        self.at(page, last=499)
        press("Home")
        self.at(page, first=400)
        for key, back in (("PageDown", "PageUp"), ("Space", "Shift+Space")):
            press(key)
            until(lambda: self.rows(page)[0] > 405, what=f"what {key} leads to")
            press(back)
            until(lambda: page.evaluate(TOP) == 0, what=f"the way back by {back}, which the browser makes smooth,")
            self.at(page, first=400)

        def end() -> bool:
            press("End")  # the last frame of the browser's smooth way back may undo one
            return self.rows(page)[1] == 499

        until(end, what="the end")
        press("/")
        page.keyboard.type("line 42")
        press("Enter")
        until(lambda: set(page.evaluate(ROWS)) & set(range(420, 430)), what="a line that matches")
        press("Escape")
        press("End")
        self.at(page, last=499)

    def test_console(self) -> None:
        """In a log that was opened by keys the keys of logs work, and so they do in one that is shown again."""
        (self.common.folder / "long.log").write_text("".join(f"line {number} of it\n" for number in range(500)))
        page = self.signed_in(f"#{HOST}/logs/long")
        self.expect(page.get_by_role("tabpanel").locator("p.state")).to_have_text("Connected")
        self.walk(page)
        self.open_target(page, "shell")
        page.keyboard.press("Control+Alt+PageUp")
        self.walk(page)
        self.assert_content()

    def test_element(self) -> None:
        """The element takes the focus to its lines: when it is told to, and where it has `autofocus`."""
        page = self.signed_in()
        page.evaluate("""async () => {
            await import('/stream-log.js');
            const log = document.createElement('stream-log');
            Object.assign(log.style, { height: '300px', width: '600px', position: 'fixed', inset: '0' });
            document.activeElement.blur();
            log.autofocus = true;
            document.body.append(log);
            const text = Array.from({ length: 100 }, (_, at) => `line ${at + 400} of it\\n`).join('');
            const items = new ReadableStream({ start: (sink) => sink.enqueue(new TextEncoder().encode(text)) });
            log.follow({ items, place: null, closed: new Promise(() => {}), close() {} });
        }""")
        self.walk(page)
        page.evaluate("() => { document.activeElement.blur(); document.querySelector('stream-log').focus(); }")
        self.walk(page)
        self.assert_content()


class Leaving(ConsoleTest):
    """What ends with the page is asked for."""

    def setUp(self) -> None:
        super().setUp()
        from playwright.sync_api import Error

        self.aborted = Error

    def asked(self, page: Any) -> list[str]:
        """What a page asks before it is left; it stays if it asks."""
        said: list[str] = []

        def stay(dialog: Any) -> None:
            said.append(dialog.type)
            dialog.dismiss()

        page.on("dialog", stay)
        with contextlib.suppress(self.aborted):
            page.goto("about:blank")
        self.assertEqual(page.url == "about:blank", not said)
        return said

    def test_living_terminal(self) -> None:
        """A page with a terminal that is connected asks; with one that has ended, a log or nothing it doesn't."""
        page = self.signed_in()
        panel = self.open_target(page, "shell")
        page.keyboard.type("echo here\n")
        self.open_target(page, "app")
        self.assertEqual(self.asked(page), ["beforeunload"])
        self.entry(page, "shell").click()
        page.keyboard.type("exit\n")
        self.expect(panel.locator("p.state")).to_have_text("Ended")
        self.open_target(page, "app")
        self.assert_content()
        self.assertEqual(self.asked(page), [])

    def test_looked_at(self) -> None:
        """A terminal that is only looked at asks nothing."""
        page = self.signed_in()
        self.pretend(page, view=True)
        self.open_target(page, "shell")
        page.locator("h1, h2").first.click()
        self.assert_content()
        self.assertEqual(self.asked(page), [])
