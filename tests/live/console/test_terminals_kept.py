"""Kept terminals in the console: a page that is loaded again has the same program, and so has another browser."""

import re
import shutil
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.live.console.console import LATER, PHONE, ConsoleChain
from tests.live.console.kept_terminals import KEPT, VIM
from tests.live.console.terminal import TerminalTest
from tests.live.support.chain import HOST
from tests.live.support.ports import answers
from tests.live.support.waiting import WAIT, until

ALSO = "Also here: {name} ({how})"
SELF = "you, in another window"
ALONE = "Nobody else is here."
HIDE = """Object.defineProperty(document, 'hidden', { value: true, configurable: true });
Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });
document.dispatchEvent(new Event('visibilitychange'));"""


class KeptTest(TerminalTest):
    """A page whose host keeps the shell."""

    def start(self) -> ConsoleChain:
        return self.own_chain(targets=KEPT)

    def panel(self, page: Any) -> Any:
        return page.get_by_role("tabpanel")

    def state(self, page: Any, words: str) -> None:
        self.expect(self.panel(page).locator("p.state")).to_have_text(words, timeout=LATER)

    def pid(self, page: Any, name: str) -> str:
        """The number of the shell, by a word that nothing else has."""
        page.keyboard.type(f"echo {name}=$$=\n")
        return self.shows(page, rf"{name}=(\d+)=")[1]

    def shell(self, **settings: Any) -> Any:
        """A page with a new shell."""
        page = self.signed_in(**settings)
        self.open_target(page, "shell")
        self.there(page, ALONE)
        return page

    def vim(self, page: Any) -> str:
        """Have vim in the shell, with a line; gives the whole screen."""
        if shutil.which("vim") is None:
            raise SkipTest("needs vim")
        page.keyboard.type(f"{VIM}\n")
        self.shows(page, r"~\n~")
        page.keyboard.type("ifirst line")
        drawn = re.compile(r"^first line\n~(.|\n)*\n-- INSERT -- +1,11 +All$")  # down to the last row
        return str(until(lambda: drawn.search(self.rows(page)), what="vim in the whole window").string)

    def there(self, page: Any, words: str) -> None:
        self.expect(self.panel(page).get_by_role("group").get_by_role("status")).to_have_text(words)

    def listed(self, page: Any) -> Any:
        """The list of the host's terminals."""
        page.get_by_role("treeitem", name="Kept terminals").click()
        return page.get_by_role("dialog", name=f"Kept terminals on {HOST}")

    def attach(self, page: Any, how: str = "Attach") -> None:
        """To the only terminal that there is."""
        self.listed(page).get_by_role("button", name=f"{how} shell").click()
        self.state(page, "Connected")

    def same(self, page: Any, screen: str) -> None:
        until(lambda: self.rows(page).strip() == screen.strip(), what=f"{screen!r} as the screen")


