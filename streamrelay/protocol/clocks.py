"""Times of a JWT that is well signed, and not for now: by how much, as then two clocks differ, or it came late."""

import time
from collections.abc import Mapping
from typing import Any, Final

UNTIMED: Final[Any] = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
"""Options of PyJWT under which all is verified but the times."""
_MOST: Final = 10**12


def ahead(claims: Mapping[str, Any]) -> int:
    """Return the seconds until a JWT was signed, by this machine's clock, or is good; negative if that is past."""
    return max(_left(claims, "iat"), _left(claims, "nbf"))


def misfit(claims: Mapping[str, Any], signer: str) -> str:
    """Say by how much a JWT is too early or too late; `signer` is by whose clock it was signed."""
    early = ahead(claims)
    if early > 0:
        return f"this machine's clock and {signer}'s differ by {early} s: it is good only from then on"
    late, signed = -_left(claims, "exp"), f", {-early} s after it was signed" if "iat" in claims else ""
    return f"it expired {late} s ago{signed}: too late, or this machine's clock and {signer}'s differ"


def _left(claims: Mapping[str, Any], name: str) -> int:
    """Return the seconds until a claim's time; a very low number if it is none."""
    try:
        return max(-_MOST, min(int(claims[name]) - int(time.time()), _MOST))
    except (KeyError, ValueError, TypeError, OverflowError):
        return -_MOST
