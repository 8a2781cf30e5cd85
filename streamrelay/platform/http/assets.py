"""The files of the pages, as the platform serves them: a list that is made at the start. No path leads to a disk."""

import gzip
import os
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from hashlib import sha256
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from twisted.internet.interfaces import IPushProducer
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from streamrelay.errors import ConfigError, Refused
from streamrelay.logs import Logger
from streamrelay.platform.http.origin import header
from streamrelay.platform.http.responses import secure_headers, send_problem

Names = tuple[str, ...]
"""A file's path under a folder."""
Segments = tuple[bytes, ...]
"""A request's path, split at its slashes: each file has one, and no other spelling counts."""

FIRST: Final = "console.html"
"""The file that ``/`` leads to."""
THIRD_PARTY: Final = "third-party"
VIEWERS: Final = (
    "novnc",
    "xterm",
    "addon-fit",
    "addon-search",
    "addon-unicode-graphemes",
    "addon-web-links",
    "spice-html5",
)
"""Folders of others' code, named after their npm packages."""
LIST: Final = "LIST.json"
"""File that lists what stands in these folders, as the build has written it."""

TEXTS: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    "": "text/plain; charset=utf-8",
}
"""Types of what is sent compressed, by the end of a name; the last one is for licences and declarations of types."""
OTHERS: Final = {".png": "image/png", ".gif": "image/gif", ".wasm": "application/wasm", ".woff2": "font/woff2"}
OURS: Final = re.compile(r".+\.(html|css|js|svg|d\.ts)")
"""Names of our own files that are served."""
THEIRS: Final = re.compile(
    r"[^.].*\.(css|m?js|json|svg|png|gif|wasm|woff2)|(LICEN[CS]E|COPYING|NOTICE|AUTHORS|README).*"
)
"""Names of others' files that are served: what browsers load, and licences."""
PIECE: Final = 65536
"""Bytes of a file that are sent at once."""
MOST_FILES: Final = 2000
MOST_BYTES: Final = 64 << 20
"""Bytes that a folder of viewers may hold, in `MOST_FILES` files at most; all of them are kept in memory."""

log = Logger()


class Page(Resource):
    """One file of the pages. Browsers keep it, and ask each time whether it is still the same."""

    isLeaf = True

    def __init__(self, content: bytes, name: str, policy: Callable[[], str]) -> None:
        super().__init__()
        self.content, self.policy = content, policy
        end = Path(name).suffix
        self.content_type = OTHERS.get(end) or TEXTS.get(end, TEXTS[""])
        self.compressible = end not in OTHERS
        self.hash = sha256(content).hexdigest()[:32]

    @cached_property
    def compressed(self) -> bytes:
        """The file by gzip, made when it is first wanted: all files at once would take longer than the rest of a
        start."""
        return gzip.compress(self.content, mtime=0)

    def render(self, request: Request) -> bytes | int:
        if request.method not in (b"GET", b"HEAD"):
            send_problem(request, Refused(405, "this path does not take this method"))
            return NOT_DONE_YET
        zipped = self.compressible and takes_gzip(header(request, "accept-encoding") or "")
        tag = f'"{self.hash}-gzip"' if zipped else f'"{self.hash}"'
        secure_headers(request, self.policy())
        request.setHeader("Cache-Control", "no-cache")
        request.setHeader("ETag", tag)
        if self.compressible:
            request.setHeader("Vary", "Accept-Encoding")
        if has_already(header(request, "if-none-match") or "", tag):
            request.setResponseCode(304)
            request.finish()  # an empty body would get a length, and that isn't the file's
            return NOT_DONE_YET
        content = self.compressed if zipped else self.content
        request.setHeader("Content-Type", self.content_type)
        request.setHeader("Content-Length", str(len(content)))
        if zipped:
            request.setHeader("Content-Encoding", "gzip")
        if request.method == b"HEAD":
            return b""
        Sending(request, content).start()
        return NOT_DONE_YET


