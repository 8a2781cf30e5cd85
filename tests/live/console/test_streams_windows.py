"""The console's page of live streams under real keys and a real mouse, in Chromium's and in Firefox's windows."""

import base64
import os
from pathlib import Path
from typing import Any

from tests.live.console.console import STILL
from tests.live.console.fleet import FleetPlatform, many, relay, stream
from tests.live.console.windows import FOCUS, WindowTest
from tests.live.support.waiting import until


class Windows(WindowTest):
    """A person before four thousand streams."""

    def setUp(self) -> None:
        super().setUp()
        self.common: FleetPlatform = FleetPlatform(many(3))
        self.addCleanup(self.common.stop)
        self.common.streams = {one["stream"]: one for one in map(stream, range(4000))}
        self.common.relays = {name: relay(name) for name in ("fra-1", "nyc-1")}

    def test_chromium(self) -> None:
        """Streams are found, walked along and ended by keys and by the mouse, relays drained; no complaint is made."""
        self.walk(self.chromium(), "chromium")

    def test_firefox(self) -> None:
        """So it is in Firefox."""
        self.walk(self.firefox(), "firefox")

    def counted(self, words: str) -> None:
        self.until(f"document.querySelector('#streams .count')?.textContent === {words!r}")

    def agree(self) -> None:
        """To what is asked, once that can be meant."""
        self.until("document.querySelector('.asking .danger:not([aria-disabled])')")
        self.display.press("Return")

    def done(self, *paths: str) -> None:
        until(lambda: self.common.done == list(paths), what=f"{paths} to be asked for")

    def walk(self, view: Any, window_class: str) -> None:
        self.view = view
        view.goto(self.common.console)
        self.display.focus(window_class)
        self.sign_in()
        self.until("!document.querySelector('#hosts-list').hidden")
        self.click("#overview")  # from the browser's own fields into the page
        # Not by the mouse, as Chromium has a bubble of its own there.
        view.evaluate("document.querySelector('#live').click()")
        self.counted("4,000 streams")
        self.until("!document.querySelector('.relays').hidden")
        self.picture(f"console-streams-{window_class}")
        view.evaluate("document.querySelector('.streams-tools input').focus()")
        self.display.type("web-99 bob")
        self.counted("11 of 4,000 streams")
        self.display.press("Down")
        first = view.evaluate(FOCUS)
        self.assertTrue(first.startswith("web-99/"), first)
        view.evaluate(f"({STILL})(['aria-disabled'])")
        self.display.press("Delete")
        self.until("document.querySelector('.asking')")
        self.display.press("Return")  # too soon to be meant, however late it is: the moment doesn't pass
        self.until("stilled === 2")  # as it begins anew with this press
        view.evaluate("unstill() ?? dispatchEvent(new Event('focus'))")
        self.agree()
        ended = "DELETE /v1/streams/" + first.partition("/")[2]
        self.done(ended)
        self.counted("10 of 3,999 streams")
        self.until("document.activeElement.closest('.streams-list')")
        self.display.press("Escape")
        self.counted("3,999 streams")
        self.click(".relays tbody tr:nth-child(2) button")
        self.until("document.querySelector('.asking')")
        self.agree()
        self.done(ended, "POST /v1/relays/nyc-1/drain")
        self.until("document.querySelector('.relays tbody tr:nth-child(2)')?.dataset.state === 'drained'")
        for button in (5, 4):
            for _ in range(10):
                self.display.click(*self.place(".streams-rows"), button=button)
        self.until("document.querySelector('.streams-rows').scrollTop < 50")
        self.assertEqual(view.complaints, [])

    def picture(self, name: str) -> None:
        """For eyes, where those of the documents go if that is asked for; Chromium's other pictures are elsewhere."""
        folder = os.environ.get("STREAMRELAY_PICTURES")
        if folder and hasattr(self.view, "picture"):
            Path(folder, f"{name}.png").write_bytes(base64.b64decode(self.view.picture()))
