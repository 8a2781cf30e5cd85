"""The other end of a transport: who it is, and why it is gone, in words for logs."""

import errno
from typing import Any, Final

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from streamrelay.net.addresses import join_address
from streamrelay.protocol.tls_records import words

_PLAIN: Final = {"wrong version number", "packet length too long", "http request"}
"""OpenSSL's words about bytes that are no TLS."""
LOST: Final = "Connection to the other side was lost in a non-clean fashion"
"""Twisted's words for any loss, which each layer may put before what is known of it."""


def address(transport: Any) -> str:
    """Return the peer's address as logs show it: ADDRESS:PORT, [ADDRESS]:PORT of IPv6, or unix."""
    peer = transport.getPeer()
    host = getattr(peer, "host", None)
    if host is None:
        return "unix"
    return join_address(host, peer.port)


def is_full(error: BaseException | None) -> bool:
    """Tell whether it isn't the peer that is the matter, but that this process, or machine, has no descriptor left."""
    return {getattr(error, "osError", None), getattr(error, "errno", None)} & {errno.EMFILE, errno.ENFILE} != set()


def stems_from_full(error: BaseException) -> bool:
    """Tell whether an error, or one that it was raised for, is that no descriptor is left."""
    earlier: BaseException | None = error
    while earlier is not None:
        if is_full(earlier):
            return True
        earlier = earlier.__cause__ or earlier.__context__
    return False


def explain(reason: Failure) -> str:
    """Say in one line why a connection was lost or failed; empty if it was closed in order."""
    error: Any = reason.value
    if isinstance(error, ConnectionDone):
        return ""
    if is_full(error):
        return "this program has no file descriptor left (see ulimit -n)"
    kind = type(error).__name__
    if kind == "VerificationError":
        return "TLS: the certificate is for another host"
    if kind == "Error" and error.args and isinstance(error.args[0], list):  # OpenSSL.SSL.Error
        return "TLS isn't spoken there" if _PLAIN.intersection(map(_last, error.args[0])) else words(error)
    text = str(error).strip().rstrip(".").splitlines()
    return text[0].replace(f"{LOST}: ", "") if text else kind


def _last(reason: Any) -> str:
    return str(reason[-1]) if reason else ""
