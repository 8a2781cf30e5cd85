"""The console page, as its users meet it: who signs in, what is listed, what is loaded. In Chromium."""

import re
from typing import Any

from streamrelay import __version__
from streamrelay.platform.auth.grants import Grant
from tests.live.console.console import HOSTS, LATER, ConsoleTest
from tests.live.support.chain import HOST
from tests.live.support.pace import timed
from tests.live.support.waiting import until


class SigningIn(ConsoleTest):
    """Who may see what."""

    def test_in_and_out(self) -> None:
        """A wrong key is refused in words; a good one shows the hosts; signing out closes all, and nothing is kept."""
        page = self.page()
        page.get_by_label("Key", exact=True).fill("srk_wrong")
        page.get_by_role("button", name="Sign in").click()
        self.expect(page.get_by_role("alert")).to_have_text("This key is not known here.")
        self.expect(page.get_by_label("Key", exact=True)).to_be_focused()
        self.expect(page.locator("#hosts")).to_be_hidden()
        self.picture(page, "console-signin")
        self.sign_in(page)
        self.expect(page.locator("#user")).to_have_text("alice")
        self.open_target(page, "app")
        page.reload()
        self.expect(page.get_by_role("tabpanel").locator("p.state")).to_have_text("Connected")
        self.assertEqual(
            page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"), '[{},{},""]'
        )
        page.get_by_role("button", name="Sign out").click()
        self.expect(page.get_by_label("Key", exact=True)).to_be_focused()
        self.assertEqual((page.get_by_role("tab").count(), page.locator("#hosts-list .row").count()), (0, 0))
        self.assertEqual((page.url, page.context.cookies()), (f"{self.common.console}/", []))
        until(lambda: not self.common.streams(), what="the end of the stream")
        self.assert_content()

    def test_versions(self) -> None:
        """The page tells the platform's version, and that of each host's agent, to who is signed in and nobody else."""
        page = self.signed_in()
        told = page.locator("#version")
        self.expect(told).to_have_text(f"streamrelay {__version__}")
        host = page.locator("#hosts-list .host").first
        self.expect(host).to_have_attribute("title", re.compile(f"^streamrelay {re.escape(__version__)}"))
        told.scroll_into_view_if_needed()
        self.picture(page, "console-version")
        page.get_by_role("button", name="Sign out").click()
        self.expect(told).to_be_empty()
        self.expect(page.get_by_text(__version__)).to_have_count(0)
        self.assert_content()

    def test_not_granted(self) -> None:
        """A target that isn't granted isn't in the list, and its link says so; one that may be looked at says that."""
        key = self.common.add_key("carol", Grant(HOST, "shell", view=True), Grant(HOST, "port/*"))
        page = self.signed_in(f"#{HOST}/app", key=key)
        words = self.say_open(page).locator("p.words")
        self.expect(words).to_have_text("No grant for that host and target.")
        self.expect(page.get_by_role("tabpanel").locator("p.state")).to_have_text("Ended")
        self.expect(self.entry(page, "shell")).to_be_visible()
        self.assertEqual(self.entry(page, "app").count(), 0)
        self.expect(self.entry(page, "shell")).to_have_attribute("aria-label", "shell terminal, view only")
        panel = self.open_target(page, "shell")
        self.expect(panel.get_by_text("View only").first).to_be_visible()
        self.assert_content()

    def test_cut(self) -> None:
        """A host of which not all targets are listed says so below them; its domain name is whole, and has a link."""
        name = "web-1.customers.dc2.frankfurt.example.com"
        target = {"name": "log", "kind": "log", "viewer": "log", "view": False}
        whole = {"host": HOST, "targets": [target], "version": "1", "complete": True}
        hosts = [whole, {**whole, "host": name, "complete": False}]
        page = self.page()
        page.route(HOSTS, lambda route: route.fulfill(json={"hosts": hosts, "complete": True}))
        self.sign_in(page)
        cut = page.get_by_text("There are more targets.")
        self.expect(cut).to_have_count(1)
        rows = page.locator("#hosts-list .row")
        self.expect(rows.nth(rows.count() - 3)).to_contain_text(name)
        self.expect(rows.last).to_have_text("There are more targets. A link opens each by its name.")
        fits = "(name) => name.scrollWidth <= name.clientWidth && name.getClientRects()[0].width > 0"
        self.assertTrue(page.locator("#hosts-list .host .name").last.evaluate(fits))
        page.locator("#hosts .target").last.click()
        self.expect(page.get_by_role("tabpanel").locator("p.words")).to_contain_text(f"Host {name} is offline")
        self.assertEqual(page.url, f"{self.common.console}/#{name}/log")
        self.picture(page, "console-cut")
        page.unroute(HOSTS)
        self.assert_content()

    def test_session_over(self) -> None:
        """A session that has ended elsewhere brings the form back; what is open stays, and works; then all goes on."""
        page = self.signed_in()
        self.open_target(page, "app")
        [cookie] = page.context.cookies()
        csrf = page.evaluate("fetch('/v1/session').then((answer) => answer.json()).then(({ csrf }) => csrf)")
        headers = {"Cookie": f"{cookie['name']}={cookie['value']}", "X-CSRF-Token": csrf, "Origin": self.common.console}
        self.assertEqual(self.common.ask("DELETE", "/v1/session", None, None, headers).status, 204)
        self.expect(page.get_by_label("Key", exact=True)).to_be_visible()
        self.expect(page.locator("#signin-why")).to_contain_text("Your session is over")
        self.assertTrue(page.evaluate("document.querySelector('#panels').contains(document.activeElement)"))
        self.picture(page, "console-session-over")
        with (self.common.folder / "app.log").open("a") as log:
            log.write("said meanwhile\n")
        self.expect(page.get_by_role("tabpanel").get_by_text("said meanwhile").first).to_be_visible()
        self.act(page, "Reconnect")
        self.expect(page.get_by_role("tabpanel").locator("p.state")).to_have_text("Ended")
        self.sign_in(page)
        self.expect(page.get_by_role("tabpanel").locator("p.state")).to_have_text("Connected")
        self.expect(self.entry(page, "shell")).to_be_visible()
        self.assert_content()

    def test_another_user(self) -> None:
        """Whoever signs in after another user's session is over sees nothing of what that one had open."""
        page = self.signed_in()
        self.open_target(page, "app")
        page.context.clear_cookies()
        self.expect(page.get_by_label("Key", exact=True)).to_be_visible()
        self.sign_in(page, self.common.weak_key)
        self.expect(page.locator("#user")).to_have_text("bob")
        self.assertEqual(page.get_by_role("tab").count(), 0)
        self.assert_content()


