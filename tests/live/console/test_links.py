"""Links to the console, whoever wrote them: they show a target, and start nothing but a log. In Chromium."""

from pathlib import Path
from typing import Any

from tests.live.console.console import HOSTS, PHONE, TARGETS, ConsoleChain, ConsoleTest
from tests.live.support.chain import HOST
from tests.live.support.waiting import until

FOREIGN = "http://elsewhere.example/"
ELSEWHERE = "<link rel=icon href=data:,><title>elsewhere</title>"
"""That page; a browser would look for its icon where nobody is."""
DEPLOY = """
[targets.deploy]
kind = "pty"
command = ["/bin/sh", "-c", "echo ran >> FOLDER/deployed; exec cat"]

[targets."any/{name}"]
kind = "log"
path = "FOLDER/{name}.log"
parts = { name = "[a-z]+" }

[targets."any/{number}"]
kind = "pty"
command = ["/bin/sh", "-c", "echo {number} >> FOLDER/deployed; exec cat"]
parts = { number = "[0-9]+" }
"""
HASTE = """
window.pressed = 0;
new MutationObserver(() => {
  const button = document.querySelector('.panel:not([hidden]) .notice:not([hidden]) button:not([hidden])');
  if (button?.textContent !== 'Open' || window.pressed) return;
  window.pressed += 1;
  button.click();
}).observe(document, { subtree: true, childList: true, attributes: true });
"""
"""A press of the button in the very moment in which it is there."""
TURN = "async () => { for (let turn = 0; turn < 5; turn++) await new Promise(requestAnimationFrame); }"


