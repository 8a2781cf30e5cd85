"""The console in a browser's window, under real keys and a real mouse: what its tests share."""

from contextlib import ExitStack
from typing import Any

from tests.live.support.browser import need_viewers
from tests.live.support.case import LiveTest
from tests.live.support.chromium_window import chromium_window
from tests.live.support.display import display
from tests.live.support.firefox import firefox
from tests.live.support.waiting import until

FOCUS = "document.activeElement.dataset.row ?? document.activeElement.id"
"""The row that has the focus, or else the element."""
SHOWN = "[role=tabpanel]:not([hidden])"
"""The panel that is shown."""


class WindowTest(LiveTest):
    """A screen, and somebody before it. `view` is the page."""

    common: Any
    view: Any

    def setUp(self) -> None:
        need_viewers()
        super().setUp()
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        self.display = self.stack.enter_context(display())

    def chromium(self) -> Any:
        """A page in Chromium, which ends with the test."""
        return self.stack.enter_context(chromium_window(self.folder, self.display.environment))

    def firefox(self) -> Any:
        """A page in Firefox, which ends with the test."""
        return self.stack.enter_context(firefox(self.folder, self.display.environment))

    def focused(self, row: str) -> None:
        until(lambda: self.view.evaluate(FOCUS) == row, what=f"the focus at {row}")

    def sign_in(self) -> None:
        self.until("!document.querySelector('#signin').hidden")
        self.view.evaluate(f"""(() => {{
            document.querySelector('#key').value = {self.common.key!r};
            document.querySelector('#signin-form').requestSubmit();
        }})()""")

    def choose(self, name: str) -> None:
        self.push(f"[...document.querySelectorAll('#hosts .target')].find((one) => one.textContent.includes('{name}'))")

    def push(self, found: str) -> None:
        """Click an element of the page as soon as it is there, without the mouse: it may be made anew at any time."""
        self.until(f"({found}).click() === undefined")

    def act(self, label: str, then: str = ".xterm-screen") -> None:
        """An entry of the tab's menu, then back to what takes keys."""
        self.click("[role=tabpanel]:not([hidden]) [aria-haspopup=menu]")
        found = f"(one) => one.textContent === {label!r} && one.checkVisibility()"  # menus of other tabs have it, too
        self.push(f"[...document.querySelectorAll('[role=menuitem]')].find({found})")
        self.click(then)

    def says(self, words: str) -> None:
        self.until(f"document.querySelector('#said').textContent === {words!r}")

    def place(self, selector: str, across: float = 0.5, down: float = 0.5) -> tuple[float, float]:
        """Where something of the page is on the screen, once it is there and stays at its place."""
        where = f"""(() => {{
            const {{ x, y, width, height }} = document.querySelector({selector!r})?.getBoundingClientRect() ?? {{}};
            const [left, top] = [screenX + (outerWidth - innerWidth) / 2, screenY + outerHeight - innerHeight];
            return width ? [x + width * {across} + left, y + height * {down} + top] : null;
        }})()"""
        seen = [None]

        def stays() -> bool:
            seen.append(self.view.evaluate(where))
            return seen[-1] is not None and seen[-1] == seen[-2]

        until(stays, what=f"a place of {selector}")
        x, y = seen[-1] or (0.0, 0.0)
        return x, y

    def click(self, selector: str, button: int = 1) -> None:
        self.display.click(*self.place(selector), button=button)

    def until(self, expression: str) -> Any:
        """Until something is true of the page, whatever of it isn't there before."""
        return until(lambda: self.view.holds(expression), what=expression)

    def connected(self) -> None:
        """Until the tab that is shown is connected."""
        self.until(f"document.querySelector('{SHOWN}')?.dataset.state === 'open'")