class Again(KeptTest):
    """A page that comes back."""

    def test_reload(self) -> None:
        """The page is loaded again: the same vim, the same screen, at once and without a question; keys go to it."""
        page = self.shell()
        pid = self.pid(page, "pid")
        screen = self.vim(page)
        asked: list[Any] = []
        page.on("dialog", lambda dialog: asked.append(dialog.type))
        for _ in range(2):
            page.reload()
            self.state(page, "Connected")
            self.same(page, screen)
        self.assertEqual(asked, [])
        self.expect(page.get_by_role("tab")).to_have_count(1)
        page.keyboard.type(", and more")
        self.shows(page, r"^first line, and more\n")
        page.keyboard.press("Escape")
        page.keyboard.type(":q!\n")
        self.shows(page, r"\n\$\n*$")  # vim takes what is typed ahead of its end with it
        self.assertEqual(self.pid(page, "same"), pid)
        self.assert_accessible(page, "a kept terminal that was attached to again")
        self.assert_content()

    def test_scrolled(self) -> None:
        """The last lines above the screen are there again, each once."""
        page = self.shell()
        page.keyboard.type("seq -f 'line-%g-' 100\n")
        self.shows(page, "line-100-")
        page.reload()
        self.shows(page, "line-100-")
        page.locator(".xterm-screen").hover()

        def above() -> bool:
            page.mouse.wheel(0, -1000)
            return re.search("^\\$ seq .*\nline-1-\nline-2-\nline-3-\n", self.rows(page)) is not None

        until(above, what="the first lines, once all are there and nothing is drawn anew")
        self.assert_content()

    def test_several(self) -> None:
        """Of several all come back, each to its own, also those whose tabs aren't shown."""
        page = self.shell()
        pids = [self.pid(page, "one")]
        self.act(page, "Open another")
        self.state(page, "Connected")
        pids.append(self.pid(page, "two"))
        self.assertEqual(len(set(pids)), 2)
        page.reload()
        self.expect(page.get_by_role("tab")).to_have_count(2)
        for at, name in enumerate(("three", "four")):
            page.get_by_role("tab").nth(at).click()
            self.state(page, "Connected")
            page.locator(".panel:not([hidden]) .xterm-screen").click()
            self.assertEqual(self.pid(page, name), pids[at])
        self.assert_content()

    def test_copy(self) -> None:
        """A copy of the tab attaches as another one, and both go on."""
        page = self.shell()
        pid = self.pid(page, "pid")
        with page.context.expect_page() as opened:
            page.evaluate("void window.open(location.href)")  # has the storage, as a duplicated tab has
        copy = opened.value
        self.watch(copy)
        self.state(copy, "Connected")
        self.there(page, ALSO.format(name=SELF, how="types"))
        self.there(copy, ALSO.format(name=SELF, how="types"))
        copy.locator(".xterm-screen").click()
        self.assertEqual(self.pid(copy, "copied"), pid)
        self.shows(page, f"copied={pid}=")
        copy.close()
        self.there(page, ALONE)
        self.assertEqual(self.complaints, [])

    def test_gone(self) -> None:
        """A terminal that is no more is said to be, and isn't begun anew by itself; Reconnect does."""
        page = self.shell()
        pid = self.pid(page, "pid")
        self.common.agent.kill()
        self.common.agent.start()
        until(self.common.hosts, what="the agent")
        words = self.panel(page).locator("p.words")
        self.expect(words).to_contain_text("is no more: its program has ended, or its host's agent was restarted")
        self.expect(page.get_by_role("group", name="Kept terminal")).to_have_count(0)  # nothing to leave, or to end
        self.assert_accessible(page, "a kept terminal that is no more")
        self.panel(page).get_by_role("button", name="Reconnect").click()
        self.state(page, "Connected")
        self.assertNotEqual(self.pid(page, "new"), pid)
        page.keyboard.type("exit 3\n")
        self.expect(words).to_have_text("The command ended with status 3.")
        self.assertIsNone(page.evaluate("sessionStorage.getItem('terminals')"))
        self.assert_content()


class Lost(KeptTest):
    """A page whose connection is lost for longer than its host holds a stream."""

    def start(self) -> ConsoleChain:
        return self.own_chain(targets=KEPT, agent="hold = 2\n")

    def test_hold_passes(self) -> None:
        """What can't be resumed any more is attached to anew by itself: the same shell."""
        page = self.shell()
        pid = self.pid(page, "pid")
        self.common.relay.kill()
        self.state(page, "Waiting")
        self.common.relay.start()
        until(lambda: answers(self.common.relay_port), what="the relay")
        self.state(page, "Connected")
        self.assertEqual(self.pid(page, "same"), pid)
        self.assertEqual(self.rows(page).count(f"pid={pid}="), 1)
        self.assert_content()


