"""Sessions of the console: users who have signed in by a key, in memory alone. No I/O.

A session is known by a random token, which only its browser holds; here is its hash. It is bound to one key, so that it
ends with the key.
"""

import hashlib
import hmac
import secrets
from typing import Annotated, Final

from attrs import define, field
from msgspec import Meta, Struct
from twisted.internet.interfaces import IReactorTime


class SessionsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of ``[sessions]``: how long users of the console page stay signed in."""

    idle: Annotated[float, Meta(gt=0, le=2592000)] = 3600.0
    """Seconds without a request after which a session ends. An open page asks every 3 s."""
    life: Annotated[float, Meta(gt=0, le=2592000)] = 43200.0
    """Seconds after which a session ends in any case."""


EACH: Final = 16
"""Sessions of one key; one more ends the oldest. So there are never more than this times the keys."""


@define(eq=False)
class Session:
    """One sign-in of a key's holder; `born` and `used` are monotonic seconds."""

    name: str
    """Name of the key that was signed in with."""
    key_hash: str
    """Hash of the key that was signed in with; the session ends when the file of keys has another one."""
    born: float
    used: float


@define(eq=False)
class Sessions:
    """The sessions that live. Each ends after `idle` seconds without a request, and after `life` seconds in all."""

    clock: IReactorTime
    idle: float
    life: float
    _by_hash: dict[bytes, Session] = field(factory=dict)

    def __len__(self) -> int:
        return len(self._by_hash)

    def begin(self, name: str, key_hash: str) -> str:
        """Begin a session and return its token: 256 random bits, to be told to the browser and to nobody else."""
        now = self.clock.seconds()
        for hashed, session in list(self._by_hash.items()):
            if self._over(session):
                del self._by_hash[hashed]
        own = [hashed for hashed, session in self._by_hash.items() if session.name == name]  # oldest first
        for hashed in own[: max(0, len(own) - EACH + 1)]:
            del self._by_hash[hashed]
        token = secrets.token_urlsafe(32)
        self._by_hash[_hash(token)] = Session(name, key_hash, now, now)
        return token

    def find(self, token: str) -> Session | None:
        """Return the session of a token, which counts as used now; None if there is none or it is over."""
        session = self._by_hash.get(_hash(token))
        if session is None:
            return None
        if self._over(session):
            self.end(token)
            return None
        session.used = self.clock.seconds()
        return session

    def end(self, token: str) -> None:
        self._by_hash.pop(_hash(token), None)

    def _over(self, session: Session) -> bool:
        now = self.clock.seconds()
        return now - session.used >= self.idle or now - session.born >= self.life


def csrf_of(token: str) -> str:
    """Derive the text that a page sends along to show that it can read this session's answers.

    The token can't be told from it, so a page may hold it where scripts read.
    """
    return hmac.new(token.encode("utf-8", "replace"), b"csrf", "sha256").hexdigest()


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
