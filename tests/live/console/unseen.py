"""A terminal that is really hidden, behind another tab of its window, and one whose link dies meanwhile."""

import json
import os
import sys
from statistics import median
from typing import Any

from tests.live.console.windows import SHOWN, WindowTest
from tests.live.support.pace import timed
from tests.live.support.waiting import until

SECONDS = int(os.environ.get("STREAMRELAY_UNSEEN_SECONDS", "6"))
PACED = """import json, sys, time
for line in sys.stdin:
    lines, rate, width = map(int, line.split())
    begun, stalled = time.monotonic(), 0
    for n in range(lines):
        before = time.monotonic()
        print(f"line {n} at {time.time():.2f} ".ljust(width), flush=True)
        stalled = max(stalled, time.monotonic() - before)
        time.sleep(max(0, begun + n / rate - time.monotonic()))
    took = time.monotonic() - begun
    print(f"run of {lines} is over at {time.time():.2f} ", flush=True)
    with open(sys.argv[1], "a") as told:
        told.write(json.dumps([took, stalled]) + "\\n")
"""
"""For each line with a number, a rate and a width: so many lines, then how long they took and the longest wait."""
TARGET = f"""
[targets.paced]
kind = "pty"
command = ["sh", "-c", 'stty -echo; echo waits; exec "$0" "$@"', "{sys.executable}", "FOLDER/paced.py", "FOLDER/paced"]
"""
BEHIND = f"""(() => {{
    const rows = document.querySelector('{SHOWN} .xterm-rows');
    window.behind = [];
    const observer = new MutationObserver(() => {{
        const [told] = [...rows.textContent.matchAll(/at ([0-9]+\\.[0-9]{{2}}) /g)].slice(-1);
        if (told) window.behind.push(Date.now() / 1000 - Number(told[1]));
    }});
    observer.observe(rows, {{ childList: true, subtree: true, characterData: true }});
}})()"""
"""Looks at each change of what is shown: how old is the newest line of it?"""


class Unseen(WindowTest):
    """A page among other tabs."""

    def comes_and_goes(self) -> None:
        """The program is never behind for the page, nor what is shown behind the program."""
        self.choose("paced")
        self.shows("waits")
        self.connected()
        self.click(f"{SHOWN} .xterm-screen")
        self.view.evaluate(BEHIND)
        with timed() as passed:
            took, stalled = self.run_lines(400 * SECONDS, 400, 40)
            self.shows(f"run of {400 * SECONDS} is over")
        # What is behind the more the longer it goes on is late for half of the time; what stood still once is not.
        behind = median(self.view.evaluate("window.behind"))
        print(f"figure: seen, 400 lines a second for {took:.1f} s: shown {behind:.2f} s late")
        self.assertLess(passed.fairly(behind), SECONDS / 2)
        took, stalled = self.run_lines(500 * SECONDS, 500, 400, hidden=True)
        print(f"figure: hidden, 500 lines a second took {took:.2f} s for {SECONDS}, the longest wait {stalled:.2f} s")
        self.assertLess(stalled, 15)  # a busy machine may let it stand for some seconds; a page would, until it is seen
        with timed() as passed:
            self.view.uncover()
            self.shows(f"run of {500 * SECONDS} is over")
        print(f"figure: all was shown {passed():.2f} s after the tab was seen again")

    def link_dies(self) -> None:
        """A link that has died while the page was hidden, and stood still, is told soon after it is seen again."""
        self.view.cover()
        self.until("document.hidden")
        self.view.freeze(True)
        self.common.pump.stop()
        self.view.freeze(False)
        with timed() as passed:
            self.view.uncover()
            self.until(f"document.querySelector('{SHOWN}').dataset.state === 'detached'")
        print(f"figure: the dead link was told {passed():.1f} s after the page was seen again")
        self.common.pump.go_on()
        self.connected()

    def run_lines(self, lines: int, rate: int, width: int, hidden: bool = False) -> Any:
        """Seconds that the program took, and its longest wait for one line."""
        there = self.common.folder / "paced"
        before = self.told()
        self.display.type(f"{lines} {rate} {width}")
        self.display.press("Return")
        if hidden:
            self.view.cover()
            self.until("document.hidden")
        until(lambda: self.told() > before, 60 + 2 * lines / rate, what="the program's end")
        if hidden:
            self.assertTrue(self.view.evaluate("document.hidden"))
        return json.loads(there.read_text().splitlines()[-1])

    def told(self) -> int:
        there = self.common.folder / "paced"
        return there.read_text().count("\n") if there.exists() else 0

    def shows(self, text: str) -> None:
        self.until(f"document.querySelector('{SHOWN} .xterm-rows')?.textContent.includes({text!r})")
