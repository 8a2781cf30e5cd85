"""The console's page of live streams: what is seen, found, and not known. In Chromium."""

import re
from itertools import pairwise
from typing import Any

from tests.live.console.console import ConsoleTest
from tests.live.console.fleet import FleetPlatform, many, stream
from tests.live.support.browser import tasks
from tests.live.support.waiting import until

HIDE = """(hidden) => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
  document.dispatchEvent(new Event('visibilitychange')); }"""
ROWS = """() => {
  const outer = document.querySelector('.streams-rows').getBoundingClientRect();
  return [...document.querySelectorAll('.streams-list .stream')]
    .map((row) => ({ id: row.dataset.row, ...JSON.parse(JSON.stringify(row.getBoundingClientRect())) }))
    .filter(({ bottom, top }) => bottom > outer.top && top < outer.bottom)
    .sort((one, other) => one.top - other.top);
}"""
"""The rows in sight, and where they are."""


class StreamsTest(ConsoleTest):
    """A page whose platform has the test's own streams. `common` is the platform."""

    common: FleetPlatform

    def start(self) -> FleetPlatform:
        platform = FleetPlatform(many(3))
        self.addCleanup(platform.stop)
        return platform

    def give(self, *streams: Any) -> None:
        """Have these streams be there, and no other."""
        self.common.streams = {one["stream"]: one for one in streams}

    def come(self, **settings: Any) -> Any:
        """The page of live streams, by its button."""
        page = self.signed_in(**settings)
        page.get_by_role("link", name="Live streams").click()
        self.expect(page.get_by_role("heading", name="Live streams")).to_be_visible()
        return page

    def row(self, page: Any, number: int) -> Any:
        return page.locator(f'.streams-list [data-row$="/s{number:021}"]')

    def count(self, page: Any, words: str) -> None:
        self.expect(page.locator(".streams-head .count")).to_have_text(words)

    def dialog(self, page: Any) -> Any:
        return page.get_by_role("dialog")

    def confirm(self, page: Any, act: str) -> None:
        """Say yes to what is asked, once that can be meant."""
        button = self.dialog(page).get_by_role("button", name=act, exact=True)
        self.expect(button).not_to_have_attribute("aria-disabled", "true")
        button.click()


