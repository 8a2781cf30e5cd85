"""The console's list of a host's kept terminals: what it tells, and the ways to them. In Chromium."""

from typing import Any

from tests.live.console.console import PHONE, ConsoleTest
from tests.live.console.fleet import TARGETS, FleetPlatform, entry, terminal
from tests.live.support.waiting import until

KEEPS = [{**target, "keep": 3600} if target["name"] == "shell" else target for target in TARGETS]
TITLE = "Kept terminals on web-1"
STORED = "JSON.parse(sessionStorage.getItem('terminals') ?? 'null')"
PEOPLE = [{"user": "bob", "view": True, "stream": "s1"}, {"user": "alice", "view": False, "stream": "s2"}]
HEARD = """() => {
    const said = document.getElementById('said');
    window.heard = [];
    new MutationObserver(() => window.heard.push(said.textContent)).observe(said, { childList: true, subtree: true });
}"""
"""Keeps all that is said to screen readers."""


class TerminalsTest(ConsoleTest):
    """A page whose platform tells the test's own terminals. `common` is the platform."""

    common: FleetPlatform

    def start(self) -> FleetPlatform:
        platform = FleetPlatform([entry("web-1", targets=KEEPS), entry("web-2")])
        self.addCleanup(platform.stop)
        platform.terminals = [
            terminal(5, detached=10_800.0),
            terminal(3, people=PEOPLE, target="db/psql", user="carol"),
            terminal(2, people=PEOPLE[:1], view=True, end=False, user="<b>dora"),
        ]
        return platform

    def come(self, **settings: Any) -> tuple[Any, Any]:
        """The page, and its list of terminals, by the row of the list of hosts."""
        page = self.signed_in(**settings)
        return page, self.listed(page)

    def listed(self, page: Any) -> Any:
        rows = page.get_by_role("treeitem", name="Kept terminals")
        self.expect(rows).to_have_count(1)  # only of the host that keeps any
        rows.click()
        dialog = page.get_by_role("dialog", name=TITLE)
        self.expect(dialog).to_be_visible()
        return dialog


