"""Consoles of real things on the console page: machines, a terminal, logs, containers. In Chromium, on whole chains.

What the page itself does is in test_page.py and test_tabs.py, what each viewer does in viewers/test_viewers.py
and viewers/test_log_viewer.py, and viewers on pages of their own distributions in viewers/test_own_pages.py.
"""

import re
import time
from pathlib import Path
from typing import Any

from tests.live.attacks.test_attacks_pages import HOSTILE
from tests.live.console.console import LATER, ConsoleTest
from tests.live.support.browser import tasks
from tests.live.support.chain import HOST
from tests.live.support.containers import Podman, standing
from tests.live.support.machine import PROGRAM, Machine, start_machine
from tests.live.support.processes import need_program
from tests.live.support.waiting import WAIT, Work, until
from tests.live.viewers.screens import same, shows

PANEL = '[role="tabpanel"]:visible'
"""The one that is shown."""
MACHINES = """
[targets."vm/{name}/spice"]
kind = "qemu"
console = "spice"
qmp = "FOLDER/{name}.qmp"
parts = { name = "[a-z0-9-]+" }

[targets."vm/{name}/vnc"]
kind = "qemu"
console = "vnc"
qmp = "FOLDER/{name}.qmp"
parts = { name = "[a-z0-9-]+" }

[targets.shell]
kind = "pty"
command = ["/bin/sh"]
"""
CONTAINERS = """
[targets."web/log"]
kind = "container"
socket = "SOCKET"
container = "web"

[targets."web/shell"]
kind = "container"
socket = "SOCKET"
container = "web"
show = "exec"
labels = { streamrelay = "yes" }
"""


