"""The console page in Debian's Chromium, against a chain: what its tests share."""

import json
import os
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.live.support.browser import chromium
from tests.live.support.case import LiveTest
from tests.live.support.chain import Chain, shared
from tests.live.support.sockets import Listener
from tests.live.support.waiting import WAIT, until

HOSTS = re.compile(r"/v1/hosts(\?|$)")
"""Questions for the list of hosts, of all or by pages."""
AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
AXE_RUN = """axe.run({ resultTypes: ['violations'] })
  .then(({ violations, passes }) => [violations, passes.length])"""
"""What breaks a rule, in full, and how many rules had something to look at and found nothing."""
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
OWN = "Failed to load resource: the server responded with a status of "
"""How the browser itself notes an answer that is no success. The page shows those in words."""
UNOPENED = "WebSocket connection to "
"""The same for a websocket that can't be opened."""
DRAWN = "() => new Promise((drawn) => setTimeout(() => requestAnimationFrame(drawn), 300))"
"""A page that was made another size has been drawn; a terminal waits for the size to stay."""
LATER = 60_000
"""Milliseconds for what takes a few rounds of the page's own clocks."""
TARGETS = """\
[targets.app]
kind = "log"
path = "FOLDER/app.log"

[targets.shell]
kind = "pty"
command = ["/bin/sh"]

[targets."logs/{name}"]
kind = "log"
path = "FOLDER/{name}.log"
parts = { name = "[a-z]+" }
"""
DEEP_TEXT = """(root) => {
  const text = (one) => [...one.childNodes].map((child) => child.nodeType === 3 ? child.data : text(child))
    .join('') + (one.shadowRoot ? text(one.shadowRoot) : '');
  return text(root);
}"""
"""What stands in an element, also in what it hides from the page (its shadow)."""
STILL = """(words) => {
  const prompt = window.setTimeout;
  window.stilled = 0;
  window.setTimeout = (act, ...more) => words.some((one) => String(act).includes(one))
    ? (window.stilled += 1, 0) : prompt(act, ...more);
  window.unstill = () => { window.setTimeout = prompt; };
}"""
"""Has timers never fire whose functions have one of some words, and counts them: what a page does after a while, on a
machine where each step of a test may take as long."""
WATCH = """window.violations = [];
addEventListener('securitypolicyviolation',
  ({ violatedDirective, blockedURI }) => violations.push(`${violatedDirective} ${blockedURI}`));"""


class ConsoleChain(Chain):
    """One whose page may open streams, with a log and a shell."""

    def __init__(self, folder: Path, targets: str = TARGETS, **settings: Any) -> None:
        super().__init__(folder, targets=targets, **settings)
        self.relay_options = (*self.relay_options, f"--origin={self.console}")
        (folder / "app.log").write_text("first line\nsecond line\n")

    @property
    def console(self) -> str:
        return f"http://127.0.0.1:{self.platform_port}"


