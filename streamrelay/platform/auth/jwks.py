"""An issuer's public keys: a JWKS (RFC 7517) in a file or behind a URL, as it is rotated."""

from typing import Any, Final, Protocol

import jwt
import msgspec
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from streamrelay.errors import ConfigError, Refused
from streamrelay.files import Watched, read
from streamrelay.logs import Logger
from streamrelay.net.http_client import MAX_BODY, Fetch, FetchError

log = Logger()

FETCH_TIME: Final = 5.0
"""Seconds for the keys to be fetched."""
RETRY: Final = 10.0
"""Seconds between two fetches at least, whatever anybody sends."""
MAX_KEYS: Final = 64
"""Keys of one issuer, beyond which the others of its JWKS are ignored."""
RSA_BITS: Final = (2048, 8192)

_KINDS: Final = {
    **{f"{family}{bits}": ("RSA", None) for family in ("RS", "PS") for bits in (256, 384, 512)},
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""For each algorithm the kind of key that it needs: a key is never used as something else."""


@define(frozen=True)
class PublicKey:
    """One key of an issuer, with the one purpose that it is used for."""

    kind: tuple[str, str | None]
    algorithm: str | None
    """The only algorithm that the key may be used with, if the issuer names one (RFC 7517 §4.4)."""
    key: Any

    def fits(self, algorithm: str) -> bool:
        return _KINDS.get(algorithm) == self.kind and self.algorithm in (None, algorithm)


class PublicKeys(Protocol):
    """A source of an issuer's keys: a file or a URL."""

    async def find(self, kid: str) -> PublicKey | None: ...


def read_keys(content: bytes) -> dict[str, PublicKey]:
    """Return the usable keys of a JWKS by their ``kid``, or raise `ValueError` if there is none.

    Unusable ones are passed over: encryption keys, private ones, kinds that we don't verify, RSA outside `RSA_BITS`.
    """
    try:
        rows = msgspec.json.decode(content, type=dict[str, Any])["keys"]
        found = {row["kid"]: _read_key(row) for row in rows[:MAX_KEYS] if _is_usable(row)}
    except (msgspec.DecodeError, KeyError, TypeError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"not a JWKS ({type(error).__name__})") from None
    keys = {kid: key for kid, key in found.items() if key is not None}
    if not keys:
        raise ValueError("a JWKS without a key that is public, has a kid, and is of a kind that we verify")
    return keys


def _is_usable(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and isinstance(row.get("kid"), str)
        and row.get("use", "sig") == "sig"
        and "d" not in row  # a private key that somebody has published is nobody's
        and row.get("kty") in ("RSA", "EC", "OKP")
    )


def _read_key(row: dict[str, Any]) -> PublicKey | None:
    kind = (row["kty"], None if row["kty"] == "RSA" else row.get("crv"))
    algorithm = row.get("alg")
    if algorithm is not None and (not isinstance(algorithm, str) or _KINDS.get(algorithm) != kind):
        return None
    try:
        key = jwt.PyJWK(row, algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
        return None
    if kind[0] == "RSA" and not RSA_BITS[0] <= key.key_size <= RSA_BITS[1]:
        return None
    return PublicKey(kind, algorithm, key)


@define(eq=False)
class FileKeys:
    """Keys in a file, read again when it has changed. A file that has become wrong changes nothing."""

    path: str
    files: Watched = field(init=False)
    _keys: dict[str, PublicKey] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.files = Watched("the issuer's keys", lambda: (self.path,), self._read)

    def load(self) -> None:
        """Read the file, or raise `ConfigError`."""
        self.files.load()

    async def find(self, kid: str) -> PublicKey | None:
        self.files.glance()
        return self._keys.get(kid)

    def _read(self) -> None:
        try:
            self._keys = read_keys(read(self.path, MAX_BODY))
        except ValueError as error:
            raise ConfigError(f"{self.path}: {error}") from None


@define(eq=False)
class FetchedKeys:
    """Keys behind a URL.

    They are fetched when they are older than `fresh`, or when a JWT names another: but once in `RETRY` seconds, and
    once for all who wait. While that fails the last ones count, until they are older than `stale`.
    """

    url: str
    fetch: Fetch
    clock: IReactorTime
    fresh: float
    stale: float
    _keys: dict[str, PublicKey] = field(factory=dict)
    _fetched: float = float("-inf")
    _tried: float = float("-inf")
    _waiting: "list[Deferred[None]] | None" = None

    async def find(self, kid: str) -> PublicKey | None:
        """Return the key of this ``kid``, None if there is none; `Refused` 503 if the issuer's keys aren't known."""
        if kid not in self._keys or self._age() >= self.fresh:
            await self._refresh()
        # An attempt may be put off by `RETRY` once the keys aren't fresh; until then they count, however small `stale`.
        if self._age() >= max(self.fresh + RETRY, self.stale):
            raise Refused(503, "the issuer's keys can't be fetched; see the platform's log", code="issuer_down")
        return self._keys.get(kid)

    def _age(self) -> float:
        return self.clock.seconds() - self._fetched

    async def _refresh(self) -> None:
        if self._waiting is not None:
            waiter: Deferred[None] = Deferred()
            self._waiting.append(waiter)
            return await waiter
        # Counted from the last attempt, not from the last success: else a JWT with an invented kid, or an issuer that
        # is down, would cost a fetch for each request.
        if self.clock.seconds() - self._tried < RETRY:
            return None
        self._tried, self._waiting = self.clock.seconds(), []
        try:
            await self._load()
        finally:
            waiting, self._waiting = self._waiting, None
            for waiter in waiting:
                waiter.callback(None)

    async def _load(self) -> None:
        try:
            answer = await self.fetch("GET", self.url, FETCH_TIME, {"Accept": "application/json"})
            if answer.status != 200:
                raise FetchError(f"answered {answer.status}")
            self._keys = read_keys(answer.body)
            self._fetched = self.clock.seconds()
        except (FetchError, ValueError) as error:
            log.warn(
                "can't fetch the issuer's keys ([oidc], jwks): {url}: {error}; those from before stay in force",
                url=self.url,
                error=error,
            )


_check: tuple[type[PublicKeys], ...] = (FileKeys, FetchedKeys)
