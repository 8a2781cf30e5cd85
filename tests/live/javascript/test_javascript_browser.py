"""The JavaScript client in Chromium, on a page that isn't the platform's; and the examples of docs/examples/."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.live.support.browser import ROOT, UNSEEN, WEB, Pages, chromium, need_viewers, origin, site_port
from tests.live.support.chain import HOST, Chain, shared
from tests.live.support.node import LOG, SHELL, JavaScript, need_node
from tests.live.support.processes import environment
from tests.live.support.secrets import SUITE
from tests.live.support.sockets import MIB, exchange, seeded, sha, take_all
from tests.live.support.waiting import WAIT, Work, until

EXAMPLES = ROOT / "docs" / "examples"
LET_IN = {"relay": (f"--origin={origin()}",), "platform_options": (f"--origin={origin()}",)}
UNREACHED = "the relay {} can't be reached, or doesn't let this client in; its log says why"


class Elsewhere(JavaScript):
    """A site of somebody's own, whose pages relay and platform let in."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared(targets=SHELL + LOG, **LET_IN)

    def site(self, port: int = 0, **files: Path) -> Pages:
        """Its pages; port 0: at another origin, which nobody lets in."""
        given = {"/streamrelay.js": WEB / "streamrelay.js", "/page.html": ROOT / "tests" / "javascript" / "page.html"}
        served = Pages(given | {f"/{name.replace('__', '.')}": path for name, path in files.items()}, port=port)
        self.addCleanup(served.close)
        return served

    @contextmanager
    def page(self, site: Pages, name: str = "page.html", quiet: bool = True) -> Iterator[Any]:
        """A page, open in the browser. A `quiet` one may say nothing on its console."""
        said: list[str] = []
        with chromium() as browser:
            page = browser.new_page()
            page.set_default_timeout(WAIT * 1000)
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.goto(f"{site.url}/{name}")
            yield page
        if quiet:
            self.assertEqual(said, [])


class InChromium(Elsewhere):
    """What the client does there."""

    def test_both_ways(self) -> None:
        """8 MiB each way at once arrive unchanged, opened by a key on a page of another origin."""
        size, listener = 8 * MIB, self.listen()
        down = seeded(size)

        with self.page(self.site(site_port())) as page:
            serving = Work(exchange, listener, down)
            arguments = [self.wanted(listener.target), size]
            result = page.evaluate("([wanted, size]) => bothWays(wanted, size)", arguments)
        self.assertEqual((result["got"], result["count"]), (sha(down), size))
        self.assertEqual(result["sent"], serving.result())
        self.assertEqual(result["outcome"]["words"], "finished; every byte was delivered")

    def test_slow_reader(self) -> None:
        """A page that doesn't read holds its target, and has every byte afterwards."""
        listener = self.listen()
        data = seeded(MIB, 4) * 64
        with self.page(self.site(site_port())) as page:
            self.assertEqual(page.evaluate("wanted => wait(wanted)", self.wanted(listener.target)), "raw")
            target = listener.accept()
            target.settimeout(60)
            flooding = Work(target.sendall, data)
            page.wait_for_timeout(3000)
            self.assertTrue(flooding.is_alive(), "the target wasn't held back")

            def finish() -> None:
                flooding.result()
                target.close()

            reading = Work(finish)
            result = page.evaluate("readOn()")
            reading.result()
        self.assertEqual(result, {"got": sha(data), "count": len(data)})

    def test_relay_killed(self) -> None:
        """A page is told in words that the connection broke, and that another try is worth it."""
        chain = self.chain(**LET_IN)
        listener = self.listen()
        with self.page(self.site(site_port())) as page:
            page.evaluate("wanted => { window.end = follow(wanted); }", self.wanted(listener.target, chain))
            page.wait_for_function("told.length")
            chain.relay.kill()
            result = page.evaluate("end")
        self.assertEqual((result["outcome"]["code"], result["outcome"]["transient"]), (1006, True))
        self.assertEqual(result["read"], "the connection to the relay broke")

    def test_not_let_in(self) -> None:
        """Pages of other origins, and all where none are let in, can't read the platform's answers: that is told."""
        with self.page(self.site(), quiet=False) as page:
            error = page.evaluate("wanted => refusal(wanted)", self.wanted("shell"))
        self.assertEqual((error["name"], error["status"], error["code"]), ("Refused", 0, "unreachable"))
        chain = self.chain(platform_options=LET_IN["platform_options"], targets=SHELL)
        with self.page(self.site(site_port()), quiet=False) as page:
            error = page.evaluate("wanted => refusal(wanted)", self.wanted("shell", chain))
            self.assertEqual((error["message"], error["outcome"]["code"]), (UNREACHED.format(chain.relay_url), 1006))
            error = page.evaluate("wanted => refusal(wanted)", self.wanted("shell", chain, key=chain.weak_key))
            self.assertEqual((error["status"], error["code"]), (403, "not_granted"))


