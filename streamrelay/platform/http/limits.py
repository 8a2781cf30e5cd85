"""Limits of the platform's HTTP connections: what a stranger may send, in what time, and how many there may be.

A connection is a stranger's from its first byte, or from the first one after an answer, until its request is whole.
Whoever doesn't take an answer gets no other one, and is dropped in the end: answers that wait are memory.
"""

import resource
from typing import Any, Final

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.http import Request as HttpRequest
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from streamrelay.errors import Refused
from streamrelay.logs import Logger, Seldom
from streamrelay.net.deadlines import Deadlines
from streamrelay.net.proxies import Proxies
from streamrelay.net.quotas import ConnectionQuota, turned_away
from streamrelay.protocol.tls_records import HELLO

log = Logger()

MAX_BODY: Final = 16384
"""Bytes of a request's body. Twisted bounds its head: 16 KiB, 500 headers."""
REQUEST_TIME: Final = 10.0
"""Seconds in which a request must be whole; of a connection's first one TLS' handshake is part."""
IDLE_TIME: Final = 60
"""Seconds that a connection may be silent between requests, or take nothing of an answer."""
RESERVE: Final = 128
"""Descriptors that connections leave for the bus, for files, for questions to others, and for those just dropped."""
MOST: Final = 50_000
"""Connections at once that are allowed, however many descriptors there may be."""


