"""Attacks by web pages: nobody's page opens a stream but those that are allowed, byte by byte."""

from typing import Any

from tests.live.attacks.attack import PANEL, AttackTest, page_origin, pages, upgrade
from tests.live.support.browser import chromium
from tests.live.support.ports import answers, free_port
from tests.live.support.waiting import until

PAGE = "<!doctype html><title>a page</title>"
TRY = """url => new Promise(done => {
    const socket = new WebSocket(url, ['streamrelay.v1']);
    socket.onopen = () => { socket.send('let me in'); done('open'); };
    socket.onclose = event => done('closed ' + event.code);
})"""


class Origins(AttackTest):
    """The Origin of a request is compared with the allowed ones, and with nothing less."""

    def refused_origins(self, *origins: str) -> None:
        """Each is answered with the same 403; nothing reaches the target, and the token is as good as before."""
        decoy = self.decoy()
        path = self.opened(decoy)
        bodies = set()
        for origin in origins:
            reply = self.send_request(upgrade(path, f"Origin: {origin}"))
            self.assertEqual((reply.status, reply.ended), (403, "eof"), origin)
            bodies.add(reply.raw)
        self.assertEqual(len(bodies), 1, bodies)
        self.assert_reached(decoy, 1)
        self.assertEqual(self.send_request(upgrade(path, f"Origin: {PANEL}")).status, 101)

    def test_variants(self) -> None:
        """A prefix, a suffix, another port, scheme or case, null, and two at once are refused."""
        self.refused_origins(
            "https://evil.example",
            "http://panel.example",
            "https://panel.example:443",
            "https://panel.example:444",
            "https://panel.example.evil.example",
            "https://panel.example@evil.example",
            "https://evil.example/https://panel.example",
            "https://sub.panel.example",
            "https://xpanel.example",
            "https://panel.exampl",
            "https://panel.example/",
            "https://panel.example.",
            "HTTPS://PANEL.EXAMPLE",
            "https://Panel.example",
            "//panel.example",
            "panel.example",
            "null",
            "",
            "*",
            "file://",
            "https://panel.example, https://evil.example",
            "https://panel.example https://evil.example",
            "https://panel.example\r\nOrigin: https://evil.example",
            "https://evil.example\r\nOrigin: https://panel.example",
            "https://panel.example\t.evil",
            "https://p\xe4nel.example",
            "h" * 4000,
        )

    def test_one_byte_off(self) -> None:
        """Any one character more, fewer or other than the allowed origin is refused."""
        shorter = [PANEL[:at] + PANEL[at + 1 :] for at in range(len(PANEL))]
        longer = [PANEL[:at] + "a" + PANEL[at:] for at in range(len(PANEL) + 1)]
        other = [PANEL[:at] + "b" + PANEL[at + 1 :] for at in range(len(PANEL))]
        self.refused_origins(*shorter, *longer, *other)

    def test_agents_path(self) -> None:
        """A page can't be an agent either."""
        url = self.common.pair()[1].removeprefix(self.common.relay_url)
        self.assertEqual(self.send_request(upgrade(url, "Origin: https://evil.example")).status, 403)

    def test_before_the_token(self) -> None:
        """A page can't find out whether a token is good: the origin is looked at first."""
        for token in ("x" * 32, self.common.pair()[0].rpartition("/")[2]):
            self.assertEqual(self.send_request(upgrade(f"/client/{token}", "Origin: https://evil.example")).status, 403)


class Browser(AttackTest):
    """The same with the origins that a real browser sends."""

    watched = False  # until the browser has started

    def test_in_a_browser(self) -> None:
        """In Chromium a page of another port is refused and learns nothing; the same page at its own port comes in."""
        foreign = f"http://127.0.0.1:{free_port()}"
        for origin in (foreign, page_origin()):
            port = int(origin.rpartition(":")[2])
            server = pages(PAGE, port)
            self.addCleanup(server.wait)
            self.addCleanup(server.terminate)
            until(lambda port=port: answers(port), what="the page")
        with chromium() as browser:
            self.try_pages(browser, foreign)

    def try_pages(self, browser: Any, foreign: str) -> None:
        def opened() -> str:
            return self.common.relay_url + self.opened(self.decoy())

        page = browser.new_page()
        page.goto(foreign)
        self.unnoticed(lambda: self.assertEqual(page.evaluate(TRY, opened()), "closed 1006"))
        sandboxed = "url => { const f = document.createElement('iframe'); f.sandbox = 'allow-scripts';"
        sandboxed += " f.srcdoc = `<script>const s = new WebSocket('${url}'); s.onopen = () => s.send('null');"
        sandboxed += " s.onclose = e => parent.postMessage('closed ' + e.code, '*')</script>`;"
        sandboxed += " return new Promise(done => { onmessage = e => done(e.data); document.body.append(f); }); }"
        page.goto(page_origin())
        decoy = self.decoy()
        url = self.common.relay_url + self.opened(decoy)
        self.assertEqual(page.evaluate(sandboxed, url), "closed 1006", "an origin of null")
        self.assert_reached(decoy, 1)
        self.assertEqual(page.evaluate(TRY, url), "open")