class Seen(StreamsTest):
    """What is seen of streams."""

    def test_rows(self) -> None:
        """Each stream has its host, target, user, for how long, and bytes each way; what waits or carries channels says
        so. The address names the page, which stays over a reload, and back leads out of it."""
        self.give(
            stream(1, user="ali<b>ce", seconds=3725, up=999, down=4_711_000),
            stream(4, waiting=True, seconds=4),
            stream(7, channels=1, seconds=200_000, up=1_000, down=123_456_789_012),
        )
        page = self.come()
        self.count(page, "3 streams")
        cells = [self.row(page, number).get_by_role("gridcell") for number in (1, 4, 7)]
        self.expect(cells[0]).to_have_text(["web-1", "app/log", "ali<b>ce", "1 h 2 min", "999 bytes", "4.7 MB", "End"])
        self.expect(cells[1].nth(1)).to_have_text("shell waiting")
        self.expect(cells[2].nth(1)).to_have_text("db 1 channel")
        self.expect(cells[2].nth(3)).to_have_text("2 d 7 h")
        self.expect(cells[2].nth(5)).to_have_text("123 GB")
        self.assertTrue(page.url.endswith("/#/streams"))
        self.expect(page).to_have_title("Live streams · streamrelay")
        page.reload()
        self.count(page, "3 streams")
        page.go_back()
        self.expect(page.locator("#overview")).to_be_visible()
        self.expect(page.locator("#streams")).to_be_hidden()
        page.go_forward()
        self.count(page, "3 streams")
        page.get_by_role("button", name="Close live streams").click()
        self.expect(page.locator("#overview")).to_be_visible()
        self.assertNotIn("#", page.url)
        self.assert_content()

    def test_beside_tabs(self) -> None:
        """Tabs go on beside it; a click on one leads there, the page's cross to the one before; closing another tab
        leaves the page where it is."""
        self.give(stream(1))
        page = self.signed_in()
        for target in ("app/log", "shell"):
            page.locator("#hosts .target").filter(has_text=target).first.click()
        page.get_by_role("link", name="Live streams").click()
        self.count(page, "1 stream")
        self.expect(page.get_by_role("tabpanel")).to_have_count(0)
        tabs = page.get_by_role("tab")
        tabs.first.click(button="middle")
        self.expect(tabs).to_have_count(1)
        self.count(page, "1 stream")
        page.get_by_role("button", name="Close live streams").click()
        self.expect(tabs.first).to_have_attribute("aria-selected", "true")
        page.get_by_role("link", name="Live streams").click()
        self.expect(tabs.first).to_have_attribute("aria-selected", "false")
        tabs.first.click()
        self.expect(page.locator("#streams")).to_be_hidden()
        self.assert_content()

    def test_none(self) -> None:
        """Where there is none it says so, and while the hosts are asked for the first time, that."""
        self.common.hold()
        page = self.come()
        self.expect(page.locator("#streams .empty")).to_have_text("Asking the hosts …")
        self.common.let_all()
        self.expect(page.locator("#streams .empty")).to_have_text("No stream lives that you might open.")
        self.assert_accessible(page, "no stream")
        self.assert_content()

    def test_up_to_date(self) -> None:
        """It is asked for every five seconds while it is looked at: not when the page is out of sight, or another is
        shown. What comes, changes and goes is seen, and the focus stays."""
        self.give(*(stream(number) for number in (1, 4, 7)))
        page = self.come()
        self.count(page, "3 streams")
        self.row(page, 4).focus()
        self.give(stream(0), stream(4, down=5_000_000), stream(7))
        self.expect(self.row(page, 1)).to_have_count(0)
        self.expect(self.row(page, 0)).to_be_visible()
        self.expect(self.row(page, 4)).to_contain_text("5.0 MB")
        self.expect(self.row(page, 4)).to_be_focused()
        asked: list[str] = []  # by the page, as what was asked before may reach the platform late
        page.on("request", lambda request: asked.append(request.url))
        page.evaluate(HIDE, True)
        asked.clear()
        page.wait_for_timeout(6000)
        self.assertEqual([url for url in asked if "/v1/streams" in url], [])
        with page.expect_request("**/v1/streams?*"):
            page.evaluate(HIDE, False)
        page.get_by_role("button", name="Close live streams").click()
        self.expect(page.locator("#streams")).to_be_hidden()
        asked.clear()
        page.wait_for_timeout(6000)
        self.assertEqual([url for url in asked if "/v1/streams" in url], [])
        self.assert_content()

    def test_found(self) -> None:
        """Every word is looked for in host, target, user and stream, and marked; who finds nothing is told, Escape
        clears. They are sorted as is chosen."""
        self.give(*(stream(number) for number in range(30)))
        page = self.come()
        field = page.get_by_label("Filter streams")
        field.fill("BOB web-1 sh")
        self.count(page, "1 of 30 streams")
        self.expect(self.row(page, 28).locator("mark")).to_have_text(["web-1", "sh", "bob"])
        field.fill("nothing like it")
        self.expect(page.locator("#streams .empty")).to_have_text("No stream has these words.")
        field.press("Escape")
        self.count(page, "30 streams")
        for order, first in (("newest", 0), ("oldest", 29), ("bytes", 29), ("host", 0)):
            page.get_by_label("Sort by").select_option(order)
            self.assertEqual(page.evaluate(ROWS)[0]["id"][-2:], f"{first:02}", order)
        self.assert_content()

    def test_scrolled(self) -> None:
        """Who scrolls just before rows are shown anew stays there: the page hears of it only with the next frame."""
        self.give(*(stream(number) for number in range(1000)))
        page = self.come()
        self.count(page, "1,000 streams")
        page.evaluate("""() => {
            document.querySelector('.streams-rows').scrollTop = 10000;
            document.querySelector('.order select').dispatchEvent(new Event('change'));
        }""")
        self.assertEqual(page.evaluate("document.querySelector('.streams-rows').scrollTop"), 10_000)
        page.evaluate("new Promise(requestAnimationFrame)")
        self.assertEqual(page.evaluate("document.querySelector('.streams-rows').scrollTop"), 10_000)
        self.assertGreater(len(page.evaluate(ROWS)), 5)

    def test_many(self) -> None:
        """Ten thousand streams: the first are there soon, rows are drawn only where they are seen and stand one below
        the other, a key in the filter and a further answer hold nothing up. The bounds leave a busy machine three
        times what is wanted."""
        self.give(*(stream(number) for number in range(10_000)))
        page = self.come()
        self.count(page, "10,000 streams")
        self.assertLess(page.locator("#streams *").count(), 900)
        page.evaluate("document.querySelector('.streams-rows').scrollTop = 100000")
        rows = until(lambda: self.others_in_line(page), what="other rows, each right below the one above")
        first = rows[1]["id"]
        with tasks(self.browser) as took:
            page.get_by_label("Filter streams").fill("carol web-33 shell")
            self.expect(page.locator(".streams-head .count")).to_have_text(re.compile("of 10,000 streams"))
            page.get_by_label("Filter streams").fill("")
            self.count(page, "10,000 streams")
        print(f"\nfigure: 10,000 streams: no task over {max(took):.0f} ms")
        self.assertLess(max(took), 3 * 200)
        self.assertTrue(first)
        self.assert_content()

    def others_in_line(self, page: Any) -> Any:
        """The rows in sight; none until they are others than the first, and are drawn."""
        rows = page.evaluate(ROWS)
        apart = [below["top"] - above["bottom"] for above, below in pairwise(rows)]
        well = len(rows) > 5 and rows[0]["id"] != "web-1/s" + "0" * 21 and all(abs(gap) < 2 for gap in apart)
        return rows if well else []