class Listed(TerminalsTest):
    """What is seen of them, and done with them."""

    def opened_for(self) -> list[tuple[str, bool]]:
        """The terminals that were asked for, and whether to look: each once, as news of a host have it tried again."""
        return list(dict.fromkeys((one["terminal"], one.get("view", False)) for one in self.common.opened))

    def test_told(self) -> None:
        """Each tells whose it is, for how long nobody has been there or who is, its size, and what may be done."""
        page, dialog = self.come()
        rows = dialog.get_by_role("listitem")
        self.expect(rows.locator(".name")).to_have_text(
            ["shell detached, 3 h", "db/psql 2 attached", "shell 1 attached"]
        )
        self.expect(rows.locator("p.muted")).to_have_text(
            [
                "started by you 5 h ago · 120 \N{MULTIPLICATION SIGN} 40",
                "started by carol 3 h ago · 120 \N{MULTIPLICATION SIGN} 40 · there: bob (looks only), you",
                "started by <b>dora 2 h ago · 120 \N{MULTIPLICATION SIGN} 40 · there: bob (looks only)",
            ]
        )
        for row, words in enumerate((["Attach", "Look", "End …"], ["Attach", "Look", "End …"], ["Look"])):
            self.expect(rows.nth(row).locator("button:visible")).to_have_text(words)
        self.assert_accessible(page, "kept terminals")
        self.pictures(page, "console-terminals")
        self.assert_content()

    def test_up_to_date(self) -> None:
        """It is asked again and again while it is in sight: what goes is gone; why it can't be told is said."""
        page, dialog = self.come()
        self.expect(dialog.get_by_role("listitem")).to_have_count(3)
        self.common.terminals = self.common.terminals[1:]
        self.expect(dialog.get_by_role("listitem")).to_have_count(2)
        self.common.refuses = {"status": 503, "code": "host_offline", "detail": "host web-1 is offline"}
        self.expect(dialog.get_by_role("status").last).to_have_text("Host web-1 is offline. Trying again …")
        self.common.refuses, self.common.terminals = None, []
        self.expect(dialog.get_by_role("status").first).to_contain_text("None that you might attach to.")
        self.expect(dialog.locator(".trouble")).to_be_hidden()
        dialog.get_by_role("button", name="Close").click()
        self.expect(dialog).to_have_count(0)
        asked: list[str] = []  # by the page, as what was asked before may reach the platform late
        page.on("request", lambda request: asked.append(request.url))
        page.wait_for_timeout(4000)
        self.assertEqual([one for one in asked if "terminals" in one], [])
        self.assert_content()

    def test_ways(self) -> None:
        """Who attaches names the terminal, who looks says so; one that is shown in a tab already is shown there; the
        page keeps which it shows, and a reload asks for these again, and for nothing else."""
        page, dialog = self.come()
        dialog.get_by_role("button", name="Attach shell").first.click()
        self.expect(page.get_by_role("tab")).to_have_count(1)
        dialog = self.listed(page)
        dialog.get_by_role("button", name="Look shell").last.click()
        self.expect(page.get_by_role("tab")).to_have_count(2)
        first, last = (f"t{number:021}" for number in (5, 2))
        asked = [(first, False), (last, True)]
        until(lambda: self.opened_for() == asked, what="both")
        dialog = self.listed(page)
        dialog.get_by_role("button", name="Show shell").first.click()
        self.expect(page.get_by_role("tab").first).to_have_attribute("aria-selected", "true")
        self.expect(page.get_by_role("tab")).to_have_count(2)
        kept = [(one["terminal"], one["looks"]) for one in page.evaluate(STORED)["all"]]
        self.assertEqual(kept, [(first, False), (last, True)])
        self.common.opened.clear()
        page.reload()
        self.expect(page.get_by_role("tab")).to_have_count(2)
        self.expect(page.get_by_role("tabpanel").get_by_role("button", name="Open", exact=True)).to_have_count(0)
        until(lambda: sorted(self.opened_for()) == sorted(asked), what="both again")
        page.evaluate(HEARD)  # the other tab may say something right behind
        page.get_by_role("tab").first.click(button="middle")
        until(lambda: "runs on without you." in page.evaluate("window.heard.join()"), what="what is said")
        self.assertEqual([one["terminal"] for one in page.evaluate(STORED)["all"]], [last])
        self.assert_content()

    def test_ended(self) -> None:
        """The end is asked for first; who says no ends nothing."""
        page, dialog = self.come()
        dialog.get_by_role("button", name="End db/psql").click()
        asks = page.get_by_role("dialog", name="End db/psql on web-1?")
        self.assert_accessible(page, "asking for the end of a terminal")
        asks.get_by_role("button", name="Cancel").click()
        self.expect(asks).to_have_count(0)
        self.assertEqual(self.common.done, [])
        dialog.get_by_role("button", name="End db/psql").click()
        yes = asks.get_by_role("button", name="End terminal")
        self.expect(yes).not_to_have_attribute("aria-disabled", "true")
        yes.click()
        self.expect(page.locator("#said")).to_have_text("db/psql on web-1 is ended.")
        self.expect(dialog.get_by_role("listitem")).to_have_count(2)
        self.assertEqual(self.common.done, [f"DELETE /v1/hosts/web-1/terminals/t{3:021}"])
        self.assert_content()

    def test_keys(self) -> None:
        """By keys: the row of the list of hosts, along the buttons, and back."""
        page = self.signed_in()
        row = page.get_by_role("treeitem", name="Kept terminals")
        row.focus()
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name=TITLE)
        self.expect(dialog.get_by_role("button", name="Close")).to_be_focused()
        self.expect(dialog.get_by_role("listitem")).to_have_count(3)
        for _ in range(2):
            page.keyboard.press("Shift+Tab")
        self.expect(dialog.get_by_role("button", name="End db/psql")).to_be_focused()
        page.keyboard.press("Escape")
        self.expect(dialog).to_have_count(0)
        self.expect(row).to_be_focused()
        self.assert_content()

    def test_phone(self) -> None:
        """On a phone all of it can be reached."""
        page, dialog = self.come(**PHONE)
        rows = dialog.get_by_role("listitem")
        self.expect(rows).to_have_count(3)
        for button in dialog.get_by_role("button").all():
            button.scroll_into_view_if_needed()
            box = button.bounding_box()
            assert box is not None
            self.assertGreaterEqual(box["height"], 40)
            self.assertLessEqual(box["x"] + box["width"], 390)
        self.assert_accessible(page, "kept terminals on a phone")
        self.picture(page, "console-terminals-phone-touched")
        self.assert_content()


