"""The console's list of ten thousand hosts under real keys and a real wheel, in Chromium's and in Firefox's windows."""

from typing import Any

from tests.live.console.fleet import FleetPlatform, entry, many
from tests.live.console.windows import WindowTest
from tests.live.support.waiting import until

SEEN = """(() => {
  const { top, bottom } = document.querySelector('#hosts-rows').getBoundingClientRect();
  const rows = [...document.querySelectorAll('#hosts-list .row')].map((row) => [row, row.getBoundingClientRect()]);
  return rows.filter(([, one]) => one.bottom > top + 1 && one.top < bottom - 1).map(([row]) => row.dataset.row);
})()"""
"""The rows in sight."""


class Windows(WindowTest):
    """A person before a list of ten thousand hosts."""

    def setUp(self) -> None:
        super().setUp()
        self.common: FleetPlatform = FleetPlatform(many(10_000, down=13))
        self.addCleanup(self.common.stop)

    def test_chromium(self) -> None:
        """Keys, the wheel and the mouse reach what they should, changes come, and the page complains of nothing."""
        self.walk(self.chromium(), "chromium")

    def test_firefox(self) -> None:
        """So it is in Firefox."""
        self.walk(self.firefox(), "firefox")

    def counted(self, words: str) -> None:
        self.until(f"document.querySelector('#count').textContent === {words!r}")

    def turn(self, button: int) -> None:
        """The wheel, up or down."""
        for _ in range(20):
            self.display.click(*self.place("#hosts-rows"), button=button)

    def walk(self, view: Any, window_class: str) -> None:
        self.view = view
        view.goto(self.common.console)
        self.display.focus(window_class)
        self.sign_in()
        self.counted("9,987 hosts up")
        self.click("#overview")  # from the browser's own fields into the page
        self.display.press("ctrl+alt+Home")
        self.focused("filter")
        self.display.type("web-99 fra shell")
        self.counted("39 of 10,000 hosts")
        self.display.press("Down", "Down")
        self.focused("web-99/shell")
        self.until("document.activeElement.querySelector('mark').textContent === 'shell'")
        self.display.press("Escape")
        self.focused("filter")
        self.counted("9,987 hosts up")
        self.display.press("Down", "Down", "Right", "Right", "Down")
        self.focused("web-2/console")
        self.display.press("Left", "Left", "End")
        self.focused("/down")
        until(lambda: "web-10000" in view.evaluate(SEEN), what="the end of the list")
        self.display.press("Right", "Right")
        self.focused("web-769")
        self.display.press("Home")
        self.focused("web-1")
        self.turn(button=5)
        until(lambda: "web-1" not in (seen := view.evaluate(SEEN)) and len(seen) > 10, what="what the wheel leads to")
        self.turn(button=4)
        self.until("document.querySelector('#hosts-rows').scrollTop === 0")
        self.click('[data-row="web-3"]')
        self.until("document.querySelector('[data-row=\"web-3/shell\"]')")
        self.common.change(entry("app-1"), gone=["web-1"])
        self.until("document.querySelector('[data-row=\"app-1\"]') && !document.querySelector('[data-row=\"web-1\"]')")
        self.assertEqual(view.complaints, [])
