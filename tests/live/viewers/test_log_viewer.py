"""The log's viewer, `<stream-log>`, on a bare page under the policy of the platform's pages, on running processes."""

import re
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.live.attacks.test_attacks_pages import HOSTILE
from tests.live.console.console import AXE, PHONE, ConsoleChain
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST
from tests.live.support.node import Scenario
from tests.live.support.pace import Stopwatch, timed
from tests.live.support.waiting import WAIT, Work, until
from tests.live.viewers.viewing import ANONYMOUS, ViewerTest

TARGETS = """
[targets.log]
kind = "log"
path = "FOLDER/app.log"
lines = 1000

[targets.short]
kind = "log"
path = "FOLDER/app.log"
lines = 10
behind = 1_000_000
"""
AT_REST = """() => new Promise((rest) => {
  let [before, still] = [-1, 0];
  const look = () => {
    const { scrollTop } = part('.scroller');
    still = scrollTop === before ? still + 1 : 0;
    before = scrollTop;
    if (still < 20) requestAnimationFrame(look);
    else rest();
  };
  look();
})"""
"""A log that hasn't been scrolled for 20 frames, which are twice as long as it waits itself for more of it."""
ALONE = """async () => {
  await import('/stream-log.js');
  const panel = document.createElement('div');
  panel.className = 'panel';
  const log = document.createElement('stream-log');
  Object.assign(log.style, { position: 'absolute', inset: '0' });
  panel.append(log);
  document.body.append(panel);
}"""
SHOWN = """async (style) => {
  Object.assign(log.style, style);
  await new Promise(requestAnimationFrame);
  const [whole, lines] = [log.getBoundingClientRect(), part('.scroller').getBoundingClientRect()];
  return { width: whole.width, height: whole.height, across: lines.width, lines: lines.height };
}"""
"""Sizes of the element, and of its lines, as a page shows it so."""
TOOLS = """
window.log = document.querySelector('stream-log');
window.part = (selector) => log.shadowRoot.querySelector(selector);
window.rows = () => [...log.shadowRoot.querySelectorAll('.row')].filter((row) => {
  const [inner, outer] = [row.getBoundingClientRect(), part('.scroller').getBoundingClientRect()];
  return inner.bottom > outer.top + 1 && inner.top < outer.top + part('.scroller').clientHeight - 1;
}).map((row) => row.querySelector('.text').textContent);
window.tasks = [];
new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => tasks.push(duration)))
  .observe({ type: 'longtask' });
// A stream of this page's own, without a chain: `pour(text, times)` gives it bytes, and `{line}` their number.
window.begin = () => {
  let sink;
  const items = new ReadableStream({ start(each) { sink = each; } });
  log.follow({ items, place: null, closed: new Promise(() => {}), close() {} });
  let number = 0;
  window.tell = (item) => sink.enqueue(item);
  window.pour = (text, times) => {
    let all = '';
    for (let at = 0; at < times; at += 1) all += text.replaceAll('{line}', () => String(number++));
    sink.enqueue(new TextEncoder().encode(all));
  };
};
null; // a function would be called
"""


