"""Streams of the console that resume: a relay is killed and started, and what is open goes on. In Chromium."""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.live.console.console import LATER, ConsoleChain
from tests.live.console.terminal import TerminalTest
from tests.live.support.chain import HOST
from tests.live.support.ports import answers
from tests.live.support.processes import alive
from tests.live.support.waiting import until


class StandIn(ThreadingHTTPServer):
    """A proxy that knows of no backend, in the platform's place while that is restarted."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", port), type("Answering", (_Answering,), {"asked": self.asked}))
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Answering(BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(404)
        self.end_headers()
        self.wfile.write(b"default backend - 404")

    do_POST = do_GET

    def log_message(self, *_: object) -> None: ...


class Resuming(TerminalTest):
    """A page whose relay is killed."""

    def resuming(self, agent: str = "") -> ConsoleChain:
        """A chain with a shell whose prompt is known."""
        return self.own_chain(agent=agent)

    def start_relay(self) -> None:
        self.common.relay.start()
        until(lambda: answers(self.common.relay_port), what="the relay")

    def state(self, panel: Any, words: str) -> None:
        self.expect(panel.locator("p.state")).to_have_text(words, timeout=LATER)

    def test_same_shell(self) -> None:
        """The same shell goes on: what it said meanwhile comes once and in order, and what was typed reaches it."""
        self.resuming()
        page = self.signed_in()
        panel = self.open_target(page, "shell")
        page.keyboard.type("echo pid=$$=\n")
        pid = self.shows(page, r"pid=(\d+)=")[1]
        page.keyboard.type("for i in $(seq 24); do echo line-$i-; sleep 0.2; done\n")
        self.shows(page, "line-3-")
        self.common.relay.kill()
        self.state(panel, "Reconnecting …")
        told = panel.locator(".viewer-detached")
        why = (
            "(The connection to the relay broke|[^.]* can't( be)? reach(ed)? [^ ]*)"  # and then what the last try says
        )
        self.expect(told).to_have_text(
            re.compile(f"^Reconnecting … {why}[^.]*\\. The host keeps it open for [0-9]+ s more")
        )
        self.expect(panel.locator(".notice")).to_be_hidden()
        self.assertIn("line-3-", self.rows(page))
        page.keyboard.type("echo same=$$=\n")
        self.expect(told).to_contain_text("14 bytes of yours wait for it here")
        self.picture(page, "console-detached")
        self.assert_accessible(page, "detached")
        self.start_relay()
        self.state(panel, "Connected")
        self.expect(told).to_have_count(0)
        self.assertEqual(self.shows(page, r"same=(\d+)=")[1], pid)
        lines = re.findall(r"line-(\d+)-", self.rows(page))
        self.assertEqual(lines, [str(number) for number in range(1, 25)])
        self.assert_content()

    def test_all_restarted(self) -> None:
        """Relay and platform are restarted at once, behind a proxy that says 404 then: the same shell and session."""
        chain = self.resuming()
        page = self.signed_in()
        panel = self.open_target(page, "shell")
        page.keyboard.type("echo pid=$$=\n")
        pid = self.shows(page, r"pid=(\d+)=")[1]
        chain.platform.kill()
        proxy = StandIn(chain.platform_port)
        self.addCleanup(proxy.server_close)
        chain.relay.kill()
        until(lambda: sum(path.endswith("/resume") for path in proxy.asked) >= 3, what="three answers of the proxy")
        proxy.close()
        chain.platform.start()
        self.start_relay()
        self.state(panel, "Connected")
        page.keyboard.type("echo same=$$=\n")
        self.assertEqual(self.shows(page, r"same=(\d+)=")[1], pid)
        cut = "Failed to load resource: net::"  # what the platform was answering as it was killed
        self.complaints = [one for one in self.complaints if not one.startswith(cut)]
        self.assert_content()

    def test_again_and_again(self) -> None:
        """Many losses cost nothing either."""
        self.resuming()
        page = self.signed_in()
        panel = self.open_target(page, "shell")
        page.keyboard.type("for i in $(seq 30); do echo line-$i-; sleep 0.3; done; echo over\n")
        for number in (2, 9, 16):
            self.shows(page, f"line-{number}-")
            self.common.relay.kill()
            self.start_relay()
        self.shows(page, "\nover")
        self.assertEqual(re.findall(r"line-(\d+)-", self.rows(page)), [str(number) for number in range(1, 31)])
        self.state(panel, "Connected")
        page.keyboard.type("exit 3\n")
        self.expect(panel.locator("p.words")).to_have_text("The command ended with status 3.")
        self.assert_content()

    def test_hold_passes(self) -> None:
        """What the host holds no longer is opened anew, as ever: after the hold it is said, and tried."""
        self.resuming("hold = 2\n")
        page = self.signed_in()
        panel = self.open_target(page, "shell")
        page.keyboard.type("echo pid=$$=\n")
        pid = self.shows(page, r"pid=(\d+)=")[1]
        self.common.relay.kill()
        self.state(panel, "Waiting")
        self.expect(panel.locator(".viewer-detached")).to_have_count(0)
        self.start_relay()
        self.state(panel, "Connected")
        page.keyboard.type("echo new=$$=\n")
        self.assertNotEqual(self.shows(page, r"new=(\d+)=")[1], pid)
        self.assert_content()

    def test_unsent(self) -> None:
        """What waited for a stream that is over is said to be lost until that was read; nothing reaches the next."""
        self.resuming("hold = 20\n")  # in which whoever types has begun to
        page = self.signed_in()
        panel = self.open_target(page, "shell")
        page.keyboard.type("echo pid=$$=\n")
        self.shows(page, r"pid=(\d+)=")
        self.common.relay.kill()
        told = panel.locator(".viewer-detached")
        self.expect(told).to_contain_text("Reconnecting")
        page.keyboard.type("echo lost\n")
        self.expect(told).to_have_text("10 bytes of yours were not sent: the stream has ended.OK")
        self.picture(page, "console-unsent")
        self.assert_accessible(page, "unsent")
        self.start_relay()
        self.state(panel, "Connected")
        page.keyboard.type("echo new=$$=\n")
        self.shows(page, r"new=(\d+)=")
        self.assertNotIn("lost", self.rows(page))
        told.get_by_role("button", name="OK").click()
        self.expect(told).to_have_count(0)
        self.assert_content()

    def test_ended_meanwhile(self) -> None:
        """Of a command that ended without a connection the page says how, and starts no other one."""
        self.resuming()
        page = self.signed_in()
        panel = self.open_target(page, "shell")
        go = self.common.folder / "go"
        page.keyboard.type(f"echo pid=$$=; until [ -e {go} ]; do sleep 0.1; done; exit 7\n")
        pid = int(self.shows(page, r"pid=(\d+)=")[1])
        self.common.relay.kill()
        self.state(panel, "Reconnecting …")
        go.touch()
        until(lambda: not alive(pid), what="the shell's end")
        self.start_relay()
        self.expect(panel.locator("p.words")).to_have_text("The command ended with status 7.")
        self.state(panel, "Ended")
        self.assert_content()

    def test_log(self) -> None:
        """A log has each line once, and no word about it."""
        chain = self.resuming()
        page = self.signed_in(f"#{HOST}/app")
        panel = page.get_by_role("tabpanel")
        self.expect(panel.get_by_text("second line").first).to_be_visible()
        chain.relay.kill()
        self.state(panel, "Reconnecting …")
        with (chain.folder / "app.log").open("a") as log:
            log.write("".join(f"meanwhile {number}\n" for number in range(50)))
        self.start_relay()
        self.state(panel, "Connected")
        count = panel.locator("stream-log")
        until(lambda: count.evaluate("log => log.count") == 52, what="all lines")
        self.assert_content()

    def test_left(self) -> None:
        """A tab that is closed, and a page that is left, end what they had: the host holds nothing of it."""
        chain = self.resuming()
        page = self.signed_in()
        self.open_target(page, "shell")
        self.act(page, "Close")
        until(lambda: not chain.streams(), what="no stream")
        self.open_target(page, "app")
        page.goto("about:blank")
        until(lambda: not chain.streams(), what="no stream of the page")