class Windows(ConsoleTest):
    """Several windows of one browser, which have one session."""

    ELSEWHERE = "You have signed out in another window of this browser."

    def another(self, page: Any, script: str = "") -> Any:
        """Another window of the same browser, whose page begins with a script."""
        other = page.context.new_page()
        self.watch(other)
        if script:
            other.add_init_script(script)
        other.goto(f"{self.common.console}/")
        self.expect(other.locator("#user")).to_have_text("alice")
        return other

    def test_signed_out(self) -> None:
        """Who signs out in one window has signed out in all: what is open there ends; also where its session had ended
        by itself, and what was open stayed."""
        page = self.signed_in()
        for is_over in (False, True):
            self.open_target(page, "shell")
            other = self.another(page)
            if is_over:
                page.evaluate("window.fetch = () => Promise.resolve(Response.json({}, { status: 401 }))")
                self.expect(page.locator("#signin-why")).to_contain_text("Your session is over")
                self.expect(page.get_by_role("tab")).to_have_count(1)
            other.get_by_role("button", name="Sign out").click()
            self.expect(page.get_by_role("tab")).to_have_count(0)
            self.expect(page.get_by_label("Key", exact=True)).to_be_visible()
            until(lambda: not self.common.streams(), what="the end of the stream")
            if not is_over:
                self.expect(page.locator("#signin-why")).to_have_text(self.ELSEWHERE)
                self.sign_in(page)
            other.close()
            self.opened.remove(other)
        self.assert_content()

    def test_another_user(self) -> None:
        """Who signs in in another window in place of the former user finds that user's page as theirs, and nothing of
        what was open; a window that hears of nothing finds out as it is seen again."""
        page = self.signed_in()
        deaf = self.another(page, "window.BroadcastChannel = class extends EventTarget { postMessage() {} };")
        for each in (page, deaf):
            self.open_target(each, "shell")
        other = self.another(page)
        other.get_by_role("button", name="Sign out").click()
        self.sign_in(other, self.common.weak_key)
        self.expect(page.get_by_role("tab")).to_have_count(0)
        deaf.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        self.expect(deaf.get_by_role("tab")).to_have_count(0)
        self.expect(deaf.locator("#user")).to_have_text("bob")
        until(lambda: not self.common.streams(), what="the end of both streams")
        self.assert_content()

    def test_same_user(self) -> None:
        """Who signs in anew in another window goes on in all: what is open stays, and more can be opened."""
        page = self.signed_in()
        self.open_target(page, "shell")
        other = self.another(page)
        page.context.clear_cookies()
        self.expect(other.get_by_label("Key", exact=True)).to_be_visible()
        self.expect(page.get_by_label("Key", exact=True)).to_be_visible()
        self.sign_in(other)
        self.expect(page.locator("#signin")).to_be_hidden()
        self.expect(page.get_by_role("tab")).to_have_count(1)
        self.open_target(page, "app")
        self.assert_content()


