"""The console's list of hosts as these come and go, and what it keeps of who looks at it. In Chromium."""

import re
import time
from pathlib import Path
from typing import Any

from tests.live.console.console import DRAWN
from tests.live.console.fleet import entry, many
from tests.live.console.test_fleet import ROWS, FleetTest
from tests.live.support.waiting import until

TITLE = re.compile("last heard of .*20\\d\\d")


class Changes(FleetTest):
    """What is told of hosts is seen at once."""

    def listening(self, what: int = 1) -> None:
        until(lambda: len(self.common.listeners) == what, what=f"{what} pages that listen")

    def asked(self) -> list[str]:
        """Questions for hosts, but for how many there are, which is asked every 20 s."""
        return [path for path in self.common.asked if not path.endswith("limit=1")]

    def test_come_and_go(self) -> None:
        """A host that comes is listed in its place; one that doesn't answer is marked; one that is down stands below,
        with when it was seen; one that is gone isn't listed. No question is asked for it."""
        self.fleet(*(entry(f"web-{number}") for number in (1, 2, 10)))
        page = self.all_here()
        self.expect(page.locator("#count")).to_have_text("3 hosts up")
        until(lambda: len(self.asked()) == 3, what="the first hosts, the changes, and all hosts to be asked for")
        self.common.change(entry("web-9"), entry("web-10", "silent", time.time() - 30))
        self.expect(page.locator("#hosts-list .host .name")).to_have_text(["web-1", "web-2", "web-9", "web-10"])
        self.expect(self.row(page, "web-10").locator(".tag")).to_have_text("no answer")
        self.expect(self.row(page, "web-9/shell")).to_be_visible()  # few hosts are open
        self.common.change(entry("web-2", "down", time.time() - 3 * 3600 - 60))
        self.expect(self.row(page, "/down")).to_have_text("Down 1")
        self.expect(self.row(page, "web-2")).to_contain_text("last seen 3 h ago")
        self.expect(self.row(page, "web-2")).to_have_attribute("title", TITLE)
        self.expect(self.row(page, "web-2/shell")).to_have_count(0)
        self.expect(page.locator("#count")).to_have_text("3 hosts up")
        self.picture(page, "console-down")
        self.assert_accessible(page, "hosts that are down")
        self.common.change(entry("web-2"), gone=["web-1"])
        self.expect(page.locator("#hosts-list .host .name")).to_have_text(["web-2", "web-9", "web-10"])
        self.assertEqual(len(self.asked()), 3)
        self.assert_content()

    def test_many_down(self) -> None:
        """Many that are down are behind one row, which opens; what is up isn't drowned by them."""
        self.fleet(*(entry(f"web-{number}", "down" if number > 5 else "up", 1) for number in range(1, 400)))
        page = self.all_here()
        self.expect(page.locator("#hosts-list .row.host")).to_have_count(5)
        self.row(page, "/down").click()
        self.expect(self.row(page, "web-6")).to_be_visible()
        self.expect(self.row(page, "web-6")).to_have_attribute("aria-level", "2")
        self.assert_content()

    def test_place_stays(self) -> None:
        """What is in sight, and the focus, stay where they are while rows come and go above; if the row with the focus
        goes, the one in its place has it."""
        page = self.all_here()
        page.evaluate("document.querySelector('#hosts-rows').scrollTop = 100000")
        until(lambda: self.top(page) not in ("", "web-1"), what="other rows")
        first = page.evaluate(ROWS)[1]
        self.row(page, first["id"]).click()
        self.expect(self.row(page, f"{first['id']}/shell")).to_be_visible()
        self.common.change(*(entry(f"app-{number}") for number in range(50)), gone=["web-1", "web-2"])
        self.expect(page.locator("#count")).to_have_text("10,035 hosts up")
        self.assertEqual(page.evaluate(ROWS)[1], first)
        self.expect(self.row(page, first["id"])).to_be_focused()
        following = f"web-{int(first['id'].removeprefix('web-')) + 1}"
        self.row(page, first["id"]).press("ArrowLeft")
        self.common.change(gone=[first["id"]])
        self.expect(self.row(page, first["id"])).to_have_count(0)
        self.expect(self.row(page, following)).to_be_focused()
        self.assert_content()

    def test_many_changes(self) -> None:
        """While a hundred hosts change each moment what is typed is found, and the list is right in the end."""
        page = self.all_here()
        for turn in range(20):
            state = "down" if turn % 2 == 0 else "up"
            self.common.change(*(entry(f"web-{number}", state, 1) for number in range(100, 200)))
            page.locator("#filter").fill(f"web-{100 + turn} shell")
        self.expect(page.locator("#count")).to_have_text("11 of 10,000 hosts")
        self.expect(self.row(page, "web-119/shell")).to_be_visible()
        page.locator("#filter").fill("")
        self.expect(page.locator("#count")).to_have_text("9,987 hosts up")
        self.assert_content()

    def test_out_of_sight(self) -> None:
        """A page that nobody looks at doesn't listen; when it is seen again it is right."""
        self.fleet(*many(500))
        page = self.all_here()
        self.listening()
        hidden = "(hidden) => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
        hidden += " document.dispatchEvent(new Event('visibilitychange')); }"
        page.evaluate(hidden, True)
        self.common.change(gone=["web-1"])
        self.listening(0)
        self.expect(self.row(page, "web-1")).to_be_visible()
        page.evaluate(hidden, False)
        self.expect(self.row(page, "web-1")).to_have_count(0)
        self.listening()
        self.assert_content()

    def test_troubles(self) -> None:
        """What the platform says of its own troubles is said above the list, which stays; then it goes on by itself. A
        session that is over elsewhere brings the form."""
        self.fleet(*many(500))
        page = self.all_here()
        trouble = page.locator("#trouble")
        self.listening()
        self.common.tell("trouble", {"status": 503, "code": "bus_down", "detail": "the connection to NATS is lost"})
        self.expect(trouble).to_have_text("The connection to NATS is lost. Trying again …")
        self.expect(self.row(page, "web-1")).to_be_visible()
        with page.expect_event("requestfinished", lambda asked: "after=" in asked.url):  # all are asked for once more
            self.common.change(entry("web-1"))
        self.expect(trouble).to_be_empty()
        self.common.complete = False
        self.common.change(entry("web-1"))
        self.expect(trouble).to_have_text("Not all hosts are known yet, the platform is hearing of them …")
        self.common.complete = True
        self.common.refuses = {"status": 503, "detail": "the platform stops"}
        self.common.tell("over", self.common.refuses)
        self.expect(trouble).to_have_text("The platform stops. Trying again …")
        self.expect(self.row(page, "web-1")).to_be_visible()
        self.common.refuses = None
        self.expect(trouble).to_be_empty()
        self.listening()
        page.context.clear_cookies()
        self.common.tell("over", {"status": 401, "detail": "the session is over"})
        self.expect(page.locator("#signin-why")).to_contain_text("Your session is over")
        self.expect(page.locator("#hosts-list .row")).to_have_count(0)
        self.complaints.clear()  # how the browser notes a stream of events that is refused
        self.assert_content()

    def test_older_platform(self) -> None:
        """A platform that tells no changes is asked every 3 s: one that fails to answer once is marked and stays, so do
        all where not all have answered, which is said."""
        self.fleet(entry("web-1"), entry("web-2"))
        self.common.old = True
        page = self.all_here()
        self.common.hosts.pop("web-2")
        self.common.complete = False
        self.expect(page.locator("#trouble")).to_have_text("Not all hosts answered. Trying again …")
        self.expect(self.row(page, "web-2").locator(".tag")).to_have_text("no answer")
        asked = len(self.common.asked)
        until(lambda: len(self.common.asked) >= asked + 2, what="further questions")
        self.expect(self.row(page, "web-2/shell")).to_be_visible()
        self.common.complete = True
        self.expect(self.row(page, "web-2")).to_have_count(0)
        self.expect(page.locator("#trouble")).to_be_empty()
        self.assert_content()