class Modules(LiveTest):
    """What of it needs no page, in Node."""

    def test_lines(self) -> None:
        """Lines are kept as they came, the oldest dropped, in little more memory than their characters take."""
        for name in ("lines_cut", "lines_dropped", "lines_odd", "lines_marks"):
            Scenario(name, {}, "log.mjs").result()
        kept = Scenario("lines_memory", {}, "log.mjs").result()
        self.assertGreaterEqual(kept["lines"], 1_000_000)
        self.assertLess(kept["bytes"], 200_000_000)

    def test_escapes(self) -> None:
        """Escapes and control characters are taken out, understood or shown, and none of them takes long."""
        for name in ("ansi_plain", "ansi_colours", "ansi_pieces"):
            Scenario(name, {}, "ansi.mjs").result()
        with timed() as passed:
            self.assertLess(passed.fairly(Scenario("ansi_hostile", {}, "ansi.mjs").result()), 3000)

    def test_matches(self) -> None:
        """Matches are exact; a million lines are searched in slices."""
        for name in ("matches_exact", "matches_patterns"):
            Scenario(name, {}, "log.mjs").result()
        with timed() as passed:
            searched = Scenario("matches_million", {}, "log.mjs").result()
            self.assertLess(passed.fairly(searched["longest"]), 200)
        self.assertEqual(searched["count"], 1000)

    def test_places(self) -> None:
        """A stream that goes on joins the one before; what is missing or may be is said between the lines."""
        lines = [text for _, text in Scenario("feed_places", {}, "log.mjs").result()]
        self.assertEqual([line for line in lines if " " not in line], ["two", "last", "newest", "raw"])
        self.assertEqual(lines[1], "💡 one")
        self.assertIn("1,234 lines left out", lines[6])
        self.assertEqual(sum("may be missing" in line for line in lines), 2)
        self.assertEqual(sum("nothing is missing" in line for line in lines), 2)

    def test_notes(self) -> None:
        """Words of the agent, as why nothing comes, are one line of text each between the lines."""
        (kind, note), line, (_, long), (_, nuls) = Scenario("feed_notes", {}, "log.mjs").result()
        self.assertEqual(note, "Waiting for the log: it\u240adoes <b>not</b> exist")
        self.assertEqual((kind, line, len(long)), (5, [0, "💡 one"], 300))
        self.assertIn("5,000,000 NUL bytes", nuls)

    def test_encodings(self) -> None:
        """UTF-16 is shown as text where the agent tells it, whatever comes before and after."""
        lines = Scenario("feed_encodings", {}, "log.mjs").result()
        self.assertEqual(lines, ["€", "Grün 💡", "next", "€uro", "€nd"])

    def test_unseen(self) -> None:
        """A log on a page in the background takes what comes without waiting for the page's timers."""
        self.assertGreaterEqual(Scenario("feed_unseen", {}, "log.mjs").result(), 100)


class LogChain(ConsoleChain):
    """One whose platform anybody on this machine may ask for these logs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, TARGETS)
        with self.keys.open("a") as keys:
            keys.write(ANONYMOUS)


class LogViewerTest(ViewerTest):
    """The viewer of a log, on a page."""

    kind: type[ConsoleChain] = LogChain
    own: Path | None = None
    stopwatch: Stopwatch

    @property
    def path(self) -> Path:
        """The log, where there is a chain."""
        assert self.own is not None
        return self.own

    def begin(self, text: str = "", target: str = "log") -> None:
        """With a file, on the chain."""
        self.own = self.common.folder / "app.log"
        for old in self.common.folder.glob("app.log*"):
            old.unlink()
        self.path.write_text(text)
        self.show("log", target)
        self.view.evaluate(TOOLS)
        self.stopwatch = Stopwatch()

    def begin_alone(self, text: str = "") -> None:
        """The element alone, with a stream of the page's own."""
        self.view.evaluate(ALONE)
        self.view.evaluate(TOOLS)
        self.stopwatch = Stopwatch()
        self.view.evaluate("begin()")
        self.append(text)

    def append(self, text: str, path: Path | None = None) -> None:
        if self.own is None:
            self.view.evaluate("(text) => pour(text, 1)", text)
            return
        with (path or self.path).open("a") as file:
            file.write(text)

    def press(self, label: str) -> None:
        self.view.get_by_role("button", name=label, exact=True).click()

    def rows(self) -> list[str]:
        """What is in sight, line by line."""
        return list(self.view.evaluate("rows()"))

    def rest(self) -> None:
        """Until nothing is scrolled any more, and all of it is drawn."""
        self.view.evaluate(AT_REST)

    def shows(self, text: str, seconds: float = WAIT) -> list[str]:
        until(lambda: any(text in row for row in self.rows()), seconds, f"{text!r} in sight")
        return self.rows()

    def assert_swift(self, most: float = 200) -> None:
        """No task of the page took longer, in milliseconds of a free machine."""
        self.view.wait_for_timeout(100)  # for the observer to be told
        self.assertLess(self.stopwatch.fairly(max(self.view.evaluate("tasks"), default=0)), most)


