"""Chromium, and a web server of somebody's own pages for it."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from twisted.trial.unittest import SkipTest

from tests.live.support.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
WEB = ROOT / "streamrelay" / "web"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
KINDS = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css"}


@cache
def site_port() -> int:
    """The port of somebody's own site, the same in the whole run, so that chains which let it in can be shared."""
    return free_port()


def origin() -> str:
    return f"http://127.0.0.1:{site_port()}"


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser."""
    if CHROMIUM is None:
        raise SkipTest("needs chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise SkipTest("needs the package playwright") from error
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def need_viewers() -> Path:
    """Where xterm.js and the others are, as the build puts them."""
    place = WEB / "third-party"
    if not (place / "xterm").is_dir():
        raise SkipTest("needs the viewers of others (python build_backend.py)")
    return place


class Pages:
    """Somebody's own site: files under paths that begin as given, and what POST is answered."""

    def __init__(self, files: dict[str, Path], post: Callable[[str], str] | None = None, port: int = 0) -> None:
        self.files, self.post = files, post
        answering = type("Answering", (_Answering,), {"pages": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), answering)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def find(self, path: str) -> Path | None:
        for begin, place in self.files.items():
            if path.startswith(begin):
                found = place / path.removeprefix(begin) if begin.endswith("/") else place
                return found if found.is_file() else None
        return None

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Answering(BaseHTTPRequestHandler):
    pages: Pages

    def do_GET(self) -> None:
        found = self.pages.find(urlsplit(self.path).path)
        if found is None:
            self._answer(404 if self.path != "/favicon.ico" else 204, b"", "text/plain")
        else:
            self._answer(200, found.read_bytes(), KINDS.get(found.suffix, "application/octet-stream"))

    def do_POST(self) -> None:
        assert self.pages.post is not None
        self._answer(200, self.pages.post(self.path).encode(), "text/plain")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...
