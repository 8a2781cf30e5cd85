"""Limits of the platform's HTTP connections: what a stranger may send, in what time, and how many there may be.

A connection is a stranger's from its first byte, or from the first one after an answer, until its request is whole.
Those beyond the most of one address wait for their turn, unread. One that has brought a good credential counts by its
user at that address from then on, so that no crowd of strangers behind the same address holds it up or closes it.
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

from streamrelay.errors import Refused
from streamrelay.net.deadlines import Deadlines
from streamrelay.net.proxies import Proxies
from streamrelay.net.waiting_lines import Waiter
from streamrelay.platform.http.bounded_request import BoundedRequest
from streamrelay.platform.http.goodbye import Goodbye
from streamrelay.platform.http.room import Idle, Room
from streamrelay.protocol.tls_records import HELLO

REQUEST_TIME: Final = 10.0
"""Seconds in which a request must be whole; of a connection's first one TLS' handshake is part."""
IDLE_TIME: Final = 60
"""Seconds that a connection may be silent between requests, or take nothing of an answer."""
LEAVE_TIME: Final = 1.0
"""Seconds in which one that gives way to another may take what is left of its answer."""


class BoundedChannel(HTTPChannel):
    """A connection that is dropped if a request takes longer than `REQUEST_TIME` to come, or an answer isn't taken.

    It is counted from accept to its loss. A request has a deadline from its first byte on, also where that came along
    with the request before; the first one from accept on. While its connection waits for a turn the time runs on.
    """

    factory: "BoundedSite"
    bucket = ""
    turned_away = False  # one too many, told so once its request is whole: an answer before is lost in a reset
    _counted = False
    _begun = False  # a request, which isn't whole yet
    _early: bytes | None = None  # None unless it waits for its turn
    _heard = False  # a first byte, which isn't TLS'
    _full = False  # more was written than its peer has taken
    _buffer: bytes  # Twisted's: a line that isn't whole

    def connectionMade(self) -> None:
        super().connectionMade()
        assert self.transport is not None
        self.factory.goodbye.came(self)
        self.bucket = self.factory.proxies.bucket(getattr(self.transport.getPeer(), "host", None))
        self._begin()

    def begin(self) -> None:
        """Read on, as its turn has come."""
        transport: Any = self.transport
        transport.resumeProducing()
        early, self._early = self._early, None
        self._go_on()
        if early:
            self.dataReceived(early)

    def _begin(self) -> None:
        """Begin a request: the first one needs a turn for its connection, too."""
        self._begun = True
        self.factory.deadlines.begin(self)
        self._go_on()

    def _go_on(self) -> None:
        try:
            self._counted = self._counted or self.factory.admit(self)
            if not self._counted or not self.factory.handshakes.begin(self, self.bucket):
                self._early = b""
                self._pause()
        except Refused:
            self.drop()

    def _pause(self) -> None:
        transport: Any = self.transport
        transport.pauseProducing()  # before TLS, too

    def dataReceived(self, data: bytes) -> None:
        if self._early is not None:  # read along with what came before
            self._early += data
            self._pause()
            return
        if not self._counted:
            return
        self.factory.idle.discard(self)
        if not self._heard and data[:1] == HELLO:
            self._refuse_tls()
            return
        self._heard = True
        super().dataReceived(data)
        self._look()

    def known(self, user: str) -> None:
        """Count the connection by its user at its address, as it has brought a good credential of theirs."""
        bucket = f"{user} at {self.factory.proxies.bucket(getattr(self.getPeer(), 'host', None))}"
        if self.bucket and self._counted and self.bucket != bucket and self.factory.connections.move(self, bucket):
            self.bucket = bucket

    def _refuse_tls(self) -> None:
        """Answer TLS in plain, so that who means another port needn't wait for our deadline to know."""
        transport: Any = self.transport
        transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        transport.loseConnection()

    def checkPersistence(self, request: HttpRequest, version: bytes) -> bool:
        if self.factory.goodbye.begun or self.turned_away:
            request.responseHeaders.setRawHeaders(b"connection", [b"close"])
            return False
        return bool(super().checkPersistence(request, version))

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
            self.factory.rest(self)

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

    def _end(self, late: bool = False) -> None:
        if self._begun:
            self._begun = False
            self.factory.deadlines.end(self)
            self.factory.handshakes.end(self, late)

    def _leave(self, late: bool = False) -> None:
        self._early, self._counted = None, False
        self._end(late)
        self.factory.idle.discard(self)
        self.factory.leaving.end(self)
        self.factory.connections.end(self, late)
        self.factory.goodbye.left(self)

    def _take_off(self) -> None:
        self._full = False
        self.factory.untaken.end(self)

    def wind_up(self) -> None:
        if self._heard:
            self._look()
        else:
            self.drop()

    def give_way(self) -> None:
        """Close the connection, which is idle, for another one of its address."""
        self.factory.idle.discard(self)
        self.factory.leaving.begin(self)
        self.loseConnection()

    def drop(self) -> None:
        """Close the connection at once, whatever it does."""
        self._leave()
        transport: Any = self.transport
        transport.abortConnection()

    def time_out(self) -> None:
        """Drop the connection, as its request hasn't come in time, or hasn't had its turn."""
        self._leave(late=True)
        self.drop()


