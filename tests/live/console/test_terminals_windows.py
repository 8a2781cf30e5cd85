"""One kept terminal in Chromium's and in Firefox's windows at a time, under real keys: the same vim in both."""

import base64
import re
import shutil
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.live.console.console import ConsoleChain
from tests.live.console.kept_terminals import KEPT, VIM
from tests.live.console.windows import SHOWN, WindowTest
from tests.live.support.browser import need_viewers
from tests.live.support.waiting import until

TEXT = f"""[...document.querySelectorAll('{SHOWN} .xterm-rows > div')]
    .map((row) => row.textContent.replaceAll('\\xa0', ' ').trimEnd()).join('\\n').trimEnd()"""
"""What the terminal shows."""
PEOPLE = f"document.querySelector('{SHOWN} .terminal-company .people')?.textContent"
ALSO = "Also here: you, in "
DRAWN = re.compile(r"^first line\n~(.|\n)*\n-- INSERT -- +1,11 +All$")
"""Vim's whole screen with a line that is being written."""


class Windows(WindowTest):
    """A person with two browsers."""

    def setUp(self) -> None:
        need_viewers()
        super().setUp()
        if shutil.which("vim") is None:
            raise SkipTest("needs vim")
        self.common: ConsoleChain = self.start_chain(ConsoleChain(self.folder, targets=KEPT))

    def test_chromium_first(self) -> None:
        """Vim in Chromium outlives a reload; in Firefox it is the same; what is typed in one is seen in the other."""
        self.walk(("chromium", self.chromium()), ("firefox", self.firefox()))

    def test_firefox_first(self) -> None:
        """So it is the other way around."""
        self.walk(("firefox", self.firefox()), ("chromium", self.chromium()))

    def at(self, which: tuple[str, Any]) -> None:
        """Sit down before a window."""
        name, self.view = which
        self.display.focus(name)

    def screen(self, view: Any = None) -> str:
        return str((view or self.view).evaluate(TEXT))

    def shows(self, pattern: str) -> str:
        """Until the terminal shows something; gives its first group."""
        found = until(lambda: re.search(pattern, self.screen()), what=f"{pattern!r} on the terminal")
        assert found is not None
        return str(found[1])

    def come(self) -> None:
        self.view.goto(f"{self.common.console}/")
        self.sign_in()

    def enter(self) -> None:
        """Click into the terminal."""
        self.connected()
        self.click(f"{SHOWN} .xterm-screen")

    def there(self, words: str) -> None:
        until(lambda: self.view.evaluate(PEOPLE) == words, what=f"{words!r} above the terminal")

    def look(self, name: str) -> None:
        """A picture for eyes, into trial's directory."""
        Path("screenshots").mkdir(exist_ok=True)
        Path("screenshots", f"terminals-{name}.png").write_bytes(base64.b64decode(self.view.picture()))

    def begin_vim(self) -> str:
        """A shell with vim, which has a line; gives the screen."""
        self.choose("shell")
        self.enter()
        self.display.type(VIM)
        self.display.press("Return")
        self.shows("(~\n~)")
        self.display.type("ifirst line")
        return str(until(lambda: DRAWN.search(self.screen()), what="vim in the whole window").string)

    def reload(self) -> None:
        self.view.evaluate("void (window.before = true, setTimeout(() => location.reload()))")
        self.until("!window.before && document.readyState === 'complete'")

    def attach(self) -> None:
        self.push("document.querySelector('#hosts .terminals')")
        self.until("document.querySelector('.terminals-list button')")
        self.look(f"list-{self.name}")
        self.push("document.querySelector('.terminals-list button')")
        self.enter()

    @property
    def name(self) -> str:
        return type(self.view).__name__.lower()

    def walk(self, first: tuple[str, Any], second: tuple[str, Any]) -> None:
        self.at(first)
        self.come()
        screen = self.begin_vim()
        self.reload()
        self.connected()
        until(lambda: self.screen() == screen, what="the same screen after a reload")
        self.look(f"again-{self.name}")
        self.at(second)
        self.come()
        self.attach()
        self.shows("^(first line\n~)")
        self.display.type(", there")
        self.shows("^first (line, there)\n")
        self.there_too()
        self.look(f"second-{self.name}")
        self.at(first)
        until(lambda: self.screen() == self.screen(second[1]), what="the same screen in both")
        self.click(f"{SHOWN} .xterm-screen")
        self.display.type(", here")
        self.shows("^first (line, there, here)\n")
        self.look(f"first-{self.name}")
        self.at(second)
        self.shows("^first (line, there, here)\n")
        for _, view in (first, second):
            self.assertEqual(view.complaints, [])

    def there_too(self) -> None:
        """The other window is told; Firefox's first page may be, too, as its host holds its stream for a while."""
        until(lambda: ALSO in str(self.view.evaluate(PEOPLE)), what="the other window above the terminal")