class All(TerminalsTest):
    """Those of all hosts, by the button at the top."""

    TITLE = "Kept terminals on all hosts"

    def start(self) -> FleetPlatform:
        platform = super().start()
        more = [entry("web-3", targets=KEEPS), entry("web-4", targets=KEEPS), entry("web-5", "down", targets=KEEPS)]
        platform.hosts |= {one["host"]: one for one in more}
        platform.terminals.append(terminal(4, host="web-3", detached=60.0))
        platform.hang_up = {"web-4"}
        return platform

    def listed(self, page: Any) -> Any:
        page.get_by_role("button", name="Kept terminals").click()
        dialog = page.get_by_role("dialog", name=self.TITLE)
        self.expect(dialog).to_be_visible()
        return dialog

    def test_told(self) -> None:
        """Terminals of all hosts, the oldest first, each with its host; of which nothing is known is said. Hosts that
        are down, or keep none, aren't asked."""
        page, dialog = self.come()
        names = dialog.get_by_role("listitem").locator(".name")
        self.expect(names).to_have_text(
            [
                "shell web-1 detached, 3 h",
                "shell web-3 detached, 1 min",
                "db/psql web-1 2 attached",
                "shell web-1 1 attached",
            ]
        )
        self.expect(dialog.get_by_role("status").first).to_have_text("4 terminals, the oldest first.")
        self.expect(dialog.get_by_role("status").last).to_have_text("Host web-4 did not answer. Trying again …")
        self.assert_accessible(page, "kept terminals on all hosts")
        self.pictures(page, "console-terminals-all")
        self.common.hang_up.clear()
        self.expect(dialog.locator(".trouble")).to_be_hidden()
        hosts = {path.split("/")[3] for path in self.common.asked if path.endswith("/terminals")}
        self.assertEqual(hosts, {"web-1", "web-3", "web-4"})
        self.complaints.clear()  # of the 504, by the browser
        self.assert_content()

    def test_ways(self) -> None:
        """One attaches to that of its own host; another host's answer that fails leaves what was known."""
        page, dialog = self.come()
        self.expect(dialog.get_by_role("listitem")).to_have_count(4)
        self.common.hang_up.add("web-3")
        self.expect(dialog.get_by_role("status").last).to_have_text(
            "Host web-3 did not answer. Host web-4 did not answer. Trying again …"
        )
        self.expect(dialog.get_by_role("listitem")).to_have_count(4)
        dialog.get_by_role("button", name="Attach shell on web-3").click()
        self.expect(page.get_by_role("tab", name="shell")).to_contain_text("web-3")
        until(lambda: self.common.opened, what="what was asked for")
        asked = self.common.opened[0]
        self.assertEqual((asked["host"], asked["terminal"]), ("web-3", f"t{4:021}"))

    def test_none(self) -> None:
        """Where no host keeps any, there is no button; on a phone it is as the others are."""
        page = self.signed_in(**PHONE)
        button = page.get_by_role("button", name="Kept terminals")
        self.expect(button).to_be_visible()
        box = button.bounding_box()
        assert box is not None
        self.assertGreaterEqual(min(box["height"], box["width"]), 40)
        self.common.change(*(entry(host, targets=TARGETS) for host in ("web-1", "web-3", "web-4")))
        self.expect(button).to_be_hidden()
        self.assert_content()


class Others(TerminalsTest):
    """Who comes to a page on which somebody else had terminals."""

    def test_signed_out(self) -> None:
        """Nobody who isn't signed in sees any, but a line that there were some; their user has them again."""
        page, dialog = self.come()
        dialog.get_by_role("button", name="Attach shell").first.click()
        self.expect(page.get_by_role("tab")).to_have_count(1)
        page.context.clear_cookies()
        page.reload()
        self.expect(page.locator("#signin-why")).to_have_text(
            "Sign in to come back to the terminals that were open here."
        )
        self.expect(page.get_by_role("tab")).to_have_count(0)
        self.assert_accessible(page, "signed out, with terminals")
        self.sign_in(page)
        self.expect(page.get_by_role("tab")).to_have_count(1)
        self.complaints.clear()
        self.assert_content()

    def test_another_user(self) -> None:
        """Another user gets a line, and nothing of the other's: no tab, no name, no question for it."""
        page, dialog = self.come()
        dialog.get_by_role("button", name="Attach shell").first.click()
        # What was asked is answered: nothing is on its way.
        self.expect(page.get_by_role("tabpanel").locator("p.words")).to_contain_text("is offline")
        page.context.clear_cookies()
        page.evaluate("history.replaceState(null, '', '/')")  # which names what was shown, as any address does
        page.reload()
        self.common.opened.clear()
        self.sign_in(page, "srk_bob")
        self.expect(page.locator("#said")).to_have_text("Terminals that somebody else had open here are not shown.")
        self.expect(page.get_by_role("tab")).to_have_count(0)
        self.assertEqual(self.common.opened, [])
        self.assertIsNone(page.evaluate(STORED))
        self.complaints.clear()
        self.assert_content()

    def test_left(self) -> None:
        """Who signs out leaves nothing of it in the browser."""
        page, dialog = self.come()
        dialog.get_by_role("button", name="Attach shell").first.click()
        self.expect(page.get_by_role("tab")).to_have_count(1)
        page.get_by_role("button", name="Sign out").click()
        self.expect(page.get_by_label("Key", exact=True)).to_be_visible()
        self.expect(page.locator("#signin-why")).to_be_hidden()
        self.assertIsNone(page.evaluate(STORED))
        self.assert_content()
