"""Endpoints of `listen` and `admin`: what isn't told of them, and how many connections their ports accept in a turn."""

import re
from typing import Any, Final

from twisted.application.internet import StreamServerEndpointService
from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from zope.interface import implementer

BACKLOG: Final = 4096
"""Connections of a port that may wait to be accepted, at most; the kernel's own bound is net.core.somaxconn."""
AT_ONCE: Final = 32
"""Connections that a port accepts in one turn of the reactor, at most: those that are dropped give their descriptors
back in the next one only, and those of two ports must be within `net.descriptors.RESERVE`."""


def service(reactor: Any, endpoint: str, factory: Any) -> StreamServerEndpointService:
    """Return the service that listens at an endpoint; raise what Twisted raises for one that it doesn't understand."""
    kind, _, where = endpoint.partition(":")
    return of_endpoint(serverFromString(reactor, spelt_out(kind, where)), factory)


def of_endpoint(endpoint: IStreamServerEndpoint, factory: Any) -> StreamServerEndpointService:
    """Return the service of an endpoint, whose start fails at once where it can't listen."""
    listening = StreamServerEndpointService(InTurn(endpoint), factory)
    listening._raiseSynchronously = True  # as strports does: a start that fails is told
    return listening


def spelt_out(kind: str, where: str) -> str:
    """Return an endpoint as Twisted knows it, with what isn't told of it: a unix socket's mode, whatever the umask, and
    how many may wait to be accepted, as of Twisted's 50 a burst of some hundred makes connections that are reset."""
    parts = re.split(r"(?<!\\):", where)
    told = {part.partition("=")[0] for part in parts if "=" in part}
    places = len(parts) - len(told)  # of what is told without its name
    if kind == "unix" and "mode" not in told and places < 2:
        where += ":mode=660"
    if kind in ("tcp", "tcp6", "tls", "unix") and "backlog" not in told and places < 3:
        where += f":backlog={BACKLOG}"
    return f"{'tcp' if kind == 'tls' else kind}:{where}"


@implementer(IStreamServerEndpoint)
class InTurn:
    """An endpoint whose port accepts at most `AT_ONCE` connections in one turn of the reactor.

    Twisted's ports accept 100 in one, and 20 more each time that they come to the end of that: a flood of one address
    took every descriptor in one turn, and connections of others were closed for the lack of them.
    """

    def __init__(self, endpoint: IStreamServerEndpoint) -> None:
        self._endpoint = endpoint

    def listen(self, protocolFactory: IProtocolFactory) -> "Deferred[IListeningPort]":
        return self._endpoint.listen(protocolFactory).addCallback(_in_turn)


def _in_turn(port: Any) -> Any:
    if not isinstance(port, tcp.Port):  # of another reactor, which accepts as it likes
        return port
    accept = port.doRead

    def accept_some() -> None:
        port.numberAccepts = min(port.numberAccepts, AT_ONCE)
        accept()

    port.doRead = accept_some  # type: ignore[method-assign]
    return port
