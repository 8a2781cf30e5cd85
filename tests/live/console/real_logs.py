"""A log under real keys and a real mouse."""

from typing import Any

from tests.live.console.test_keys import ROWS
from tests.live.console.windows import SHOWN, WindowTest
from tests.live.support.waiting import until

TARGET = """
[targets.long]
kind = "log"
path = "FOLDER/long.log"
"""
LINE = f"""number => {{
    const rows = document.querySelector('{SHOWN} stream-log').shadowRoot.querySelectorAll('.row .text');
    const row = [...rows].find((one) => one.textContent.startsWith(`line ${{number}} `));
    const range = document.createRange();
    range.selectNodeContents(row);
    const {{ x, y, width, height }} = range.getBoundingClientRect();
    return [x + (outerWidth - innerWidth) / 2 + screenX, y + height / 2 + screenY + outerHeight - innerHeight, width];
}}"""
"""Where a line's text is on the screen, and how long."""
AT_END = f"""(() => {{
    const {{ scrollTop, clientHeight, scrollHeight }} =
        document.querySelector('{SHOWN} stream-log').shadowRoot.querySelector('.scroller');
    return scrollTop + clientHeight > scrollHeight - 1;
}})()"""
COUNT = f"document.querySelector('{SHOWN} stream-log').count"


class RealLogs(WindowTest):
    """One that has just been opened, and grows."""

    def log_keys(self) -> None:
        """The keys work without a click, and what is selected stays so while lines come, and is copied."""
        log = self.common.folder / "long.log"
        log.write_text("".join(f"line {number} of it\n" for number in range(500)))
        self.choose("long")
        self.until(f"document.querySelector('{SHOWN} stream-log')")
        self.sees("the last lines", lambda rows: rows[-1] == 499)
        for key, what, there in (
            ("Home", "the first line", lambda rows: rows[0] == 400),
            ("Next", "the next page", lambda rows: rows[0] > 405),
            ("Prior", "the page before", lambda rows: rows[0] == 400),
            ("space", "the next page", lambda rows: rows[0] > 405),
            ("shift+space", "the page before", lambda rows: rows[0] == 400),
        ):
            self.press_until(key, f"{what} by {key}", there)
        self.display.press("slash")
        self.display.type("line 42")
        self.display.press("Return")
        self.sees("a line that matches", lambda rows: bool(set(rows) & set(range(420, 430))))
        self.display.press("Escape")
        self.press_until("End", "the end", lambda rows: rows[-1] == 499 and bool(self.view.evaluate(AT_END)))
        self.selects(log)

    def selects(self, log: Any) -> None:
        x, y, width = self.view.evaluate(f"({LINE})(495)")
        self.display.drag(x + 1, y, x + width - 1)
        self.until(f"!document.querySelector('{SHOWN} stream-log').following")  # lines that come now move no row
        for round in range(3):
            before = self.view.evaluate(COUNT)
            with log.open("a") as more:
                more.writelines(f"line {500 + 100 * round + number} of it\n" for number in range(100))
            until(lambda before=before: self.view.evaluate(COUNT) == before + 100, what="new lines")
        self.display.press("ctrl+c")

    def press_until(self, key: str, what: str, there: Any) -> None:
        """Press a key until it has led there: the last frame of a browser's smooth way may undo what comes then."""

        def led() -> bool:
            self.display.press(key)
            return bool(there(self.view.evaluate(f"({ROWS})()") or [-1]))

        until(led, what=what)

    def sees(self, what: str, there: Any) -> None:
        """Until the numbers of the lines in sight are as wanted."""
        until(lambda: (rows := self.view.evaluate(f"({ROWS})()")) and there(rows), what=what)
