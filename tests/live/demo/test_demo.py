"""The demo, as its first user meets it: a console page, a log that grows, an echo, and nothing left at the end."""

import glob
import json
import os
import pwd
import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.examples import there
from tests.live.attacks.attack import upgrade
from tests.live.console.console import DEEP_TEXT
from tests.live.support.browser import chromium
from tests.live.support.case import LiveTest
from tests.live.support.command_lines import present
from tests.live.support.ports import free_port
from tests.live.support.processes import need_root
from tests.live.support.waiting import WAIT, until


def processes_of(folder: str) -> list[str]:
    """Command lines of processes that have something to do with a folder."""
    found = [line.replace(b"\0", b" ").decode(errors="replace") for _, line in present()]
    return [command for command in found if folder in command]


def answer_of(url: str, method: str, headers: dict[str, str], body: object = None) -> tuple[int, Any]:
    """Status and JSON of an answer."""
    content = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, content, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=WAIT) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def handshake(port: int) -> int:
    """The status by which the relay answers a leg with a token of its own making."""
    with socket.create_connection(("127.0.0.1", port), 5) as leg:
        leg.sendall(upgrade("/client/" + "x" * 43))
        return int(leg.recv(100).split()[1])


def subscribe(port: int) -> str:
    """What the bus says to somebody who wants to hear all."""
    with socket.create_connection(("127.0.0.1", port), 5) as bus, bus.makefile("rb") as lines:
        bus.sendall(b'CONNECT {"verbose":false}\r\nSUB > 1\r\nPING\r\n')
        return lines.read().decode().splitlines()[-1]


def as_nobody(work: Callable[[], object]) -> Any:
    """What a function returns as another user, who has no right of ours."""
    nobody = pwd.getpwnam("nobody")
    near, far = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(*[nobody.pw_gid] * 3)
            os.setresuid(*[nobody.pw_uid] * 3)
            os.write(far, json.dumps(work()).encode())
        except BaseException as error:
            os.write(far, json.dumps(repr(error)).encode())
        finally:
            os._exit(0)
    os.close(far)
    os.waitpid(child, 0)
    with os.fdopen(near, "rb") as answer:
        return json.load(answer)


