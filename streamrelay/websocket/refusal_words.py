"""The words by which refusals before 101 are counted: a list that is closed, whatever a stranger asks for."""

from typing import Final

from streamrelay.errors import Refused

_BY_STATUS: Final = {
    400: "malformed",
    401: "token",
    403: "origin",
    404: "path",
    426: "upgrade",
    429: "crowded",
    431: "too_long",
    500: "our_fault",
    503: "full",
}
_OTHERS: Final = ("certificate", "shutting_down", "draining")
LATE: Final = "late"
"""The word of a request that hasn't come in time."""
WORDS: Final = (*_BY_STATUS.values(), *_OTHERS, LATE)


def word(refusal: Refused) -> str:
    """Return the word of a refusal: its own reason where one status has several, as 403 and 503 have."""
    own = refusal.reason.replace(" ", "_")
    return own if own in _OTHERS else _BY_STATUS.get(refusal.status, "malformed")
