"""Tokens that legs present, and the signed envelopes of summonses (protocol.rst, "Tokens").

The platform holds the private key; relays and agents hold public keys and can verify, never mint.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Literal

from attrs import define
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Meta, field

from streamrelay.errors import ConfigError
from streamrelay.files import read, read_secret, write_new
from streamrelay.protocol import codec, jws
from streamrelay.protocol.clocks import ahead, misfit
from streamrelay.protocol.fields import Stream
from streamrelay.protocol.limits import CLOCK_SKEW, SUMMONS_LIFE, Limits
from streamrelay.protocol.names import JWT

LONGEST_LIFE: Final = 3600
"""Seconds between `iat` and `exp` beyond which a token is refused, whoever signed it."""

Role = Literal["client", "agent"]


class TokenError(Exception):
    """Rejection of a token; the text is for our own log, never for the peer."""


class WrongRole(TokenError):
    """Rejection of a token that is for something else."""


class MistimedError(TokenError):
    """Rejection of a token whose times alone are wrong. `ahead`: seconds by which it was signed ahead of our clock."""

    def __init__(self, reason: str, ahead: int) -> None:
        super().__init__(reason)
        self.ahead = ahead


class LegClaims(Limits, frozen=True):
    """Claims of a leg's token, once it is verified (protocol.rst, "Signed")."""

    sub: Stream
    role: Role
    exp: float
    jti: Annotated[str, Meta(min_length=8, max_length=64)]
    host: str = ""
    target: str = ""
    user: str = ""
    links: Annotated[int, Meta(ge=1, le=32)] = 1
    resumes: str = field(name="stream", default="")
    """Id of the stream that outlives its legs, of which this is one; empty of any other leg."""
    kid: str = ""
    """The key that has signed it, whatever the claims say; empty of an opaque token."""

    @property
    def stream(self) -> str:
        """The stream's name among those of all platforms: two of them may have the same id, never the same key."""
        return f"{self.kid} {self.sub}"


def new_id() -> str:
    """Make 132 random bits as 22 characters: a stream's id, a `jti`, an opaque token."""
    return secrets.token_urlsafe(17)[:22]


def fingerprint(token: str) -> str:
    """Return what a log shows of a token: 8 hex digits of its SHA-256."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()[:8]


def opaque_stream(token: str) -> str:
    """Return the id of an opaque token's stream: it begins with the fingerprint that the relay's log shows."""
    return hashlib.sha256(token.encode()).hexdigest()[:32]


def key_id(key: Ed25519PublicKey) -> str:
    """Return the `kid` of a key: 16 hex digits of the SHA-256 of its 32 bytes."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


@define(eq=False)
class Signer:
    """Mint of tokens, with the platform's private key. `now` is wall-clock time."""

    key: Ed25519PrivateKey
    kid: str
    now: Callable[[], float] = time.time

    @classmethod
    def load(cls, path: str) -> "Signer":
        """Read a PEM file that only its owner may read, or raise `ConfigError`."""
        if b"PUBLIC KEY" in read(path):
            raise ConfigError(f"{path}: this is a public key; the platform's private one is expected")
        pem = read_secret(path, "private key")
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigError(f"{path}: not a private key in PEM form ({error})") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError(f"{path}: an Ed25519 key is expected; make one with `streamrelay keygen`")
        return cls(key, key_id(key.public_key()))

    def derive(self, purpose: str) -> bytes:
        """Return a secret of 32 bytes for another purpose, the same for all who have this key; the key can't be told
        from it."""
        raw = self.key.private_bytes(
            serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
        )
        return hmac.digest(raw, f"streamrelay {purpose}".encode(), "sha256")

    def mint(self, audience: str, life: float = SUMMONS_LIFE, **claims: object) -> str:
        """Make a JWT for `audience` that may be used within `life` seconds from now."""
        now = int(self.now())
        payload = {"aud": audience, "iat": now, "exp": now + int(life), "jti": new_id(), **claims}
        return jws.sign(payload, self.key, self.kid)


_REQUIRED: Final[dict[str, type | UnionType]] = {
    "exp": int | float,
    "iat": int | float,
    "jti": str,
    "aud": str,
    "role": str,
}


@define(eq=False)
class Verifier:
    """Verifier of tokens for one audience, with the public keys of those who may mint them."""

    keys: Mapping[str, Ed25519PublicKey]
    audience: str

    @classmethod
    def load(cls, paths: list[str], audience: str) -> "Verifier":
        """Read PEM files, or raise `ConfigError`."""
        keys = [_public(path) for path in paths]
        return cls({key_id(key): key for key in keys}, audience)

    def claims(self, token: str, role: str) -> dict[str, Any]:
        """Return the claims of a token that holds good now in this `role`, its key's id among them, or raise
        `TokenError`."""
        if not re.fullmatch(JWT, token):
            raise TokenError("not a JWT")
        try:
            claims, kid = jws.read(token, self.keys)
        except jws.UnknownKey as error:
            raise TokenError(f"{error} (setting platform_key)") from None
        except jws.Malformed as error:
            raise TokenError(str(error)) from None
        for name, kind in _REQUIRED.items():
            if not isinstance(claims.get(name), kind):
                raise TokenError(f"{name} is missing, or is none")
        if not isinstance(claims.get("sub", ""), str):
            raise TokenError("sub is none")
        if claims["aud"] != self.audience:
            raise TokenError("its audience is not this program")
        _check_times(claims)
        if claims["role"] != role:
            raise WrongRole(f"its role is not {role}")
        if claims["exp"] > claims["iat"] + LONGEST_LIFE:  # a difference may overflow
            raise TokenError("its lifetime is too long")
        return {**claims, "kid": kid}

    def leg(self, token: str, role: Role) -> LegClaims:
        """Return the claims of a leg's token, or raise `TokenError`."""
        try:
            return codec.convert(self.claims(token, role), LegClaims)
        except ValueError as error:
            raise TokenError(str(error)) from None


def _check_times(claims: dict[str, Any]) -> None:
    """Raise `MistimedError` if it is too early or too late for a token with these claims, whose others are right."""
    now = time.time()
    try:
        early = max(int(claims["iat"]), int(claims.get("nbf", 0))) > now + CLOCK_SKEW
        late = int(claims["exp"]) <= now - CLOCK_SKEW
    except (ValueError, TypeError, OverflowError):
        raise TokenError("its times are not numbers") from None
    if early or late:
        raise MistimedError(misfit(claims, "the platform"), ahead(claims))


def generate(private: Path, public: Path) -> str:
    """Write a new key pair (the private file with mode 0600; existing files are kept) and return its `kid`."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    open_pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    write_new(private, pem, 0o600)
    try:
        write_new(public, open_pem, 0o644)
    except ConfigError:  # half a pair would be in the way of the next attempt
        private.unlink()
        raise
    return key_id(key.public_key())


def _public(path: str) -> Ed25519PublicKey:
    pem = read(path)
    if b"PRIVATE KEY" in pem:
        raise ConfigError(f"{path}: this is a private key; only the public one belongs here")
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path}: not a public key in PEM form ({error})") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{path}: an Ed25519 key is expected; make one with `streamrelay keygen`")
    return key