class Keeping(FleetTest):
    """What is pinned, and what was opened."""

    def kept(self, page: Any) -> Any:
        return page.evaluate("JSON.parse(localStorage.getItem('hosts'))")

    def test_pins(self) -> None:
        """Hosts and targets are pinned on top by a button or a key, each user's own; after a reload they are there,
        signing out forgets them. Nothing but names is kept."""
        self.fleet(*many(500))
        page = self.all_here()
        self.row(page, "web-3").hover()
        self.row(page, "web-3").get_by_role("button", name="Pin").click()
        self.expect(page.locator("#said")).to_have_text("web-3 is pinned on top.")
        self.row(page, "web-2").click()
        self.row(page, "web-2").press("ArrowRight")
        page.keyboard.press("p")
        self.expect(page.locator("#said")).to_have_text("app/log on web-2 is pinned on top.")
        self.assertEqual(self.kept(page), {"alice": {"pinned": [["web-3", ""], ["web-2", "app/log"]], "recent": []}})
        page.reload()
        self.all_known(page)
        self.expect(page.locator("#hosts-list .row").nth(1)).to_have_attribute("data-row", "/pinned/web-3")
        self.row(page, "/pinned/web-3").click()
        self.expect(self.row(page, "/pinned/web-3/shell")).to_have_attribute("aria-level", "3")
        self.assert_accessible(page, "pinned ones")
        page.context.clear_cookies()
        page.reload()
        self.sign_in(page, "srk_bob")
        self.all_known(page)
        self.expect(self.row(page, "/pinned")).to_have_count(0)
        page.get_by_role("button", name="Sign out").click()
        self.expect(page.locator("#key")).to_be_focused()
        self.sign_in(page, "srk_alice")
        self.row(page, "/pinned/web-2/app/log").press("p")
        self.expect(self.row(page, "/pinned/web-2/app/log")).to_have_count(0)
        page.get_by_role("button", name="Sign out").click()
        self.expect(page.locator("#key")).to_be_focused()
        self.assertEqual(page.evaluate("JSON.stringify({ ...localStorage })"), "{}")
        self.assert_content()

    def test_recent(self) -> None:
        """What was opened stands on top once nobody is at the list, so that no row moves below a hand; of few hosts
        nothing is kept."""
        page = self.all_here(viewport={"width": 1120, "height": 580})
        self.row(page, "web-2").hover()
        self.row(page, "web-2").get_by_role("button", name="Pin").click()
        self.row(page, "web-1").click()
        self.row(page, "web-1/app/log").click()
        self.expect(page.get_by_role("tab")).to_have_count(1)
        self.expect(self.row(page, "/recent")).to_have_count(0)
        page.mouse.move(900, 500)
        self.expect(self.row(page, "/recent/web-1/app/log")).to_contain_text("web-1")
        self.row(page, "web-1/logs/{name}").click()
        page.get_by_label("name", exact=True).fill("shop")
        page.keyboard.press("Enter")
        page.mouse.move(900, 500)
        self.expect(self.row(page, "/recent/web-1/logs/shop")).to_be_visible()
        page.goto(self.common.console)
        page.reload()
        self.all_known(page)
        self.row(page, "web-1").click()
        page.mouse.move(900, 300)
        page.evaluate(DRAWN)
        self.picture(page, "console-hosts")
        self.assertLess((Path("screenshots") / "console-hosts.png").stat().st_size, 150_000)
        self.fleet(*many(500))
        for text in ('{"alice":{"pinned":[["<b>","x"],[1],["web-2","../x"],["web-4",""]]}}', "[]", "no JSON"):
            page.evaluate("(text) => localStorage.setItem('hosts', text)", text)
            page.reload()
            self.all_known(page)
            pinned = page.locator("#hosts-list [data-row^='/pinned/']")
            self.expect(pinned).to_have_count(1 if "web-4" in text else 0)
        self.fleet(*many(12))
        page.reload()
        self.all_known(page)
        page.evaluate("localStorage.clear()")
        self.row(page, "web-2/shell").click()
        self.assertEqual(page.evaluate("localStorage.length"), 0)
        self.complaints = []
        self.assert_content()


