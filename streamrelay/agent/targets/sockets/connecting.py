"""Connecting of targets that are sockets, and its failures in the words of an answer to a summons."""

from typing import Any, Final

from twisted.internet import error
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.protocol import Factory

from streamrelay.datapath.plain import PlainConnection, PlainProtocol
from streamrelay.errors import TargetError, first_line
from streamrelay.net.peer import is_full
from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.protocol.summons import Refusal


def plain(reactor: Any) -> "Factory[PlainProtocol]":
    """Make a factory whose protocols have a `PlainConnection` of what an endpoint connects."""
    factory = Factory.forProtocol(
        lambda: PlainProtocol(reactor, outcome(CloseCode.TARGET_RESET), lambda connection: None)
    )
    factory.noisy = False
    return factory


_LATE: Final = (
    error.TimeoutError,
    error.TCPTimedOutError,
    TimeoutError,
    CancelledError,
    error.ConnectingCancelledError,
    BlockingIOError,
)
"""Errors of an attempt that has had its time."""


async def connected(attempt: "Deferred[Any]", where: str) -> PlainConnection:
    """Return the connection that an endpoint's attempt brings, or raise `TargetError`, with `where` in its words."""
    try:
        protocol = await attempt
    except (error.ConnectionRefusedError, FileNotFoundError):
        raise TargetError(Refusal.TARGET_REFUSED, f"{where} refused the connection") from None
    except _LATE:
        raise TargetError(Refusal.TARGET_UNREACHABLE, f"{where}: timed out waiting for an answer") from None
    except error.DNSLookupError:
        raise TargetError(Refusal.TARGET_UNREACHABLE, f"{where}: no such name: {where.rpartition(':')[0]}") from None
    except (error.ConnectError, OSError) as failure:
        if is_full(failure):
            raise TargetError(Refusal.BUSY, f"{where}: the agent has no file descriptor left") from None
        code = Refusal.TARGET_REFUSED if _refused(failure) else Refusal.TARGET_UNREACHABLE
        raise TargetError(code, f"{where}: {first_line(failure)}") from None
    except (ValueError, OverflowError) as failure:  # what Twisted, or IDNA, takes for no name
        raise TargetError(Refusal.TARGET_UNREACHABLE, f"{where}: {first_line(failure)}") from None
    connection: PlainConnection = protocol.connection
    try:
        protocol.transport.getHandle().getpeername()
    except OSError:  # the kernel's word of it was lost on Twisted, so that a read would tell an end of file
        connection.abort()
        raise TargetError(Refusal.TARGET_REFUSED, f"{where} reset the connection at once") from None
    return connection


def _refused(failure: Exception) -> bool:
    number = getattr(failure, "osError", None) or getattr(failure, "errno", None)
    return number in (2, 13, 111)  # no such file, permission denied, connection refused
