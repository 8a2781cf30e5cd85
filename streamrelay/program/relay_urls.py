"""Patterns of the URLs that relays may have, as operators of platforms and of hosts write them (operations.rst).

A pattern is a relay's URL. Its host may begin with a label ``*``, which stands for any one label, or ``{id}``, which
stands for the id of the relay that tells the URL; its port may be ``*``. All else counts byte by byte.
"""

import re
from typing import Final
from urllib.parse import urlsplit

from streamrelay.program.validation import check_encrypted, check_relay

_SHAPE: Final = re.compile(
    r"wss?://(?:(?:(?:\*|\{id\})\.)?[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::(?:[0-9]{1,5}|\*))?(?:/[A-Za-z0-9_.~/-]*)?"
)


def check_pattern(pattern: str, insecure: bool) -> None:
    """Raise `ValueError` if this is no pattern of a relay's URL, or one of plain URLs outside this machine."""
    plain = pattern.replace("{id}.", "id.", 1).replace("://*.", "://any.", 1)
    plain = re.sub(r":\*(?=/|\Z)", ":1", plain)
    if not _SHAPE.fullmatch(pattern):
        raise ValueError(
            f"relays {pattern[:100]!r}: expected wss://host[:port][/prefix], where the host may begin with *. or "
            "{id}., and the port may be *"
        )
    port = re.search(r":([0-9]+)(?:/|\Z)", plain)
    if port is not None and not 0 < int(port[1]) < 65536:
        raise ValueError(f"relays {pattern[:100]!r}: there is no port {port[1]}")
    check_relay(plain)
    check_encrypted(plain, insecure)


def fits(pattern: str, relay: str, url: str) -> bool:
    """Tell whether a relay of this id may have this URL."""
    text = re.escape(pattern.rstrip("/").replace("{id}", relay, 1))
    text = text.replace(r"://\*\.", r"://[A-Za-z0-9_-]{1,63}\.").replace(r":\*", r":[0-9]{1,5}")
    return re.fullmatch(text, url.rstrip("/")) is not None


def source(url: str) -> str:
    """Return a pattern, or a URL, as a source of a page's Content-Security-Policy: without its path."""
    parts = urlsplit(url.replace("{id}", "*", 1))
    return f"{parts.scheme}://{parts.netloc}"
