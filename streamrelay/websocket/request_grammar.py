"""The grammar of a websocket's opening request, to the letter (RFC 9112, RFC 6455 §4.1). No I/O.

autobahn reads requests kindly: lines that end at any control character, names with blanks, folded lines, a body.
What two programs read in two ways is how a request is smuggled past the first of them, so here it is refused.
"""

import re
from collections import Counter
from typing import Final

_NAME = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST: Final = re.compile(rb"%s [!-~]+ HTTP/\d\.\d\r\n(?:%s:[\t -~\x80-\xff]*\r\n)*\r\n" % (_NAME, _NAME))
_OFFER: Final = re.compile(rb'%s(?:[\t ]*;[\t ]*%s(?:=(?:%s|"%s"))?)*' % (_NAME, _NAME, _NAME, _NAME))
_VALUES: Final = {
    b"host": re.compile(rb"(?:[0-9A-Za-z._~%!$&'()*+,;=-]*|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?"),
    b"content-length": re.compile(rb"0+"),
    b"sec-websocket-version": re.compile(rb"0|[1-9]\d{0,2}"),
}
_ONCE: Final = (b"host", b"authorization", b"sec-websocket-key", b"sec-websocket-version")
_OPAQUE: Final = bytes(range(128)) + b"?" * 128


def strict(head: bytes) -> bytes:
    """Return a request's head up to its empty line such that no parser can misread it; `ValueError` if it is malformed.

    Bytes over 127, which stand in no header of ours, become question marks. Offers of extensions are taken out: none
    is agreed, and their parameters are for who knows the extension to judge (RFC 6455 §9.1).
    """
    if _REQUEST.fullmatch(head) is None:
        raise ValueError("not a request of HTTP/1.1")
    count: Counter[bytes] = Counter()
    kept = []
    first, *lines = head.split(b"\r\n")
    for line in lines:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip(b"\t ")
        count[name] += 1
        if name in _VALUES and not _VALUES[name].fullmatch(value):
            raise ValueError(f"a malformed {name.decode()}")
        if name == b"sec-websocket-extensions":
            _check_offers(value)
        else:
            kept.append(line)
    if count[b"transfer-encoding"] or any(count[name] > 1 for name in _ONCE):
        raise ValueError("a body, or a header twice that may stand once")
    return b"\r\n".join((first, *kept)).translate(_OPAQUE)


def _check_offers(value: bytes) -> None:
    """Raise `ValueError` unless this is a list of extensions with their parameters (RFC 6455 §9.1); empty elements are
    allowed (RFC 9110 §5.6.1)."""
    offers = [offer for offer in (element.strip(b"\t ") for element in value.split(b",")) if offer]
    if not offers or not all(map(_OFFER.fullmatch, offers)):
        raise ValueError("a malformed offer of extensions")
