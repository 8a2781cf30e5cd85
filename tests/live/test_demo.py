"""The demo, as its first user meets it: a console page, a log that grows, an echo, and nothing left at the end."""

import glob
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.live.browser import chromium
from tests.live.chain import WAIT, LiveTest, free_port, until
from tests.live.console import DEEP_TEXT


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
        self.demo.wait(WAIT)
        self.demo.stdout.close()

    def test_says_where_it_is(self):
        """It prints the console's address, and a command that shows the log in a terminal, which works as printed."""
        self.assertEqual(self.said[0], f"console: {self.console}/")
        command = shlex.split(self.said[1].removeprefix("terminal: "))
        viewer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=self.folder)
        lines = [viewer.stdout.readline() for _ in range(3)]
        viewer.terminate()
        viewer.wait(WAIT)
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
            [sys.executable, "-m", "streamrelay.demo", "--port", port], capture_output=True, text=True, timeout=WAIT
        )
        self.assertEqual(second.returncode, 1)
        self.assertEqual(second.stderr.count("\n"), 1, second.stderr)
        self.assertIn("--port", second.stderr)

    def test_console_in_a_browser(self):
        """The page lists the host's targets, and shows a log that grows and a shell with its end, each in a tab."""
        with chromium() as browser:
            self.use(browser.new_page())

    def use(self, page):
        complaints = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))

        def choose(target):
            page.locator("#hosts").get_by_role("button", name=target).first.click()
            until(lambda: page.inner_text(".panel:not([hidden]) p.state") == "Connected", what=f"{target}, connected")

        def shown():
            return page.locator(".panel:not([hidden]) .screen").evaluate(DEEP_TEXT)

        def last_line():
            return max(map(int, re.findall(r"line (\d+) of a quiet night", shown())), default=0)

        page.goto(self.console)
        choose("log")
        until(last_line, what="the log")
        before = last_line()
        until(lambda: last_line() > before + 2, what="the log's growth")

        choose("shell")
        page.keyboard.type("printf '<b>%s</b>\\n' $((6 * 7)); sleep 1; exit 3\n")
        until(lambda: "<b>42</b>" in shown(), what="what the shell says")
        self.assertEqual(page.locator(".screen b").count(), 0)
        words = ".panel:not([hidden]) p.words"
        until(lambda: page.inner_text(words) == "The command ended with status 3.", what="the status")

        choose("echo")
        self.assertEqual(page.get_by_role("tab").count(), 3)
        self.assertEqual(complaints, [])
