"""Sessions of the console: users who have signed in by a key. No I/O.

A session is known by its token (`session_token`), which only its browser holds; here is the hash of its id. It is bound
to one key, so that it ends with the key. A session that was begun elsewhere, by a platform with the same secret, is
taken up from its token: so it goes on at any of them, and after a restart. Which ones were ended is known here alone.
"""

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Annotated, Final

from attrs import define, field
from msgspec import Meta, Struct, structs
from twisted.internet.interfaces import IReactorTime

from streamrelay.logs import Logger
from streamrelay.platform.auth.session_token import SealedSession, open_token, seal
from streamrelay.protocol.limits import CLOCK_SKEW

log = Logger()


class SessionsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of ``[sessions]``: how long users of the console page stay signed in."""

    idle: Annotated[float, Meta(gt=0, le=2592000)] = 3600.0
    """Seconds without a request after which a session ends. An open page asks every 3 s."""
    life: Annotated[float, Meta(gt=0, le=2592000)] = 43200.0
    """Seconds after which a session ends in any case."""


EACH: Final = 16
"""Sessions of one key; one more ends the oldest. So there are never more than this times the keys."""
MOST_ENDED: Final = 100_000
"""Ended sessions that are remembered, so that their tokens don't begin them again; over it the oldest is forgotten."""
RENEWED: Final = 0.1
"""Part of `idle` after which a token is old enough to be replaced by one that says when the session was used."""


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
    secret: bytes = field(factory=lambda: secrets.token_bytes(32), repr=False)
    """The key of the tokens' seals; platforms that share it take up each other's sessions."""
    now: Callable[[], float] = time.time
    """Wall-clock seconds, which tokens tell."""
    _by_hash: dict[bytes, Session] = field(factory=dict)
    _ended: dict[bytes, float] = field(factory=dict)  # until when, in monotonic seconds; oldest end first

    def __len__(self) -> int:
        return len(self._by_hash)

    def begin(self, name: str, key_hash: str) -> str:
        """Begin a session and return its token, to be told to the browser and to nobody else."""
        for hashed, session in list(self._by_hash.items()):
            if self._over(session):
                del self._by_hash[hashed]
        now = int(self.now())
        sealed = SealedSession(secrets.token_urlsafe(32), name, key_hash, now, now)
        self._keep(_hash(sealed.id), Session(name, key_hash, self.clock.seconds(), self.clock.seconds()))
        return seal(sealed, self.secret)

    def find(self, token: str) -> Session | None:
        """Return the session of a token, which counts as used now; None if there is none or it is over."""
        sealed = open_token(token, self.secret)
        if sealed is None or max(sealed.born, sealed.used) > self.now() + CLOCK_SKEW:
            return None
        hashed = _hash(sealed.id)
        if hashed in self._ended:
            return None
        told = self._told(sealed)
        session = self._by_hash.get(hashed)
        if session is not None:
            session.used = max(session.used, told.used)
        if self._over(session or told):
            self._by_hash.pop(hashed, None)
            return None
        if session is None:
            session = told
            self._keep(hashed, session)
        session.used = self.clock.seconds()
        return session

    def renew(self, token: str) -> str | None:
        """Return a newer token of a session that was just found, or None while the one that its browser has will do."""
        sealed = open_token(token, self.secret)
        now = int(self.now())
        if sealed is None or now - sealed.used < self.idle * RENEWED:
            return None
        return seal(structs.replace(sealed, used=now), self.secret)

    def end(self, token: str) -> None:
        """End the session of a token, and whatever other tokens of it there are, at this platform."""
        sealed = open_token(token, self.secret)
        if sealed is not None:
            self._end(_hash(sealed.id))

    def _end(self, hashed: bytes) -> None:
        self._by_hash.pop(hashed, None)
        now = self.clock.seconds()
        while self._ended:
            oldest, until = next(iter(self._ended.items()))
            if until > now and len(self._ended) < MOST_ENDED:
                break
            if until > now:
                log.warn("over {most} sessions have ended lately; the oldest is forgotten", most=MOST_ENDED)
            del self._ended[oldest]
        self._ended[hashed] = now + self.life + CLOCK_SKEW

    def _keep(self, hashed: bytes, session: Session) -> None:
        own = [known for known, other in self._by_hash.items() if other.name == session.name]  # oldest first
        for known in own[: max(0, len(own) - EACH + 1)]:
            self._end(known)
        self._by_hash[hashed] = session

    def _told(self, sealed: SealedSession) -> Session:
        """Return a session as its token tells it, by our own clock."""
        wall, here = self.now(), self.clock.seconds()
        born, used = (here - max(0.0, wall - at) for at in (sealed.born, sealed.used))
        return Session(sealed.name, sealed.key_hash, born, used)

    def _over(self, session: Session) -> bool:
        now = self.clock.seconds()
        return now - session.used >= self.idle or now - session.born >= self.life


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
