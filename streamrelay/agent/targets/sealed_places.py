"""Seals of places that a client keeps and brings back, so that it can bring back none but those that it was given.

Otherwise a place could be made up that leads further back than the lines which a target gives, or into another log.
"""

import base64
import hmac
import os
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

MACHINE_ID: Final = "/etc/machine-id"
"""File with what other machines don't know, and what stays when the agent starts again.

By machine-id(5) it is to be used through a keyed hash only.
"""


def seal(place: str, of: str) -> str:
    """Return a place as a client gets it, good for this one log, whose kind stands first in `of`: each kind has places
    of another form."""
    return f"{place}~{_mark(place, of)}"


def unseal(sealed: str, of: str) -> str:
    """Return the place that `seal` was given; empty if it never was, or for another log."""
    place, _, mark = sealed.rpartition("~")
    known = sealed.isascii() and hmac.compare_digest(mark, _mark(place, of))
    return place if known else ""


def _mark(place: str, of: str) -> str:
    digest = blake2b(f"{place}\n{of}".encode("utf-8", "surrogateescape"), key=_key(), digest_size=16).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@cache
def _key() -> bytes:
    try:
        machine = Path(MACHINE_ID).read_bytes().strip()
    except OSError:
        machine = b""
    # Without one, places are good for as long as the agent runs.
    return blake2b(machine or os.urandom(32), person=b"streamrelay:seal").digest()
