"""The platform's HTTP connections: what a stranger may send, in what time, and how many of them there may be.

A connection is a stranger's from its first byte, or from the first one after an answer, until its request is whole.
Whoever doesn't take an answer gets no other one, and is dropped in the end: answers that wait are memory.
"""

from typing import Any, Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.http import Request as HttpRequest
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from streamrelay.arrivals import Arrivals
from streamrelay.deadlines import Deadlines
from streamrelay.errors import Refused
from streamrelay.proxies import Proxies

MAX_BODY: Final = 16384
"""Bytes of a request's body. Twisted bounds its head: 16 KiB, 500 headers."""
REQUEST_TIME: Final = 10.0
"""Seconds in which a request must be whole, TLS' handshake included."""
IDLE_TIME: Final = 60
"""Seconds that a connection may be silent between requests, or take nothing of an answer."""
MOST: Final = 500
"""Connections at once whose request isn't whole, over which new ones are dropped."""
MOST_FROM_ONE: Final = 50
"""The same from one address (of IPv6, a /64). A browser takes up to six at once; proxies are exempt."""


class BoundedRequest(Request):
    """A request whose body is no longer than `MAX_BODY`."""

    def gotLength(self, length: int | None) -> None:
        """A body without a length comes in chunks; no client of this API needs to send one."""
        super().gotLength(length)
        if length is None or length > MAX_BODY:
            status = b"411 Length Required" if length is None else b"413 Content Too Large"
            self.channel.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.channel.loseConnection()


class BoundedChannel(HTTPChannel):
    """A connection that is dropped if a request takes longer than `REQUEST_TIME` to come, or an answer isn't taken."""

    factory: "BoundedSite"
    _host: str | None = None
    _begun = False  # a request, which isn't whole yet
    _full = False  # more was written than its peer has taken

    def connectionMade(self) -> None:
        super().connectionMade()
        assert self.transport is not None
        self._host = getattr(self.transport.getPeer(), "host", None)
        self._begin()

    def dataReceived(self, data: bytes) -> None:
        if not self._begun and not self.requests:
            self._begin()
        super().dataReceived(data)

    def allContentReceived(self) -> None:
        self._end()
        if self._full:  # Twisted would write answer upon answer
            self.drop()
            return
        super().allContentReceived()

    def pauseProducing(self) -> None:
        if not self._full:
            self._full = True
            self.factory.untaken.begin(self)
        super().pauseProducing()

    def resumeProducing(self) -> None:
        self._take_off()
        super().resumeProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end()
        self._take_off()
        super().connectionLost(reason)

    def _begin(self) -> None:
        self._begun = True
        self.factory.deadlines.begin(self)
        try:
            self.factory.arrivals.enter(self.factory.proxies.place(self._host))
        except Refused:
            self.drop()

    def _end(self) -> None:
        if self._begun:
            self._begun = False
            self.factory.deadlines.end(self)
            self.factory.arrivals.leave(self.factory.proxies.place(self._host))

    def _take_off(self) -> None:
        self._full = False
        self.factory.untaken.end(self)

    def drop(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()


class BoundedSite(Site):
    """A site without an access log: what matters is logged in our own words."""

    noisy = False
    displayTracebacks = False

    def __init__(self, root: IResource, clock: IReactorTime, proxies: Proxies) -> None:
        super().__init__(root, requestFactory=BoundedRequest, timeout=IDLE_TIME)
        self.protocol: Any = BoundedChannel  # HTTP/1.1 alone
        self.proxies = proxies
        self.deadlines: Deadlines[BoundedChannel] = Deadlines(clock, REQUEST_TIME, BoundedChannel.drop)
        self.untaken: Deadlines[BoundedChannel] = Deadlines(clock, IDLE_TIME, BoundedChannel.drop)
        self.arrivals = Arrivals(MOST, MOST_FROM_ONE)

    def log(self, request: HttpRequest) -> None: ...