class HostsList(ConsoleTest):
    """What is up, as it comes and goes."""

    def test_live(self) -> None:
        """Hosts and targets come and go without a reload; what is typed, and the focus, stay where they are."""
        chain = self.own_chain()
        page = self.signed_in()
        page.evaluate("window.same = true")
        self.expect(page.get_by_role("status").first).to_have_text("1 host up")
        many = "".join(f'[targets."log-{n}"]\nkind = "log"\npath = "FOLDER/app.log"\n' for n in range(20))
        chain.write_agent(many)
        self.expect(self.entry(page, "log-19")).to_be_visible()
        self.assertEqual(self.entry(page, "app").count(), 0)
        page.get_by_label("Filter").fill("log-1")
        self.expect(self.entry(page, "log-2")).to_have_count(0)
        self.expect(self.entry(page, "log-19")).to_be_visible()
        self.entry(page, "log-11").focus()
        chain.write_agent(many + '[targets."log-1x"]\nkind = "log"\npath = "FOLDER/app.log"\n')
        self.expect(self.entry(page, "log-1x")).to_be_visible()
        self.expect(self.entry(page, "log-11")).to_be_focused()
        page.get_by_label("Filter").fill("nothing like it")
        page.get_by_role("button", name="Show all").click()
        self.expect(self.entry(page, "log-2")).to_be_visible()
        chain.agent.stop()
        self.expect(page.locator("#hosts .target")).to_have_count(0)
        self.expect(page.locator("#count")).to_have_text("0 hosts up")
        chain.agent.start()
        self.expect(self.entry(page, "log-1x")).to_be_visible()
        self.assertTrue(page.evaluate("window.same"))
        self.assert_content()

    def test_platform_down(self) -> None:
        """While the platform is down the page says so beside what it knew, and goes on by itself."""
        chain = self.own_chain()
        page = self.signed_in()
        self.expect(self.entry(page, "app")).to_be_visible()
        chain.platform.stop()
        self.expect(page.locator("#trouble")).to_contain_text("The platform can't be reached.")
        self.expect(self.entry(page, "app")).to_be_visible()
        now = page.get_by_role("navigation").get_by_role("button", name="Try now")
        with page.expect_event("requestfailed", lambda asked: "/v1/hosts" in asked.url):
            now.click()
        self.picture(page, "console-platform-down")
        self.assert_accessible(page, "platform down")
        chain.platform.start()  # with the same key, so sessions go on
        self.expect(now).to_be_hidden(timeout=LATER)
        self.expect(page.locator("#count")).to_have_text("1 host up")
        self.expect(page.get_by_label("Key", exact=True)).to_be_hidden()
        self.expect(self.entry(page, "app")).to_be_visible()
        self.complaints = [text for text in self.complaints if "net::ERR_" not in text]
        self.assert_content()

    def test_link_while_platform_is_down(self) -> None:
        """A link's key that comes while the platform can't be reached is taken as soon as it can."""
        page = self.page()
        page.route("**/v1/session", lambda route: route.abort())
        page.reload()
        self.expect(page.locator("#trouble")).to_contain_text("can't be reached")
        page.evaluate("location.hash = '#key=srk_once_guess'")
        page.wait_for_url(self.common.console + "/")
        with page.expect_response(lambda answer: answer.request.method == "POST" and answer.status == 401) as asked:
            page.unroute("**/v1/session")
            self.expect(page.locator("#signin-why")).to_be_visible()
        self.assertEqual(asked.value.request.post_data_json, {"key": "srk_once_guess"})

    def test_pattern(self) -> None:
        """A target that is a pattern asks for its parts in a form of the list, which Escape closes."""
        page = self.signed_in()
        button = self.entry(page, "logs/{name}")
        button.click()
        field = page.get_by_label("name", exact=True)
        self.expect(field).to_be_focused()
        self.expect(button).to_have_attribute("aria-expanded", "true")
        field.press("Escape")
        self.expect(field).to_be_hidden()
        self.expect(button).to_be_focused()
        button.press("Enter")
        field.fill("app")
        field.press("Enter")
        panel = page.get_by_role("tabpanel")
        self.expect(panel.get_by_text("second line").first).to_be_visible()
        self.expect(page.get_by_role("tab", selected=True)).to_contain_text("logs/app")
        self.assert_content()


