"""Looking up of names. It takes a thread for as long as the system's resolver waits; an address needs none."""

import socket
from collections.abc import Callable, Sequence
from functools import cache, partial
from threading import BoundedSemaphore, Thread
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

MOST: Final = 32
"""Names of targets that are looked up at once, over which the next one is refused."""


class Full(Exception):
    """As many names are being looked up as may be at once."""


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


@implementer(IHostnameResolver)
@define(eq=False)
class Lookups:
    """A resolver with threads of its own, `most` of them, so that names which hang keep up no others' names."""

    reactor: Any
    most: int = MOST
    getaddrinfo: Callable[..., Any] = socket.getaddrinfo
    _free: BoundedSemaphore = field(init=False)
    _resolver: GAIResolver = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._free = BoundedSemaphore(self.most)
        pool = ThreadPool(0, self.most, "lookups")
        pool.threadFactory = partial(Thread, daemon=True)  # type: ignore[assignment]  # no name holds up the end
        pool.start()
        look_up: Any = self._look_up
        self._resolver = GAIResolver(self.reactor, lambda: pool, look_up)

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """Resolve a name in a thread, or raise `Full` if none is free: one that waited would time out unseen."""
        if not self._free.acquire(blocking=False):
            raise Full(f"{self.most} other names are being looked up")
        resolution: IHostResolution = self._resolver.resolveHostName(
            resolutionReceiver, hostName, portNumber, addressTypes, transportSemantics
        )
        return resolution

    def _look_up(self, *what: Any) -> Any:
        try:
            return self.getaddrinfo(*what)
        finally:
            self._free.release()


@cache
def _threads(reactor: Any) -> Lookups:
    return Lookups(reactor)


def of_targets(reactor: Any) -> IHostnameResolver:
    """Return the resolver of targets' names, one for all; a reactor without threads has its own.

    The reactor's own is what relays are found by.
    """
    resolver: IHostnameResolver = reactor.nameResolver
    return _threads(reactor) if IReactorThreads.providedBy(reactor) else resolver
