"""The demo, as its first user meets it: a console page, a log that grows, an echo, and nothing left at the end."""

import glob
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.live.chain import LiveTest, free_port, until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def processes_of(folder):
    """Command lines of processes that have something to do with a folder."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            command = Path(path).read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if folder in command:
            found.append(command)
    return found


class DemoTests(LiveTest):
    """One demo for each test, in a temporary directory of its own."""

    def setUp(self):
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
        self.said = []
        for line in self.demo.stdout:
            self.said.append(line.rstrip())
            if line.startswith("stop with"):
                break

    def stop(self, number=signal.SIGINT):
        if self.demo.poll() is None:
            self.demo.send_signal(number)
        self.demo.wait(20)
        self.demo.stdout.close()

    def test_says_where_it_is(self):
        """It prints the console's address, and a command that shows the log in a terminal, which works as printed."""
        self.assertEqual(self.said[0], f"console: {self.console}/")
        command = shlex.split(self.said[1].removeprefix("terminal: "))
        viewer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=self.folder)
        lines = [viewer.stdout.readline() for _ in range(3)]
        viewer.terminate()
        viewer.wait(5)
        viewer.stdout.close()
        self.assertTrue(all(b"of a quiet night" in line for line in lines), lines)

    def test_leaves_nothing_behind(self):
        """Stopped by Ctrl-C it ends by itself, with no process, file or directory of its own left."""
        with urllib.request.urlopen(f"{self.console}/v1/hosts", timeout=5) as answer:
            self.assertEqual(json.load(answer)["hosts"][0]["host"], "demo-host")
        self.assertTrue(processes_of(str(self.folder)))
        self.stop()
        self.assertEqual(self.demo.returncode, 0)
        self.assertEqual(processes_of(str(self.folder)), [])
        self.assertEqual(os.listdir(self.folder), [])

    def test_leaves_nothing_behind_when_it_is_terminated(self):
        """SIGTERM is as good as Ctrl-C."""
        self.stop(signal.SIGTERM)
        self.assertEqual(processes_of(str(self.folder)), [])
        self.assertEqual(os.listdir(self.folder), [])

    def test_says_that_its_port_is_taken(self):
        """A port that is taken is told in one line that names the way out."""
        port = self.console.rsplit(":", 1)[1]
        second = subprocess.run(
            [sys.executable, "-m", "streamrelay.demo", "--port", port], capture_output=True, text=True, timeout=20
        )
        self.assertEqual(second.returncode, 1)
        self.assertEqual(second.stderr.count("\n"), 1, second.stderr)
        self.assertIn("--port", second.stderr)

    def test_console_in_a_browser(self):
        """The page lists the host's targets, shows the log as it grows, and an echo of what is typed as text."""
        if CHROMIUM is None:
            raise SkipTest("needs chromium")
        try:
            from playwright.sync_api import sync_playwright
        except ImportError as error:
            raise SkipTest("needs the package playwright") from error
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            try:
                self.use(browser.new_page())
            finally:
                browser.close()

    def use(self, page):
        complaints = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))

        def shows(text, where="#output"):
            until(lambda: text in (page.text_content(where) or ""), what=f"{text!r} in {where}")

        def send(line):
            page.wait_for_selector("#send:not([hidden])")
            page.fill("#line", line)
            page.keyboard.press("Enter")

        page.goto(self.console)
        page.get_by_role("button", name="log").click()
        shows("line 3 of")
        self.assertEqual(page.inner_text("#state"), "connected")
        before = page.inner_text("#output").count("\n")
        until(lambda: page.inner_text("#output").count("\n") > before + 2, 10, "the log's growth")

        page.get_by_role("button", name="echo").click()
        send("<b>hello</b> you")
        shows("hello")
        self.assertEqual(page.inner_text("#output").strip(), "<b>hello</b> you")
        self.assertEqual(page.locator("#output b").count(), 0)

        page.get_by_role("button", name="shell").click()
        send("exit 3")
        shows("status 3")
        shows("ended", "#state")
        self.assertEqual(complaints, [])
