"""The claims of a token at the relay, signed or opaque, and the stream's name in logs."""

from typing import Final

from streamrelay.errors import Refused
from streamrelay.protocol import tokens
from streamrelay.protocol.names import is_opaque
from streamrelay.protocol.tokens import LegClaims, TokenError, Verifier
from streamrelay.websocket.admission import LegRequest

OPAQUE_MEMORY: Final = 60.0
"""Seconds that an opaque token, which has no expiry of its own, stays used up after its last leg came."""


def claims_of(request: LegRequest, mark: str, verifier: Verifier | None, now: float) -> tuple[LegClaims, str]:
    """Return what a leg's token says, and its stream's name in logs: an opaque token's is its fingerprint, `mark`.

    `now` is wall-clock time. `Refused` 401 whatever is wrong with a token; only our own log says what.
    """
    assert request.role in ("client", "agent")
    role: tokens.Role = "client" if request.role == "client" else "agent"
    if verifier is None:
        if not is_opaque(request.token):
            raise Refused(401, "token", detail="not 22 to 256 of A-Za-z0-9_-")
        return LegClaims(request.token, role, now + OPAQUE_MEMORY, "opaque-token"), mark
    try:
        claims = verifier.leg(request.token, role)
    except TokenError as error:
        raise Refused(401, "token", detail=str(error)) from None
    return claims, claims.sub