class LinkChain(ConsoleChain):
    """One with a command that leaves a trace of each start."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, TARGETS + DEPLOY)


class LinkTest(ConsoleTest):
    """A page that a link leads to."""

    kind: type[ConsoleChain] = LinkChain

    def setUp(self) -> None:
        super().setUp()
        self.trace = self.common.folder / "deployed"
        self.trace.unlink(missing_ok=True)

    def led(self, page: Any, target: str) -> Any:
        """Have a page of another site lead a tab to a target; its panel."""
        address = f"{self.common.console}/#{HOST}/{target}"
        page.route(f"{FOREIGN}**", lambda route: route.fulfill(content_type="text/html", body=ELSEWHERE))
        page.goto(FOREIGN)
        with page.expect_response(HOSTS):
            page.evaluate("(address) => { location.href = address; }", address)
        return page.get_by_role("tabpanel")

    def asks(self, page: Any) -> Any:
        """The button by which what is shown opens, with the focus, once it may be pressed; nothing is open."""
        button = page.get_by_role("tabpanel").get_by_role("button", name="Open", exact=True)
        self.expect(button).to_be_enabled()
        self.expect(button).to_be_focused()
        self.expect(page.get_by_role("tabpanel").locator("p.state")).to_have_text("Not open")
        self.assert_unopened()
        return button

    def started(self, page: Any) -> None:
        """Until the command that was opened has run: one that is ended at once may do so later, or never."""
        self.expect(page.get_by_role("tabpanel").locator("p.state")).to_have_text("Connected")
        until(lambda: self.runs() == 1, what="the command")

    def runs(self) -> int:
        """How often the command was started."""
        return self.trace.read_text().count("\n") if self.trace.exists() else 0

    def assert_unopened(self, times: int = 0) -> None:
        """No stream, and the command was started so many times."""
        self.assertEqual(self.common.streams(), [])
        self.assertEqual(self.runs(), times)


class Links(LinkTest):
    """What an address names is shown."""

    def test_foreign_page(self) -> None:
        """A page of another site leads to a command: it isn't started, whatever the page meets, until Open is pressed,
        which Enter does."""
        page = self.signed_in()
        panel = self.led(page, "deploy")
        button = self.asks(page)
        self.expect(panel.locator("p.words")).to_have_text(f"Open the terminal deploy on {HOST}?")
        self.assertEqual(page.url, f"{self.common.console}/#{HOST}/deploy")
        page.evaluate("dispatchEvent(new Event('online')); document.dispatchEvent(new Event('visibilitychange'));")
        page.evaluate("dispatchEvent(new PopStateEvent('popstate'));")
        for _ in range(2):  # the list of hosts starts nothing either
            with page.expect_response(HOSTS):
                page.evaluate("dispatchEvent(new Event('online'))")
        self.asks(page)
        button.press("Enter")
        self.started(page)
        self.assertEqual(self.trace.read_text(), "ran\n")
        self.assert_content()

    def test_signing_in(self) -> None:
        """Who signs in behind a link is asked as well."""
        page = self.signed_in(f"#{HOST}/deploy")
        self.asks(page)
        self.entry(page, "deploy").click()  # this one somebody has chosen
        self.started(page)
        self.expect(page.get_by_role("tab")).to_have_count(1)
        self.assert_content()

    def test_reload(self) -> None:
        """A page that is loaded again asks before it starts the command another time; a log goes on by itself."""
        page = self.signed_in()
        self.open_target(page, "deploy")
        self.started(page)
        page.once("dialog", lambda dialog: dialog.accept())
        page.reload()
        until(lambda: not self.common.streams(), what="the end of the stream")
        self.expect(page.get_by_role("tabpanel").locator("p.state")).to_have_text("Not open")
        self.assert_unopened(times=1)
        self.open_target(page, "app")
        page.reload()
        self.expect(page.get_by_role("tabpanel").get_by_text("second line").first).to_be_visible()
        self.assert_content()

    def test_within_the_page(self) -> None:
        """So it is with an address that changes, and on the way back to a tab that was closed."""
        page = self.signed_in()
        page.evaluate(f"location.hash = '#{HOST}/deploy'")
        self.asks(page)
        self.open_target(page, "app")
        page.get_by_role("tab", name="deploy").click()
        self.say_open(page)
        self.started(page)
        self.act(page, "Close")
        self.act(page, "Close")
        until(lambda: not self.common.streams(), what="the end of the streams")
        page.evaluate("history.go(-2)")
        self.expect(page.get_by_role("tabpanel").locator("p.state")).to_have_text("Not open")
        self.assert_unopened(times=1)
        self.assert_content()

    def test_unknown(self) -> None:
        """What the list of hosts doesn't tell for a log asks: a name that two kinds of targets share, one that isn't
        there, and each while there is no list."""
        page = self.signed_in()
        for target in ("any/1", "any/app", "nothing"):
            page.evaluate(f"location.hash = '#{HOST}/{target}'")
            self.expect(page.get_by_role("tab", selected=True)).to_contain_text(target)
            self.asks(page)
        page.route(HOSTS, lambda route: route.fulfill(status=503, json={"detail": "not now"}))
        self.led(page, "app")
        self.asks(page)
        self.expect(page.get_by_role("tabpanel").locator("p.words")).to_have_text(f"Open app on {HOST}?")
        page.unroute(HOSTS)
        self.expect(page.get_by_role("tabpanel").locator("p.state")).to_have_text("Connected")
        self.assert_content()

    def test_none(self) -> None:
        """An address that names no target says so, and opens nothing."""
        page = self.signed_in()
        for address in (f"#{HOST}", f"#{HOST}/%zz", f"#{HOST}/<img>"):
            page.evaluate("(address) => { location.hash = address; }", address)
            self.expect(page.locator("#toast")).to_have_text("This link names no target.")
            page.evaluate("document.querySelector('#toast').textContent = ''")
        self.assert_unopened()
        self.assert_content()

    def test_logs(self) -> None:
        """A log is shown at once, by its own name or by that of a pattern."""
        page = self.signed_in()
        for target in ("app", "logs/app"):
            panel = self.led(page, target)
            self.expect(panel.get_by_text("second line").first).to_be_visible()
        self.assert_content()


class Haste(LinkTest):
    """A press that was meant for another page opens nothing."""

    def test_double_click(self) -> None:
        """One that comes as soon as the button is there, or as the window comes to the front, doesn't count."""
        page = self.signed_in()
        page.add_init_script(HASTE)
        self.led(page, "deploy")
        self.asks(page)
        self.assertEqual(page.evaluate("pressed"), 1)
        click = "document.querySelector('.panel:not([hidden]) .notice button').click();"
        for event in ("dispatchEvent(new Event('focus'));", "document.dispatchEvent(new Event('visibilitychange'));"):
            page.evaluate(event + click)
            self.asks(page)
        page.evaluate(click)
        self.started(page)
        self.assert_content()

    def test_held_key(self) -> None:
        """A key that was down before the button was there opens nothing until it is pressed again."""
        page = self.signed_in()
        page.evaluate("document.activeElement.blur()")
        page.keyboard.down("Enter")
        page.evaluate(f"location.hash = '#{HOST}/deploy'")
        for _ in range(3):
            self.asks(page)
            page.keyboard.down("Enter")  # as one that is held repeats itself
            page.evaluate(TURN)
        page.keyboard.up("Enter")
        self.asks(page)
        page.keyboard.press("Enter")
        self.started(page)
        self.assert_content()


class Sight(LinkTest):
    """What it looks like."""

    def test_pictures(self) -> None:
        """The question is on the page, on a desk and on a phone, light and dark, and axe-core finds nothing."""
        for scheme in ("light", "dark"):
            for size, settings in (("desk", {}), ("phone", PHONE)):
                page = self.page(color_scheme=scheme, reduced_motion="reduce", **settings)
                self.sign_in(page)
                self.led(page, "deploy")
                button = self.asks(page)
                self.expect(button).to_be_in_viewport()
                self.assertGreaterEqual(button.bounding_box()["height"], 36)
                self.assert_accessible(page, f"{scheme}, {size}, a link")
                self.picture(page, f"console-link-{size}-{scheme}")
        self.assert_content()
