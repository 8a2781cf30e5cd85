"""What `<stream-log>` makes of lines beyond their text, on a page: what was written over, what is selected, levels."""

from twisted.trial.unittest import SkipTest

from tests.live.console.console import AXE, PHONE
from tests.live.support.waiting import until
from tests.live.viewers.test_log_viewer import LogViewerTest


class Redrawn(LogViewerTest):
    """Lines over which others have written."""

    def test_raw(self) -> None:
        """Rows are shown as a terminal would have ended them, all that came by a switch; a filter sees the same."""
        self.begin_alone("one\n\x1b[31ma1: Waiting\nb2: Waiting\n")
        self.shows("b2: Waiting")
        self.append("\x1b[2A\x1b[2K\ra1: Complete\r\x1b[2B\x1b[m")
        self.assertEqual(self.shows("a1: Complete"), ["one", "a1: Complete", "b2: Waiting"])
        self.view.evaluate("log.filter('waiting')")
        self.until("() => rows().length === 1", what="the filter")
        self.append("\x1b[1Ab2: Waiting no more\n1%\r100%\n")
        self.until("() => rows()[0] === 'b2: Waiting no more'", what="the row that was written over")
        self.view.evaluate("log.filter('')")
        self.assertEqual(self.shows("100%")[1:], ["a1: Complete", "b2: Waiting no more", "100%"])
        self.assertEqual(self.view.locator("stream-log .over").count(), 2)  # rows that hide something
        red = "part('.list .row:nth-child(2) .text span').className"
        self.assertEqual(self.view.evaluate(red), "front-1")
        self.press("Raw")
        rows = self.shows("1%␍100%")
        self.assertEqual(rows[:3], ["one", "␛[31ma1: Waiting", "b2: Waiting"])
        self.assertIn("␛[2A␛[2K␍a1: Complete␍␛[2B␛[m␛[1Ab2: Waiting no more", rows)
        self.press("Raw")
        self.until("() => rows().length === 4", what="the rows as they are at the end")
        self.assert_content()


FRONTS = [f"{30 + at if at < 8 else 82 + at}" for at in range(16)]
BACKS = [f"{40 + at if at < 8 else 92 + at}" for at in range(16)]
PAIRS = "".join(
    "".join(f"\x1b[{front};{back}m{at} on {under}\x1b[m " for at, front in enumerate(FRONTS))
    + f"\x1b[7;{FRONTS[under]}m{under} inverse\x1b[m \x1b[{back}m{under} alone\x1b[m\n"
    for under, back in enumerate(BACKS)
)
CONTRASTS = """(least) => {
  const parts = (color) => color.match(/[\\d.]+/g).map(Number).slice(0, 3);
  const light = (color) => parts(color).map((each) => each / 255)
    .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
    .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
  const found = [...part('.list').querySelectorAll('.text span')].filter((each) => each.className).map((span) => {
    const { color, backgroundColor } = getComputedStyle(span);
    const [low, high] = [light(color), light(backgroundColor)].sort((one, other) => one - other);
    return [span.textContent, (high + 0.05) / (low + 0.05)];
  });
  return [found.length, found.filter(([, contrast]) => contrast < least)];
}"""


class Colours(LogViewerTest):
    """The 16 colours of terminals."""

    def test_pairs(self) -> None:
        """Each of the 16 colours can be read on each other, and so can inverse text and what has only a background."""
        self.begin_alone(PAIRS)
        self.shows("15 on 15")
        for scheme in ("light", "dark"):
            self.view.evaluate("(scheme) => { document.documentElement.style.colorScheme = scheme; }", scheme)
            number, unreadable = self.view.evaluate(CONTRASTS, 4.5)
            self.assertEqual((number, len(unreadable), unreadable[:5]), (16 * 18, 0, []), scheme)
        self.assert_content()