class Machines(ConsoleTest):
    """The screens of virtual machines that have no port."""

    def setUp(self) -> None:
        super().setUp()
        need_program(PROGRAM)
        self.own_chain(targets=MACHINES)

    def machine(self, name: str, **consoles: Any) -> Machine:
        machine = start_machine(self.folder, name, **consoles)
        self.addCleanup(machine.stop)
        return machine

    def open_screen(self, page: Any, name: str, console: str) -> Any:
        page.evaluate("(hash) => { location.hash = hash; }", f"#{HOST}/vm/{name}/{console}")
        self.say_open(page)
        panel = page.locator(PANEL)
        self.expect(panel.locator("p.state")).to_have_text("Connected")
        return panel

    def same(self, panel: Any, machine: Machine) -> int:
        """The panel's picture is that of the machine, pixel by pixel; gives how many of them aren't black."""
        return same(panel, machine)

    def use(self, console: str) -> None:
        machine = self.machine("a", spice=console == "spice", vnc=console == "vnc")
        page = self.signed_in()
        panel = self.open_screen(page, "a", console)
        before = self.same(panel, machine)
        machine.take(page.keyboard, "typed here")
        self.assertGreater(self.same(panel, machine), before)
        self.pictures(page, f"console-{console}")
        self.assert_content()

    def test_spice(self) -> None:
        """SPICE shows the machine's own picture, pixel by pixel, and keys change it."""
        self.use("spice")

    def test_vnc(self) -> None:
        """VNC shows the machine's own picture, pixel by pixel, and keys change it."""
        self.use("vnc")

    def test_side_by_side(self) -> None:
        """Two machines and a terminal in three tabs: each shows its own, and gets the keys that are typed in it."""
        one, two = self.machine("one", vnc=True), self.machine("two", spice=True)
        page = self.signed_in()
        panel = self.open_screen(page, "one", "vnc")
        self.same(panel, one)
        panel = self.open_screen(page, "two", "spice")
        self.same(panel, two)
        two.take(page.keyboard, "second")
        self.open_target(page, "shell")
        page.keyboard.type("echo $((6 * 7))\n")
        self.expect(page.locator(PANEL).get_by_text("42").first).to_be_visible()
        page.get_by_role("tab", name="vm/one/vnc").click()
        one.take(page.keyboard, "first")
        self.same(page.locator(PANEL), one)
        self.assertEqual(("second" in one.shown, "first" in two.shown), (False, False))
        self.assert_content()

    def test_two_viewers(self) -> None:
        """Two people look at one machine: what one types, both see."""
        machine = self.machine("a", vnc=True)
        panels, pages = [], []
        for _ in range(2):
            pages.append(self.signed_in())
            panels.append(self.open_screen(pages[-1], "a", "vnc"))
            self.same(panels[-1], machine)
        machine.take(pages[0].keyboard, "both")
        for panel in panels:
            self.same(panel, machine)
        self.assert_content()

    def test_relay_killed(self) -> None:
        """The relay is killed: both screens' tabs say so, keep the picture, and go on once it is back, by the same
        streams: the machine hasn't noticed."""
        machine = self.machine("a", vnc=True, spice=True)
        page = self.signed_in()
        for console in ("spice", "vnc"):
            self.same(self.open_screen(page, "a", console), machine)
        self.common.relay.kill()
        for console in ("spice", "vnc"):
            page.get_by_role("tab", name=f"vm/a/{console}").click()
            panel = page.locator(PANEL)
            self.expect(panel.locator("p.state")).to_have_text("Reconnecting …")
            told = panel.locator(".viewer-detached")
            self.expect(told).to_be_visible()
            self.assertTrue(shows(panel, machine))
            panel.locator("canvas").hover()  # a pointer that only moves is nothing that one would miss
            self.expect(told).to_have_text(re.compile(r"keeps it open for \d+ s more\.$"))
            panel.locator("canvas").press("x")
            self.expect(told).to_have_text(re.compile(r" s more\. What you press waits for it here\.$"))
        self.common.relay.start()
        until(lambda: machine.shown.count("x") == 2, what="both keys in the machine")
        for console in ("vnc", "spice"):
            page.get_by_role("tab", name=f"vm/a/{console}").click()
            panel = page.locator(PANEL)
            self.expect(panel.locator("p.state")).to_have_text("Connected", timeout=LATER)
            self.same(panel, machine)  # which comes a moment after it is connected, and only a picture takes keys
            self.expect(panel.locator(".viewer-detached")).to_have_count(0)
            machine.take(page.keyboard, console)
            self.same(panel, machine)
        self.assertEqual(self.common.agent.log.count("/spice ended: "), 0)
        self.assert_content()

    def test_stopped_and_reused(self) -> None:
        """A machine that is gone is refused in words, and none that came later is shown in its place."""
        machine = self.machine("a", vnc=True)
        page = self.signed_in()
        self.same(self.open_screen(page, "a", "vnc"), machine)
        machine.stop()
        panel = page.locator(PANEL)
        self.expect(panel.locator("p.state")).to_have_text("Ended")
        self.machine("b", vnc=True)
        panel.get_by_role("button", name="Reconnect").click()
        self.expect(panel.locator("p.words")).to_contain_text("a.qmp")
        self.expect(panel.locator("p.state")).to_have_text("Ended")
        self.assert_content()


class Logs(ConsoleTest):
    """A log."""

    def lines(self, page: Any, text: str) -> Any:
        """The lines in sight that hold a text."""
        return page.locator(PANEL).locator("stream-log .row").filter(has_text=text)

    def test_rotation(self) -> None:
        """It goes on through a rotation of its file: the last lines of the old one, then the new one."""
        path = self.own_chain().folder / "app.log"
        page = self.signed_in()
        self.open_target(page, "app")
        self.expect(self.lines(page, "second line")).to_have_count(1)
        old = path.open("a")
        path.rename(path.with_name("app.log.1"))
        old.write("the last of the old\n")
        old.close()
        path.write_text("the first of the new\n")
        for text in ("second line", "the last of the old", "the first of the new"):
            self.expect(self.lines(page, text)).to_have_count(1)
        shown = page.locator(PANEL).locator("stream-log .row .text").all_text_contents()
        self.assertEqual(shown, ["first line", "second line", "the last of the old", "the first of the new"])
        self.assert_content()

    def test_flood(self) -> None:
        """100,000 lines at 10,000 a second are all there, and no task of the page takes over 200 ms of
        CPU meanwhile."""
        path = self.own_chain().folder / "app.log"
        page = self.signed_in()
        self.open_target(page, "app")
        self.expect(self.lines(page, "second line")).to_have_count(1)
        with tasks(self.browser) as took:
            writer = Work(_pour, path, 100_000, 10_000)
            seconds = writer.result(2 * WAIT)
            self.expect(self.lines(page, "line 99999 ")).to_have_count(1, timeout=LATER)
            self.expect(page.locator(PANEL).get_by_text("100,002 lines").first).to_be_visible()
        self.assertEqual(self.lines(page, "left out").count(), 0)
        print(f"100,000 lines in {seconds:.1f} s: the longest task of the page took {max(took):.0f} ms of CPU")
        self.assertLess(max(took), 200)
        self.assertLess(page.locator("stream-log .row").count(), 500)
        self.assert_content()

    def test_text(self) -> None:
        """Tags, scripts and terminal escapes in a line are text: nothing runs, nothing is loaded, nothing changes."""
        path = self.own_chain().folder / "app.log"
        path.write_bytes("\n".join((*HOSTILE, "the end", "")).encode("latin-1"))
        page = self.signed_in()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        title = page.title()
        self.open_target(page, "app")
        self.expect(self.lines(page, "the end")).to_have_count(1)
        shown = page.locator(PANEL).locator("stream-log .row .text").all_text_contents()
        for line in HOSTILE[:6]:
            self.assertIn(line, shown)
        self.assertNotIn("\x1b", "".join(shown))
        self.assertEqual(page.title(), f"app on {HOST} · {title}")
        self.assertEqual(page.locator("stream-log .row :is(script, img, svg, iframe, a, form, input)").count(), 0)
        self.assertEqual([url for url in asked if "evil" in url or not url.startswith(self.common.console)], [])
        self.assert_content()


