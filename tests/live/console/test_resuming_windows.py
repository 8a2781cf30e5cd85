"""A terminal whose relay is killed and started under somebody's hands, in Chromium's and in Firefox's windows."""

import re
from typing import Any

from tests.live.console.console import OWN, UNOPENED, ConsoleChain
from tests.live.console.windows import SHOWN, WindowTest
from tests.live.support.ports import answers
from tests.live.support.waiting import until

TEXT = f"[...document.querySelectorAll('{SHOWN} .xterm-rows > div')].map((row) => row.textContent).join('\\n')"
LINES = 24


class Windows(WindowTest):
    """A person before a terminal."""

    def setUp(self) -> None:
        super().setUp()
        self.common: Any = self.start_chain(ConsoleChain(self.folder))

    def test_chromium(self) -> None:
        """The same shell goes on, without a line lost or doubled, and has what was typed meanwhile."""
        self.walk(self.chromium(), "chromium")

    def test_firefox(self) -> None:
        """So it is in Firefox."""
        self.walk(self.firefox(), "firefox")

    def shows(self, pattern: str) -> str:
        """Until the terminal shows something; gives its first group."""
        found = until(lambda: re.search(pattern, self.view.evaluate(TEXT)), what=f"{pattern!r} on the terminal")
        assert found is not None
        return str(found[1])

    def enter(self, line: str) -> None:
        self.display.type(line)
        self.display.press("Return")

    def walk(self, view: Any, window_class: str) -> None:
        self.view = view
        view.goto(f"{self.common.console}/")
        self.display.focus(window_class)
        self.sign_in()
        self.choose("shell")
        self.connected()
        self.click(f"{SHOWN} .xterm-screen")
        self.enter("echo pid=$$=")
        pid = self.shows(r"pid=(\d+)=")
        self.enter(f"for i in $(seq {LINES}); do echo line-$i-; sleep 0.2; done")
        self.shows("line-(4)-")
        self.common.relay.kill()
        self.until(f"document.querySelector('{SHOWN}').dataset.state === 'detached'")
        self.until(f"document.querySelector('{SHOWN} .viewer-detached').textContent.includes('The host keeps it open')")
        self.enter("echo same=$$=")
        self.until(f"document.querySelector('{SHOWN} .viewer-detached').textContent.includes('14 bytes of yours wait')")
        self.common.relay.start()
        until(lambda: answers(self.common.relay_port), what="the relay")
        self.connected()
        self.assertEqual(self.shows(r"same=(\d+)="), pid)
        lines = re.findall(r"line-(\d+)-", view.evaluate(TEXT))
        self.assertEqual(lines, [str(number) for number in range(1, LINES + 1)])
        self.until(f"document.querySelector('{SHOWN} .viewer-detached') === null")
        expected = (OWN, UNOPENED, "Firefox can\u2019t establish a connection to the server at ws://")
        self.assertEqual([one for one in view.complaints if not one.startswith(expected)], [])

    def test_firefox_left(self) -> None:
        """A page that is left ends what it had, so the host holds nothing of it."""
        view = self.view = self.firefox()
        view.goto(f"{self.common.console}/")
        self.sign_in()
        self.choose("shell")
        self.connected()
        until(lambda: len(self.streams()) == 1, what="the page's stream")
        view.goto("about:blank")
        until(lambda: not self.streams(), what="no stream of the page")

    def streams(self) -> list[str]:
        return [one["stream"] for one in self.common.streams()]