class Selecting(LogViewerTest):
    """Text of the log that is selected."""

    def selected(self) -> str:
        return str(self.view.evaluate("(log.shadowRoot.getSelection?.() ?? getSelection()).toString()"))

    def test_holds(self) -> None:
        """What is selected stays so while lines come and its own line grows, and then following goes on."""
        self.begin_alone("".join(f"line {number} of it\n" for number in range(100)) + "unfinished")
        self.shows("unfinished")
        begin, end = (
            self.view.locator("stream-log .row").filter(has_text=text).locator(".text > span").first.bounding_box()
            for text in ("line 97 of it", "unfinished")
        )
        self.view.mouse.move(begin["x"] + 1, begin["y"] + 5)
        self.view.mouse.down()
        self.view.mouse.move(end["x"] + end["width"] - 1, end["y"] + 5, steps=5)
        self.view.mouse.up()
        wanted = "line 97 of it\nline 98 of it\nline 99 of it\nunfinished"
        self.assertEqual(self.selected(), wanted)
        self.append(" no more\n" + "".join(f"new {number}\n" for number in range(200)))
        newest = self.view.locator("stream-log .newest")
        until(lambda: newest.text_content() == "↓ 200 new lines", what="the count of new lines")
        self.assertEqual(self.selected(), wanted)
        self.view.mouse.click(begin["x"] + 300, begin["y"] - 100)
        self.shows("new 199")
        self.assertTrue(newest.is_hidden())
        self.assertTrue(self.view.evaluate("log.following"))
        self.assertEqual(self.selected(), "")
        self.assert_content()


LEAVE = """async () => {
  const [scroller, panel] = [part('.scroller'), document.querySelector('.panel')];
  const { get, set } = Object.getOwnPropertyDescriptor(Element.prototype, 'scrollTop');
  const { port1, port2 } = new MessageChannel();
  const left = new Promise((leave) => {
    port1.onmessage = () => leave(panel.hidden = true);
    const scrolls = (to) => {
      set.call(scroller, to);
      delete scroller.scrollTop;
      port2.postMessage(''); // behind this frame, but before the page hears of the scroll
    };
    Object.defineProperty(scroller, 'scrollTop', { configurable: true, get, set: scrolls });
  });
  pour('line {line}\\n', 50);
  await left;
  pour('line {line}\\n', 50);
  for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
  panel.hidden = false;
}"""
"""Hide a log in the moment in which it has scrolled for new lines, and show it again after further ones."""


class Left(LogViewerTest):
    """A log whose tab isn't shown for a while."""

    def test_follows(self) -> None:
        """It follows on when it is shown again, also if it had just scrolled as it was left."""
        self.begin_alone("".join(f"first {number}\n" for number in range(100)))
        self.shows("first 99")
        self.view.evaluate(LEAVE)
        self.shows("line 99")
        self.assertTrue(self.view.evaluate("log.following"))
        self.assert_content()


LEVELS = """2026-03-02 INFO started
2026-03-02 ERROR failed
java.lang.IllegalStateException: gone
\tat com.x.Y.run(Y.java:7)
\tat com.x.Y.find(Y.java:8)
{"level": "warn", "ms": 412, "msg": "slow"}
plain
2026-03-02 DEBUG last
"""


class Levels(LogViewerTest):
    """What is recognised in lines."""

    def test_levels(self) -> None:
        """Levels and JSON are coloured, and filter; a stack trace is folded with its line until it is wanted."""
        self.begin_alone(LEVELS)
        rows = self.shows("DEBUG last")
        folded = [line for line in LEVELS.splitlines() if "\tat" not in line]
        folded[2] += "▸ 2 lines"
        self.assertEqual(rows, folded)
        look = "(n) => getComputedStyle(part(`.row:nth-child(${n}) .text`)).color"
        self.assertEqual(len({self.view.evaluate(look, row) for row in (1, 2, 4, 6)}), 4)
        self.assertEqual(self.view.evaluate("part('.json-value').textContent"), "412")
        self.view.get_by_role("combobox", name="Level").select_option("Errors")
        self.until("() => rows().length === 2", what="the errors")
        self.press("Stack trace of 2 lines")
        self.until("() => rows().length === 4", what="the trace, of the level of its line")
        self.press("Stack trace of 2 lines")
        self.until("() => rows().length === 2", what="the trace folded again")
        self.view.evaluate("log.level('warn')")
        self.until("() => rows().length === 3", what="warnings, too")
        self.view.evaluate("log.level(''); log.search('Y.find')")
        self.until("() => part('.count').textContent === '1'", what="what is in the trace")
        self.view.get_by_role("searchbox", name="Search").press("Enter")
        self.until("() => part('.current .text')?.textContent.includes('Y.find')", what="the trace unfolded")
        self.append("panic: x\n\tat com.x\n")
        self.press("Fold")
        self.until("() => rows().length === 10", what="all lines")
        self.assert_content()


