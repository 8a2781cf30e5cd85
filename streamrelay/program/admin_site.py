"""The two pages of an admin listener: ``/health`` and ``/metrics``, over HTTP that no stranger can make dear."""

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.http import Request as HttpRequest
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from streamrelay.net.deadlines import Deadlines
from streamrelay.program.exposition import CONTENT_TYPE, Exposition
from streamrelay.protocol.names import is_loopback

MOST: Final = 16
"""Connections at once; one more ends the oldest, so that nobody who opens many keeps the next question out."""
TIME: Final = 10.0
"""Seconds from accept to the end of a connection, which answers one request."""
TEXT: Final = b"text/plain; charset=utf-8"

HEADERS: Final = {
    b"Cache-Control": b"no-store",
    b"X-Content-Type-Options": b"nosniff",
    b"Connection": b"close",
}
NOTHING: Final = (404, TEXT, b"there are /health and /metrics\n")


class AdminRequest(Request):
    """A request without a body."""

    def gotLength(self, length: int | None) -> None:
        super().gotLength(length)
        if length != 0:
            self.channel.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.channel.loseConnection()


class AdminChannel(HTTPChannel):
    """A connection of one request."""

    factory: "AdminSite"

    def connectionMade(self) -> None:
        super().connectionMade()
        self.factory.begin(self)

    def checkPersistence(self, request: HttpRequest, version: bytes) -> bool:
        """Close after the answer."""
        return False

    def drop(self) -> None:
        """Close the connection at once, whatever it does."""
        transport: Any = self.transport
        transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.end(self)
        super().connectionLost(reason)


class AdminSite(Site):
    """The site of an admin listener, without an access log."""

    noisy = False
    displayTracebacks = False

    def __init__(self, root: Resource, clock: IReactorTime) -> None:
        super().__init__(root, requestFactory=AdminRequest, timeout=None)
        self.protocol: Any = AdminChannel  # HTTP/1.1 alone
        self.channels: dict[AdminChannel, None] = {}  # the oldest first
        self.deadlines: Deadlines[AdminChannel] = Deadlines(clock, TIME, AdminChannel.drop)

    def begin(self, channel: AdminChannel) -> None:
        if len(self.channels) >= MOST:
            oldest = next(iter(self.channels))
            self.end(oldest)
            oldest.drop()
        self.channels[channel] = None
        self.deadlines.begin(channel)

    def end(self, channel: AdminChannel) -> None:
        self.channels.pop(channel, None)
        self.deadlines.end(channel)

    def log(self, request: HttpRequest) -> None: ...


class Page(Resource):
    """One page: `answer` gives its status, its kind and its text."""

    isLeaf = True

    def __init__(self, answer: Callable[[], tuple[int, bytes, bytes]]) -> None:
        super().__init__()
        self.answer = answer

    def render(self, request: Request) -> bytes:
        status, kind, text = self._answer(request)
        request.setResponseCode(status)
        request.responseHeaders.removeHeader(b"Server")
        about = {b"Content-Type": kind, b"Content-Length": b"%d" % len(text), **HEADERS}
        for name, value in about.items():
            request.responseHeaders.setRawHeaders(name, [value])
        return b"" if request.method == b"HEAD" else text

    def _answer(self, request: Request) -> tuple[int, bytes, bytes]:
        if request.postpath:
            return NOTHING
        if request.method not in (b"GET", b"HEAD"):
            return 405, TEXT, b"only GET and HEAD\n"
        if request.getHeader("origin") or request.getHeader("sec-fetch-site") not in (None, "none"):
            return 403, TEXT, b"not for a page\n"
        if not _is_ours(request):
            return 403, TEXT, b"this machine alone, as localhost or by its address\n"
        return self.answer()


def _is_ours(request: Request) -> bool:
    """Tell whether a loopback port is asked for by a name of loopback.

    Another name that leads here makes our port a page's own site (DNS rebinding), and browsers don't say of each
    request that a page makes it.
    """
    where = getattr(request.getHost(), "host", "")
    return not is_loopback(where) or is_loopback(request.getRequestHostname().decode("ascii", "replace"))


class Pages(Resource):
    """The pages by their paths. `trouble` says why no new work is taken; empty if it is."""

    def __init__(self, trouble: Callable[[], str], exposition: Exposition) -> None:
        super().__init__()
        self.trouble, self.exposition = trouble, exposition
        self.putChild(b"health", Page(self._health))
        self.putChild(b"metrics", Page(lambda: (200, CONTENT_TYPE, self.exposition.text())))

    def getChild(self, path: bytes, request: Request) -> Resource:
        return Page(lambda: NOTHING)

    def _health(self) -> tuple[int, bytes, bytes]:
        trouble = self.trouble()
        return (503, TEXT, f"not ready: {trouble}\n".encode()) if trouble else (200, TEXT, b"ready\n")
