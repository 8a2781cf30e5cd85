"""The viewer of terminals in daily use: keys, pastes, floods of pieces, and what a dead one left."""

import base64
import re
import shlex
import sys
from typing import Any

from tests.live.support.browser import need_viewers
from tests.live.support.case import LiveTest
from tests.live.support.node import Scenario
from tests.live.support.pace import Stopwatch
from tests.live.support.waiting import WAIT, until
from tests.live.viewers.viewing import TerminalTest

PASTE = "safe\x1b[201~\necho INJECTED\n"
"""What ends a bracketed paste from within, and goes on as if it had been typed."""
PASTES = """text => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', text);
    document.querySelector('#tab0 textarea').dispatchEvent(
        new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
}"""
PACED = """import sys, time
lines, rate, burst, width = map(int, sys.argv[1:])
begun = time.monotonic()
for n in range(lines):
    print(f"line {n} at {time.time():.2f} ".ljust(width), flush=n % burst == burst - 1)
    time.sleep(max(0, begun + n / rate - time.monotonic()))
print(f"took {time.monotonic() - begun:.2f} until {time.time():.2f}.", flush=True)
"""
"""Lines at a steady rate, some at once; then how long it took, and when it was over."""
MARKS = {
    "dark": ("rgb(228, 231, 234)", "rgb(94, 74, 0)"),
    "light": ("rgb(29, 33, 37)", "rgb(255, 233, 168)"),
}
"""The terminal's letters, and what stands behind a match."""
MARKED = """colour => [...document.querySelectorAll('#tab0 .xterm-rows span')].some(
    (span) => getComputedStyle(span).backgroundColor === colour)"""
BEHIND = """() => {
    const rows = document.querySelector('#tab0 .xterm-rows');
    Object.assign(window, { took: '', behind: 0 });
    new MutationObserver((_, observer) => {
        const text = rows.textContent;
        const [told] = [...text.matchAll(/(?:at|until) ([0-9]+\\.[0-9]{2})(?=[ .])/g)].slice(-1);
        if (told) window.behind = Math.max(window.behind, Date.now() / 1000 - Number(told[1]));
        const end = /took ([0-9.]+) until [0-9.]+\\./.exec(text);
        if (!end) return;
        window.took = end[1];
        observer.disconnect();
    }).observe(rows, { childList: true, subtree: true, characterData: true });
}"""
"""Looks at each change of what is shown: how old is the newest line of it?"""


class Modules(LiveTest):
    """What of it needs no page, in Node."""

    def test_output(self) -> None:
        """What a target says is handed on by bytes, not by turns of a timer; what waits is bounded."""
        for name in ("output_keeps_up", "output_is_bounded", "output_unseen", "output_parsed"):
            Scenario(name, {}, "terminal.mjs").result()

    def test_widths(self) -> None:
        """A letter takes the columns that programs count for it."""
        need_viewers()
        Scenario("widths_as_programs", {}, "terminal.mjs").result()

    def test_paste(self) -> None:
        """Of a paste nothing acts but tabs and line ends."""
        Scenario("paste_harmless", {"paste": PASTE}, "terminal.mjs").result()


