"""Tokens of the console's sessions: ``ID.CONTENT.SEAL``, which whoever has the secret can make and verify. No I/O.

The id is 256 random bits, the content JSON in base64url, the seal HMAC-SHA256 in hex over both. The content is no
secret from who holds the token: the key's name, the hash of the key, and two times.
"""

import base64
import hmac
from typing import Final

from msgspec import Struct

from streamrelay.protocol import codec

LONGEST: Final = 1024
"""Characters of a token, at most; a longer one is not looked at."""


class SealedSession(Struct, frozen=True, forbid_unknown_fields=True):
    """Content of a token; times are whole seconds of the wall clock."""

    id: str
    name: str
    """Name of the key that was signed in with."""
    key_hash: str
    born: int
    used: int
    """When the session was used last, as far as this token knows."""


def seal(session: SealedSession, secret: bytes) -> str:
    """Make the token of a session."""
    content = base64.urlsafe_b64encode(codec.encode(session)).rstrip(b"=").decode()
    return f"{session.id}.{content}.{_seal(f'{session.id}.{content}', secret)}"


def open_token(token: str, secret: bytes) -> SealedSession | None:
    """Return what a token holds; None if it is none, or was sealed with another secret."""
    if len(token) > LONGEST or not token.isascii():
        return None
    sealed, _, told = token.rpartition(".")
    if not hmac.compare_digest(_seal(sealed, secret), told):
        return None
    id, _, content = sealed.partition(".")
    try:
        session = codec.decode(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)), SealedSession)
    except ValueError:
        return None
    return session if session.id == id else None


def csrf_of(token: str) -> str:
    """Derive the text that a page sends along to show that it can read this session's answers.

    It is of the session's id alone, so all tokens of a session have the same. None of them can be told from it, so a
    page may hold it where scripts read.
    """
    return hmac.new(token.partition(".")[0].encode("utf-8", "replace"), b"csrf", "sha256").hexdigest()


def _seal(text: str, secret: bytes) -> str:
    return hmac.new(secret, text.encode(), "sha256").hexdigest()