class Loading(ConsoleTest):
    """What is loaded, and when."""

    def test_first_load(self) -> None:
        """The page is under 150 KB on the wire, with the viewer of logs, which comes once there is nothing to do; any
        other is loaded when it is first pointed at."""
        page = self.page()
        self.sign_in(page)
        self.expect(self.entry(page, "app")).to_be_visible()
        files = until(lambda: self.all_loaded(page), what="the viewer of logs, all files at once,")
        total = sum(files.values())
        print(f"\nfirst load: {len(files)} files, {total} bytes on the wire")
        self.assertLess(total, 150_000, files)
        others = [name for name in files if name.startswith(("/viewers/", "/third-party/"))]
        self.assertEqual([name for name in others if name not in ("/viewers/log.js", "/viewers/clipboard.js")], [])
        self.entry(page, "shell").hover()
        until(lambda: "/viewers/terminal.js" in self.files(page), what="the viewer that is pointed at")
        self.expect(page.get_by_role("tab")).to_have_count(0)
        self.open_target(page, "app")
        self.assertFalse([name for name in self.files(page) if name.startswith("/third-party/")])
        self.assert_content()

    def all_loaded(self, page: Any) -> dict[str, int]:
        """The files that a page has loaded; none until they are all that it says in advance, and the viewer of logs."""
        preloaded = page.evaluate("[...document.querySelectorAll('[rel=modulepreload]')].map(({ href }) => href)")
        files = self.files(page)
        modules = {name for name in files if name.endswith(".js")} - {"/console.js", "/console/theme.js"}
        said = {href.removeprefix(self.common.console) for href in preloaded}
        return files if modules == said and "/log/viewport.js" in files else {}

    def files(self, page: Any) -> dict[str, int]:
        """The files that a page has loaded, and how much each was on the wire."""
        entries = "performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
        pairs = f"{entries}.map(({{ name, transferSize }}) => [new URL(name).pathname, transferSize])"
        return {name: size for name, size in page.evaluate(pairs) if not name.startswith("/v1/")}

    def test_chosen(self) -> None:
        """What is chosen without being pointed at is asked for first, and its viewer's files then, all at once: where
        data are to be saved, as then nothing comes in advance."""
        page = self.page()
        page.add_init_script("Object.defineProperty(navigator, 'connection', { value: { saveData: true } })")
        page.reload()
        self.sign_in(page)
        self.expect(self.entry(page, "app")).to_be_visible()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url.removeprefix(self.common.console)))
        self.entry(page, "app").dispatch_event("click")
        self.expect(page.get_by_role("tabpanel").locator("p.state")).to_have_text("Connected")
        self.assertLess(asked.index("/v1/streams"), asked.index("/viewers/log.js"))
        ahead = "document.querySelectorAll('link[rel=modulepreload][href*=\"/log/\"]').length"
        self.assertGreater(page.evaluate(ahead), 20)
        self.assert_content()

    def test_click_to_line(self) -> None:
        """From the click to a log's first line it takes under 150 ms at the median, once its viewer is loaded."""
        page = self.signed_in()
        self.open_target(page, "app")
        took = []
        for _ in range(15):
            self.act(page, "Close")
            with timed() as passed:
                took.append(passed.fairly(page.evaluate(CLICK)))
        took.sort()
        print(f"\nclick to first line: p50 {took[7]:.0f} ms, of 15 from {took[0]:.0f} to {took[-1]:.0f}")
        self.assertLess(took[7], 150)
        self.assert_content()


CLICK = """() => new Promise((done) => {
  const button = [...document.querySelectorAll('#hosts .target')].find((one) => one.textContent.startsWith('app'));
  const began = performance.now();
  button.click();
  const all = (root) => [root.textContent, ...[...root.querySelectorAll('*')].map((one) => one.shadowRoot)
    .filter(Boolean).map(all)].join('');
  const look = () => {
    const screen = document.querySelector('.panel:not([hidden]) .screen');
    if (screen && all(screen).includes('first line')) done(performance.now() - began);
    else requestAnimationFrame(look);
  };
  look();
})"""
