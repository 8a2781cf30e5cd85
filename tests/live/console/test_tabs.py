"""The console's tabs: several targets at once, how each stands in words, trying again, links. In Chromium."""

import re
import shlex
import socket

from streamrelay.protocol.names import is_target
from tests.live.console.console import LATER, STILL, ConsoleChain, ConsoleTest
from tests.live.support.chain import HOST
from tests.live.support.pace import timed
from tests.live.support.ports import answers
from tests.live.support.pump import Pump
from tests.live.support.sockets import reset
from tests.live.support.waiting import until

FILLS = "document.querySelector('.panel:not([hidden])').getBoundingClientRect().height === innerHeight"
"""The panel that is shown is as high as the window, which a browser makes larger in steps."""


class Outcomes(ConsoleTest):
    """How it stands, in words."""

    def test_refused(self) -> None:
        """A target that refuses, and one that isn't there, are told in words; reconnecting works once it listens."""
        refusing = socket.socket()  # bound, so that nobody else listens there, and not listening itself
        self.addCleanup(refusing.close)
        refusing.bind(("127.0.0.1", 0))
        page = self.signed_in(f"#{HOST}/port/{refusing.getsockname()[1]}")
        panel = self.say_open(page)
        self.expect(panel.locator("p.words")).to_contain_text("refused the connection")
        self.expect(panel.locator("p.state")).to_have_text("Ended")
        self.expect(panel.get_by_role("button", name="Reconnect")).to_be_visible()
        self.picture(page, "console-refused")
        page.evaluate(f"location.hash = '#{HOST}/nothing'")
        self.say_open(page)
        self.expect(panel.locator("p.words")).to_contain_text("no such target", ignore_case=True)
        self.assert_content()

    def test_offline(self) -> None:
        """A host that is offline is waited for, which is said with the seconds; it is tried at once when it is up."""
        chain = self.own_chain()
        page = self.signed_in()
        self.expect(self.entry(page, "app")).to_be_visible()
        chain.agent.stop()
        self.expect(self.entry(page, "app")).to_have_count(0)
        page.evaluate(f"location.hash = '#{HOST}/shell'")
        panel = self.say_open(page)
        self.expect(panel.locator("p.words")).to_contain_text(f"Host {HOST} is offline. Next try in ")
        self.expect(panel.get_by_role("button", name="Try now")).to_be_visible()
        self.picture(page, "console-offline")
        chain.agent.start()
        self.expect(panel.locator("p.state")).to_have_text("Connected", timeout=LATER)
        self.expect(panel.locator(".notice")).to_be_hidden()
        self.assert_content()

    def test_more_lines(self) -> None:
        """A log can be begun anew with more lines, once: then it goes on as any other. Nothing of before is left."""
        (self.common.folder / "many.log").write_text("".join(f"line {number}\n" for number in range(1500)))
        page = self.signed_in(f"#{HOST}/logs/many")
        panel = page.get_by_role("tabpanel")
        count = panel.locator("stream-log")
        until(lambda: count.evaluate("log => log.count") == 100, what="the last lines")
        self.act(page, "Begin with 1,000 lines")
        until(lambda: count.evaluate("log => log.count") == 1000, what="more of them")
        with (self.common.folder / "many.log").open("a") as log:
            log.write("line 1500\n")
        until(lambda: count.evaluate("log => log.count") == 1001, what="a new one")
        self.act(page, "Reconnect")
        until(lambda: count.evaluate("log => log.count") == 1002, what="the word that nothing is missing")
        self.assert_content()

    def test_ended(self) -> None:
        """An operator's end, a target's reset, and a command's status are told as such; Reconnect opens anew."""
        page = self.signed_in()
        panel = self.open_target(page, "app")
        [stream] = self.common.streams()
        self.common.end(stream["stream"])
        self.expect(panel.locator("p.words")).to_have_text("Ended by an operator.")
        self.assertEqual(panel.locator("p.state").text_content(), "Ended")
        panel.get_by_role("button", name="Reconnect").click()
        self.expect(panel.locator("p.state")).to_have_text("Connected")
        panel = self.open_target(page, "shell")
        page.keyboard.type("exit 3\n")
        self.expect(panel.locator("p.words")).to_have_text("The command ended with status 3.")
        self.picture(page, "console-status")
        panel, connection = self.opened_at(page, self.listen())
        self.assert_accessible(page, "raw")
        connection.sendall(b"220 mail.example ESMTP\r\n\xff")
        self.expect(panel.get_by_text("25 bytes; not all of it is text")).to_be_visible()
        self.picture(page, "console-raw")
        reset(connection)
        self.expect(panel.locator("p.words")).to_have_text("The target reset the connection.")
        self.assertEqual(panel.get_attribute("data-state"), "over")
        self.assert_content()

    def test_relay_killed(self) -> None:
        """The relay of streams that don't resume is killed: every tab says so and when it tries again; once it is back
        all go on by themselves."""
        chain = self.own_chain(agent="hold = 0\n")
        page = self.signed_in()
        self.open_target(page, "shell")
        panel = self.open_target(page, "app")
        self.expect(panel.get_by_text("second line").first).to_be_visible()
        chain.relay.kill()
        self.expect(panel.locator("p.words")).to_contain_text("The connection to the relay broke.")
        self.expect(panel.locator("p.words")).to_contain_text("Next try in ")
        self.expect(panel.get_by_role("button", name="Try now")).to_be_visible()
        self.expect(panel.get_by_text("second line").first).to_be_visible()  # what was shown stays
        self.picture(page, "console-retry")
        with (chain.folder / "app.log").open("a") as log:
            log.write("meanwhile\n")
        chain.relay.start()
        self.expect(panel.locator("p.state")).to_have_text("Connected", timeout=LATER)
        self.expect(panel.get_by_text("meanwhile").first).to_be_visible()
        page.get_by_role("tab", name="shell").click()
        self.expect(panel.locator("p.state")).to_have_text("Connected", timeout=LATER)
        self.assert_content()

    def test_dead_link(self) -> None:
        """A proxy stops to forward, and nobody closes anything: every tab says so soon after the network has come back,
        or the page is seen again, and goes on once the proxy does. What isn't connected isn't said to be."""
        chain = self.common = ConsoleChain(self.folder)
        pump = Pump(chain.relay_port)
        self.addCleanup(pump.close)
        self.addCleanup(chain.stop)
        chain.relay_url = f"ws://127.0.0.1:{pump.port}"
        chain.start()
        page = self.signed_in()
        self.open_target(page, "shell")
        panel = self.open_target(page, "app")
        self.expect(panel.get_by_text("second line").first).to_be_visible()
        for news in ("dispatchEvent(new Event('online'))", "document.dispatchEvent(new Event('visibilitychange'))"):
            pump.stop()
            with (chain.folder / "app.log").open("a") as log:
                log.write(f"at {news}\n")
            with timed() as passed:
                page.evaluate(news)
                self.expect(panel.locator("p.state")).to_have_text("Reconnecting …")
            print(f"figure: a dead link was said {passed():.1f} s after the news")
            self.expect(panel.locator("stream-log .words")).to_have_text(
                "Reconnecting … The connection to the relay broke (the relay does not answer)."
            )
            self.expect(page.get_by_role("tab", name="shell")).not_to_have_attribute("data-state", "open")
            pump.go_on()
            self.expect(panel.locator("p.state")).to_have_text("Connected", timeout=LATER)
            self.expect(panel.get_by_text(f"at {news}").first).to_be_visible()
        self.expect(panel.locator("stream-log .row").filter(has_text="second line")).to_have_count(1)
        self.assert_content()

    def test_try_now(self) -> None:
        """Nobody has to wait for the next try; and once one tab is open again the others are tried, too."""
        chain = self.own_chain(agent="hold = 0\n")
        page = self.signed_in()
        self.open_target(page, "shell")
        other = page.get_by_role("tab", name="shell")
        panel = self.open_target(page, "app")
        page.evaluate(STILL, ["this.#try()"])  # of each of the two the next try never comes by itself
        chain.relay.restart()
        until(lambda: answers(chain.relay_port), what="the relay")
        page.wait_for_function("stilled === 2")
        self.expect(panel.locator("p.words")).to_contain_text("Next try in ")
        panel.get_by_role("button", name="Try now").click()
        self.expect(panel.locator("p.state")).to_have_text("Connected")
        self.expect(other).to_have_attribute("data-state", "open")
        self.assert_content()


