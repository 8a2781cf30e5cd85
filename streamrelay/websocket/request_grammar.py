"""The grammar of a websocket's opening request, to the letter (RFC 9112, RFC 6455 §4.1). No I/O.

Lines that end at any control character, names with blanks, folded lines, a body: what two programs read in two ways is
how a request is smuggled past the first of them, so here it is refused.
"""

import re
from typing import Final

from msgspec import Struct

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST: Final = re.compile(rf"({_NAME}) ([!-~]+) HTTP/(\d\.\d)\r\n((?:{_NAME}:[\t -~\x80-\xff]*\r\n)*)\r\n".encode())
_OFFER: Final = re.compile(rf'{_NAME}(?:[\t ]*;[\t ]*{_NAME}(?:=(?:{_NAME}|"{_NAME}"))?)*')
HOST: Final = re.compile(
    r"(?:(?:[0-9A-Za-z._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?", re.ASCII
)
"""Value of the header Host: a host, which may be empty, and perhaps a port (RFC 9112 §3.2, RFC 3986 §3.2.2)."""
_VALUES: Final = {
    "host": HOST,
    "content-length": re.compile(r"0+"),
    "sec-websocket-version": re.compile(r"0|[1-9]\d{0,2}"),
}
_ONCE: Final = frozenset(("host", "authorization", "sec-websocket-key", "sec-websocket-version"))
_OPAQUE: Final = bytes(range(128)) + b"?" * 128


class Request(Struct, frozen=True):
    """A well-formed request, all of ASCII."""

    method: str
    target: str
    version: str
    """Of HTTP: two digits with a dot between."""
    headers: dict[str, str]
    """Values without blanks around them by names in lower case; those of one name are joined by commas."""


def read(head: bytes) -> Request:
    """Read a request's head, its empty line included; `ValueError` if it is malformed.

    Bytes over 127, which stand in no header of ours, become question marks. Offers of extensions are left out: none is
    agreed, and their parameters are for who knows the extension to judge (RFC 6455 §9.1).
    """
    found = _REQUEST.fullmatch(head)
    if found is None:
        raise ValueError("not a request of HTTP/1.1")
    method, target, version, lines = (part.translate(_OPAQUE).decode() for part in found.groups())
    headers: dict[str, str] = {}
    for line in lines.split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip("\t ")
        if name in _VALUES and not _VALUES[name].fullmatch(value):
            raise ValueError(f"a malformed {name}")
        if name == "sec-websocket-extensions":
            _check_offers(value)
        elif name not in headers:
            headers[name] = value
        elif name in _ONCE:
            raise ValueError("a header twice that may stand once")
        else:
            headers[name] += f", {value}"
    if "transfer-encoding" in headers:
        raise ValueError("a body")
    return Request(method, target, version, headers)


def _check_offers(value: str) -> None:
    """Raise `ValueError` unless this is a list of extensions with their parameters (RFC 6455 §9.1); empty elements are
    allowed (RFC 9110 §5.6.1)."""
    offers = [offer for offer in (element.strip("\t ") for element in value.split(",")) if offer]
    if not offers or not all(map(_OFFER.fullmatch, offers)):
        raise ValueError("a malformed offer of extensions")