class BoundedSite(Site):
    """A site of bounded connections, without an access log: what matters is logged in our own words."""

    noisy = False
    displayTracebacks = False

    def __init__(self, root: IResource, clock: IReactorTime, proxies: Proxies, room: Room | None = None) -> None:
        super().__init__(root, requestFactory=BoundedRequest, timeout=IDLE_TIME)
        self.protocol: Any = BoundedChannel  # HTTP/1.1 alone
        self.proxies, self.room = proxies, room or Room()
        self.deadlines: Deadlines[BoundedChannel] = Deadlines(clock, REQUEST_TIME, BoundedChannel.time_out)
        self.untaken: Deadlines[BoundedChannel] = Deadlines(clock, IDLE_TIME, BoundedChannel.drop)
        self.leaving: Deadlines[BoundedChannel] = Deadlines(clock, LEAVE_TIME, BoundedChannel.drop)
        self.connections, self.handshakes = self.room.connections(clock), self.room.handshakes(clock)
        self.idle: Idle[BoundedChannel] = Idle()
        self.goodbye = Goodbye()

    def startFactory(self) -> None:
        super().startFactory()
        self.room.announce()

    def stopFactory(self) -> None:
        """Log which connections were turned away since the last lines about that."""
        super().stopFactory()
        self.connections.stop()
        self.handshakes.stop()

    def admit(self, channel: BoundedChannel) -> bool:
        """Count a connection in, if need be for one that gives way; False if it waits for its turn, or raise `Refused`.

        Over the most of an address its longest idle one gives way. Over the most in all one that waits does so, or else
        the longest idle one; if there is none, some more are counted in, to be told.
        """
        lines, bucket = self.connections, channel.bucket
        full = lines.count >= self.room.max_connections
        if lines.quota.is_crowded(bucket):
            self._make_way(bucket, full)
        elif full and (way := lines.last() or self.idle.longest(None)) is not None:
            lines.in_all.count(bucket)
            way.drop()
        try:
            return lines.begin(channel, bucket)
        except Refused as refusal:
            if refusal.status != 503 or lines.quota.count > self.room.most_told:
                raise
            channel.turned_away = True
            return True

    def _make_way(self, bucket: str, full: bool) -> None:
        idle = self.idle.longest(bucket)
        if idle is None and full:
            raise self.connections.refuse(bucket)
        if idle is not None:
            self.connections.from_one.count(bucket)
            leave = idle.drop if full else idle.give_way
            leave()

    def rest(self, channel: BoundedChannel) -> None:
        """Take note that a connection is idle; it gives way at once if another one of its address waits."""
        if self.goodbye.begun or self.connections.has_line(channel.bucket):
            channel.give_way()
        else:
            self.idle.add(channel)

    def log(self, request: HttpRequest) -> None: ...


def remember(request: Request, user: str) -> None:
    """Count a request's connection by its user from now on; by none (an empty name) it goes on to count by its address
    alone."""
    if user and isinstance(request.channel, BoundedChannel):
        request.channel.known(user)


_waiter: type[Waiter] = BoundedChannel