class NotKnown(StreamsTest):
    """What is said of what isn't known."""

    def trouble(self, page: Any) -> Any:
        return page.locator("#streams .trouble")

    def test_missing(self) -> None:
        """Hosts that haven't answered are named, or counted where they are many; where nobody knows which, that."""
        self.give(stream(1))
        names = [f"web-{number}" for number in range(7)]
        page = self.come()
        self.count(page, "1 stream")
        self.expect(self.trouble(page)).to_be_hidden()
        for missing, missed, words in (
            (["web-7"], 1, "No answer of web-7: streams of this host may be missing here."),
            (
                names,
                107,
                "No answer of web-0, web-1, web-2, web-3, web-4 and 102 others: streams of these hosts may be",
            ),
            ([], 0, "Not all hosts are known, or have answered: streams may be missing here."),
        ):
            self.common.whole = {"complete": False, "missing": missing, "missed": missed}
            self.expect(self.trouble(page)).to_contain_text(words)
        self.assert_accessible(page, "hosts that haven't answered")
        self.common.whole = {"complete": True, "missing": [], "missed": 0}
        self.expect(self.trouble(page)).to_be_hidden()
        self.assert_content()

    def test_old(self) -> None:
        """While the platform can't say, what was known stays, with as of when, and it goes on by itself; a session that
        is over brings the form, and its user comes back to the page."""
        self.give(stream(1))
        page = self.come()
        self.count(page, "1 stream")
        self.common.refuses = {"status": 503, "code": "bus_down", "detail": "the platform has no connection to NATS"}
        words = re.compile(r"^The platform has no connection to NATS\. This is as of .*\d.*\. Trying again …$")
        self.expect(self.trouble(page)).to_have_text(words)
        self.expect(self.row(page, 1)).to_be_visible()
        self.common.refuses = None
        self.expect(self.trouble(page)).to_be_hidden()
        page.context.clear_cookies()
        self.expect(page.locator("#signin-why")).to_contain_text("Your session is over")
        self.expect(page.locator("#streams")).to_be_hidden()
        self.sign_in(page)
        self.count(page, "1 stream")
        self.complaints.clear()
        self.assert_content()

    def test_older_platform(self) -> None:
        """A platform that knows no pages, and doesn't say what may be ended, is listed all the same."""
        one = {name: value for name, value in stream(1).items() if name not in ("end", "since")}
        self.common.streams = {}
        page = self.signed_in()
        listed = {"streams": [one], "complete": False}
        page.route("**/v1/streams?*", lambda route: route.fulfill(json=listed))
        page.get_by_role("link", name="Live streams").click()
        self.count(page, "1 stream")
        self.expect(self.trouble(page)).to_contain_text("Not all hosts are known")
        self.expect(self.row(page, 1).get_by_role("button", name="End")).to_be_visible()
        self.assert_content()