def allowed() -> int:
    """Return how many connections this process' descriptors (RLIMIT_NOFILE) allow."""
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if descriptors == resource.RLIM_INFINITY:
        return MOST
    return min(MOST, max(descriptors - RESERVE, descriptors // 2))


def _or_allowed(given: int) -> int:
    return given or allowed()


@define(frozen=True)
class Room:
    """Room for connections: the settings of these names. `max_connections` = 0: as many as `allowed`."""

    max_connections: int = field(default=0, converter=_or_allowed)
    max_connections_per_address: int = 200
    max_handshakes: int = 500
    max_handshakes_per_address: int = 100


class BoundedRequest(Request):
    """A request whose body is no longer than `MAX_BODY`."""

    def gotLength(self, length: int | None) -> None:
        """Answer 411 to a body without a length (it comes in chunks; no client of this API needs that), 413 to one
        that is too long, and close the connection."""
        super().gotLength(length)
        if length is None or length > MAX_BODY:
            status = b"411 Length Required" if length is None else b"413 Content Too Large"
            self.channel.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.channel.loseConnection()


class BoundedChannel(HTTPChannel):
    """A connection that is dropped if a request takes longer than `REQUEST_TIME` to come, or an answer isn't taken.

    It is counted from accept to its loss. A request has a deadline from its first byte on, also where that came along
    with the request before; the first one from accept on.
    """

    factory: "BoundedSite"
    bucket = ""
    _counted = False
    _begun = False  # a request, which isn't whole yet
    _heard = False  # a first byte, which isn't TLS'
    _full = False  # more was written than its peer has taken
    _buffer: bytes  # Twisted's: a line that isn't whole

    def connectionMade(self) -> None:
        super().connectionMade()
        assert self.transport is not None
        self.bucket = self.factory.proxies.bucket(getattr(self.transport.getPeer(), "host", None))
        self._counted = self.factory.admit(self)
        if self._counted:
            self._begin()
        else:  # `admit` has counted it out again
            self.drop()

    def dataReceived(self, data: bytes) -> None:
        if not self._counted:
            return
        self.factory.idle.discard(self)
        if not self._heard and data[:1] == HELLO:
            self._refuse_tls()
            return
        self._heard = True
        super().dataReceived(data)
        self._look()

    def _refuse_tls(self) -> None:
        """Answer TLS in plain, so that who means another port needn't wait for our deadline to know."""
        transport: Any = self.transport
        transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        transport.loseConnection()

    def requestDone(self, request: HttpRequest) -> None:
        super().requestDone(request)
        self._look()

    def _look(self) -> None:
        """Find out what the connection does now: begin a request, have one answered, or nothing."""
        # Idle is only what has nothing to come and nothing to take: such a connection may be closed for another one.
        if self._begun or self._full or self._handlingRequest or not self._counted:
            return
        if self.requests or self._buffer:
            self._begin()
        else:
            self.factory.idle.add(self)

    def allContentReceived(self) -> None:
        self._end()
        if self._full:  # Twisted would write answer upon answer
            self.drop()
            return
        super().allContentReceived()

    def pauseProducing(self) -> None:
        if not self._full:
            self._full = True
            self.factory.idle.discard(self)
            self.factory.untaken.begin(self)
        super().pauseProducing()

    def resumeProducing(self) -> None:
        self._take_off()
        super().resumeProducing()
        self._look()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._leave()
        self._take_off()
        super().connectionLost(reason)

    def _begin(self) -> None:
        self._begun = True
        self.factory.deadlines.begin(self)
        met = self.factory.handshakes.enter(self.bucket)
        if met is not None:  # it counts all the same, until `drop` ends it
            met.count(self.bucket)
            self.drop()

    def _end(self) -> None:
        if self._begun:
            self._begun = False
            self.factory.deadlines.end(self)
            self.factory.handshakes.leave(self.bucket)

    def _leave(self) -> None:
        self._end()
        self.factory.idle.discard(self)
        if self._counted:
            self._counted = False
            self.factory.connections.leave(self.bucket)

    def _take_off(self) -> None:
        self._full = False
        self.factory.untaken.end(self)

    def drop(self) -> None:
        self._leave()
        transport: Any = self.transport
        transport.abortConnection()


@define(eq=False)
class Idle:
    """Connections that wait for another request, which may be closed when room is short."""

    _by_bucket: dict[str, dict[BoundedChannel, None]] = field(factory=dict)  # each in the order of their coming
    _all: dict[BoundedChannel, None] = field(factory=dict)

    def add(self, channel: BoundedChannel) -> None:
        self._all[channel] = None
        self._by_bucket.setdefault(channel.bucket, {})[channel] = None

    def discard(self, channel: BoundedChannel) -> None:
        if channel in self._all:
            del self._all[channel], self._by_bucket[channel.bucket][channel]
            if not self._by_bucket[channel.bucket]:
                del self._by_bucket[channel.bucket]

    def longest(self, bucket: str | None) -> BoundedChannel | None:
        """Return the connection that has been idle for the longest time, of one bucket or (None) of all."""
        return next(iter(self._all if bucket is None else self._by_bucket.get(bucket, ())), None)


class Limit:
    """A limit of connections, in all and from one bucket, with what is told of those over it."""

    def __init__(self, clock: IReactorTime, room: Room, setting: str) -> None:
        in_all, from_one = setting, f"{setting}_per_address"
        self.quota = ConnectionQuota(getattr(room, in_all), getattr(room, from_one))
        self.in_all = turned_away(clock, f"{in_all} = {self.quota.most}")
        self.from_one = turned_away(clock, f"{from_one} = {self.quota.most_from_one}")

    def enter(self, bucket: str) -> Seldom | None:
        """Count one in; return None, or who tells of the limit that it is over. It counts either way till it leaves."""
        try:
            self.quota.enter(bucket)
        except Refused as refused:
            return self.from_one if refused.status == 429 else self.in_all
        return None

    def leave(self, bucket: str) -> None:
        self.quota.leave(bucket)


class BoundedSite(Site):
    """A site of bounded connections, without an access log: what matters is logged in our own words."""

    noisy = False
    displayTracebacks = False

    def __init__(self, root: IResource, clock: IReactorTime, proxies: Proxies, room: Room | None = None) -> None:
        super().__init__(root, requestFactory=BoundedRequest, timeout=IDLE_TIME)
        self.protocol: Any = BoundedChannel  # HTTP/1.1 alone
        self.proxies, self.room = proxies, room or Room()
        self.deadlines: Deadlines[BoundedChannel] = Deadlines(clock, REQUEST_TIME, BoundedChannel.drop)
        self.untaken: Deadlines[BoundedChannel] = Deadlines(clock, IDLE_TIME, BoundedChannel.drop)
        self.connections = Limit(clock, self.room, "max_connections")
        self.handshakes = Limit(clock, self.room, "max_handshakes")
        self.idle = Idle()

    def startFactory(self) -> None:
        super().startFactory()
        most, most_from_one = self.room.max_connections, self.room.max_connections_per_address
        log.info(
            "up to {most} connections at once (max_connections), "
            "{from_one} from one address (max_connections_per_address)",
            most=most,
            from_one=most_from_one,
        )
        if most > allowed():
            log.warn(
                "max_connections = {most} needs more descriptors than there are: RLIMIT_NOFILE is {descriptors}, "
                "enough for {allowed} connections",
                most=most,
                descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
                allowed=allowed(),
            )

    def stopFactory(self) -> None:
        """Log which connections were turned away since the last lines about that."""
        super().stopFactory()
        for limit in (self.connections, self.handshakes):
            limit.in_all.stop()
            limit.from_one.stop()

    def admit(self, channel: BoundedChannel) -> bool:
        """Count a connection in, if need be for one that is idle, which is dropped; False if there is no room."""
        met = self.connections.enter(channel.bucket)
        if met is None:
            return True
        met.count(channel.bucket)
        idle = self.idle.longest(channel.bucket if met is self.connections.from_one else None)
        if idle is None:
            self.connections.leave(channel.bucket)
            return False
        idle.drop()
        return True

    def log(self, request: HttpRequest) -> None: ...
