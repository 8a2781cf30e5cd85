"""The console for everybody: by keyboard, on a phone, light and dark, and what axe-core finds. In Chromium."""

from typing import Any

from tests.live.console.console import DRAWN, PHONE, ConsoleTest
from tests.live.support.waiting import until


class Everybody(ConsoleTest):
    """By keyboard, on a phone, in the dark, by ear."""

    def test_keyboard(self) -> None:
        """All of it without a pointer: from the key to a tab, among tabs, into a console and out, and closed."""
        page = self.page()
        press = page.keyboard.press
        self.expect(page.get_by_label("Key", exact=True)).to_be_focused()
        page.keyboard.type(self.common.key)
        press("Enter")
        self.expect(self.entry(page, "app")).to_be_visible()
        self.walk_to(page, page.locator("#hosts-list [tabindex='0']"))
        self.walk_to(page, self.entry(page, "app"), "ArrowDown")
        press("Enter")
        self.expect(page.get_by_role("tabpanel").locator("p.state")).to_have_text("Connected")
        self.walk_to(page, self.entry(page, "app"), "Shift+Tab")  # which had the focus before
        self.walk_to(page, self.entry(page, "shell"), "ArrowDown")
        press("Enter")
        self.expect(page.get_by_role("tabpanel").locator("p.state")).to_have_text("Connected")
        self.within(page, "the terminal")
        press("Control+Alt+Home")
        tabs = page.get_by_role("tab")
        self.expect(tabs.nth(1)).to_be_focused()
        for key, place in (("ArrowLeft", 0), ("ArrowLeft", 1), ("ArrowRight", 0), ("End", 1), ("Home", 0)):
            press(key)
            self.expect(tabs.nth(place)).to_be_focused()
            self.expect(tabs.nth(place)).to_have_attribute("aria-selected", "true")
        press("Enter")
        self.within(page, "the log")
        press("Control+Alt+PageDown")
        self.expect(tabs.nth(1)).to_have_attribute("aria-selected", "true")
        self.within(page, "the terminal, again")
        press("Control+Alt+Home")
        press("Delete")
        self.expect(tabs).to_have_count(1)
        self.expect(tabs.first).to_be_focused()
        press("Delete")
        self.expect(tabs).to_have_count(0)
        self.assertNotEqual(page.evaluate("document.activeElement.tagName"), "BODY")
        page.get_by_role("button", name="Keyboard").press("Enter")
        self.expect(page.get_by_role("dialog")).to_be_visible()
        press("Escape")
        self.expect(page.get_by_role("button", name="Keyboard")).to_be_focused()
        self.assert_content()

    def walk_to(self, page: Any, wanted: Any, key: str = "Tab") -> None:
        for _ in range(40):
            if wanted.evaluate("(one) => one === document.activeElement"):
                return
            page.keyboard.press(key)
        raise AssertionError(f"{key} does not lead there")

    def within(self, page: Any, what: str) -> None:
        script = "document.querySelector('.panel:not([hidden]) .screen').contains(document.activeElement)"
        until(lambda: page.evaluate(script), what=f"the focus in {what}")

    def test_menu_by_keyboard(self) -> None:
        """The menu of a tab opens, is walked and closes by keys, and the focus comes back."""
        page = self.signed_in()
        panel = self.open_target(page, "app")
        button = panel.get_by_role("button", name="More")
        button.press("Enter")
        items = page.get_by_role("menuitem")
        self.expect(items.first).to_be_focused()
        page.keyboard.press("ArrowUp")
        self.expect(items.last).to_be_focused()
        page.keyboard.press("Escape")
        self.expect(items.first).to_be_hidden()
        self.expect(button).to_be_focused()
        self.assert_content()

    def test_icons_offline(self) -> None:
        """A menu that is opened while there is no network has its icons."""
        page = self.signed_in()
        self.open_target(page, "app")
        page.context.set_offline(True)
        page.get_by_role("tabpanel").get_by_role("button", name="More", exact=True).click()
        self.expect(page.get_by_role("menuitem", name="Copy link")).to_be_visible()
        page.evaluate(DRAWN)
        seen = page.evaluate("""[...document.querySelectorAll('svg.icon use')].filter((one) => one.checkVisibility())
            .map((one) => [one.getAttribute('href'), one.getBBox().width + one.getBBox().height])""")
        self.assertGreater(len(seen), 5)
        self.assertEqual([name for name, size in seen if not size], [])

    def test_phone(self) -> None:
        """At 390 pixels the list is the page, then a drawer; nothing is wider than the screen, or too small to hit."""
        page = self.signed_in(**PHONE)
        self.expect(self.entry(page, "app")).to_be_visible()
        self.picture(page, "console-phone-hosts")
        self.entry(page, "shell").tap()
        panel = page.get_by_role("tabpanel")
        self.expect(panel.locator("p.state")).to_have_text("Connected")
        drawer = page.get_by_role("button", name="Hosts")
        drawer.tap()
        self.expect(self.entry(page, "app")).to_be_in_viewport()
        self.expect(drawer).to_have_attribute("aria-expanded", "true")
        page.keyboard.press("Escape")
        self.expect(self.entry(page, "app")).not_to_be_visible()
        drawer.tap()
        self.entry(page, "app").tap()
        self.expect(self.entry(page, "app")).not_to_be_visible()
        self.expect(panel.get_by_text("second line").first).to_be_visible()
        self.assertEqual(page.evaluate("document.documentElement.scrollWidth"), 390)
        small = "[...document.querySelectorAll('.bar button, .panel-head button, .tab')].filter((one) => "
        small += "one.checkVisibility() && one.getBoundingClientRect().height < 40).map((one) => one.outerHTML)"
        self.assertEqual(page.evaluate(small), [])
        page.go_back()
        page.go_back()
        self.expect(self.entry(page, "app")).to_be_in_viewport()
        self.assert_content()

    def test_themes(self) -> None:
        """Light and dark as the system has it, or as it is chosen here, also after a reload."""
        ground = "getComputedStyle(document.body).backgroundColor"
        seen = {}
        for scheme in ("light", "dark"):
            page = self.signed_in(color_scheme=scheme)
            seen[scheme] = page.evaluate(ground)
        self.assertNotEqual(seen["light"], seen["dark"])
        page.get_by_role("button", name="Theme: system").click()
        self.assertEqual(page.evaluate(ground), seen["light"])
        page.reload()
        self.assertEqual(page.evaluate(ground), seen["light"])
        page.get_by_role("button", name="Theme: light").click()
        page.get_by_role("button", name="Theme: dark").click()
        self.assertEqual(page.evaluate("localStorage.length"), 0)
        self.assert_content()

    def test_axe(self) -> None:
        """axe-core finds nothing in any state of the page, light or dark."""
        for scheme in ("light", "dark"):
            page = self.page(color_scheme=scheme, reduced_motion="reduce")
            self.expect(page.get_by_label("Key", exact=True)).to_be_visible()
            self.assert_accessible(page, f"{scheme}, signed out")
            self.sign_in(page)
            self.expect(self.entry(page, "app")).to_be_visible()
            self.assert_accessible(page, f"{scheme}, no tab")
            self.entry(page, "logs/{name}").click()
            self.open_target(page, "shell")
            self.open_target(page, "app")
            self.assert_accessible(page, f"{scheme}, a log")
            page.get_by_role("tabpanel").get_by_role("button", name="More").click()
            self.assert_accessible(page, f"{scheme}, the menu")
            page.keyboard.press("Escape")
            page.get_by_role("tab", name="shell").click()
            page.keyboard.type("exit 1\n")
            self.expect(page.get_by_role("tabpanel").locator("p.words")).to_be_visible()
            self.assert_accessible(page, f"{scheme}, ended")
            page.evaluate("location.hash = '#nobody/app'")
            self.say_open(page)
            self.expect(page.get_by_role("tabpanel").locator("p.words")).to_contain_text("Next try")
            self.assert_accessible(page, f"{scheme}, waiting")
            page.get_by_role("button", name="Keyboard").click()
            self.assert_accessible(page, f"{scheme}, keys")
        self.assert_content()

    def test_axe_in_use(self) -> None:
        """So it is of what is seen in the course of work: fields, dialogs, words, a stream that is opened again."""
        (self.common.folder / "wide.log").write_text("short\n" + "wide " * 1000 + "\n")
        page = self.page(reduced_motion="reduce")
        page.get_by_label("Key", exact=True).fill("srk_wrong")
        page.get_by_role("button", name="Sign in").click()
        self.expect(page.get_by_role("alert")).to_have_text("This key is not known here.")
        self.assert_accessible(page, "a key that is not known")
        self.sign_in(page)
        panel = self.open_target(page, "shell")
        self.assert_accessible(page, "a terminal")
        self.act(page, "Search")
        page.get_by_label("Search the terminal").fill("none")
        self.assert_accessible(page, "the terminal's search")
        panel.get_by_role("button", name="More").click()
        self.assert_accessible(page, "the terminal's menu")
        page.keyboard.press("Escape")
        self.act(page, "Screen reader support on")
        self.assert_accessible(page, "a terminal for screen readers")
        self.act(page, "Screen reader support off")
        page.evaluate("location.hash = '#host-1/logs/wide'")
        self.expect(panel.locator("stream-log .scroller")).to_be_focused()  # before that the key is the terminal's
        page.keyboard.press("/")
        panel.get_by_role("searchbox", name="Search").fill("short")
        self.assert_accessible(page, "a log's search")
        panel.locator("stream-log .more").click()
        self.assert_accessible(page, "a whole line")
        page.keyboard.press("Escape")
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
        self.act(page, "Copy link")
        self.assert_accessible(page, "a link to copy")
        page.keyboard.press("Escape")
        _, target = self.opened_at(page, self.listen())
        self.assert_accessible(page, "raw bytes that have yet to come")
        target.sendall(b"here\n")
        self.expect(panel.locator(".raw-output")).to_have_text("here\n")
        self.assert_accessible(page, "raw bytes")
        self.opens_again(page, panel)
        self.assert_content()

    def opens_again(self, page: Any, panel: Any) -> None:
        page.route("**/v1/streams", lambda route: route.abort())
        self.act(page, "Reconnect")
        self.expect(panel.locator("p.words")).to_contain_text("Next try in")
        page.route("**/v1/streams", lambda route: None)  # no answer, from the next try on, whenever that comes
        now = panel.get_by_role("button", name="Try now")  # gone if a slow machine's time for the next try came first
        now.evaluate_all("(buttons) => buttons.forEach((button) => button.click())")
        self.expect(panel.locator("p.words")).to_contain_text("Trying again")
        self.assert_accessible(page, "opening again")
        self.complaints = [text for text in self.complaints if "net::ERR_FAILED" not in text]

    def test_axe_on_a_phone(self) -> None:
        """So it is on a phone: the list, a tab, and the drawer above it."""
        page = self.signed_in(**PHONE, reduced_motion="reduce")
        self.expect(self.entry(page, "app")).to_be_visible()
        self.assert_accessible(page, "the list")
        self.entry(page, "app").tap()
        self.expect(page.get_by_role("tabpanel").locator("p.state")).to_have_text("Connected")
        self.assert_accessible(page, "a tab")
        page.get_by_role("button", name="Hosts").tap()
        self.expect(self.entry(page, "app")).to_be_in_viewport()
        self.assert_accessible(page, "the drawer")
        self.assert_content()
