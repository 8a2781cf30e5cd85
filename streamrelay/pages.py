"""The console's files, as the platform serves them; there are no others."""

from importlib import resources
from typing import Final
from urllib.parse import urlsplit

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from streamrelay.answers import secure_headers, send_problem
from streamrelay.errors import Refused

FILES: Final = {
    b"": ("console.html", "text/html; charset=utf-8"),
    b"console.css": ("console.css", "text/css; charset=utf-8"),
    b"icon.svg": ("icon.svg", "image/svg+xml"),
    b"console.js": ("console.js", "text/javascript; charset=utf-8"),
}
"""All of them, by path."""


class Page(Resource):
    """One file of the console."""

    isLeaf = True

    def __init__(self, name: str, content_type: str, policy: str) -> None:
        super().__init__()
        self.content = resources.files("streamrelay.web").joinpath(name).read_bytes()
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
    return {path: Page(name, kind, policy) for path, (name, kind) in FILES.items()}
