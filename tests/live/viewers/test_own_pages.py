"""Unmodified pages of others, as their own distributions have them, at a URL from the API.

They open the websocket themselves and know nothing of streamrelay: noVNC and spice-html5 as Debian has them, and a page
around xterm.js with its own attach addon, from npm.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from twisted.trial.unittest import SkipTest

from tests.live.support.browser import ROOT, Pages, chromium, origin, site_port
from tests.live.support.case import LiveTest
from tests.live.support.chain import shared
from tests.live.support.machine import PROGRAM, Machine, start_machine
from tests.live.support.ports import free_port
from tests.live.support.processes import need_program
from tests.live.support.waiting import WAIT, until
from tests.live.viewers.screens import echoes, lit, same
from tests.live.viewers.viewing import TARGETS

DEBIAN = Path("/usr/share")
NPM = ROOT / "tests" / "node_modules" / "@xterm"
ATTACH = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>attach</title>
<link rel="stylesheet" href="/@xterm/xterm/css/xterm.css"></head><body><div id="terminal"></div><script type="module">
import { Terminal } from '/@xterm/xterm/lib/xterm.mjs';
import { AttachAddon } from '/@xterm/addon-attach/lib/addon-attach.mjs';
const terminal = new Terminal();
terminal.loadAddon(new AttachAddon(new WebSocket(new URL(location).searchParams.get('url'))));
terminal.open(document.getElementById('terminal'));
terminal.focus();
</script></body></html>"""


class OwnPages(LiveTest):
    """Pages of somebody's own site, whose origin the relay lets in."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared(targets=TARGETS, relay=(f"--origin={origin()}",))

    @contextmanager
    def page(self, address: str, files: dict[str, Path], query: Callable[[], dict[str, str]]) -> Iterator[Any]:
        """A page of the site, open in the browser. Its query is made once the page's files are there, as a URL is good
        for half a minute."""
        site = Pages(files, port=site_port())
        try:
            with chromium() as browser:
                page = browser.new_page(viewport={"width": 1000, "height": 800})
                self.asked: list[str] = []
                page.on("dialog", self.ask)
                page.set_default_timeout(WAIT * 1000)
                page.goto(f"{site.url}/{address}", wait_until="networkidle")
                del self.asked[:]
                page.goto(f"{site.url}/{address}?{urlencode(query())}")
                yield page
        finally:
            site.close()

    def ask(self, dialog: Any) -> None:
        self.asked.append(dialog.message)
        dialog.dismiss()

    def machine(self, **console: Any) -> Machine:
        need_program(PROGRAM)
        machine = start_machine(self.folder, "one", **console)
        self.addCleanup(machine.stop)
        return machine

    def shows(self, page: Any, where: str, machine: Machine) -> None:
        """The page shows the machine's screen pixel by pixel, and a key that is typed on it."""
        place = page.locator(where)
        before = same(place, machine)
        place.locator("canvas").click()
        page.keyboard.type("hello")
        echoes(machine, "\nhello")
        self.assertGreater(same(place, machine), before)

    def parts(self, target: str) -> dict[str, str]:
        """A stream's URL in the parts that these pages want."""
        url = urlsplit(self.open(self.common, target))
        return {"host": str(url.hostname), "port": str(url.port), "path": url.path.removeprefix("/")}

    def novnc(self, name: str, where: str, **query: str) -> None:
        folder = packaged("novnc")
        port = free_port()
        machine = self.machine(vnc=f"127.0.0.1:{port - 5900}")
        with self.page(name, {"/": folder}, lambda: {**self.parts(f"vnc/{port}"), **query}) as page:
            self.shows(page, where, machine)

    def test_novnc(self) -> None:
        """vnc.html of Debian's noVNC."""
        self.novnc("vnc.html", "#noVNC_container", autoconnect="1", resize="off")

    def test_novnc_lite(self) -> None:
        """vnc_lite.html of Debian's noVNC."""
        self.novnc("vnc_lite.html", "#screen")

    def test_spice_html5(self) -> None:
        """spice_auto.html of Debian's spice-html5, which opens four websockets by the one URL."""
        folder = packaged("spice-html5")
        port = free_port()
        machine = self.machine(spice=f"addr=127.0.0.1,port={port},disable-ticketing=on")
        where = "#spice-screen"
        for _ in range(4):
            with self.page("spice_auto.html", {"/": folder}, lambda: self.parts(f"spice/{port}")) as page:
                until(lambda page=page: self.asked or lit(page.locator(where)) > 100, what="the screen")
                # One of some thirty sessions fails by itself, and the page asks for a password: its ciphertext of it is
                # wrong if it begins with a zero (spice-html5 0.3.0, rsa_encrypt).
                if not self.asked:
                    self.shows(page, where, machine)
                    return
        self.fail(f"the page asks each time: {self.asked}")

    def test_xterm_attach(self) -> None:
        """A page around xterm.js and its attach addon: what is typed runs in the shell, and its output shows."""
        if not (NPM / "addon-attach").is_dir():
            raise SkipTest("needs xterm's attach addon: npm ci --prefix tests")
        (self.folder / "attach.html").write_text(ATTACH)
        files = {"/attach.html": self.folder / "attach.html", "/@xterm/": NPM}
        with self.page("attach.html", files, lambda: {"url": self.open(self.common, "shell")}) as page:
            rows = page.locator(".xterm-rows")
            until(lambda: "$" in rows.inner_text(), what="the prompt")
            page.keyboard.type("echo $((6 * 7)) ünï; stty size\n")
            until(lambda: "42 ünï" in rows.inner_text(), what="the output")
            until(lambda: "24 80" in rows.inner_text(), what="the size that a plain page has")


def packaged(name: str) -> Path:
    """The folder of a Debian package of pages."""
    folder = DEBIAN / name
    if not folder.is_dir():
        raise SkipTest(f"needs Debian's package {name}")
    return folder
