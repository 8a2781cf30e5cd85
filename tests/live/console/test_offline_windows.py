"""An editor in a terminal whose browser is without a network for a while, in Chromium's and in Firefox's windows."""

from typing import Any, Final

from tests.live.console.console import OWN, UNOPENED, ConsoleChain
from tests.live.console.windows import SHOWN, WindowTest
from tests.live.support.command_lines import present
from tests.live.support.network import own_network
from tests.live.support.ports import answers
from tests.live.support.processes import need_program, run
from tests.live.support.promise import kept
from tests.live.support.waiting import until

OUTSIDE: Final = "10.215.0.1"
"""The relay's address: Firefox without a network still has loopback."""
WITHOUT: Final = 30.0
"""Seconds without a network."""
VIM: Final = """
[targets.vim]
kind = "pty"
command = ["vim", "-u", "NONE", "-i", "NONE", "-n", "-N", "FOLDER/text"]
"""
MEANWHILE: Final = "meanwhile, in words "
DETACHED: Final = f"document.querySelector('{SHOWN} .viewer-detached')"
READ: Final = f"""(() => {{
    const button = {DETACHED}.querySelector('button');
    const {{ x, y }} = button.getBoundingClientRect();
    if (document.elementFromPoint(x + 5, y + 5) !== button) throw new Error('something is above the button');
    button.click();
}})()"""
"""Say that it was read."""