class DemoTests(LiveTest):
    """One demo for each test, in a temporary directory of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.console = f"http://127.0.0.1:{free_port()}"
        port = self.console.rsplit(":", 1)[1]
        self.demo = subprocess.Popen(
            [sys.executable, "-m", "streamrelay.demo", "--port", port],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env={**os.environ, "TMPDIR": str(self.folder)},
        )
        self.addCleanup(self.stop)
        self.said: list[str] = []
        for line in there(self.demo.stdout):
            self.said.append(line.rstrip())
            if line.startswith("stop with"):
                break
        self.assertTrue(self.said[-1:] and self.said[-1].startswith("stop with"), self.said)

    def stop(self, number: int = signal.SIGINT) -> None:
        if self.demo.poll() is None:
            self.demo.send_signal(number)
        self.demo.wait(WAIT)
        there(self.demo.stdout).close()

    @property
    def link(self) -> str:
        """The console's link, as printed."""
        return self.said[0].removeprefix("console: ")

    @property
    def terminal_key(self) -> str:
        command = shlex.split(self.said[1])
        return Path(command[command.index("--key-file") + 1]).read_text().strip()

    def ask(self, method: str, path: str, key: str = "", body: object = None) -> tuple[int, Any]:
        """Status and JSON of an answer of the console's platform."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        if body is not None:
            headers |= {"Content-Type": "application/json", "Origin": self.console, "Sec-Fetch-Site": "same-origin"}
        return answer_of(f"{self.console}{path}", method, headers, body)

    def test_link_once(self) -> None:
        """The link's key signs in once, and opens nothing otherwise; whoever comes next is told."""
        key = self.link.partition("#key=")[2]
        self.assertEqual(self.ask("GET", "/v1/hosts", key)[0], 401)
        status, answer = self.ask("POST", "/v1/session", body={"key": key})
        self.assertEqual((status, answer["user"]), (201, "demo"))
        status, answer = self.ask("POST", "/v1/session", body={"key": key})
        self.assertEqual(status, 401)
        self.assertIn("has been used", answer["detail"])

    def test_other_users(self) -> None:
        """Another user of the machine gets 401 at every path and at the relay, nothing at the bus, and no file."""
        need_root("another user")
        commands = " ".join(processes_of(str(self.folder)))
        self.assertNotIn("srk_", commands)
        relay = there(re.search(r"--relay=ws://127\.0\.0\.1:(\d+)", commands))[1]
        [settings] = self.folder.glob("streamrelay-demo-*/agent.toml")
        bus = there(re.search(r'nats = \["nats://127\.0\.0\.1:(\d+)', settings.read_text()))[1]
        wanted = {"host": "demo-host", "target": "shell"}

        def attack() -> list[object]:
            paths = ("GET /v1/hosts", "GET /v1/streams", "DELETE /v1/streams/x", "DELETE /v1/session")
            found: list[object] = [self.ask(*path.split())[0] for path in paths]
            found += [self.ask("POST", "/v1/streams", body=wanted)[0]]
            found += [self.ask("POST", "/v1/session", body={"key": "srk_once_guess"})[0]]
            found += [self.ask("GET", "/v1/session")[1]["user"]]
            found += [handshake(int(relay)), subscribe(int(bus))]
            return [*found, os.access(settings, os.R_OK), os.access(settings.parent, os.X_OK)]

        self.assertEqual(as_nobody(attack), [401] * 6 + [None, 401, "-ERR 'Authorization Violation'", False, False])

    def test_says_where_it_is(self) -> None:
        """It prints the console's address, and a command that shows the log in a terminal, which works as printed."""
        self.assertRegex(self.said[0], rf"^console: {self.console}/#key=srk_once_[\w-]{{43}}$")
        command = shlex.split(self.said[1].removeprefix("terminal: "))
        viewer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=self.folder)
        said = there(viewer.stdout)
        lines = [said.readline() for _ in range(3)]
        viewer.terminate()
        viewer.wait(WAIT)
        said.close()
        self.assertTrue(all(b"of a quiet night" in line for line in lines), lines)

    def test_leaves_nothing_behind(self) -> None:
        """Stopped by Ctrl-C it ends by itself, with no process, file or directory of its own left."""
        status, answer = self.ask("GET", "/v1/hosts", self.terminal_key)
        self.assertEqual((status, answer["hosts"][0]["host"]), (200, "demo-host"))
        self.assertTrue(processes_of(str(self.folder)))
        self.stop()
        self.assertEqual(self.demo.returncode, 0)
        self.assertEqual(processes_of(str(self.folder)), [])
        self.assertEqual(os.listdir(self.folder), [])

    def test_leaves_nothing_behind_when_it_is_terminated(self) -> None:
        """SIGTERM is as good as Ctrl-C."""
        self.stop(signal.SIGTERM)
        self.assertEqual(processes_of(str(self.folder)), [])
        self.assertEqual(os.listdir(self.folder), [])

    def test_console_in_a_browser(self) -> None:
        """The page lists the host's targets, and shows a log that grows and a shell with its end, each in a tab."""
        with chromium() as browser:
            self.use(browser.new_page())

    def test_link_in_a_browser(self) -> None:
        """The link signs in and goes from the address; in another browser it shows the sign-in page, and why."""
        with chromium() as browser:
            page = browser.new_page()
            page.set_default_timeout(WAIT * 1000)
            for _ in range(2):  # the second time the session counts, and the link isn't needed
                page.goto("about:blank")
                page.goto(self.link)
                page.locator("#hosts").get_by_role("treeitem", name="shell").wait_for()
                self.assertEqual(page.url, f"{self.console}/")
            page.goto(f"{self.console}/#demo-host/echo")  # other links are as ever: they show, and ask
            page.get_by_role("tabpanel").get_by_role("button", name="Open", exact=True).click()
            until(lambda: page.inner_text(".panel:not([hidden]) p.state") == "Connected", what="a linked target")
            other = browser.new_context().new_page()
            other.set_default_timeout(WAIT * 1000)
            other.goto(self.link)
            words = other.locator("#signin-why")
            words.wait_for()
            self.assertEqual(
                words.inner_text(), "This link can be used once only, and has been used; sign in with a key."
            )
            self.assertEqual(other.url, f"{self.console}/")
            self.picture(other, "used")
            other.evaluate("location.hash = '#key=srk_once_again'")
            until(lambda: words.inner_text() == "This key is not known here.", what="the word about another link")
            other.evaluate("location.hash = '#key=" + self.terminal_key + "'")
            until(lambda: other.url == f"{self.console}/", what="the address without the key")
            other.locator("#key").fill(self.terminal_key)
            other.get_by_role("button", name="Sign in").click()
            other.locator("#hosts").get_by_role("treeitem", name="shell").wait_for()
            self.picture(other, "in")

    def picture(self, page: Any, name: str) -> None:
        folder = os.environ.get("STREAMRELAY_PICTURES")
        if folder:
            page.screenshot(path=f"{folder}/demo-{name}.png")

    def use(self, page: Any) -> None:
        page.set_default_timeout(WAIT * 1000)
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))

        def choose(target: str) -> None:
            page.locator("#hosts").get_by_role("treeitem", name=target).first.click()
            until(lambda: page.inner_text(".panel:not([hidden]) p.state") == "Connected", what=f"{target}, connected")

        def shown() -> str:
            return str(page.locator(".panel:not([hidden]) .screen").evaluate(DEEP_TEXT))

        def last_line() -> int:
            return max(map(int, re.findall(r"line (\d+) of a quiet night", shown())), default=0)

        page.goto(self.console)
        page.get_by_role("heading", name="Sign in").wait_for()
        page.goto(self.link)
        choose("log")
        self.assertNotIn("key", page.evaluate("location.href + document.referrer"))
        page.go_back()  # the link isn't in the history either
        self.assertNotIn("key", page.url)
        choose("log")
        until(last_line, what="the log")
        before = last_line()
        try:
            until(lambda: last_line() > before + 2, what="the log's growth")
        except AssertionError as error:
            state = page.inner_text(".panel:not([hidden])")
            raise AssertionError(f"{error}: {before}, {state[-300:]!r}, {shown()[-500:]!r}") from None

        choose("shell")
        page.keyboard.type("printf '<b>%s</b>\\n' $((6 * 7)); sleep 1; exit 3\n")
        until(lambda: "<b>42</b>" in shown(), what="what the shell says")
        self.assertEqual(page.locator(".screen b").count(), 0)
        words = ".panel:not([hidden]) p.words"
        until(lambda: page.inner_text(words) == "The command ended with status 3.", what="the status")

        choose("echo")
        self.assertEqual(page.get_by_role("tab").count(), 3)
        self.assertEqual(complaints, [])


