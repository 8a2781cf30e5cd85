"""Attacks by what a page shows, and on the pages: targets that attack the browser, paths, redirects."""

import socket
import time
from contextlib import ExitStack
from typing import Any

from streamrelay.protocol.tokens import new_id
from tests.live.attacks.attack import AttackTest, Reply, read_reply
from tests.live.console.console import DEEP_TEXT
from tests.live.support.browser import chromium
from tests.live.support.chain import HOST
from tests.live.support.secrets import SUITE
from tests.live.support.waiting import WAIT, until

ANONYMOUS = '\n[anonymous]\ngrants = [{ host = "*", target = "*" }]\n'
HOSTILE = (
    "<script>document.title = 'owned'</script>",
    "<img src=x onerror=\"document.title = 'owned'\">",
    "<svg onload=\"document.title = 'owned'\"><style>body { display: none }</style>",
    '<a href="javascript:document.title=1">click</a><iframe srcdoc="<script>parent.document.title=1</script>">',
    "</pre></main></body><form action=https://evil.example><input name=key></form>",
    "&lt;b&gt; {{7*7}} ${7*7} %3Cscript%3E",
    "\x1b]0;owned\x07\x1b]2;owned\x1b\\\x1b]52;c;b3duZWQ=\x07\x1b]8;;https://evil.example\x07link\x1b]8;;\x07",
    '\x1b[2J\x1b[H\x1b[31mred\x1b[0m\x1b[6n\x1b[c\x1bP$q"p\x1b\\ \x9b31m',
)
END = "the last line"
THEIRS = "script, iframe, [onerror], [onload], [srcdoc], [href*=evil], [href^=javascript], [action*=evil], [name=key]"
"""What of it could have become elements."""
LOG = '[targets.hostile]\nkind = "log"\npath = "FOLDER/hostile.txt"\n'


class Page(AttackTest):
    """What a target sends is text on the console page, whatever it looks like."""

    watched = False  # a browser takes both cores

    def test_hostile_log(self) -> None:
        """Scripts, tags and terminal escapes in a log are shown as text: nothing runs, loads, or changes the page."""
        common = self.common
        (common.folder / "hostile.txt").write_bytes("\n".join((*HOSTILE, END, "")).encode("latin-1"))
        common.relist(LOG)
        keys = common.keys.read_bytes()
        self.addCleanup(common.keys.write_bytes, keys)
        common.keys.write_bytes(keys + ANONYMOUS.encode())
        with chromium() as browser:
            self.look(browser.new_page())

    def look(self, page: Any) -> None:
        asked: list[str] = []
        dialogs: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: asked.append(request.url))

        def dismiss(dialog: Any) -> None:
            dialogs.append(dialog.message)
            dialog.dismiss()

        page.on("dialog", dismiss)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        home = f"http://127.0.0.1:{self.common.platform_port}"
        page.goto(home)
        title = page.title()
        page.locator("#hosts").get_by_role("treeitem", name="hostile").click()
        shown = until(lambda: self.shown(page), what="the log on the page")
        for line in HOSTILE[:6]:
            self.assertIn(line, shown)
        self.assertEqual(page.locator(f".screen :is({THEIRS})").count(), 0, "elements of theirs")
        self.assertEqual((page.title(), page.url), (f"hostile on {HOST} · {title}", f"{home}/#{HOST}/hostile"))
        self.assertEqual(page.evaluate("getComputedStyle(document.body).display"), "grid")
        self.assertEqual((dialogs, complaints), ([], []))
        self.assertEqual([url for url in asked if not url.startswith(home)], [])
        self.assertNotIn("\x1b", shown)

    def shown(self, page: Any) -> str:
        text = str(page.evaluate(DEEP_TEXT, page.query_selector("#panels")))
        return text if END in text else ""


class Unread(AttackTest):
    """Files of the pages, asked for by those who don't read them."""

    def test_never_read(self) -> None:
        """Twenty connections with 1,000 requests each, nothing of whose answers is taken: no memory, and others are
        answered as ever."""
        common = self.common
        request = b"GET /streamrelay.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        with ExitStack() as opened, self.memory(common.platform, most=6):
            for _ in range(20):
                connection = socket.create_connection(("127.0.0.1", common.platform_port), WAIT)
                opened.enter_context(connection)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                try:
                    connection.sendall(request * 1000)
                except ConnectionError:  # it is dropped while it sends
                    pass
            for _ in range(5):
                self.assertEqual(common.ask("GET", "/v1/hosts").status, 200)
                time.sleep(0.2)