class Picking(FleetTest):
    """Further logs for a tab, of ten thousand hosts."""

    def test_filter(self) -> None:
        """Logs are found by words, as many are shown as can be read; what was chosen before stays so, and in sight."""
        page = self.all_here("#web-1/app/log")
        page.route("**/viewers/log.js", lambda route: route.fulfill(body=VIEWER, content_type="text/javascript"))
        page.evaluate("import('/console/pick.js').then(({ pickLogs }) => { window.pick = pickLogs; })")
        page.evaluate("""async () => {
            const { hosts } = await (await fetch('/v1/hosts?limit=2000')).json();
            window.picked = null;
            pick(hosts, [{ host: 'web-1', target: 'journal' }]).then((all) => { window.picked = all; });
        }""")
        dialog = page.get_by_role("dialog", name="Add logs to this view")
        self.expect(dialog.locator(".pick")).to_have_count(100)
        self.expect(dialog.get_by_role("status")).to_have_text(re.compile(r"^5,8\d\d more: filter them by words\.$"))
        self.assert_accessible(page, "choosing of many logs")
        dialog.get_by_role("group", name="web-1", exact=True).get_by_role("checkbox", name="app/log").check()
        dialog.get_by_role("searchbox").fill("web-199 journal")
        self.expect(dialog.locator(".pick")).to_have_count(12)
        self.picture(page, "console-pick")
        dialog.get_by_role("group", name="web-1999").get_by_role("checkbox").check()
        dialog.get_by_role("searchbox").press("Enter")
        self.expect(dialog).to_be_visible()
        dialog.get_by_role("searchbox").fill("nothing like it")
        self.expect(dialog.locator(".pick")).to_have_count(2)
        dialog.get_by_role("button", name="Add").click()
        wanted = [{"host": "web-1", "target": "app/log"}, {"host": "web-1999", "target": "journal"}]
        until(lambda: page.evaluate("picked"), what="what was picked")
        self.assertEqual(page.evaluate("picked"), wanted)


VIEWER = "export const create = () => ({ connect: () => new Promise(() => {}), destroy() {} });"