class Unstarted(LiveTest):
    """A demo that can't start."""

    def test_says_that_its_port_is_taken(self) -> None:
        """A port that is taken is told in one line that names the way out."""
        port = str(self.listen().socket.getsockname()[1])
        second = subprocess.run(
            [sys.executable, "-m", "streamrelay.demo", "--port", port], capture_output=True, text=True, timeout=WAIT
        )
        self.assertEqual(second.returncode, 1)
        self.assertEqual(second.stderr.count("\n"), 1, second.stderr)
        self.assertIn("--port", second.stderr)


class Unread(LiveTest):
    """A demo whose output nobody reads."""

    def test_quiet(self) -> None:
        """It ends as soon as it has something to say that nobody reads, without a traceback, and leaves nothing."""
        near, far = os.pipe()
        os.close(near)
        done = subprocess.run(
            [sys.executable, "-m", "streamrelay.demo", "--port", str(free_port())],
            stdout=far,
            stderr=subprocess.PIPE,
            text=True,
            timeout=WAIT,
            cwd=self.folder,
            env={**os.environ, "TMPDIR": str(self.folder)},
        )
        os.close(far)
        self.assertEqual((done.returncode, done.stderr), (141, ""))
        self.assertEqual(glob.glob(f"{self.folder}/*"), [])