class Paths(AttackTest):
    """The pages are a fixed list of files; nothing else is found by any path, and nothing leads elsewhere."""

    def ask_raw(self, target: str, host: str = "127.0.0.1", *more: str) -> Reply:
        with socket.create_connection(("127.0.0.1", self.common.platform_port), WAIT) as connection:
            lines = (f"GET {target} HTTP/1.1", f"Host: {host}", "Connection: close", *more)
            connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
            reply = read_reply(connection, WAIT)
        SUITE.seen("attack's answer", reply.raw)
        return reply

    def test_traversal(self) -> None:
        """Steps upward, encoded or not, doubled slashes, other files and odd bytes: 404, and no file of the disk."""
        for path in (
            "/../setup.cfg",
            "/../../../../etc/passwd",
            "/..%2f..%2f..%2fetc/passwd",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/%2e%2e%2fetc%2fpasswd",
            "/..%5c..%5cetc/passwd",
            "/..\\..\\etc\\passwd",
            "/%252e%252e/etc/passwd",
            "/%c0%ae%c0%ae/etc/passwd",
            "//etc/passwd",
            "/console.html",
            "/console.js/",
            "/console.js/..",
            "/console.js%00.html",
            "/console.js%2f..%2f..%2fapi.py",
            "/./console.js",
            "/__init__.py",
            "/web/console.js",
            "/v1",
            "/v1/",
            "/v1/hosts/",
            "/v1//hosts",
            "/v1/../console.js",
            "/V1/hosts",
            "/.git/config",
            "/keys.toml",
            "/platform.key",
            "/%00",
            "/%ff%fe",
            "/package.json",
            "/package-lock.json",
            "/third-party",
            "/third-party/",
            "/third-party/../__init__.py",
            "/third-party/../console.js",
            "/third-party/novnc/../../../pages.py",
            "/third-party/novnc/core/../core/rfb.js",
            "/third-party/%2e%2e/%2e%2e/pages.py",
            "/third-party%2fnovnc%2fcore%2frfb.js",
            "/third-party/novnc/core/rfb.js/",
            "/third-party//novnc/core/rfb.js",
            "/third-party/novnc/package.json",
            "/third-party/novnc/core",
        ):
            reply = self.ask_raw(path)
            self.assertEqual((reply.status, reply.ended), (404, "eof"), path)
            self.assertNotIn(b"root:", reply.raw)
            self.assertNotIn(b"PRIVATE", reply.raw)
            self.assertIn(b"application/problem+json", reply.raw)

    def test_redirects(self) -> None:
        """No path is answered with a redirect, and no answer repeats what it was asked for."""
        mark = new_id()
        for path in (
            f"//{mark}.example/",
            f"//{mark}.example/%2e%2e",
            f"/\\{mark}.example/",
            f"/%2f%2f{mark}.example",
            f"/?next=https://{mark}.example",
            f"/v1/streams/https://{mark}.example",
            f"/console.js?{mark}",
            f"/%0d%0aLocation:%20https://{mark}.example",
            f"/{mark}%0d%0aSet-Cookie:%20a=b",
            f"/<script>{mark}</script>",
        ):
            reply = self.ask_raw(path)
            self.assertIn(reply.status, (200, 404), path)
            for word in (b"location:", b"set-cookie", mark.encode()):
                self.assertNotIn(word, reply.raw.lower() if word.islower() else reply.raw, path)

    def test_host_header(self) -> None:
        """The Host header of an attacker changes nothing in an answer; one that can be none is refused."""
        for host, status in (
            *(("evil.example", 200), ("evil.example:80", 200), ("x" * 300, 200)),
            *(("127.0.0.1@evil.example", 400), ("[::1", 400), ("evil example", 400)),
        ):
            reply = self.ask_raw("/", host)
            self.assertEqual(reply.status, status, host)
            self.assertNotIn(b"evil", reply.raw)
            self.assertEqual(self.ask_raw("/v1/hosts", host).status, 401 if status == 200 else status, host)

    def test_no_other_site(self) -> None:
        """No answer lets another site read it, frame it, or send a POST by a form."""
        reply = self.ask_raw("/v1/hosts", "127.0.0.1", "Origin: https://evil.example")
        self.assertEqual(reply.status, 401)
        self.assertNotIn(b"access-control", reply.raw.lower())
        self.assertIn(b"frame-ancestors 'none'", reply.raw)
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json-patch+json"):
            answer = self.common.ask("POST", "/v1/streams", b"{}", headers={"Content-Type": kind})
            self.assertEqual(answer.status, 415, kind)