class Together(KeptTest):
    """Two browsers at one terminal."""

    def test_both(self) -> None:
        """In another browser it is the same vim, the same screen; what either types both see."""
        page = self.shell()
        screen = self.vim(page)
        other = self.signed_in()
        self.attach(other)
        self.same(other, screen)
        self.there(page, ALSO.format(name=SELF, how="types"))
        self.there(other, ALSO.format(name=SELF, how="types"))
        other.keyboard.type(", typed there")
        self.shows(page, r"^first line, typed there\n")
        page.keyboard.type(", and here")
        self.shows(other, r"^first line, typed there, and here\n")
        self.pictures(page, "console-kept")
        self.assert_accessible(page, "a kept terminal with somebody else")
        self.panel(other).get_by_role("button", name="Leave running").click()
        self.expect(other.get_by_role("tab")).to_have_count(0)
        self.expect(other.locator("#said")).to_contain_text("runs on without you.")
        self.there(page, ALONE)
        self.assert_content()

    def test_sizes(self) -> None:
        """The smaller window's size is drawn in both once somebody types there, with a word in the other; and back."""
        page = self.shell()
        self.vim(page)
        other = self.signed_in(**PHONE)
        self.attach_on_phone(other)
        size = self.panel(page).locator(".terminal-company .size")
        self.expect(size).to_contain_text("as another window has it")
        until(lambda: self.rows(page).strip() == self.rows(other).strip(), what="the other's screen")
        self.picture(page, "console-kept-of-another-size")
        self.picture(other, "console-kept-phone")
        self.assert_accessible(page, "a kept terminal of another's size")
        self.assert_accessible(other, "a kept terminal on a phone")
        page.keyboard.type(" x")
        self.expect(size).to_be_hidden()
        self.expect(self.panel(other).locator(".terminal-company .size")).to_be_visible()
        until(lambda: self.rows(page).strip() == self.rows(other).strip(), what="the same screen")
        self.picture(other, "console-kept-phone-of-another-size")
        self.assert_content()

    def attach_on_phone(self, page: Any) -> None:
        self.attach(page)
        self.there(page, ALSO.format(name=SELF, how="types"))
        self.shows(page, "first line")

    def test_looks(self) -> None:
        """Who looks sees all of it and changes nothing; who types is told that they look."""
        page = self.shell()
        pid = self.pid(page, "pid")
        other = self.signed_in()
        self.attach(other, "Look")
        self.shows(other, f"pid={pid}=")
        self.there(page, ALSO.format(name=SELF, how="looks only"))
        self.there(other, ALSO.format(name=SELF, how="types"))
        self.expect(self.panel(other).get_by_text("View only")).to_be_visible()
        other.locator(".xterm-screen").click()
        other.keyboard.type("echo never\n")
        page.keyboard.type("echo seen\n")
        self.shows(other, "\nseen\n")
        self.assertNotIn("never", self.rows(page))
        other.reload()  # looks again
        self.shows(other, "\nseen\n")
        self.there(page, ALSO.format(name=SELF, how="looks only"))
        self.assert_content()

    def test_ended(self) -> None:
        """The end is asked for first; then it is over for both."""
        page = self.shell()
        other = self.signed_in()
        self.attach(other)
        self.panel(page).get_by_role("button", name="End …").click()
        asks = page.get_by_role("dialog")
        self.expect(asks).to_contain_text("whoever else is there loses it, too")
        yes = asks.get_by_role("button", name="End terminal")
        self.expect(yes).not_to_have_attribute("aria-disabled", "true")
        yes.click()
        for each in (page, other):
            self.state(each, "Ended")
        self.expect(self.listed(other).get_by_role("listitem")).to_have_count(0)
        self.assert_content()

    def test_hidden(self) -> None:
        """A page that nobody sees, and whose turns don't come, doesn't hold up the program for others."""
        page = self.shell()
        other = self.signed_in()
        self.attach(other)
        page.evaluate(HIDE)
        page.context.new_cdp_session(page).send("Page.setWebLifecycleState", {"state": "frozen"})
        other.keyboard.type("seq -f 'line %.0f of many' 400000; echo ov''er\n")
        until(lambda: "\nover\n" in self.rows(other), 4 * WAIT, what="the end of 8 MB")
        self.complaints.clear()
