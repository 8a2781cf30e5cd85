"""Chromium, and a web server of somebody's own pages for it."""

import asyncio
import atexit
import json
import re
import shutil
import subprocess
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
from tests.live.support.waiting import WAIT, until

ROOT = Path(__file__).resolve().parents[3]
WEB = ROOT / "streamrelay" / "web"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WINDOWLESS = shutil.which("chromium-headless-shell") or CHROMIUM
"""The same engine alone, if it is there: a page in a window of the whole browser costs four times the CPU."""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
UNSEEN = """() => {
Object.defineProperty(document, 'hidden', { get: () => true });
const prompt = setTimeout;
window.setTimeout = (act, ms = 0, ...all) => prompt(act, ms < 1000 ? 1000 - (Date.now() % 1000) : ms, ...all);
}"""
"""A page in the background as browsers have it: timers run when a second begins. (Headless Chromium hides none.)"""
KINDS = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css"}


@cache
def site_port() -> int:
    """The port of somebody's own site, the same in the whole run, so that chains which let it in can be shared."""
    return free_port()


def origin() -> str:
    return f"http://127.0.0.1:{site_port()}"


@contextmanager
def tasks(browser: Any) -> Iterator[list[float]]:
    """Milliseconds of CPU of each task of pages' main threads in the block, known at its end: a page is held up so long
    by each on a machine that has a core for it."""
    took: list[float] = []
    browser.start_tracing(categories=["toplevel"])
    try:
        yield took
    finally:
        events = json.loads(browser.stop_tracing())["traceEvents"]
    named = [event for event in events if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"]
    threads = {(event["pid"], event["tid"]) for event in named}
    ran = [event for event in events if event["name"] == "ThreadControllerImpl::RunTask" and "tdur" in event]
    took.extend(event["tdur"] / 1000 for event in ran if (event["pid"], event["tid"]) in threads)


class Elsewhere(AssertionError):
    """A question to a page that is left or loaded anew meanwhile, and doesn't answer it."""


def whether(expression: str) -> str:
    """Whether something is true of a page; it isn't while what is looked at isn't there."""
    return f"(() => {{ try {{ return Boolean({expression}) }} catch {{ return false }} }})()"


def told_in(log: Path, pattern: str, running: "subprocess.Popen[bytes]") -> str:
    """What a program says into a file, once it has said it; the pattern goes to the line's end."""

    def told() -> "re.Match[str] | None":
        found = re.search(pattern, log.read_text())
        assert found is not None or running.poll() is None, log.read_text()
        return found

    return str(until(told, what=pattern)[1])


class Standing:
    """The browsers of this process, which tests use one after the other: to start one costs more than most of them."""

    def __init__(self) -> None:
        try:
            from playwright.sync_api import sync_playwright
        except ImportError as error:
            raise SkipTest("needs the package playwright") from error
        self.playwright = sync_playwright().start()
        self.loop = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        self.browsers: dict[str, Any] = {}

    @contextmanager
    def used(self, program: str) -> Iterator[Any]:
        """Lend the one of a program, and end then whatever was opened. Its loop runs meanwhile, and no longer."""
        asyncio._set_running_loop(self.loop)
        try:
            if program not in self.browsers:
                self.browsers[program] = self.playwright.chromium.launch(
                    executable_path=program, args=FLAGS, timeout=4 * WAIT * 1000
                )
            yield self.browsers[program]
        finally:
            try:
                for context in self.browsers[program].contexts if program in self.browsers else ():
                    context.close()
            finally:
                asyncio._set_running_loop(None)

    def is_well(self) -> bool:
        try:
            for program in self.browsers:
                with self.used(program) as browser:
                    browser.new_browser_cdp_session().detach()
        except Exception:
            return False
        return True

    def stop(self) -> None:
        asyncio._set_running_loop(self.loop)
        try:
            for browser in self.browsers.values():
                browser.close()
            self.playwright.stop()
        finally:
            asyncio._set_running_loop(None)


_standing: list[Standing] = []


@contextmanager
def chromium(whole: bool = False) -> Iterator[Any]:
    """A browser with nothing in it, whose contexts end with the block: cookies, storage and caches are a context's.

    The whole one has windows, of which a page may leave the full screen.
    """
    program = CHROMIUM if whole else WINDOWLESS
    if program is None:
        raise SkipTest("needs chromium")
    if _standing and not _standing[0].is_well():
        _standing.clear()
    if not _standing:
        _standing.append(Standing())
    with _standing[0].used(program) as browser:
        yield browser


@atexit.register
def stop_chromium() -> None:
    while _standing:
        _standing.pop().stop()


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
        self.send_header("Cache-Control", "max-age=600")  # so that a page that is opened again is there at once
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...