@implementer(IPushProducer)
class Sending:
    """A file on its way to one client, piece by piece: one that reads slowly, or not at all, holds no more of it."""

    def __init__(self, request: Request, content: bytes) -> None:
        self._request, self._rest, self._paused = request, memoryview(content), False

    def start(self) -> None:
        self._request.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        while self._rest and not self._paused:
            piece, self._rest = self._rest[:PIECE], self._rest[PIECE:]
            self._request.write(bytes(piece))
            if not self._rest:
                self._request.unregisterProducer()
                self._request.finish()

    def pauseProducing(self) -> None:
        self._paused = True

    def stopProducing(self) -> None:
        """Let go of the file, as the client has gone."""
        self._rest = memoryview(b"")


def takes_gzip(accepted: str) -> bool:
    """Tell whether an Accept-Encoding lets gzip through (RFC 9110, 12.5.3)."""
    welcome = {}
    for each in accepted.lower().split(","):
        coding, _, weight = each.partition(";")
        welcome[coding.strip()] = not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return welcome.get("gzip", welcome.get("*", False))


def has_already(known: str, tag: str) -> bool:
    """Tell whether an If-None-Match names a tag, weakly or not (RFC 9110, 13.1.2)."""
    return known.strip() == "*" or tag.removeprefix("W/") in re.findall(r'"[^"]*"', known)


def pages(relays: Callable[[], str], viewers: str = "") -> dict[Segments, Page]:
    """Return the files by path, with a policy that lets them connect the relays and nothing else of another site.

    `relays` tells them as sources of a policy, with each answer anew, as settings may be read again. `viewers` is a
    folder whose third-party files are served in place of those that came with the package. `ConfigError` if it has
    none, or can't be read.
    """

    def policy() -> str:
        return policy_for(relays())

    web = resources.files("streamrelay.web")
    files = {path: content for path, content in _read(web, OURS) if path[0] != THIRD_PARTY}
    others = _chosen(Path(viewers)) if viewers else _third_party(web.joinpath(THIRD_PARTY))
    missing = [name for name in VIEWERS if not any(path[0] == name for path in others)]
    if missing:
        log.warn(
            "viewers not installed: {names}; the console can't show their targets (setting viewers)",
            names=", ".join(missing),
        )
    files |= {(THIRD_PARTY, *path): content for path, content in others.items()}
    return {_segments(path): Page(content, path[-1], policy) for path, content in files.items()}


def policy_for(relays: str) -> str:
    """Return the pages' Content-Security-Policy, which lets them connect their own site and the relays.

    Viewers draw what targets send from ``data:`` and ``blob:`` URLs, and play it.
    """
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src blob:; "
        f"form-action 'none'; connect-src 'self' {relays}"
    )


def _segments(path: Names) -> Segments:
    return (b"",) if path == (FIRST,) else tuple(os.fsencode(name) for name in path)


def _chosen(folder: Path) -> dict[Names, bytes]:
    """Return the third-party files of an operator's own folder, or raise `ConfigError`."""
    try:
        found = _third_party(folder)
    except OSError as error:
        raise ConfigError(f"viewers: {folder}: can't be read: {error.strerror}") from None
    if not found:
        raise ConfigError(f"viewers: {folder} has none of the folders {', '.join(VIEWERS)}")
    return found


def _third_party(folder: Traversable) -> dict[Names, bytes]:
    """Return what is served of a folder of others' code: its list, and the folders with a name that we know."""
    found: dict[Names, bytes] = {}
    size = 0
    for name in VIEWERS:
        if folder.joinpath(name).is_dir():
            for path, content in _read(folder.joinpath(name), THEIRS):
                found[name, *path] = content
                size += len(content)
                if len(found) > MOST_FILES or size > MOST_BYTES:
                    raise ConfigError(f"viewers: {folder} has more than {MOST_FILES} files or {MOST_BYTES >> 20} MiB")
    if found and folder.joinpath(LIST).is_file():
        found[LIST,] = folder.joinpath(LIST).read_bytes()
    return found


def _read(folder: Traversable, wanted: re.Pattern[str], above: Names = ()) -> Iterator[tuple[Names, bytes]]:
    """Yield all files under a folder whose names are wanted, with their paths."""
    for each in folder.iterdir():
        if each.is_dir():
            yield from _read(each, wanted, (*above, each.name))
        elif each.is_file() and wanted.fullmatch(each.name):
            yield (*above, each.name), each.read_bytes()
