"""Looking up of names. It takes a thread for as long as the system's resolver waits; an address needs none."""

import socket
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, partial
from threading import Thread
from typing import Any, Final

from attrs import define, field
from twisted.internet._resolver import GAIResolver, HostResolution
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorThreads,
    IResolutionReceiver,
)
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from streamrelay.errors import Refused, first_line
from streamrelay.logs import Logger, Seldom
from streamrelay.net.quotas import ConnectionQuota
from streamrelay.net.retry import AT_ONCE

log = Logger()

MOST: Final = 32
"""Names of targets that are looked up at once, over which the next one is refused."""
EACH: Final = AT_ONCE
"""Names that are looked up at once for one user: as many as one native client has under way."""


Failed = Callable[[str], None]
"""Taker of the reason, in one line, for which a name has no address."""


def why_unknown(error: Exception, name: str) -> str:
    """Say in one line why the system knows no address of a name."""
    number = getattr(error, "errno", None) if isinstance(error, socket.gaierror) else None
    if number in (socket.EAI_NONAME, socket.EAI_NODATA):
        return f"no such name: {name}"
    if number == socket.EAI_AGAIN:
        return f"the name server gave no answer for {name}"
    return f"{name}: {first_line(error)}"


class Full(Exception):
    """As many names are being looked up as may be at once; the text is one line for who asked."""


@implementer(IHostnameResolver)
@define(eq=False)
class Literals:
    """A resolver that asks another one for names alone: an address is there at once."""

    names: IHostnameResolver

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """Resolve a name as the other resolver does, and an address to itself."""
        kind: Any = IPv4Address if isIPAddress(hostName) else IPv6Address if isIPv6Address(hostName) else None
        if kind is None:
            return self.names.resolveHostName(
                resolutionReceiver, hostName, portNumber, addressTypes, transportSemantics
            )
        resolution: IHostResolution = HostResolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        if addressTypes is None or kind in addressTypes:
            resolutionReceiver.addressResolved(kind(transportSemantics, hostName, portNumber))
        resolutionReceiver.resolutionComplete()
        return resolution


@define(eq=False)
class Lookups:
    """Threads in which names are looked up, apart from those that others need, with a share of them for each user."""

    reactor: Any
    getaddrinfo: Callable[..., Any] = socket.getaddrinfo
    turned_away: Seldom = field(init=False)
    _quota: ConnectionQuota = field(factory=lambda: ConnectionQuota(MOST, EACH))
    _pool: ThreadPool = field(factory=lambda: ThreadPool(0, MOST, "lookups"))

    def __attrs_post_init__(self) -> None:
        self.turned_away = Seldom(self.reactor, self._say)
        self._pool.threadFactory = partial(Thread, daemon=True)  # type: ignore[assignment]  # no name holds up the end
        self._pool.start()

    def resolver(self, user: str, failed: Failed = lambda why: None) -> IHostnameResolver:
        """Return what resolves names for one user; an empty one has no share of its own. `failed` is called in a
        thread."""
        return UsersLookups(self, user, failed)

    def take(self, user: str) -> ThreadPool:
        """Take a thread for a user until it is given back; `Full` if none is left: a name that waited would time out
        unseen."""
        try:
            self._quota.enter(user)
        except Refused as refused:
            self._quota.leave(user)
            self.turned_away.count(user)
            whose = f"{EACH} other names for this user" if refused.status == 429 else f"{MOST} other names"
            raise Full(f"{whose} are being looked up") from None
        return self._pool

    def give_back(self, user: str) -> None:
        """Give a thread back, in that thread itself."""
        self.reactor.callFromThread(self._quota.leave, user)

    def _say(self, counts: "Counter[str]") -> None:
        [(user, most)] = counts.most_common(1)
        log.warn(
            "up to {in_all} names of targets are looked up at once, {each} for one user; refused as busy since the "
            "last such line: {count}, {most} of them for {user}; is the name server slow?",
            in_all=MOST,
            each=EACH,
            count=counts.total(),
            most=most,
            user=user or "nobody in particular",
        )


@implementer(IHostnameResolver)
@define(eq=False)
class UsersLookups:
    """A resolver in those threads, for one user."""

    lookups: Lookups
    user: str
    failed: Failed

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """Resolve a name in a thread, or raise `Full`."""
        pool = self.lookups.take(self.user)
        look_up: Any = self._look_up
        resolution: IHostResolution = GAIResolver(self.lookups.reactor, lambda: pool, look_up).resolveHostName(
            resolutionReceiver, hostName, portNumber, addressTypes, transportSemantics
        )
        return resolution

    def _look_up(self, *what: Any) -> Any:
        try:
            return self.lookups.getaddrinfo(*what)
        except Exception as error:  # of which Twisted takes one kind alone for no address
            self.failed(why_unknown(error, what[0]))
            return []
        finally:
            self.lookups.give_back(self.user)


@cache
def _lookups(reactor: Any) -> Lookups:
    lookups = Lookups(reactor)
    reactor.addSystemEventTrigger("before", "shutdown", lookups.turned_away.stop)
    return lookups


def of_targets(reactor: Any, user: str, failed: Failed) -> IHostnameResolver:
    """Return the resolver of targets' names for a user, with threads for all; a reactor without threads has its own.

    The reactor's own is what relays are found by.
    """
    resolver: IHostnameResolver = reactor.nameResolver
    return _lookups(reactor).resolver(user, failed) if IReactorThreads.providedBy(reactor) else resolver


def of_others(reactor: Any, failed: Callable[[Exception], None]) -> IHostnameResolver:
    """Return the resolver of all other names, in the reactor's threads. `failed` is called, in a thread, with an error
    of which nobody would hear, as Twisted doesn't take it for no address: where no descriptor is left, for one."""
    resolver: IHostnameResolver = reactor.nameResolver
    if not IReactorThreads.providedBy(reactor):
        return resolver

    def look_up(*what: Any) -> Any:
        try:
            return socket.getaddrinfo(*what)
        except socket.gaierror:
            raise
        except Exception as error:
            failed(error)
            return []

    any_kind: Any = look_up  # as Twisted types it by all of its arguments
    return GAIResolver(reactor, reactor.getThreadPool, any_kind)
