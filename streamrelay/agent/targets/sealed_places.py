"""Seals of places that a client keeps and brings back, so that it can bring back none but those that it was given.

Otherwise a place could be made up that leads further back than the lines which a target gives, or into another log.
"""

import base64
import hmac
import secrets
from hashlib import blake2b
from typing import ClassVar


class Seal:
    """What seals are made by, for the whole process: a secret of this start, until the agent sets one that it keeps."""

    secret: ClassVar[bytes] = secrets.token_bytes(32)


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
    text = f"{place}\n{of}".encode("utf-8", "surrogateescape")
    digest = blake2b(text, key=Seal.secret, digest_size=16).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
