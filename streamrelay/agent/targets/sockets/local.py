"""Connecting of unix sockets, of which a client may have chosen a part of the path."""

import socket
from typing import Any, Final

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater

from streamrelay.agent.targets.sockets.connecting import connected, plain
from streamrelay.agent.targets.sockets.paths import Outside, held, socket_path
from streamrelay.datapath.plain import PlainConnection
from streamrelay.protocol.limits import CONNECT_TIME

AGAIN: Final = 0.1
"""Seconds after which a full queue is tried again."""


async def connect_unix(reactor: Any, path: str, within: str = "") -> PlainConnection:
    """Return a connection to a unix socket that must be `within` (empty: anywhere), or raise `TargetError`."""

    async def attempt() -> Any:
        with await connect_socket(reactor, path, within) as sock:
            protocol: Any = plain(reactor).buildProtocol(UNIXAddress(None))
            adopt(reactor, sock, protocol)
        return protocol

    return await connected(Deferred.fromCoroutine(attempt()), path)


async def connect_socket(reactor: Any, path: str, within: str = "", seconds: float = CONNECT_TIME) -> socket.socket:
    """Connect a unix socket that must be `within`: at once, or, while its queue is full, again and again for a while.

    Twisted's own way would ask a full queue without a pause. `OSError` as the kernel has it, or `TargetError`.
    """
    end = reactor.seconds() + seconds
    while True:
        try:
            return _connected(socket_path(path), within)
        except BlockingIOError:
            if reactor.seconds() >= end:
                raise
        except Outside as outside:
            raise outside.refusal() from None
        await deferLater(reactor, AGAIN)


def _connected(path: str, within: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.setblocking(False)
        with held(path, within) as place:
            sock.connect(place)
    except BaseException:
        sock.close()
        raise
    return sock


def adopt(reactor: Any, sock: socket.socket, protocol: Protocol) -> None:
    """Give a connected unix socket to the reactor, which makes a descriptor of its own for it."""
    factory = Factory.forProtocol(lambda: protocol)
    factory.noisy = False
    reactor.adoptStreamConnection(sock.fileno(), socket.AF_UNIX, factory)
