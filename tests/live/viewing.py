"""A browser that looks at pages of the test's own server; no page may complain, or break its policy."""

import json
import shutil
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from twisted.trial.unittest import SkipTest

from tests.live.chain import HOST, WAIT, Chain, LiveTest, ask, until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
WEB = Path(__file__).parents[2] / "streamrelay" / "web"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src blob:; "
    "form-action 'none'; frame-ancestors 'none'; connect-src 'self' RELAY"
)
"""What the platform sends with its own pages."""

PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>viewers</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<link rel="stylesheet" href="/page.css"><script type="module" src="/page.js"></script></head><body></body></html>"""
STYLE = "body { margin: 0 } .panel { position: relative; width: 800px; height: 480px }"
SCRIPT = """
import { ask, open } from '/streamrelay.js';
window.tabs = [];
window.violations = [];
document.addEventListener('securitypolicyviolation', (event) => violations.push(
  `${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
// A tab as the console has it: a panel, a viewer in it, and the state.
window.show = async (name, host, target, view = false) => {
  const panel = document.createElement('div');
  panel.className = 'panel';
  panel.id = `tab${tabs.length}`;
  document.body.append(panel);
  const { create } = await import(`/viewers/${name}.js`);
  const tab = { state: 'new', outcome: null, error: null };
  tabs.push(tab);
  tab.viewer = create(panel, {
    host, target, view,
    open: (options) => open({ host, target, ...options }),
    ask: (options) => ask({ host, target, ...options }),
  });
  tab.connect = async () => {
    Object.assign(tab, { state: 'connecting', outcome: null, error: null });
    try {
      const session = tab.session = await tab.viewer.connect();
      tab.state = 'connected';
      session.closed.then((outcome) => Object.assign(tab, { state: 'closed', outcome }));
    } catch (error) {
      Object.assign(tab, { state: 'failed', error: error.message, outcome: error.outcome ?? null });
    }
  };
  tab.connect();
  tab.act = (label) => {
    const action = tab.viewer.actions.find((action) => action.label === label);
    if (!action) throw new Error(`no ${label}: ${JSON.stringify(tab, ['state', 'outcome', 'error', 'words', 'code'])}`);
    return action.run();
  };
};
document.title = 'ready';
"""


class Pages:
    """An HTTP server on loopback: files by path, folders by prefix; `/v1/` is the platform of a chain."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[str, bytes]] = {}
        self.folders: dict[str, Path] = {}
        self.headers: dict[str, str] = {}
        self.chain: Chain | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Serving", (_Serving,), {"pages": self}))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, path: str, text: str) -> None:
        self.files[path] = (TYPES[Path(path).suffix], text.encode())

    def find(self, path: str) -> tuple[str, bytes] | None:
        if path in self.files:
            return self.files[path]
        for prefix, folder in self.folders.items():
            if path.startswith(prefix):  # the first one counts
                file = folder / path.removeprefix(prefix)
                if ".." in path or not file.is_file():
                    return None
                return TYPES.get(file.suffix, "application/octet-stream"), file.read_bytes()
        return None


class _Serving(BaseHTTPRequestHandler):
    pages: Pages
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        found = self.pages.find(unquote(urlsplit(self.path).path))
        if found is None:
            self._respond(404, "text/plain", b"no such file")
        else:
            self._respond(200, *found)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        chain = self.pages.chain
        if chain is None:
            self._respond(404, "text/plain", b"no platform")
            return
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {chain.key}"}
        answer = ask(chain.platform_port, "POST", self.path, body, headers)
        self._respond(answer.status, answer.headers["Content-Type"], answer.text.encode())

    def _respond(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in self.pages.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None: ...


class BrowserTest(LiveTest):
    """A test whose programs are looked at in Debian's Chromium."""

    def browser(self, **settings: Any) -> Any:
        """A page of a browser that ends with the test."""
        if CHROMIUM is None:
            raise SkipTest("needs chromium")
        try:
            from playwright.sync_api import sync_playwright
        except ImportError as error:
            raise SkipTest("needs the package playwright") from error
        playwright = sync_playwright().start()
        self.addCleanup(playwright.stop)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        self.addCleanup(browser.close)
        page = browser.new_context(**{"viewport": {"width": 1000, "height": 1100}, **settings}).new_page()
        page.set_default_timeout(WAIT * 1000)
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda message: self.complaints.append(message.text) if message.type in ("error", "warning") else None,
        )
        return page

    def pages(self) -> Pages:
        served = Pages()
        self.addCleanup(served.close)
        return served


class ViewerTest(BrowserTest):
    """Viewers on a bare page, under the very policy that the platform's pages have."""

    def start(self, targets: str = "", **settings: Any) -> None:
        """A chain, and the page, which the relay lets in."""
        self.served = self.pages()
        self.chain_ = self.chain(relay=(f"--origin={self.served.url}",), targets=targets)
        self.served.chain = self.chain_
        self.served.headers = {"Content-Security-Policy": POLICY.replace("RELAY", self.chain_.relay_url)}
        self.served.folders["/"] = WEB
        for path, text in (("/", PAGE), ("/page.js", SCRIPT), ("/page.css", STYLE)):
            self.served.files[path] = (TYPES[Path(path).suffix or ".html"], text.encode())
        self.page = self.browser(**settings)
        self.page.goto(self.served.url)
        self.page.wait_for_function("document.title === 'ready'")

    def show(self, viewer: str, target: str, view: bool = False, state: str = "connected") -> int:
        """Open a tab, wait for its state, and give its number."""
        self.page.evaluate("([...all]) => show(...all)", [viewer, HOST, target, view])
        number = int(self.page.evaluate("tabs.length - 1"))
        if state:
            self.wait_state(number, state)
        return number

    def tab(self, number: int) -> Any:
        return self.page.evaluate(
            "n => ({state: tabs[n].state, outcome: tabs[n].outcome, error: tabs[n].error})", number
        )

    def wait_state(self, number: int, state: str, seconds: float = WAIT) -> Any:
        """Until a tab has this state; gives the tab."""

        def there() -> bool:
            tab = self.tab(number)
            if tab["state"] in ("failed", "closed") and tab["state"] != state:
                raise AssertionError(f"the tab is {json.dumps(tab)}; {self.complaints}")
            return bool(tab["state"] == state)

        until(there, seconds, f"the state {state} of the tab")
        return self.tab(number)

    def until(self, script: str, argument: object = None, what: str = "", seconds: float = WAIT) -> Any:
        """Until a function of the page gives something true; gives that."""
        return until(lambda: self.page.evaluate(script, argument), seconds, what or script)

    def assert_quiet(self, but: Callable[[str], bool] = lambda complaint: False) -> None:
        """Nothing on the browser's console, and no violation of the policy."""
        self.assertEqual(self.page.evaluate("violations"), [])
        self.assertEqual([complaint for complaint in self.complaints if not but(complaint)], [])