class Offline(WindowTest):
    """A person who writes into a file by vim."""

    def setUp(self) -> None:
        need_program("vim")
        ip = own_network(self)
        # A pair of links: Chromium takes a machine with nothing but loopback for one without a network.
        run(ip, "link", "add", "out", "type", "veth", "peer", "name", "there", check=True)
        for link, address in (("out", OUTSIDE), ("there", "10.216.0.1")):
            run(ip, "addr", "add", f"{address}/24", "dev", link, check=True)
            run(ip, "link", "set", link, "up", check=True)
        super().setUp()

    def begin(self, view: Any, window_class: str, agent: str = "") -> None:
        """An editor that takes text."""
        settings = {"address": OUTSIDE, "agent": f"insecure = true\n{agent}"}
        self.common: Any = self.start_chain(ConsoleChain(self.folder, targets=VIM, **settings))
        self.view = view
        if window_class == "chromium":
            view.offline(False)  # from when on websockets are under its rule
        view.goto(f"{self.common.console}/")
        self.display.focus(window_class)
        self.sign_in()
        self.choose("vim")
        self.connected()
        self.until(self.on_screen("~"))  # what is typed before vim is there may be lost, or seen without it
        self.click(f"{SHOWN} .xterm-screen")
        self.display.type("ibefore ")
        self.until(self.on_screen("before"))

    def on_screen(self, words: str) -> str:
        rows = f"[...document.querySelectorAll('{SHOWN} .xterm-rows > div')]"
        return f"{rows}.some((row) => row.textContent.includes({words!r}))"

    def editors(self) -> list[int]:
        """The processes that have the file open."""
        name = str(self.folder / "text").encode()
        return sorted(pid for pid, line in present() if b"vim\0" in line and name in line)

    def walk(self, view: Any, window_class: str) -> float:
        """30 seconds without a network, while somebody writes. Return the seconds after which the page said so."""
        self.begin(view, window_class)
        [editor] = self.editors()
        began = view.evaluate("performance.now()")
        view.offline(True)
        self.until(f"document.querySelector('{SHOWN}').dataset.state === 'detached'")
        noticed: float = (view.evaluate("performance.now()") - began) / 1000
        self.display.type(MEANWHILE)
        self.until(f"{DETACHED}.textContent.includes('20 bytes of yours wait for it here')")
        self.until(f"performance.now() - {began} > {WITHOUT * 1000}")
        self.assertFalse(view.evaluate(self.on_screen("meanwhile")))
        view.offline(False)
        self.connected()
        self.until(f"{DETACHED} === null")
        self.goes_on(editor, f"before {MEANWHILE}after")
        return noticed

    def goes_on(self, editor: int, words: str) -> None:
        """It is the same editor, and has all words once."""
        self.display.type("after")
        self.display.press("Escape")
        self.until(self.on_screen(words))
        self.display.type(":w")
        self.display.press("Return")
        text = self.folder / "text"
        until(text.exists, what="what was written")
        until(lambda: text.read_text() == f"{words}\n", what="all of it, once")
        self.assertEqual(self.editors(), [editor])
        self.content()

    def behind(self, view: Any, window_class: str) -> None:
        """Another tab is in front while there is no network."""
        self.begin(view, window_class)
        [editor] = self.editors()
        view.cover()
        self.until("document.visibilityState === 'hidden'")
        view.offline(True)
        self.until(f"document.querySelector('{SHOWN}').dataset.state === 'detached'")
        view.offline(False)
        self.connected()
        self.assertEqual(view.evaluate("document.visibilityState"), "hidden")
        view.uncover()
        self.until("document.visibilityState === 'visible'")
        self.click(f"{SHOWN} .xterm-screen")
        self.goes_on(editor, "before after")

    def lose(self, view: Any, window_class: str) -> None:
        """What the host doesn't hold so long is opened anew, and what was written meanwhile is said not to be there."""
        self.begin(view, window_class, agent="hold = 20\n")  # in which whoever types has begun to
        view.offline(True)
        self.until(f"document.querySelector('{SHOWN}').dataset.state === 'detached'")
        self.display.type("lost")
        self.until(f"{DETACHED}.textContent.includes('4 bytes of yours wait')")
        self.until(f"{DETACHED}.textContent.includes('4 bytes of yours were not sent')")
        view.offline(False)
        self.connected()
        self.until(f"{DETACHED}.textContent.includes('4 bytes of yours were not sent')")
        self.view.evaluate(READ)
        self.until(f"{DETACHED} === null")
        self.content()

    def content(self) -> None:
        """Nothing else was complained of than what could not be reached."""
        reached = ("Firefox can\u2019t establish a connection to the server at ws://", "The connection to ws://")
        others = [
            one for one in self.view.complaints if not one.startswith((OWN, UNOPENED, "Failed to load", *reached))
        ]
        self.assertEqual(others, [])

    def test_chromium(self) -> None:
        """The same editor goes on, and has each key that was typed meanwhile, once and in order."""
        noticed = self.walk(self.chromium(), "chromium")
        kept(
            "browser offline",
            f"{WITHOUT:.0f} s: the page said so after {noticed:.1f} s; {len(MEANWHILE)} keys came once",
        )

    def test_firefox(self) -> None:
        """So it is in Firefox."""
        self.walk(self.firefox(), "firefox")

    def test_chromium_refused(self) -> None:
        """Keys that can't be sent any more are said to be lost, until that was read."""
        self.lose(self.chromium(), "chromium")

    def test_firefox_refused(self) -> None:
        """So it is in Firefox."""
        self.lose(self.firefox(), "firefox")

    def test_chromium_behind(self) -> None:
        """A page that nobody sees notices that its network is gone, and is back before anybody looks."""
        self.behind(self.chromium(), "chromium")

    def test_firefox_behind(self) -> None:
        """So it is in Firefox."""
        self.behind(self.firefox(), "firefox")

    def test_chromium_frozen(self) -> None:
        """A page that the browser has stopped goes on once it is let, though its relay was another one meanwhile."""
        view = self.chromium()
        self.begin(view, "chromium")
        [editor] = self.editors()
        view.cover()
        self.until("document.visibilityState === 'hidden'")
        view.freeze(True)
        self.common.relay.kill()
        self.common.relay.start()
        until(lambda: answers(self.common.relay_port, OUTSIDE), what="the relay")
        view.freeze(False)
        self.connected()
        view.uncover()
        self.until("document.visibilityState === 'visible'")
        self.click(f"{SHOWN} .xterm-screen")
        self.goes_on(editor, "before after")