class Examples(Elsewhere):
    """docs/examples/: each does what docs/javascript.rst says."""

    def test_terminal(self) -> None:
        """terminal.html shows a shell, in the background too, keeps its size, and says how it ended; it has no key."""
        viewers = need_viewers()
        site = self.site(site_port(), terminal__html=EXAMPLES / "terminal.html")
        site.files |= {"/xterm/": viewers / "xterm", "/addon-fit/": viewers / "addon-fit"}
        site.post = lambda path: self.open(self.common, {"/console/alice": "shell"}[path]) + "\n"
        with self.page(site, "terminal.html") as page:
            rows = page.locator(".xterm-rows")
            until(lambda: "ready>" in rows.text_content(), what="the prompt")
            before = page.locator(".xterm-rows > div").count()
            page.set_viewport_size({"width": 700, "height": 500})
            size = page.locator(".xterm-rows > div").count
            until(lambda: size() != before, what="another size")
            page.keyboard.type(f"until stty size | grep '^{size()} '; do sleep 0.1; done; echo si$((6*7))zed\n")
            until(lambda: "si42zed" in rows.text_content(), what="the terminal's size on the host")
            page.evaluate(UNSEEN)
            page.keyboard.type("for n in $(seq 400); do echo line $n; sleep 0.005; done; echo over$((40+2))\n")
            until(lambda: "over42" in rows.text_content(), 3 * WAIT, "lines one by one on a page in the background")
            page.keyboard.type("exit 5\n")
            said = page.locator("#state")
            until(lambda: said.text_content() == "the command ended with status 5", what="the outcome")

    def test_download(self) -> None:
        """download.html saves a stream as a file, whole or not at all, and says why there is none."""
        listener = self.listen()
        data = seeded(3 * MIB)

        def serve() -> None:
            target = listener.accept()
            target.sendall(data)
            target.shutdown(socket.SHUT_WR)
            take_all(target)

        site = self.site(site_port(), download__html=EXAMPLES / "download.html")
        with self.page(site, "download.html", quiet=False) as page:
            said = page.locator("#state")
            for name, value in self.wanted("nothing").items():
                page.fill(f"[name={name}]", value)
            page.get_by_role("button", name="Download").click()
            until(lambda: said.text_content() == "no such target on this host", what="the refusal")
            page.fill("[name=target]", listener.target)
            serving = Work(serve)
            page.get_by_role("button", name="Download").click()
            until(lambda: said.text_content() == f"{len(data)} bytes, complete", what="the whole")
            serving.result()
            with page.expect_download() as downloading:
                page.get_by_role("link", name="Save").click()
            self.assertEqual(Path(downloading.value.path()).read_bytes(), data)
            self.assertEqual(downloading.value.suggested_filename, f"{HOST}.bin")
            page.get_by_role("button", name="Download").click()
            listener.accept()
            page.get_by_role("button", name="Stop").click()
            until(lambda: said.text_content() == "stopped", what="the end")

    def print(self, chain: Chain, target: str) -> "subprocess.Popen[bytes]":
        platform = f"http://127.0.0.1:{chain.platform_port}"
        command = (need_node(), str(EXAMPLES / "print.mjs"), platform, HOST, target)
        SUITE.command("\0".join(command).encode())
        pipe = subprocess.PIPE
        printing = subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment(STREAMRELAY_KEY=chain.key))
        self.addCleanup(printing.communicate)
        self.addCleanup(printing.kill)
        return printing

    def test_print(self) -> None:
        """print.mjs prints a stream to its end; a refusal ends it with 1 and a line."""
        listener = self.listen()
        printing = self.print(self.common, listener.target)
        target = listener.accept()
        target.sendall(seeded(MIB))
        target.close()
        out, err = printing.communicate(timeout=WAIT)
        self.assertEqual((printing.returncode, sha(out), err), (0, sha(seeded(MIB)), b""))
        printing = self.print(self.common, "nothing")
        out, err = printing.communicate(timeout=WAIT)
        self.assertEqual((printing.returncode, out, err), (1, b"", b"no such target on this host\n"))

    def test_print_goes_on(self) -> None:
        """Over a relay that is killed and started again print.mjs loses and doubles no byte of a log."""
        chain = self.chain(targets=LOG)
        path = chain.folder / "some.log"
        path.write_text("line 0\n")
        printing = self.print(chain, "log")
        assert printing.stdout is not None
        shown = [printing.stdout.readline()]
        for number in range(1, 2000):
            with path.open("a") as log:
                log.write(f"line {number}\n")
            if number % 700 == 0:
                time.sleep(0.5)
                chain.relay.kill()
                chain.relay.start()
        shown += [printing.stdout.readline() for _ in range(1, 2000)]
        printing.kill()
        _, err = printing.communicate()
        self.assertEqual(shown, [b"line %d\n" % number for number in range(2000)])
        self.assertIn(b"the connection to the relay broke\n", err)