class Tabs(ConsoleTest):
    """Several targets at once."""

    def test_two(self) -> None:
        """Two tabs live side by side: what one's target says while the other is shown is there afterwards."""
        page = self.signed_in()
        self.open_target(page, "app")
        panel = self.open_target(page, "shell")
        page.keyboard.type("echo a$((40 + 2))b\n")
        self.expect(panel.get_by_text("a42b").first).to_be_visible()
        with (self.common.folder / "app.log").open("a") as log:
            log.write("said to nobody\n")
        self.entry(page, "app").click()
        self.expect(page.get_by_role("tab")).to_have_count(2)
        self.expect(panel.get_by_text("said to nobody").first).to_be_visible()
        page.get_by_role("tab", name="shell").click()
        self.expect(panel.get_by_text("a42b").first).to_be_visible()
        self.assertEqual(len(self.common.streams()), 2)
        self.picture(page, "console-tabs")
        self.act(page, "Open another")
        self.expect(page.get_by_role("tab")).to_have_count(3)
        self.expect(page.get_by_role("tab", selected=True)).to_contain_text("shell (2)")
        for _ in range(3):
            self.act(page, "Close")
        self.expect(page.get_by_text("Choose a target")).to_be_visible()
        until(lambda: not self.common.streams(), what="the end of all streams")
        self.assert_content()

    def test_links(self) -> None:
        """A link shows its log once somebody has signed in; the address follows the tabs, and back goes back."""
        page = self.signed_in(f"#{HOST}/app")
        panel = page.get_by_role("tabpanel")
        self.expect(panel.get_by_text("second line").first).to_be_visible()
        self.open_target(page, "shell")
        self.assertEqual(page.url, f"{self.common.console}/#{HOST}/shell")
        self.assertEqual(page.title(), f"shell on {HOST} · streamrelay")
        page.go_back()
        self.expect(page.get_by_role("tab", selected=True)).to_contain_text("app")
        page.go_forward()
        self.expect(page.get_by_role("tab", selected=True)).to_contain_text("shell")
        self.act(page, "Close")
        self.assertEqual(page.url, f"{self.common.console}/#{HOST}/app")
        page.go_back()
        self.expect(page.get_by_role("tab")).to_have_count(1)
        self.assert_content()

    def test_names(self) -> None:
        """A target's link leads back to it, one to what no target is called leads nowhere; commands are the shell's."""
        page = self.signed_in()
        for name in ("log", "vm/web-1/console", "a@b:22+x", "a.b_c-d", "50%", "it's", "a b", "#?&", "ü/%2F"):
            address = page.evaluate("async (name) => (await import('/console/links.js')).fragment('h', name)", name)
            self.assertNotIn(" ", address)
            back = page.evaluate("async (text) => (await import('/console/links.js')).parse(text)", address)
            self.assertEqual(back, {"host": "h", "target": name} if is_target(name) else None)
            line = page.evaluate("async (name) => (await import('/console/links.js')).command('h', name)", name)
            self.assertEqual(
                shlex.split(line), ["streamrelay", "connect", "--platform", self.common.console, "h", name]
            )
        for nothing in ("", "#", "#x", "#/", "#x/", "#%/%"):
            self.assertIsNone(page.evaluate("async (text) => (await import('/console/links.js')).parse(text)", nothing))
        self.assert_content()

    def test_copy(self) -> None:
        """What is copied is a link without a secret, and a command that the native client runs as it stands."""
        page = self.signed_in()
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.open_target(page, "app")
        self.act(page, "Copy link")
        self.expect(page.locator("#said")).to_have_text("The link is copied.")
        self.assertEqual(page.evaluate("navigator.clipboard.readText()"), f"{self.common.console}/#{HOST}/app")
        self.act(page, "Copy command")
        self.expect(page.locator("#said")).to_have_text("The command is copied.")
        line = page.evaluate("navigator.clipboard.readText()")
        self.assertEqual(line, f"streamrelay connect --platform {self.common.console} {HOST} app")
        program = self.program("client", *shlex.split(line), environment={"STREAMRELAY_KEY": self.common.key})
        program.wait_for("second line")
        self.assert_content()

    def test_copy_is_not_allowed(self) -> None:
        """Where the browser lets no page copy links stand selected in a field; a terminal's menu and keys say why."""
        page = self.signed_in()
        self.open_target(page, "app")
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
        self.act(page, "Copy link")
        self.expect(page.get_by_role("dialog").get_by_role("textbox")).to_have_value(
            f"{self.common.console}/#{HOST}/app"
        )
        self.assertEqual(page.evaluate("getSelection().toString()"), f"{self.common.console}/#{HOST}/app")
        page.keyboard.press("Escape")
        self.open_target(page, "shell")
        said = page.locator("#said")
        page.keyboard.press("Control+Shift+C")
        self.expect(said).to_have_text("Nothing is selected.")
        page.evaluate("() => { navigator.clipboard.readText = () => Promise.reject(new Error('no')); }")
        self.act(page, "Paste")
        self.expect(said).to_have_text("The browser did not let this page read the clipboard; paste by keys.")
        page.evaluate("() => Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        self.act(page, "Paste")
        https = "The browser gives no clipboard to a page that is not served by https"
        self.expect(said).to_have_text(f"{https}; paste by keys.")
        self.expect(page.locator(".xterm-rows > div").first).to_contain_text(re.compile("[#$]"))  # the prompt
        page.locator(".xterm-screen").dblclick(position={"x": 10, "y": 10})
        for way in (lambda: self.act(page, "Copy selection"), lambda: page.keyboard.press("Control+Shift+C")):
            page.evaluate("document.querySelector('#said').textContent = ''")
            way()
            self.expect(said).to_have_text(f"{https}.")
            page.locator(".xterm-screen textarea").focus()
        self.assert_content()

    def test_unknown_viewer(self) -> None:
        """A target whose viewer this page doesn't know is shown raw; one whose viewer is missing is told in words."""
        page = self.signed_in()
        self.pretend(page, viewer="hologram")
        loaded: list[str] = []
        page.on("request", lambda request: loaded.append(request.url.rpartition("/")[2]))
        listener = self.listen()
        self.opened_at(page, listener)
        self.assertIn("raw.js", loaded)
        page.unroute("**/v1/streams")
        page.route("**/viewers/terminal.js", lambda route: route.fulfill(status=404, body="no"))
        self.entry(page, "shell").click()
        panel = page.get_by_role("tabpanel")
        self.expect(panel.locator("p.words")).to_contain_text("(viewers/terminal.js) can't be loaded")
        self.assert_content()


class FullScreen(ConsoleTest):
    """A tab that fills the screen, which only a browser with windows gives back."""

    whole = True

    def test_full_screen(self) -> None:
        """A tab has one name and one cross; its panel takes the whole screen and gives it back, and says its name
        there; meanwhile keys lead to the other tab."""
        page = self.signed_in()
        self.open_target(page, "shell")
        panel = self.open_target(page, "app")
        named = "[...document.querySelectorAll('#work :is(.tab .what, .panel-head h2)')]"
        named += ".filter((one) => one.offsetWidth > 1 && one.textContent.startsWith('app')).length"
        crosses = "document.querySelectorAll('.tab:has(.cross), .panel:not([hidden]) .panel-head [aria-label=Close]')"
        self.assertEqual(page.evaluate(f"[{named}, {crosses}.length]"), [1, 2])  # a cross for each tab, no other
        panel.get_by_role("button", name="Full screen").click()
        page.wait_for_function("document.fullscreenElement !== null")
        self.expect(panel.get_by_role("heading")).to_be_in_viewport()
        page.wait_for_function(FILLS)
        page.keyboard.press("Control+Alt+PageUp")
        self.expect(panel.get_by_role("heading")).to_have_text(f"shell {HOST}")
        page.wait_for_function(FILLS)
        panel.get_by_role("button", name="Leave full screen").click()
        page.wait_for_function("document.fullscreenElement === null")
        self.assert_content()
