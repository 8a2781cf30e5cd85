"""The console as it stands in the README and in docs/: real tabs of real targets. In Chromium.

The pictures go where STREAMRELAY_PICTURES says, as PNGs under 150 KB, and into trial's directory in any case.
"""

import socket
from pathlib import Path
from typing import Any

from tests.live.console.console import PHONE, ConsoleTest

TARGETS = """\
[targets."log/shop"]
kind = "log"
path = "FOLDER/srv/shop.log"

[targets."log/{name}"]
kind = "log"
path = "FOLDER/srv/{name}.log"
parts = { name = "[a-z]+" }

[targets.shell]
kind = "pty"
command = ["/usr/bin/env", "PS1=host-1:/srv$ ", "/bin/sh"]
directory = "FOLDER/srv"

[targets.postgres]
kind = "tcp"
address = "127.0.0.1:5432"

[targets.smtp]
kind = "tcp"
address = "127.0.0.1:PORT"

[targets."vm/{name}/screen"]
kind = "qemu"
console = "spice"
qmp = "FOLDER/srv/{name}.qmp"
parts = { name = "[a-z]+" }
"""
WORDS = (
    "\x1b[32mINFO\x1b[0m  GET /api/orders 200 in 12 ms",
    "\x1b[32mINFO\x1b[0m  POST /api/orders 201 in 31 ms",
    "\x1b[33mWARN\x1b[0m  slow query on orders: 412 ms",
    "\x1b[32mINFO\x1b[0m  GET /api/orders/4711 200 in 9 ms",
    "\x1b[32mINFO\x1b[0m  worker 3 took job 1188 (invoice)",
    "\x1b[31mERROR\x1b[0m payment gateway answered 502, trying again in 2 s",
    "\x1b[32mINFO\x1b[0m  payment of order 4711 is done",
)


class Pictures(ConsoleTest):
    """Made by each run, so that they show what there is."""

    def setUp(self) -> None:
        super().setUp()
        served = self.folder / "srv"
        served.mkdir()
        lines = [
            f"2026-03-02T09:{n // 60:02}:{n % 60:02}Z {WORDS[(5 * n + n // 3) % len(WORDS)]}\n" for n in range(120)
        ]
        (served / "shop.log").write_text("".join(lines))
        (served / "mail.log").write_text("queue is empty\n")
        self.mail = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.mail.close)
        self.own_chain(targets=TARGETS.replace("PORT", str(self.mail.getsockname()[1])))

    def assert_small(self, name: str) -> None:
        self.assertLess((Path("screenshots") / f"{name}.png").stat().st_size, 150_000)

    def show(self, page: Any) -> None:
        """A shell and a log, both at work."""
        panel = self.open_target(page, "shell")
        for command, answer in (("ls", "mail.log"), ("wc -l *.log", "121 total"), ("grep -c ERROR shop.log", "17")):
            page.keyboard.type(f"{command}\n")
            self.expect(panel.get_by_text(answer).first).to_be_visible()
            page.wait_for_timeout(200)  # its prompt
        panel = self.open_target(page, "log/shop")
        self.expect(panel.get_by_text("09:01:59Z").first).to_be_visible()
        self.expect(panel.get_by_text("100 lines").first).to_be_visible()

    def test_desk(self) -> None:
        """A log beside a shell, light and dark."""
        for scheme in ("light", "dark"):
            page = self.signed_in(color_scheme=scheme, viewport={"width": 1120, "height": 580})
            self.show(page)
            self.picture(page, f"console-{scheme}")
            self.assert_small(f"console-{scheme}")
            page.get_by_role("tab", name="shell").click()
            self.picture(page, f"console-shell-{scheme}")
        self.assert_content()

    def test_phone(self) -> None:
        """The same log on a phone."""
        page = self.signed_in(**{**PHONE, "device_scale_factor": 1})
        self.entry(page, "log/shop").tap()
        panel = page.get_by_role("tabpanel")
        self.expect(panel.get_by_text("09:01:59Z").first).to_be_visible()
        self.expect(panel.get_by_text("100 lines").first).to_be_visible()
        self.picture(page, "console-phone")
        self.assert_small("console-phone")
        self.assert_content()

    def test_bytes(self) -> None:
        """A service whose bytes are shown as they are."""
        page = self.signed_in(viewport={"width": 1120, "height": 580})
        panel = self.open_target(page, "smtp")
        service, _ = self.mail.accept()
        self.addCleanup(service.close)
        service.sendall(b"220 mail.example.com ESMTP\r\n")
        self.expect(panel.get_by_text("ESMTP")).to_be_visible()
        panel.get_by_role("textbox").fill("EHLO web.example.com")
        page.keyboard.press("Enter")
        service.recv(100)
        service.sendall(b"250-mail.example.com\r\n250-SIZE 52428800\r\n250 8BITMIME\r\n")
        self.expect(panel.get_by_text("8BITMIME")).to_be_visible()
        self.pictures(page, "console-raw")
        self.assert_content()