class Following(LogViewerTest):
    """A log that grows, on a whole chain."""

    def test_follows(self) -> None:
        """Lines come as they are written, through a rotation, and nothing complains."""
        self.begin("one\ntwo\n")
        self.shows("two")
        self.append("three\n")
        self.shows("three")
        self.path.rename(self.common.folder / "app.log.1")
        self.append("rest\n", self.common.folder / "app.log.1")
        self.append("new\n")
        self.assertEqual(self.shows("new"), ["one", "two", "three", "rest", "new"])
        self.assert_content()

    def test_waits(self) -> None:
        """A log that has gone is told of between the lines, and so is that it is back."""
        self.begin("old\n")
        self.shows("old")
        self.path.unlink()
        self.shows("Waiting for the log: it does not exist")
        self.append("new\n")
        words = ["Waiting for the log: it does not exist", "The log can be read now"]
        self.assertEqual(self.shows("new"), ["old", *words, "new"])
        self.assert_content()

    def write(self, lines: int, a_second: int) -> None:
        began = time.monotonic()
        with self.path.open("a") as file:
            for step in range(lines // 100):
                file.write("".join(f"{step * 100 + each:07d} {'x' * 91}\n" for each in range(100)))
                file.flush()
                time.sleep(max(0.0, began + (step + 1) * 100 / a_second - time.monotonic()))

    def test_ten_thousand_a_second(self) -> None:
        """100,000 lines at 10,000 a second all come, while they are filtered and searched, and no task takes 200 ms."""
        self.begin("begin 99 x\n")
        self.shows("begin")
        self.view.evaluate("log.filter('9'); log.search('99 x'); tasks.length = 0")
        writing = Work(self.write, 100_000, 10_000)
        self.shows("0099999", 3 * WAIT)
        writing.result()
        self.assertEqual(self.view.evaluate("log.count"), 100_001)
        self.assertIsNone(self.view.evaluate("part('.mark')"))
        self.assert_swift()
        self.assertLess(self.view.evaluate("part('.list').childElementCount"), 60)
        counts = ["1,001", f"{sum('9' in f'{each:07d}' for each in range(100_000)) + 1:,} lines"]
        counted = self.view.locator("stream-log .count")
        until(lambda: counted.all_text_contents() == counts, what=f"the counts {counts}")  # looked for in slices
        self.assert_content()

    def test_goes_on(self) -> None:
        """After the relay has gone and come, the log goes on at the very byte, and says so."""
        self.begin("one\ntwo\nthr")
        self.shows("thr")
        self.common.relay.restart()
        self.wait_state(0, "closed")
        self.append("ee\nfour\n")
        self.until("() => tabs[0].connect().then(() => tabs[0].state === 'connected')", what="the relay")
        self.assertEqual(self.shows("four"), ["one", "two", "Connected again; nothing is missing", "three", "four"])
        self.path.unlink()
        self.common.relay.restart()
        self.wait_state(0, "closed")
        self.append("another file\n")
        self.until("() => tabs[0].connect().then(() => tabs[0].state === 'connected')", what="the relay")
        self.assertEqual(self.shows("another")[-2:], ["Lines may be missing here", "another file"])
        self.assert_content()

    def test_skipped(self) -> None:
        """What is left out as it was too much is told where it is missing, and how much, exactly."""
        self.begin("first\n", "short")
        self.shows("first")
        with self.path.open("a") as file:
            file.writelines(f"{number:08d} {'x' * 90}\n" for number in range(400_000))
        self.shows("00399999", 3 * WAIT)
        self.append("end\n")
        self.shows("end")
        self.view.locator("stream-log .scroller").press("Home")
        self.shows("first")
        self.view.get_by_role("searchbox", name="Filter").fill("left out here")  # our own words stay in sight
        self.until("() => /^[0-9,]+ lines?$/.test(part('.group:last-child .count').textContent)", what="the filter")
        until(lambda: all("left out here" in row for row in self.rows()), what="nothing but words of what is left out")
        with self.view.expect_download() as saved:
            self.press("Download")
        told = Path(saved.value.path()).read_text().splitlines()
        self.assertTrue(all("left out here" in mark for mark in told), told)
        skipped = sum(int(re.findall("[0-9,]+", mark)[0].replace(",", "")) for mark in told)
        self.assertGreater(skipped, 10_000)  # how many depends on how fast the writer is beside the page
        self.assertEqual(self.view.evaluate("log.count"), 400_002 - skipped + len(told))
        self.assert_content()

    def test_source(self) -> None:
        """The element by itself follows the URL of its `src`, and says how that ended."""
        self.begin("one\ntwo\n")
        answer = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": "log"})
        self.view.evaluate(
            """(url) => { document.body.replaceChildren(document.createElement('stream-log'));
            log = document.querySelector('stream-log');
            log.style.height = '300px';
            log.addEventListener('ended', ({ detail }) => { window.ended = detail; });
            log.setAttribute('src', url); }""",
            answer.json["url"],
        )
        self.assertEqual(self.shows("two"), ["one", "two"])
        self.common.ask("DELETE", f"/v1/streams/{answer.json['stream']}")
        self.until("() => window.ended", what="its end")
        self.assertEqual(self.view.evaluate("ended.code"), 4006)
        self.assertEqual(self.view.evaluate("part('.words').textContent"), "Ended: ended by an operator")
        self.view.evaluate("(url) => { log.removeAttribute('src'); log.setAttribute('src', url); }", answer.json["url"])
        self.until("() => part('.words').textContent.includes(\"can't be reached\")", what="a used URL's end")
        self.assert_content()


class Text(LogViewerTest):
    """Whatever a log holds is text."""

    def test_hostile(self) -> None:
        """Scripts, tags and terminal escapes are shown as text: nothing runs, loads, or changes the page."""
        asked: list[str] = []
        self.begin()
        self.view.on("request", lambda request: asked.append(request.url))

        def dismiss(dialog: Any) -> None:
            asked.append(dialog.message)
            dialog.dismiss()

        self.view.on("dialog", dismiss)
        with self.path.open("wb") as file:
            file.write("\n".join((*HOSTILE, "the last line", "")).encode("latin-1"))
        rows = self.shows("the last line")
        for line in HOSTILE[:6]:
            self.assertIn(line, rows)
        self.assertIn("link", rows)
        self.assertTrue(any(row.startswith("red ") for row in rows))
        elements = self.view.evaluate("[...new Set([...part('.list').querySelectorAll('*')].map((e) => e.tagName))]")
        self.assertEqual(set(elements), {"DIV", "SPAN"})
        self.assertEqual((self.view.title(), asked), ("ready", []))
        self.assertNotIn("\x1b", "".join(rows))
        self.assert_content()

    def test_colours(self) -> None:
        """Colours and attributes look as terminals have them, in light and dark."""
        self.begin_alone(
            "\x1b[31mred\x1b[0m \x1b[1;3;4mall\x1b[0m \x1b[38;2;1;200;3mgreen\x1b[0m \x1b[48;5;21mblue\x1b[0m\n"
        )
        self.shows("red")
        look = "(text) => { const s = getComputedStyle([...part('.list').querySelectorAll('span')].find("
        look += "(e) => e.textContent === text)); return [s.color, s.backgroundColor, s.fontWeight, s.fontStyle]; }"
        self.assertEqual(self.view.evaluate(look, "green")[0], "rgb(1, 200, 3)")
        self.assertEqual(self.view.evaluate(look, "blue")[:2], ["rgb(255, 255, 255)", "rgb(0, 0, 255)"])
        self.assertEqual(self.view.evaluate(look, "all")[2:], ["700", "italic"])
        reds = []
        for scheme in ("light", "dark"):
            self.view.evaluate("(scheme) => { document.documentElement.style.colorScheme = scheme; }", scheme)
            reds.append(self.view.evaluate(look, "red")[0])
        self.assertNotEqual(*reds)
        self.assert_content()

    def test_long(self) -> None:
        """A long line is cut where it is shown, and its rest is a click away."""
        self.begin_alone(f"begin {'x' * 30_000} end\nshort\n")
        rows = self.shows("short")
        self.assertEqual(len(rows[0]), 2000 + len("… 28,010 more"))
        self.view.locator("stream-log .more").click()
        whole = self.view.locator("stream-log dialog pre")
        self.assertEqual(whole.text_content(), f"begin {'x' * 30_000} end")
        self.press("Close")
        self.assertFalse(whole.is_visible())
        self.assert_content()

    def test_saved(self) -> None:
        """What is kept, or let through by the filter, can be saved and copied, without escapes."""
        self.begin_alone("one\n\x1b[31mtwo\x1b[0m\nthree\n")
        self.shows("three")
        for filtered, wanted in (("", "one\ntwo\nthree\n"), ("t", "two\nthree\n")):
            self.view.evaluate("(text) => log.filter(text)", filtered)
            with self.view.expect_download() as saved:
                self.press("Download")
            self.assertEqual(Path(saved.value.path()).read_text(), wanted)
        self.view.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.press("Copy")
        self.until("() => part('.words').textContent === 'Copied'")
        self.assertEqual(self.view.evaluate("navigator.clipboard.readText()"), "two\nthree\n")
        self.press("Clear")
        self.assertEqual(self.view.evaluate("log.count"), 0)
        self.press("Copy")
        self.until("() => part('.words').textContent === 'There are no lines to copy'")
        self.view.evaluate("log.filter('')")
        self.append("four\n")
        self.assertEqual(self.shows("four"), ["four"])
        self.assert_content()

    def test_copy_is_not_allowed(self) -> None:
        """Where the browser refuses the clipboard, or gives none, both buttons that copy say so in words."""
        self.begin_alone(f"{'x' * 3000}\n")
        self.shows("x")
        refused = "The browser did not let this page copy"
        absent = "The browser gives no clipboard to a page that is not served by https"
        refuse = "navigator.clipboard.writeText = () => Promise.reject(new Error('no'))"
        remove = "Object.defineProperty(navigator, 'clipboard', { value: undefined })"
        for without, words in ((refuse, refused), (remove, absent)):
            self.view.evaluate(f"() => {{ {without}; }}")
            self.press("Copy")
            self.until("(words) => part('.words').textContent === words", words)
            self.view.locator("stream-log .more").click()
            self.view.get_by_role("dialog").get_by_role("button", name="Copy").click()
            self.until("(words) => part('dialog [role=status]').textContent === words", words)
            self.press("Close")
        self.assert_content()


class Million(LogViewerTest):
    """A million lines, of the page's own, or as many as matter."""

    def fill(self, times: int = 1_000_000, text: str = "{line} GET /some/path took a while\n") -> None:
        self.begin_alone()
        for _ in range(times // 20_000):
            self.view.evaluate("([text, times]) => pour(text, times)", [text, 20_000])
        self.shows(f"{times * text.count('{line}') - 1} ", 3 * WAIT)
        self.view.wait_for_timeout(200)
        self.view.evaluate("tasks.length = 0")

    def scroll(self, part: float) -> int:
        """Drag the scroll bar there; the number of the first row in sight."""
        self.view.evaluate(
            "(to) => { const s = part('.scroller'); s.scrollTop = to * (s.scrollHeight - s.clientHeight); }", part
        )
        self.rest()
        return self.first()

    def first(self) -> int:
        return int(self.rows()[0].split()[0])

    def test_scrolls(self) -> None:
        """Anywhere in a million lines a screenful of rows exists, the right ones, without holes, and swiftly."""
        self.fill()
        scroller = self.view.locator("stream-log .scroller")
        for part in (0.5, 0.1, 0.9, 0.25):
            self.assertLess(abs(self.scroll(part) / 1_000_000 - part), 0.01)
            numbers = [int(row.split()[0]) for row in self.rows()]
            self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))
            self.assertGreater(len(numbers), 15)
            self.assertLess(self.view.evaluate("part('.list').childElementCount"), 60)
        before = self.first()
        box = scroller.bounding_box()
        self.view.mouse.move(box["x"] + 50, box["y"] + 50)
        for _ in range(5):
            self.view.mouse.wheel(0, 100)
            self.view.wait_for_timeout(60)
        self.rest()
        self.assertTrue(before + 10 < self.first() < before + 40, (before, self.first()))
        scroller.press("Home")
        until(lambda: self.first() == 0, what="the first line")
        self.view.mouse.wheel(0, 40)
        self.rest()
        self.assertIn(self.first(), (1, 2))
        scroller.press("End")
        self.shows("999999 GET")
        self.assertTrue(self.view.evaluate("log.following"))
        self.assert_swift()
        self.assert_content()

    def test_searched(self) -> None:
        """A million lines are searched and filtered while the page stays swift, with counts, around the ends."""
        self.fill()
        search = self.view.get_by_role("searchbox", name="Search")
        self.view.locator("stream-log .scroller").press("Home")
        self.view.keyboard.press("Control+f")
        search.press_sequentially("77 get")
        counts = self.view.locator("stream-log .count")
        self.until("() => part('.count').textContent === '10,000'", what="the count")
        for key, found in (("Enter", 77), ("Enter", 177), ("Shift+Enter", 77), ("Shift+Enter", 999_977), ("F3", 77)):
            self.view.keyboard.press(key)
            self.until("(n) => part('.current .text')?.textContent.startsWith(`${n} `)", found, f"line {found}")
        self.assertEqual(counts.first.text_content(), "1 of 10,000")
        self.assertFalse(self.view.evaluate("log.following"))
        self.assertEqual(self.view.evaluate("part('.current mark').textContent"), "77 GET")
        self.press("Search: upper and lower case differ")
        self.until("() => part('.count').textContent === 'None'", what="no match")
        self.press("Filter: a regular expression")
        self.view.get_by_role("searchbox", name="Filter").fill("^[0-9]?5000 ")
        self.until("() => part('.list').childElementCount === 10", what="the filter")
        self.assertEqual(
            [row.split()[0] for row in self.rows()], [f"{each}5000" if each else "5000" for each in range(10)]
        )
        self.press("Not")
        self.until("() => part('.group:last-child .count').textContent === '999,990 lines'")
        self.view.get_by_role("searchbox", name="Filter").fill("(")
        self.until("() => part('.group:last-child .count').textContent === 'Not a regular expression'")
        self.view.keyboard.press("Escape")
        self.assertEqual(self.view.evaluate("log.shadowRoot.activeElement.className"), "scroller")
        self.assert_swift()
        self.assert_content()

    def test_bounded(self) -> None:
        """No more lines are kept than was said; what is dropped is said, and what is looked at stays if it can."""
        self.fill(100_000)
        self.view.evaluate("log.setAttribute('max-lines', 50000)")
        self.until("() => log.count < 52000")
        self.until("() => part('.kept').textContent.includes('dropped')", what="a word about it")
        before = self.scroll(0.5)
        self.view.evaluate("pour('{line} more\\n', 5000)")
        self.rest()
        self.assertEqual(self.first(), before)
        self.view.evaluate("pour('{line} more\\n', 60000)")
        self.until("() => Number(rows()[0].split(' ')[0]) > 100000", what="rows that are still there")
        self.assert_swift()

    def test_wrapped(self) -> None:
        """Wrapped lines of any height: no holes, both ends are reached, and a move of the wheel moves as far."""
        self.fill(40_000, "{line} GET " + "long words to wrap " * 12 + "\n{line} short\n")
        self.press("Wrap")
        self.rest()
        covered = """() => { const list = part('.list').getBoundingClientRect(), s = part('.scroller');
          const frame = s.getBoundingClientRect();
          return list.top <= frame.top + 1 && list.bottom >= frame.top + s.clientHeight - 1
            && s.scrollWidth <= s.clientWidth; }"""
        self.assertTrue(self.view.evaluate(covered))
        self.assertIn("short", self.rows()[-1])
        box = self.view.locator("stream-log .scroller").bounding_box()
        self.view.mouse.move(box["x"] + 50, box["y"] + 50)
        for part in (0.3, 0.7):
            before = self.scroll(part)
            self.assertLess(abs(before / 80_000 - part), 0.01)
            for direction in (1, -1):
                for _ in range(10):
                    self.view.mouse.wheel(0, 60 * direction)
                    self.view.wait_for_timeout(60)
                    self.assertTrue(self.view.evaluate(covered))
                self.rest()
                moved = self.first() - before
                self.assertTrue(8 < moved < 30 if direction > 0 else abs(moved) <= 1, (direction, moved))
        for key, row in (("Home", 0), ("End", -1)):
            self.view.locator("stream-log .scroller").press(key)
            self.rest()
            self.assertIn(("0 GET", "short")[row], self.rows()[row])
            self.assertTrue(self.view.evaluate(covered))
        self.assert_swift()
        self.assert_content()