def _pour(path: Path, count: int, rate: int) -> float:
    """Append so many lines of 100 bytes at this rate; gives the seconds that it took."""
    began = time.monotonic()
    with path.open("a", buffering=1 << 20) as log:
        for number in range(count):
            log.write(f"line {number} ".ljust(99, "x") + "\n")
            if number % (rate // 100) == 0:
                log.flush()
                time.sleep(max(0.0, began + number / rate - time.monotonic()))
    return time.monotonic() - began


class Containers(ConsoleTest):
    """A container of podman."""

    def test_log_and_shell(self) -> None:
        """Its log follows, a shell in it has the window's size, and its status is told."""
        podman = standing(Podman)
        podman.run("web", "mkfifo /tmp/in; echo started; while :; do cat /tmp/in; done", "--label", "streamrelay=yes")
        self.own_chain(targets=CONTAINERS.replace("SOCKET", str(podman.socket)))
        page = self.signed_in(f"#{HOST}/web/log")
        panel = page.locator(PANEL)
        self.expect(panel.locator("stream-log .row").filter(has_text="started")).to_have_count(1)
        podman.command("exec", "web", "/bin/sh", "-c", "echo said meanwhile > /tmp/in")
        self.expect(panel.locator("stream-log .row").filter(has_text="said meanwhile")).to_have_count(1)
        self.open_target(page, "web/shell")

        def told() -> tuple[int, int]:
            page.keyboard.type("clear; stty size\n")
            page.wait_for_timeout(300)
            return _size(panel.inner_text()) or (0, 0)

        until(lambda: told()[1] > 80, what="the window's size")  # a command that was started has another at first
        page.keyboard.type("exit 3\n")
        self.expect(panel.locator("p.words")).to_have_text("The command ended with status 3.")
        self.assert_content()


class Terminals(ConsoleTest):
    """A terminal."""

    def test_size_and_status(self) -> None:
        """A program in it knows the size that is shown, after the window has changed, too; its status is told."""
        page = self.signed_in()
        panel = self.open_target(page, "shell")

        def told() -> str:
            page.keyboard.type("clear; stty size\n")
            page.wait_for_timeout(300)
            return str(panel.inner_text())

        first = until(lambda: _size(told()), what="a size")
        page.set_viewport_size({"width": 700, "height": 500})
        before = until(lambda: (size := _size(told())) != first and size, what="another size")
        page.set_viewport_size({"width": 1100, "height": 900})
        after = until(lambda: (size := _size(told())) != before and size, what="a third size")
        self.assertTrue(after[0] > before[0] and after[1] > before[1], (before, after))
        page.keyboard.type("exit 3\n")
        self.expect(panel.locator("p.words")).to_have_text("The command ended with status 3.")
        self.assert_content()


def _size(text: str) -> tuple[int, int] | None:
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and all(word.isdecimal() for word in words):
            return int(words[0]), int(words[1])
    return None
