"""Sockets that systemd listens on and passes to a program that it starts (sd_listen_fds(3)).

Whoever comes while the program is started anew waits in them, so nobody is refused.
"""

import os
import re
import socket
from typing import Any, Final

from twisted.application.internet import StreamServerEndpointService
from twisted.internet.endpoints import AdoptedStreamServerEndpoint, serverFromString

from streamrelay.errors import ConfigError
from streamrelay.program.endpoints import of_endpoint
from streamrelay.protocol.names import is_loopback

_PASSED: Final = re.compile(r"(?:tls:)?systemd:(?P<name>[A-Za-z0-9_.-]+)\Z")


def is_passed(endpoint: str) -> bool:
    """Tell whether an endpoint is a socket of systemd's, with TLS or without."""
    return re.match(r"(?:tls:)?systemd(?::|\Z)", endpoint) is not None


def check_passed(endpoint: str) -> None:
    """Raise `ValueError` if nothing can have been passed by this name."""
    if _PASSED.match(endpoint) is None:
        raise ValueError(f"listen {endpoint!r}: expected systemd:NAME or tls:systemd:NAME, as FileDescriptorName= says")


def listening(reactor: Any, endpoint: str, factory: Any, insecure: bool) -> StreamServerEndpointService:
    """Return the service that listens on a socket that was passed, or raise `ConfigError`."""
    descriptor = _find(reactor, endpoint)
    with socket.socket(fileno=os.dup(descriptor)) as passed:
        check_reach(endpoint, passed, insecure)
        adopted = AdoptedStreamServerEndpoint(reactor, descriptor, passed.family)
    return of_endpoint(adopted, factory)


def check_reach(endpoint: str, passed: socket.socket, insecure: bool) -> None:
    """Raise `ConfigError` if a socket that was passed doesn't listen, or other machines would reach it without TLS."""
    if not passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise ConfigError(f"listen {endpoint}: the socket doesn't listen; it needs ListenStream=, without Accept=")
    is_plain = endpoint.startswith("systemd:") and passed.family != socket.AF_UNIX
    if is_plain and not insecure and not is_loopback(passed.getsockname()[0]):
        raise ConfigError(
            f"listen {endpoint}: other machines would reach {passed.getsockname()[0]} without TLS; use tls:{endpoint}, "
            "have systemd listen on 127.0.0.1 behind a proxy that does TLS, or say --insecure"
        )


def _find(reactor: Any, endpoint: str) -> int:
    """Return the descriptor that Twisted, which has read the environment before us, knows by a name or a number."""
    name = endpoint.rpartition(":")[2]
    which = f"index={name}" if name.isdecimal() else f"name={name}"
    try:
        found: Any = serverFromString(reactor, f"systemd:domain=UNIX:{which}")
    except (KeyError, IndexError):
        raise ConfigError(
            f"listen {endpoint}: systemd has passed no such socket; a .socket unit needs FileDescriptorName={name}"
        ) from None
    return int(found.fileno)