class Handling(LogViewerTest):
    """Pausing, times, and everybody's use."""

    def test_pauses(self) -> None:
        """Scrolling up pauses: the view stays, new lines are counted, and a button leads back to the newest."""
        self.begin_alone("".join(f"{number} line\n" for number in range(500)))
        self.shows("499 line")
        box = self.view.locator("stream-log .scroller").bounding_box()
        self.view.mouse.move(box["x"] + 50, box["y"] + 50)
        self.view.mouse.wheel(0, -300)
        self.until("() => !log.following")
        self.rest()
        before = self.rows()
        self.append("".join(f"new {number}\n" for number in range(1234)))
        newest = self.view.locator("stream-log .newest")
        until(lambda: newest.text_content() == "↓ 1,234 new lines", what="the count of new lines")
        self.assertEqual(self.rows(), before)
        self.assertEqual(self.view.evaluate("part('.words').textContent"), "Paused")
        newest.click()
        self.shows("new 1233")
        self.assertTrue(newest.is_hidden())
        self.append("followed\n")
        self.shows("followed")
        self.press("Follow")
        self.append("".join(f"later {number}\n" for number in range(50)))
        until(lambda: newest.text_content() == "↓ 50 new lines", what="the count of new lines")
        self.assertFalse(any("later 49" in row for row in self.rows()))
        self.press("Follow")
        self.shows("later 49")
        self.assert_content()

    def test_times(self) -> None:
        """The time of each line's arrival is shown when it is wanted."""
        self.begin_alone("one\n")
        self.shows("one")
        time_of = self.view.locator("stream-log .time").first
        self.assertFalse(time_of.is_visible())
        self.press("Times")
        self.assertRegex(time_of.text_content(), r"^\d\d:\d\d:\d\d\.\d{3}$")
        self.assertTrue(time_of.is_visible())
        self.assert_content()

    def test_read_aloud(self) -> None:
        """Who has the focus in it hears of new lines, not more often than every five seconds."""
        self.begin_alone("one\n")
        self.shows("one")
        self.view.locator("stream-log .scroller").focus()
        self.view.evaluate("""() => { window.spoken = [];
          new MutationObserver(() => spoken.push([performance.now(), part('.unseen').textContent]))
            .observe(part('.unseen'), { childList: true, characterData: true, subtree: true }); }""")
        for number in range(12):
            self.append(f"two {number}\n")
            self.view.wait_for_timeout(500)
        self.until("() => spoken.length", what="a word about new lines")
        times, words = zip(*self.view.evaluate("spoken"), strict=True)
        self.assertTrue(all(later - before > 4900 for before, later in pairwise(times)), times)
        self.assertIn("new lines", words[-1])
        self.assert_content()

    def test_displayed(self) -> None:
        """However the page shows the element, its lines have the room that its bars leave."""
        self.begin_alone("one\n" * 100)
        self.shows("one")
        for display in ("", "block", "flex", "inline-flex", "inline-block", "grid", "flow-root"):
            for height, least in (("300px", 300), ("", 128)):
                style = {"position": "static", "width": "900px", "height": height, "display": display}
                told = self.view.evaluate(SHOWN, style)
                self.assertEqual((told["width"], told["height"]), (900, least), (display, height))
                self.assertGreater(told["lines"], least - 120, (display, height))
                self.assertEqual(told["across"], 900, (display, height))
        self.assertGreater(self.view.evaluate("rows().length"), 0)

    def test_everybody(self) -> None:
        """axe-core finds nothing, in light and dark, also on a phone, where nothing is wider than the screen."""
        if not AXE.exists():
            raise SkipTest("needs axe-core: npm ci --prefix tests")
        self.view = self.bare(**PHONE)
        self.begin_alone("\x1b[31mred\x1b[0m plain\n" * 50 + "\x1b[42mon green\x1b[0m\n")
        self.shows("on green")
        self.view.evaluate("document.querySelector('.panel').style.width = '100%'; log.search('plain')")
        self.view.wait_for_timeout(300)
        self.assertLessEqual(self.view.evaluate("document.documentElement.scrollWidth"), 390)
        self.view.evaluate(AXE.read_text())
        for scheme in ("light", "dark"):
            self.view.evaluate("(scheme) => { document.documentElement.style.colorScheme = scheme; }", scheme)
            found = self.view.evaluate(
                "axe.run('stream-log', { resultTypes: ['violations'] }).then(({ violations }) => violations)"
            )
            self.assertEqual(
                [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]], [], scheme
            )
