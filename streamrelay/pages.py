"""The console's files, as the platform serves them; there are no others."""

from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import PurePath
from typing import Final
from urllib.parse import urlsplit

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from streamrelay.answers import secure_headers, send_problem
from streamrelay.errors import Refused

TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served, by suffix."""


def _files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        elif PurePath(entry.name).suffix in TYPES:
            yield prefix + entry.name, entry


class Page(Resource):
    """One file of the console."""

    isLeaf = True

    def __init__(self, file: Traversable, policy: str) -> None:
        super().__init__()
        self.content, content_type = file.read_bytes(), TYPES[PurePath(file.name).suffix]
        self.content_type, self.policy = content_type, policy

    def render(self, request: Request) -> bytes | int:
        if request.method not in (b"GET", b"HEAD"):
            send_problem(request, Refused(405, "this path does not take this method"))
            return NOT_DONE_YET
        request.setHeader("Content-Type", self.content_type)
        secure_headers(request, self.policy)
        return self.content


def pages(relay_url: str) -> dict[bytes, Page]:
    """The files by path, with a policy that lets them connect the relay and nothing else of another site."""
    relay = urlsplit(relay_url)
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'none'; "
        f"connect-src 'self' {relay.scheme}://{relay.netloc}"
    )
    found = {path.encode(): Page(file, policy) for path, file in _files(resources.files("streamrelay.web"))}
    return {b"": found.pop(b"console.html"), **found}
