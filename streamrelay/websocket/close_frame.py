"""Close frames: their payload, and what a peer's means to the other leg (protocol.rst, "Close codes")."""

import struct
from typing import Final

from streamrelay.errors import PeerError, printable
from streamrelay.protocol.close import FINISHED, CloseCode, Outcome, may_be_sent, outcome

CLOSE_TIME: Final = 60.0
"""Seconds in which what is unsent must go out and the peer must answer our close, but for its time to read."""
SERVER_CLOSES: Final = 5.0
"""Seconds that a client gives the server to close TCP after the closing handshake (RFC 6455 §7.1.1)."""
FAILED_TIME: Final = 2.0
"""Seconds that a peer which broke the protocol gets to read why."""
_PASSED: Final = frozenset(code for code in CloseCode if code >= 4000 or code == CloseCode.OVERLOADED)
"""Close codes that mean to the other leg what they mean to this one."""

_U16 = struct.Struct("!H")


def close_payload(code: int, reason: str) -> bytes:
    """The payload of a close frame; the reason is cut to the 123 bytes that fit, at a character's end."""
    return _U16.pack(code) + reason.encode("utf-8", "replace")[:123].decode("utf-8", "ignore").encode()


def parse_close(payload: bytes) -> tuple[int, str]:
    """Code and reason of a close frame (in one line), 1005 if it has none; `PeerError` if it may not be sent (§7.4)."""
    if not payload:
        return 1005, ""
    if len(payload) == 1:
        raise PeerError(CloseCode.PROTOCOL, "a close frame with half a code")
    (code,) = _U16.unpack_from(payload)
    if not may_be_sent(code):
        raise PeerError(CloseCode.PROTOCOL, f"close code {code} may not be sent")
    try:
        return code, printable(payload[2:].decode("utf-8"))
    except UnicodeDecodeError:
        raise PeerError(CloseCode.BAD_UTF8, "a close reason that is not UTF-8") from None


def outcome_of_close(code: int, reason: str, from_relay: bool) -> Outcome:
    """Return how a leg ended that was closed by its peer: in order, for a reason of the protocol's, or by a failure."""
    if code in _PASSED:
        return Outcome(code, reason)
    if from_relay and code not in (1000, 1005):
        return Outcome(code, reason)  # the relay's own codes are for us
    if code in (1000, 1001, 1005) or code >= 3000:
        return FINISHED
    return outcome(CloseCode.LEG_LOST, f"the other leg closed with {code} {reason}".strip())
