"""Errors, sorted by who can do something about them."""

from typing import Any


def printable(text: str, most: int | None = 200) -> str:
    """Return a stranger's words as a log or a terminal may show them: no control characters, `most` at most."""
    text = text[:most]
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else "?" for mark in text)


def first_line(error: BaseException) -> str:
    """Return an error's own words as one line for people, or its name if it has none."""
    lines = (getattr(error, "strerror", None) or str(error)).strip().rstrip(".").splitlines()
    return printable(lines[0]) if lines else type(error).__name__


class ConfigError(Exception):
    """Fault of a setting or a file; the text says which, where, and what was expected. The program doesn't start."""


class PeerError(Exception):
    """Fault of the other end of a websocket, or of a target's protocol.

    `code` is the close code that answers it (protocol.rst, "Close codes"), `reason` one line for its log. `before`
    is what came in order before the fault, in the same read: that still counts.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.before: list[Any] = []


class Refused(Exception):
    """Refusal of a request: `status` is the HTTP status, `reason` one line for whoever asked.

    `code` is the same for programs: one word that stays when the reason's wording changes.
    """

    def __init__(self, status: int, reason: str, *, code: str = "", detail: str = "", retry_after: int = 0) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.code = code
        self.detail = detail
        """Further words for our own log; never shown to the peer."""
        self.retry_after = retry_after
        """Seconds after which it is worth asking again; 0: not said."""


class TargetError(Exception):
    """Failure to connect a target: `code` is one of `summons.Refusal`, the text says why in one line."""

    def __init__(self, code: str, reason: str, *, detail: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.detail = detail
        """Further words for the agent's own log; never told to who asked."""
