"""Ports and sockets on this machine that a process says are its own: connected only if they are its user's.

Who says so may have been taken over, and would like the agent to connect whatever the agent alone may.
"""

import re
import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from attrs import define

from streamrelay.agent.targets.qemu.qmp import Owner
from streamrelay.agent.targets.sockets.connecting import connected, plain
from streamrelay.agent.targets.sockets.local import connect_unix
from streamrelay.datapath.plain import PlainConnection
from streamrelay.errors import TargetError
from streamrelay.net.hostnames import NamedEndpoint
from streamrelay.protocol.summons import Refusal

_EVERYWHERE: Final = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
"""Names by which a program says that it listens at all addresses, and one of these addresses."""
_LISTENING: Final = re.compile(r"^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:0000 0A \S+ \S+ \S+ +(\d+) ", re.MULTILINE)
"""Pattern of a listening socket in /proc/self/net/tcp (proc(5)): its port and its user."""


@define(frozen=True)
class Listener:
    """A port of an address, or (port 0) a unix socket's path."""

    address: str
    port: int = 0

    @classmethod
    def named(cls, host: str, service: str) -> "Listener | None":
        """Make it of QEMU's words: an address and a port, or a path as either of the two; None if it is neither."""
        for path in (host, service):
            if path.startswith("/"):
                return cls(path)
        if not (service.isascii() and service.isdigit() and 0 < int(service) < 65536):
            return None
        return cls(_EVERYWHERE.get(host, host), int(service))


def _refused(listener: Listener, why: str) -> TargetError:
    where = f"{listener.address}:{listener.port}" if listener.port else listener.address
    detail = f"the console's address {where} is not allowed: {why}"
    return TargetError(Refusal.NOT_ALLOWED, "the console's address is not allowed", detail=detail)


def is_local(address: str) -> bool:
    """Tell whether an address is one of this machine's, as only those can be bound to."""
    try:
        family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
        with socket.socket(family) as probe:
            probe.bind((address, 0))
    except (ValueError, OSError):
        return False
    return True


def users(port: int, tables: tuple[str, ...] = ("/proc/self/net/tcp", "/proc/self/net/tcp6")) -> set[int]:
    """Return the users whose sockets listen at a port of TCP, at whatever addresses."""
    found = set()
    for table in tables:
        text = Path(table).read_text() if Path(table).exists() else ""
        found |= {int(user) for number, user in _LISTENING.findall(text) if int(number, 16) == port}
    return found


def _check_users(listener: Listener, owner: Owner) -> None:
    if users(listener.port) != {owner.uid}:
        raise _refused(listener, f"the user {owner.uid} is not the only one who listens at this port")


async def connect_listener(reactor: Any, listener: Listener, owner: Owner) -> PlainConnection:
    """Connect what this owner listens at, or raise `TargetError` if it isn't this machine's and this user's."""
    if listener.port:
        if not is_local(listener.address):
            raise _refused(listener, "it is not an address of this machine")
        _check_users(listener, owner)
        endpoint: Any = NamedEndpoint(reactor, listener.address, listener.port)
        connection = await connected(endpoint.connect(plain(reactor)), f"{listener.address}:{listener.port}")
        try:
            _check_users(listener, owner)  # it may have left the port to somebody else meanwhile
        except TargetError:
            connection.abort()
            raise
        return connection
    connection = await connect_unix(reactor, listener.address)
    if Owner.of(connection.channel.transport.getHandle()) != owner:  # type: ignore[attr-defined]
        connection.abort()
        raise _refused(listener, "another process listens there")
    return connection