class Terminal(TerminalTest):
    """viewers/terminal.js where strangers found fault."""

    def begin(self) -> list[str]:
        """A shell; gives what is said to the host beside bytes, as it comes."""
        said: list[str] = []
        self.view.on(
            "websocket",
            lambda leg: leg.on("framesent", lambda frame: said.append(frame) if isinstance(frame, str) else None),
        )
        self.show("terminal", "shell")
        self.shows("$")
        return said

    def paced(
        self, lines: int, rate: int, burst: int = 1, width: int = 40, seconds: float = 3 * WAIT
    ) -> tuple[float, float]:
        """Run lines at a rate: how long the program took, and how far what was shown was behind it at the worst."""
        script = self.folder / "paced.py"
        script.write_text(PACED)
        self.run_line(f"clear; {shlex.quote(sys.executable)} {script} {lines} {rate} {burst} {width}")
        self.view.evaluate(BEHIND)
        took = until(lambda: self.view.evaluate("window.took"), seconds, what="the last line")
        return float(took), float(self.view.evaluate("window.behind"))

    def test_many_small_pieces(self) -> None:
        """400 lines a second, each a message, are shown as they come."""
        said = self.begin()
        watch = Stopwatch()
        took, late = self.paced(lines=4000, rate=400)
        self.assertLess(watch.fairly(late), 10, "s")  # all of it took 33 s more where each was a turn of a timer
        self.assertLess(watch.fairly(took), 20, "s")
        self.assertNotIn('{"hold":true}', said)
        self.assert_content()

    def test_screen_reader(self) -> None:
        """Screen reader support is off until it is chosen, and remembered."""
        self.begin()
        live = self.view.locator("#tab0 .xterm-accessibility")
        self.assertEqual(live.count(), 0)
        self.view.evaluate("tabs[0].act('Screen reader support on')")
        self.assertEqual(live.count(), 1)
        self.show("terminal", "shell")
        self.assertEqual(self.view.locator("#tab1 .xterm-accessibility").count(), 1)
        self.view.evaluate("tabs[1].act('Screen reader support off')")
        self.assertEqual(self.view.evaluate("localStorage.length"), 0)
        self.assert_content()

    def test_keys_are_the_targets(self) -> None:
        """Keys that go to the target do nothing to the page besides, with a screen reader's support, too."""
        self.begin()
        self.view.evaluate("""() => { window.kept = [];
            addEventListener('keydown', (event) => { if (!event.defaultPrevented) kept.push(event.code); }); }""")
        loads: list[Any] = []
        self.view.on("load", lambda page: loads.append(page))
        for support in ("off", "on"):
            if support == "on":
                self.view.evaluate("tabs[0].act('Screen reader support on')")
            self.run_line("clear; stty -icanon -echo; cat -v")
            for key, shown in (
                *(("F1", "^[OP"), ("F3", "^[OR"), ("F5", "^[[15~"), ("F6", "^[[17~"), ("F10", "^[[21~")),
                *(("F12", "^[[24~"), ("Shift+F5", "^[[15;2~"), ("Control+F5", "^[[15;5~"), ("Shift+Tab", "^[[Z")),
                *(("Escape", "^["), ("Control+r", "^R"), ("Alt+ArrowLeft", "^[[1;3D")),
            ):
                self.view.keyboard.press(key)
                self.shows(shown)
            self.view.keyboard.press("Control+c")
            self.shows("$")  # what is typed before cat is gone is read by cat
            self.run_line("stty sane; clear; echo ov''er")
            self.shows("over")
            self.assertTrue(self.view.locator("#tab0 textarea").evaluate("area => area === document.activeElement"))
        kept = set(self.view.evaluate("kept")) - {"Enter"}
        self.assertEqual({code for code in kept if re.fullmatch(r"F\d+|Tab|Escape|ArrowLeft", code)}, set())
        self.assertEqual(loads, [])
        self.assert_content()

    def test_paste_stays_a_paste(self) -> None:
        """A paste that would end itself runs nothing, by the keys, the menu and the mouse."""
        self.view.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.begin()
        self.run_line("stty -echo; printf '\\033[?2004hbrack''eted\\n'; cat -v")
        self.shows("bracketed")
        ways = (
            lambda: self.view.evaluate(PASTES, PASTE),
            lambda: self.view.evaluate("tabs[0].act('Paste')"),
            lambda: self.view.keyboard.press("Control+Shift+V"),
        )
        self.view.evaluate("text => navigator.clipboard.writeText(text)", PASTE)
        for pastes, way in enumerate(ways, 1):
            self.view.evaluate("tabs[0].viewer.focus()")
            way()
            self.comes("M-bM-^PM-^[[201~", pastes)
            self.view.keyboard.press("Enter")
            self.comes("echo INJECTED\n^[[201~", pastes)
        self.assertEqual(self.lines().count("^[[200~safe"), 3)
        self.assert_content()

    def comes(self, text: str, times: int) -> None:
        until(lambda: self.lines().count(text) == times, what=f"{text!r}, {times} times,")

    def test_reconnected_below(self) -> None:
        """After a reconnect nothing that was shown is written over, whatever the dead program left behind."""
        self.begin()
        self.run_line("clear; seq -f 'kept-%g' 12; printf '\\033[?1;1000;1006;2004h\\033[?25l\\033[4h\\033[5;9r'")
        self.shows("kept-12")
        self.run_line("printf '\\033[3Hhere\\n'")  # the cursor in the midst of what is shown
        self.shows("here")
        for number in (1, 2):
            self.relay_killed()
            self.run_line(f"echo new-$(({number}+40))")
            shown = self.shows(f"\nnew-{number + 40}")
            self.assertEqual([f"kept-{n}" in shown or n == 3 for n in range(4, 13)], [True] * 9, shown)
            self.assertLess(shown.index("kept-12"), shown.index(f"\nnew-{number + 40}"))
        self.run_line("cat -v")
        self.view.keyboard.press("ArrowUp")
        self.shows("^[[A")
        self.view.locator("#tab0 .xterm-screen").click()
        self.view.evaluate(PASTES, "pasted")
        self.view.keyboard.press("Enter")
        self.shows("^[[Apasted\n")
        self.assert_content()

    def test_last_line_is_the_pages_own(self) -> None:
        """How a command ended is said on the first screen, in letters, whatever the program left behind."""
        self.begin()
        self.run_line("clear; echo ke''pt")
        self.shows("kept")
        self.run_line("printf '\\033[?1049h\\033[2;3r\\033[?6h\\033[4h\\033[31m\\033(0'; kill -9 $$")
        shown = self.shows("the command ended with status 137")
        self.assertLess(shown.index("kept"), shown.index("the command ended"), shown)
        self.assert_content()

    def test_search(self) -> None:
        """What has been shown is searched, from the newest match on; Escape leads back into the terminal."""
        self.begin()
        self.run_line("clear; seq -f 'entry-%g' 300; echo o''ver")
        self.shows("over")
        self.view.evaluate("tabs[0].act('Search')")
        field, count = self.view.get_by_label("Search the terminal"), self.view.locator("#tab0 .terminal-search output")
        for scheme, (letters, mark) in MARKS.items():
            field.fill("")
            self.view.emulate_media(color_scheme=scheme)
            self.expect(self.view.locator("#tab0 .xterm-rows")).to_have_css("color", letters)
            field.fill("ENTRY-1")
            self.expect(count).to_have_text("111 of 111")
            for _ in range(2):
                self.view.keyboard.press("Enter")
            self.expect(count).to_have_text("109 of 111")
            self.shows("entry-197")
            self.until(MARKED, mark)
            self.picture(self.view, f"terminal-search-{scheme}")
        self.view.keyboard.press("Shift+Enter")
        self.expect(count).to_have_text("110 of 111")
        for text, wanted in (("entry-42", "1 of 1"), ("entry-x", "no match"), ("", "")):
            field.fill(text)
            self.expect(count).to_have_text(wanted)
        self.view.keyboard.press("Escape")
        self.expect(field).to_have_count(0)
        self.run_line("echo b''ack")
        self.shows("back")
        self.view.keyboard.press("Control+Shift+F")
        self.expect(field).to_be_focused()
        self.assert_content()

    def test_mac(self) -> None:
        """On a Mac Option selects while a program has the mouse, and is Meta once that is chosen."""
        self.view.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.view.evaluate("Object.defineProperty(navigator, 'platform', { get: () => 'MacIntel' })")
        self.begin()
        self.run_line("clear; stty -icanon -echo; printf '\\033[?1002;1006hsel''ectable\\n'; cat -v")
        self.shows("selectable")
        row = self.view.locator("#tab0 .xterm-rows > div", has_text="selectable").bounding_box()
        letter = self.view.locator("#tab0 .xterm-rows span", has_text="selectable").bounding_box()["width"] / 10
        self.view.keyboard.down("Alt")
        self.view.mouse.move(row["x"] + 1, row["y"] + 5)
        self.view.mouse.down()
        self.view.mouse.move(row["x"] + 6 * letter, row["y"] + 5, steps=3)
        self.view.mouse.up()
        self.view.keyboard.up("Alt")
        self.view.evaluate("tabs[0].act('Copy selection')")
        self.assertEqual(self.view.evaluate("navigator.clipboard.readText()"), "select")
        self.view.evaluate("tabs[0].act('Option key as Meta on')")
        self.view.keyboard.press("Alt+d")
        self.shows("^[d")
        self.view.evaluate("tabs[0].act('Option key as Meta off')")
        self.assertEqual(self.view.evaluate("localStorage.length"), 0)
        self.assert_content()

    def test_underscores(self) -> None:
        """Underscores are seen, at each size of the text."""
        self.begin()
        self.run_line("stty -echo; PS1=; clear; printf '\\033[?25l\\n%s\\n' ________________")
        row = self.view.locator("#tab0 .xterm-rows > div").nth(1)
        self.shows("\n________________\n")  # not the command that is typed
        seen = {}
        for _ in range(4):
            self.view.evaluate("tabs[0].act('Smaller text')")
        for size in range(8, 34, 2):
            if size > 8:
                self.view.evaluate("tabs[0].act('Larger text')")
            self.until(SIZED, f"{size}px")
            seen[size] = self.view.evaluate(CONTRAST, base64.b64encode(row.screenshot()).decode())
        self.assertEqual({size: contrast for size, contrast in seen.items() if contrast < 50}, {}, seen)
        self.assert_content()


SIZED = "size => getComputedStyle(document.querySelector('#tab0 .xterm-rows')).fontSize === size"
"""Whether the text has a size."""
CONTRAST = """async (png) => {
    const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0));
    const picture = await createImageBitmap(new Blob([bytes]));
    const context = new OffscreenCanvas(picture.width, picture.height).getContext('2d');
    context.drawImage(picture, 0, 0);
    const { data } = context.getImageData(0, 0, picture.width, picture.height);
    const green = data.filter((_, at) => at % 4 === 1);
    return green.reduce((most, one) => Math.max(most, one)) - green.reduce((least, one) => Math.min(least, one));
}"""
"""How far the brightest and the darkest of a picture's pixels are apart."""
