"""Logs of several hosts in one tab of the console: chosen, linked, and each with its own end. In Chromium."""

import re
from pathlib import Path
from typing import Any

from tests.live.console.console import ConsoleChain, ConsoleTest
from tests.live.support.chain import HOST
from tests.live.support.processes import Program, twistd
from tests.live.support.waiting import until

OTHER = "db-1"
WORDS = ("\x1b[32mINFO\x1b[0m  GET /api/orders 200 in 12 ms", "\x1b[31mERROR\x1b[0m no answer of orders")

PLAIN = re.compile("\x1b\\[[0-9]*m")
TOLD = """() => {
  window.told = [];
  const place = document.querySelector('#said');
  new MutationObserver(() => told.push(place.textContent)).observe(place, { childList: true });
}"""
"""Note what screen readers are told."""
ROWS = """(all) => all.map((one) =>
  [one.querySelector('.source')?.textContent ?? '', one.querySelector('.text').textContent])"""


class TwoHosts(ConsoleChain):
    """A chain with a second host, whose users may have two streams on each."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, agent="max_streams_per_user = 2\n")
        for name in ("slow", "more"):
            (folder / f"{name}.log").write_text(f"{name} 1\n")

    def start_agent(self) -> Program:
        mine = (self.folder / "agent.toml").read_text()
        changed = mine.replace(f'host = "{HOST}"', f'host = "{OTHER}"').replace("/state", "/state-2")
        (self.folder / "other.toml").write_text(changed)
        self.other = self.add("other agent", *twistd(), "streamagent", f"--config={self.folder}/other.toml")
        return super().start_agent()


class Several(ConsoleTest):
    """Several logs in one tab."""

    kind: type[ConsoleChain] = TwoHosts

    def setUp(self) -> None:
        super().setUp()
        until(lambda: len(self.hosts()) == 2, what="both hosts")
        self.renew()

    def renew(self) -> None:
        for name in ("app", "slow"):
            self.log(name).write_text(f"{name} begins\n")

    def hosts(self) -> list[Any]:
        return list(self.common.ask("GET", "/v1/hosts").json["hosts"])

    def log(self, name: str) -> Path:
        return Path(self.common.folder) / f"{name}.log"

    def write(self, name: str, text: str) -> None:
        with self.log(name).open("a") as log:
            log.write(text)

    def rows(self, page: Any) -> list[tuple[str, str]]:
        """Name and text of the rows of the tab that is shown."""
        rows = page.locator("stream-log:visible .row")
        return [(name, text) for name, text in rows.evaluate_all(ROWS)]

    def shows(self, page: Any, name: str, text: str) -> None:
        until(lambda: (name, text) in self.rows(page), what=f"{text!r} of {name!r}")

    def test_added(self) -> None:
        """A log of another host is added by keys, one by its part; lines come by time, with their hosts; a reload shows
        the same again without asking; one that is removed ends."""
        page = self.signed_in(f"#{HOST}/app")
        self.shows(page, "", "app begins")
        page.get_by_role("tabpanel").get_by_role("button", name="More").press("Enter")
        page.keyboard.press("Enter")  # the menu's first
        dialog = page.get_by_role("dialog", name="Add logs to this view")
        dialog.get_by_role("group", name=OTHER).get_by_role("checkbox", name="app").press("Space")
        self.assert_accessible(page, "choosing logs")
        self.picture(page, "console-add-logs")
        dialog.get_by_role("button", name="Add").press("Enter")
        self.shows(page, OTHER, "app begins")
        self.shows(page, HOST, "app begins")
        self.assertEqual(page.url, f"{self.common.console}/#{HOST}/app,{OTHER}/app")
        self.expect(page.locator("stream-log .scroller")).to_be_focused()
        self.act(page, "Add another log")
        field = dialog.get_by_label(f"name of logs/{{name}} on {HOST}")
        field.fill("no name")
        dialog.get_by_role("button", name="Add").click()
        self.expect(dialog.get_by_role("alert")).to_contain_text("is not a valid target name")
        field.fill("slow")
        field.press("Enter")
        self.expect(dialog).to_have_count(0)
        self.shows(page, f"{HOST}/logs/slow", "slow begins")
        self.write("slow", "slow 2\n")
        self.shows(page, f"{HOST}/logs/slow", "slow 2")
        self.expect(page.get_by_role("tab")).to_contain_text("3 logs")
        page.reload()
        self.shows(page, f"{OTHER}/app", "app begins")
        self.shows(page, f"{HOST}/logs/slow", "slow 2")
        until(lambda: len(self.common.streams()) == 3, what="the streams of the page that has gone to end")
        self.assert_accessible(page, "several logs")
        self.act(page, f"Remove logs/slow on {HOST}")
        self.assertEqual(page.url, f"{self.common.console}/#{HOST}/app,{OTHER}/app")
        until(lambda: len(self.common.streams()) == 2, what="the end of its stream")
        self.shows(page, HOST, "app begins")
        self.assert_content()

    def test_each_stands_alone(self) -> None:
        """One log's end, a host that is offline, and the user's limit are told by name, while the others go on; what
        comes back goes on where it stopped, and says so."""
        page = self.signed_in(f"#{HOST}/app,{OTHER}/app,gone-1/app")
        panel = page.get_by_role("tabpanel")
        panel.get_by_role("button", name="Open", exact=True).click()  # the list has nothing of the last one
        self.shows(page, HOST, "app begins")
        self.expect(panel.locator("p.state")).to_have_text("2 of 3 connected")
        self.expect(panel.locator("p.words")).to_contain_text("Log app on gone-1: host gone-1 is offline")
        sources = page.get_by_role("group", name="Sources")
        self.expect(sources.locator(".one").nth(2)).to_contain_text("offline")
        self.act(page, "Remove app on gone-1")
        self.expect(panel.locator("p.state")).to_have_text("Connected")
        [stream] = [each for each in self.common.streams() if each["host"] == OTHER]
        self.common.end(stream["stream"])
        self.shows(page, OTHER, "Ended: ended by an operator")
        self.expect(panel.locator("p.words")).to_have_text(f"Log app on {OTHER}: ended by an operator.")
        self.write("app", "while it was gone\n")
        self.shows(page, HOST, "while it was gone")
        panel.get_by_role("button", name="Reconnect").click()
        self.shows(page, OTHER, "Connected again; nothing is missing")
        self.shows(page, OTHER, "while it was gone")
        self.expect(panel.locator("p.state")).to_have_text("Connected")
        self.assertEqual(self.rows(page).count((HOST, "while it was gone")), 1)
        for name, stands in (("slow", "Connected"), ("more", "3 of 4 connected")):
            self.act(page, "Add another log")
            dialog = page.get_by_role("dialog", name="Add logs to this view")
            dialog.get_by_label(f"name of logs/{{name}} on {HOST}").fill(name)
            dialog.get_by_role("button", name="Add").click()
            self.expect(panel.locator("p.state")).to_have_text(stands)  # or the next one may be the host's first
        self.expect(panel.locator("p.words")).to_contain_text(f"Log logs/more on {HOST}: too many streams of this user")
        self.shows(page, f"{HOST}/logs/slow", "slow begins")
        self.assert_content()

    def test_no_logs(self) -> None:
        """A link to several targets starts nothing that is no log, though it is opened."""
        page = self.signed_in(f"#{HOST}/app,{HOST}/shell")
        panel = page.get_by_role("tabpanel")
        panel.get_by_role("button", name="Open", exact=True).click()
        self.expect(panel.locator("p.words")).to_have_text(f"Log shell on {HOST}: this target is not a log.")
        self.shows(page, "app", "app begins")
        self.assertEqual([each["target"] for each in self.common.streams()], ["app"])
        self.assert_content()

    def test_told(self) -> None:
        """Screen readers are told that several logs are connected, and no empty words before that."""
        page = self.signed_in()
        page.evaluate(TOLD)
        page.evaluate("address => { location.hash = address; }", f"#{HOST}/app,{OTHER}/app")
        until(lambda: f"Connected to app on {HOST}, {OTHER}." in page.evaluate("told"), what="that both are connected")
        self.assertEqual([words for words in page.evaluate("told") if words.endswith(": .")], [])
        self.assert_content()

    def test_too_many(self) -> None:
        """A tab takes no more logs than its own link may name, and a link that names more is told as that."""
        most = [f"{HOST}/logs/x{chr(97 + n)}" for n in range(26)] + [f"{HOST}/logs/y{chr(97 + n)}" for n in range(6)]
        page = self.signed_in(f"#{','.join(most)}")
        self.expect(page.get_by_role("tab")).to_contain_text("32 logs")
        self.expect(page.get_by_role("tabpanel").locator("stream-log")).to_be_attached()  # whose menu it is
        self.act(page, "Add another log")
        dialog = page.get_by_role("dialog", name="Add logs to this view")
        field = dialog.get_by_label(f"name of logs/{{name}} on {HOST}")
        field.fill("slow")
        field.press("Enter")
        self.expect(dialog.get_by_role("alert")).to_have_text("A tab has at most 32 logs, and this one 32")
        field.fill("xa")  # which it has
        field.press("Enter")
        self.expect(dialog).to_have_count(0)
        self.expect(page.get_by_role("tab")).to_contain_text("32 logs")
        page.goto(f"{self.common.console}/#{','.join(most)},{HOST}/logs/slow")
        self.expect(page.get_by_text("This link names more than 32 logs.").first).to_be_visible()
        self.assert_content()

    def test_pictures(self) -> None:
        """Light, dark, and on a phone."""
        lines = [f"2026-03-02T09:{n // 60:02}:{n % 60:02}Z {WORDS[n % 7 == 5]}\n" for n in range(40)]
        page = self.signed_in(f"#{HOST}/app,{OTHER}/logs/slow", viewport={"width": 1120, "height": 580})
        self.shows(page, HOST, "app begins")
        self.shows(page, OTHER, "slow begins")
        for at in range(0, len(lines), 5):
            self.write("app", "".join(lines[at : at + 4]))
            self.write("slow", lines[at + 4])
            self.shows(page, HOST, PLAIN.sub("", lines[at + 3]).rstrip("\n"))
            self.shows(page, OTHER, PLAIN.sub("", lines[at + 4]).rstrip("\n"))
        self.pictures(page, "console-several")
        self.assert_content()