SEVERAL = """window.sinks = {};
window.from = (name) => {
  const items = new ReadableStream({ start(sink) { sinks[name] = sink; } });
  let end;
  const closed = new Promise((settle) => { end = settle; });
  const stream = { items, place: null, closed, close() {} };
  sinks[name].end = (words) => { end({ code: 4005, words, clean: false }); sinks[name].close(); };
  log.source(name).follow(stream);
};
window.say = (name, text) => sinks[name].enqueue(new TextEncoder().encode(text));
null;"""


class Several(LogViewerTest):
    """Logs of several hosts in one view."""

    def begin_several(self, **page: object) -> None:
        self.view = self.bare(**page)
        self.begin_alone()
        self.view.evaluate(SEVERAL)
        self.view.evaluate("document.querySelector('.panel').style.width = '100%'")
        for name in ("web-1", "web-2", "db-primary"):
            self.view.evaluate("(name) => from(name)", name)

    def say(self, name: str, text: str) -> None:
        self.view.evaluate("([name, text]) => say(name, text)", [name, text])

    def sources(self) -> list[str]:
        """The sources of the rows in sight."""
        return list(self.view.locator("stream-log .row .source").all_text_contents())

    def test_one_view(self) -> None:
        """Lines stand as they came, each with its source; colours are each source's own; all is searched and copied."""
        self.begin_several(viewport={"width": 900, "height": 500})
        self.say("web-1", "\x1b[31mred\n")
        self.say("web-2", "plain\n10%")
        self.say("web-1", "still red\x1b[m\n")
        self.say("web-2", "\r100%\n")
        self.say("db-primary", "ERROR: one\n    at a.b(c.js:1)\n")
        rows = ["red", "plain", "still red", "100%", "ERROR: one▸ 1 line"]
        self.assertEqual(self.shows("ERROR"), rows)
        self.assertEqual(self.sources(), ["web-1", "web-2", "web-1", "web-2", "db-primary"])
        styled = "[...part('.list').querySelectorAll('.front-1')].map((each) => each.textContent)"
        self.assertEqual(self.view.evaluate(styled), ["red", "still red"])
        self.view.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.press("Copy")
        self.until("() => part('.words').textContent === 'Copied'")
        copied = "web-1: red\nweb-2: plain\nweb-1: still red\nweb-2: 100%\n"
        traced = "db-primary: ERROR: one\ndb-primary:     at a.b(c.js:1)\n"
        self.assertEqual(self.view.evaluate("navigator.clipboard.readText()"), copied + traced)
        self.view.evaluate("log.filter('e')")
        self.until("() => rows().length === 3", what="the filter over all")
        self.view.evaluate("log.filter('')")
        chip = self.view.get_by_role("group", name="Sources").get_by_role("button", name="web-1")
        chip.press("Space")
        self.until("() => rows().length === 3", what="the lines without those of web-1")
        self.assertNotIn("web-1", self.sources())
        chip.press("Space")
        self.until("() => rows().length === 5", what="all lines")
        self.assert_content()

    def test_ends(self) -> None:
        """Of each source is told how it stands: its end in a line of its own and in the bar, and what of it was
        dropped; the others go on."""
        self.begin_several(viewport={"width": 900, "height": 500})
        self.view.evaluate("log.setAttribute('max-lines', 2000)")
        self.view.evaluate("log.addEventListener('ended', ({ detail }) => { window.ended = detail; })")
        self.say("web-2", "quiet\n")
        self.shows("quiet")
        self.view.evaluate("sinks['web-2'].end('lost the connection to the other side')")
        words = "Ended: lost the connection to the other side"
        self.assertEqual(self.shows("lost the connection"), ["quiet", words])
        self.assertEqual(self.sources(), ["web-2", "web-2"])
        self.assertEqual(self.view.evaluate("ended.source"), "web-2")
        one = "(n) => part(`.one:nth-child(${n})`).textContent"
        self.assertEqual(self.view.evaluate(one, 2), f"web-2{words}")
        self.assertEqual(self.view.evaluate(one, 1), "web-1")
        for number in range(3):
            self.say("web-1", f"burst {number}\n" * 1500)
        self.shows("burst 2")
        self.until("() => part('.one:nth-child(2)').textContent.endsWith('all of its 2 lines dropped')")
        self.until("() => /the oldest .* lines dropped/.test(part('.one:nth-child(1)').textContent)")
        self.view.evaluate("sinks['web-1'].enqueue({ place: 'x', lost: true })")
        self.shows("Lines may be missing here")
        self.assertEqual(self.sources()[-1], "web-1")
        self.view.evaluate("log.leave('web-2')")
        self.assertEqual(self.view.locator("stream-log .one").count(), 2)
        self.assert_content()

    def test_urls(self) -> None:
        """Sources can be given as a list of names and URLs, and one that fails is told by its name."""
        self.begin_alone()
        self.view.evaluate("log.sources = [{ name: 'a', src: 'ws://127.0.0.1:1/a' }, { name: 'b', src: 'ftp://b' }]")
        self.until("() => /can't be reached/.test(part('.one:nth-child(1)').textContent)", what="the end of a")
        self.until("() => /no websocket/.test(part('.one:nth-child(2)').textContent)", what="the end of b")
        self.view.evaluate("log.sources = [{ name: 'b', src: 'ftp://b' }]")
        self.until("() => part('.sources').textContent.startsWith('b')", what="a is left")
        self.view.evaluate("log.setAttribute('sources', 'x')")
        self.until("() => part('.words').textContent.includes('not a list')")

    def test_everybody(self) -> None:
        """axe-core finds nothing, in light and dark; on a phone the names take a part of the row."""
        if not AXE.exists():
            raise SkipTest("needs axe-core: npm ci --prefix tests")
        self.begin_several(**PHONE)
        for name in ("web-1", "web-2", "db-primary") * 5:
            self.say(name, "2026-03-02T09:00:00Z \x1b[32mINFO\x1b[m GET /api/orders 200 in 12 ms\n")
        self.view.evaluate("sinks['web-2'].end('lost the connection to the other side')")
        self.shows("lost the connection")
        self.assertLessEqual(self.view.evaluate("document.documentElement.scrollWidth"), 390)
        self.assertLess(self.view.evaluate("part('.source').getBoundingClientRect().width"), 390 / 4)
        self.view.evaluate(AXE.read_text())
        for scheme in ("light", "dark"):
            self.view.evaluate("(scheme) => { document.documentElement.style.colorScheme = scheme; }", scheme)
            run = "axe.run('stream-log', { resultTypes: ['violations'] }).then(({ violations }) => violations)"
            found = [f"{one['id']}: {node['html'][:200]}" for one in self.view.evaluate(run) for node in one["nodes"]]
            self.assertEqual(found, [], scheme)
            self.picture(self.view, f"log-several-phone-{scheme}")


class Phone(LogViewerTest):
    """A log on a phone."""

    def test_one_bar(self) -> None:
        """The buttons are one row; search and filter are behind one of them, which tells if lines are held back."""
        self.view = self.bare(**PHONE)
        self.begin_alone("one\ntwo\n")
        self.shows("two")
        self.view.evaluate("document.querySelector('.panel').style.width = '100%'")
        height = "part('.bar').getBoundingClientRect().height"
        self.assertLess(self.view.evaluate(height), 64)
        field = self.view.get_by_role("searchbox", name="Filter")
        self.assertFalse(field.is_visible())
        self.view.locator("stream-log .find").click()
        field.fill("one")
        self.until("() => rows().length === 1", what="the filter")
        self.view.locator("stream-log .find").click()
        self.assertFalse(field.is_visible())
        self.assertIn("●", self.view.locator("stream-log .find").text_content())
        self.assertLess(self.view.evaluate(height), 64)
        self.view.locator("stream-log .scroller").press("/")
        self.assertEqual(self.view.evaluate("log.shadowRoot.activeElement.getAttribute('aria-label')"), "Search")
        self.assertTrue(field.is_visible())
        self.assert_content()
