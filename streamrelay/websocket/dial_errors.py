"""Failures of a dial, in words: who couldn't reach which relay, and why."""

import re
from typing import Final

from streamrelay.errors import printable


class DialError(Exception):
    """Failure of a dial; the text says in one line who couldn't reach whom, and why."""


class Dropped(DialError):
    """Failure of a dial that the relay took for one too many, as it seems: it may be open to the next."""


class RelayBusy(DialError):
    """Refusal of a dial by a relay that says itself that it takes no more now."""


class RelayCrowded(RelayBusy):
    """Refusal of too many dials of one address (429): the relay may be open to the next in a moment."""


class RelayFull(RelayBusy):
    """Refusal of all dials (503): the relay is full, or stops."""


class Unanswered(DialError):
    """Lack of an answer within a dial's time."""


class OutOfDescriptors(DialError):
    """Lack of a descriptor for a dial: neither the relay nor the way to it is the matter."""


TRANSIENT: Final = (Dropped, RelayCrowded)
"""Failures after which a dial is tried again."""
_BUSY: Final = {b"429": RelayCrowded, b"503": RelayFull}
_STATUS: Final = re.compile(rb"HTTP/\d\.\d (\d{3})\b")
_ALERT: Final = b"\x15\x03"
"""What TLS' alerts begin with."""
_WEB: Final = ": this is no relay, but answers as a web server does; check the platform's setting relay"
_PROXY: Final = "the proxy in front of it doesn't reach it"
_MEANINGS: Final = {
    **dict.fromkeys((200, 301, 302, 303, 307, 308), _WEB),
    400: ": it takes this for no websocket; does a proxy in between change requests?",
    401: "; its log says why",
    403: "; its log says why",
    404: ": no relay is at this path; is its prefix right in the platform's setting relay?",
    426: ": a proxy in between takes the header Upgrade out",
    502: f": {_PROXY}",
    503: f": it is full or stops, or {_PROXY}",
    504: f": {_PROXY}",
}
"""Causes by HTTP's status, which stands before them; most are mistakes in a setting or a proxy."""


def place(url: str) -> str:
    """Return a relay's URL of that of a leg there: without its path, which may hold a token."""
    return printable(re.sub(r"/(?:client/[^/]*|agent)\Z", "", url))


def failure(who: str, url: str, reason: str, answer: bytes = b"", kind: type[DialError] = DialError) -> DialError:
    """Make the error of a dial of `url` by `who`. A status in the `answer` says more than the `reason`, which may hold
    words of a stranger."""
    status = _STATUS.match(answer)
    if status is None or status[1] == b"101":
        return kind(f"{who} can't reach {place(url)}: {printable(reason)}")
    text = f"{who} was refused by {place(url)}: {_cause(int(status[1]), url) or printable(reason)}"
    return _BUSY.get(status[1], kind)(text)


def _cause(status: int, url: str) -> str:
    if status == 400 and url.startswith("ws:"):  # as TLS' ports answer what is plain
        return "400: it takes this for no websocket; if that port speaks TLS, use wss://"
    return f"{status}{_MEANINGS[status]}" if status in _MEANINGS else ""


def closed(answer: bytes, url: str) -> str:
    """Say that a connection was closed, in order, before its websocket was open."""
    hint = "TLS is spoken there; use wss://" if answer.startswith(_ALERT) else "if that port speaks TLS, use wss://"
    plain = url.startswith("ws:") and (not answer or answer.startswith(_ALERT))
    return f"the connection was closed before the websocket was open{f'; {hint}' if plain else ''}"
