"""What the platform says of a request that it refuses, and what somebody says who is no platform."""

import msgspec
from msgspec import UNSET, Struct, UnsetType

from streamrelay.protocol.summons import PastEnd


class Problem(Struct, frozen=True):
    """A problem document (RFC 9457): what it says to people, and to programs."""

    detail: str
    code: str = ""
    ended: PastEnd | UnsetType = UNSET
    """End of a stream that can't be resumed."""


def problem_of(answer: bytes) -> Problem | None:
    """Return the problem document of an answer; None if it is none."""
    try:
        return msgspec.json.decode(answer, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def short_words(answer: bytes) -> str:
    """Return an answer that is one short line of text, to be told behind others; empty if it isn't."""
    text = answer.decode("ascii", "replace").strip()
    fits = 0 < len(text) <= 120 and text.isprintable() and text.isascii() and text[0] not in "<{["
    return f": {text}" if fits else ""