class ConsoleTest(LiveTest):
    """A browser, and pages in it. None of them may complain or break its policy."""

    kind: type[ConsoleChain] = ConsoleChain
    """The chain that these tests share."""
    whole = False
    """Whether they need the whole browser, with its windows."""
    still: tuple[str, ...] = ()
    """Words of timers that never fire in their pages."""

    def setUp(self) -> None:
        super().setUp()
        stack = ExitStack()
        self.addCleanup(stack.close)
        self.browser = stack.enter_context(chromium(self.whole))
        from playwright.sync_api import expect

        expect.set_options(timeout=LATER)
        self.expect: Any = expect
        self.common: Any = self.start()
        self.complaints: list[str] = []
        self.opened: list[Any] = []
        self.addCleanup(self.leave)

    def start(self) -> Any:
        """What serves the page. Of a chain that others have had nothing is open any more."""
        chain = shared(kind=self.kind)
        for stream in chain.streams():  # a page that is closed at once may not have told all of them
            chain.ask("DELETE", f"/v1/streams/{stream['stream']}")
        until(lambda: not chain.streams(), what="the end of other tests' streams")
        return chain

    def leave(self) -> None:
        """Tell pages that they are left, as closing the browser does not: they end what the host would hold."""
        for page in self.opened:
            if not page.is_closed():
                page.evaluate("void dispatchEvent(new PageTransitionEvent('pagehide'))")

    def own_chain(self, **settings: Any) -> ConsoleChain:
        """A chain that the test may break."""
        chain = self.start_chain(ConsoleChain(self.folder, **settings))
        self.common = chain
        return chain

    def page(self, at: str = "", **settings: Any) -> Any:
        """A page of a browser of its own, nobody signed in; the cleanup sees that it has not complained."""
        context = self.browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **settings})
        page = context.new_page()
        self.watch(page)
        page.goto(f"{self.common.console}/{at}")
        return page

    def watch(self, page: Any) -> None:
        """Note what a page complains of, and wait for it as long as for anything."""
        page.set_default_timeout(WAIT * 1000)
        page.add_init_script(WATCH)
        if self.still:
            page.add_init_script(f"({STILL})({json.dumps(self.still)})")
        page.on("console", lambda message: self._complain(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.opened.append(page)

    def _complain(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not text.startswith((OWN, UNOPENED)):
            self.complaints.append(text)

    def assert_content(self) -> None:
        """Nothing was complained of, and no policy was broken; to be called at a test's end."""
        for page in self.opened:
            self.assertEqual(page.evaluate("window.violations"), [])
        self.assertEqual(self.complaints, [])

    def sign_in(self, page: Any, key: str = "") -> None:
        page.get_by_label("Key", exact=True).fill(key or self.common.key)
        page.get_by_role("button", name="Sign in").click()
        self.expect(page.locator("#signin")).to_be_hidden()

    def signed_in(self, at: str = "", key: str = "", **settings: Any) -> Any:
        page = self.page(at, **settings)
        self.sign_in(page, key)
        return page

    def entry(self, page: Any, target: str) -> Any:
        """A target's row in the list of hosts."""
        return page.locator("#hosts .target").filter(has=page.get_by_text(target, exact=True).first)

    def open_target(self, page: Any, target: str) -> Any:
        """Choose a target; its panel once it is connected."""
        self.entry(page, target).click()
        panel = page.get_by_role("tabpanel")
        self.expect(panel.locator("p.state")).to_have_text("Connected")
        return panel

    def say_open(self, page: Any) -> Any:
        """Open what an address has shown, which asks first; its panel."""
        panel = page.get_by_role("tabpanel")
        panel.get_by_role("button", name="Open", exact=True).click()
        return panel

    def opened_at(self, page: Any, listener: Listener) -> Any:
        """A tab of a tcp target, which is a pattern's: its panel, and the target's connection."""
        name, number = listener.target.split("/")
        pattern = f"{name}/{{number}}"
        field = page.get_by_role("form", name=pattern).get_by_label("number")
        if not field.is_visible():
            self.entry(page, pattern).click()
        field.fill(number)
        field.press("Enter")
        panel = page.get_by_role("tabpanel")
        self.expect(panel.locator("p.state")).to_have_text("Connected")
        return panel, listener.accept()

    def pretend(self, page: Any, **changes: object) -> None:
        """Let the page hear something else of each stream that it opens."""

        def answer(route: Any) -> None:
            told = route.fetch()
            body = json.loads(told.text().splitlines()[-1])
            if "viewer" in body:
                route.fulfill(status=201, json={**body, **changes})
            else:
                route.fulfill(response=told)

        page.route("**/v1/streams", answer)

    def act(self, page: Any, label: str) -> None:
        """An entry of the menu of the tab that is shown."""
        page.get_by_role("tabpanel").get_by_role("button", name="More", exact=True).click()
        page.get_by_role("menuitem", name=label).click()

    def picture(self, page: Any, name: str) -> None:
        """Into trial's directory, for eyes; and where the pictures of the documents go, if that is asked for."""
        for folder in filter(None, ("screenshots", os.environ.get("STREAMRELAY_PICTURES"))):
            page.screenshot(path=Path(folder) / f"{name}.png")

    def pictures(self, page: Any, name: str) -> None:
        """The same page light, dark, and as wide as a phone."""
        before = page.viewport_size
        for look, scheme, size in (
            ("light", "light", before),
            ("dark", "dark", before),
            ("phone", "light", PHONE["viewport"]),
        ):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(size)
            page.evaluate(DRAWN)
            self.picture(page, f"{name}-{look}")
        page.set_viewport_size(before)

    def assert_accessible(self, page: Any, state: str) -> None:
        """axe-core finds nothing, by any of its rules."""
        if not AXE.exists():
            raise SkipTest("needs axe-core: npm ci --prefix tests")
        if page.evaluate("!window.axe"):
            page.evaluate(AXE.read_text())
        violations, passes = page.evaluate(AXE_RUN)
        told = [f"{one['id']}: {node['html'][:200]}" for one in violations for node in one["nodes"]]
        self.assertGreater(passes, 15, state)  # rules that had something to look at
        self.assertEqual(told, [], state)
