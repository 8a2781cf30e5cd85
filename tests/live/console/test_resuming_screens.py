"""A machine's screen whose relay is killed and started under somebody's hands, in Chromium's and Firefox's windows."""

import base64
from typing import Any

from tests.live.console.console import OWN, UNOPENED, ConsoleChain
from tests.live.console.windows import SHOWN, WindowTest
from tests.live.support.machine import PROGRAM, start_machine
from tests.live.support.ports import answers
from tests.live.support.processes import need_program
from tests.live.support.waiting import until
from tests.live.viewers.screens import PIXELS, read_ppm

TARGETS = """
[targets.screen]
kind = "qemu"
console = "spice"
qmp = "FOLDER/a.qmp"
"""
CANVAS = f"{SHOWN} canvas"
LOST = f"document.querySelector('{SHOWN} .viewer-detached')"
MEANWHILE = "abcdefghijklmnopqrstuvwxyz"
"""What is typed while there is no relay: more than the machine's keyboard would hold, if all of it came at once."""


class Windows(WindowTest):
    """A person before a machine's screen by SPICE."""

    def setUp(self) -> None:
        need_program(PROGRAM)
        super().setUp()
        self.common: Any = self.start_chain(ConsoleChain(self.folder, TARGETS))
        self.machine = start_machine(self.folder, "a", spice=True)
        self.addCleanup(self.machine.stop)

    def test_chromium(self) -> None:
        """The same session goes on: the picture is the machine's, keys reach it, and those of meanwhile, once."""
        self.walk(self.chromium(), "chromium")

    def test_firefox(self) -> None:
        """So it is in Firefox."""
        self.walk(self.firefox(), "firefox")

    def same(self) -> None:
        """Until the picture is the machine's, pixel by pixel."""
        pixels = f"({PIXELS})(document.querySelector({SHOWN!r}))"

        def there() -> bool:
            return bool(self.view.evaluate(pixels) == read_ppm(self.machine.screen()))

        until(there, what="the machine's own picture")

    def kept(self, name: str) -> None:
        """Keep what is seen."""
        (self.folder / f"{name}.png").write_bytes(base64.b64decode(self.view.picture()))

    def take(self, text: str) -> None:
        """Type, and have each key come once and in order."""
        before = len(self.machine.shown)
        self.display.type(text)
        until(lambda: len(self.machine.shown) >= before + len(text), what=f"{text!r} in the machine")
        self.assertEqual(self.machine.shown[before:], text)

    def events(self, what: str) -> int:
        return int(self.common.agent.log.count(f" to screen {what}"))

    def walk(self, view: Any, window_class: str) -> None:
        self.view = view
        view.goto(f"{self.common.console}/")
        self.display.focus(window_class)
        self.sign_in()
        self.choose("screen")
        self.connected()
        self.same()
        self.click(CANVAS)
        self.take("one")
        self.same()
        opened, line = self.events("opened "), self.machine.shown
        for number in range(2):
            self.lose_relay(window_class)
            self.take(f"two{number}")
            self.same()
            self.kept(f"{window_class}-attached")
        self.assertTrue(self.machine.shown.startswith(line))
        self.assertEqual((self.events("opened "), self.events("ended: ")), (opened, 0))
        self.pointer()
        cut = ("Firefox can\u2019t establish a connection to the server at ws://", "The connection to ws://")
        expected = (OWN, UNOPENED, *cut)
        self.assertEqual([one for one in view.complaints if not one.startswith(expected)], [])

    def lose_relay(self, window_class: str) -> None:
        """Kill the relay and start it: it is said, what is typed meanwhile waits, and comes, once."""
        self.common.relay.kill()
        self.until(f"document.querySelector('{SHOWN}').dataset.state === 'detached'")
        self.until(f"{LOST}.textContent.includes('The host keeps it open')")
        self.same()
        self.kept(f"{window_class}-detached")
        before = len(self.machine.shown)
        self.display.type(MEANWHILE)
        self.assertEqual(len(self.machine.shown), before)
        self.common.relay.start()
        until(lambda: answers(self.common.relay_port), what="the relay")
        self.connected()
        until(lambda: len(self.machine.shown) >= before + len(MEANWHILE), what="the keys of meanwhile")
        self.assertEqual(self.machine.shown[before:], MEANWHILE)
        self.until(f"{LOST} === null")

    def pointer(self) -> None:
        """Move and press the mouse: the machine's own pointer is told."""
        self.display.click(*self.place(CANVAS, 0.7, 0.7))
        self.same()
