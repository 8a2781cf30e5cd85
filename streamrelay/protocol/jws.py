"""Signed claims as one string: JWTs in their compact form (RFC 7515 §7.1, RFC 7519), by Ed25519 and nothing else.

No option makes any of it weaker: the algorithm is the key's, whatever a header says (RFC 8725 §3.1), and nothing but
the header is read of what isn't signed by a known key.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from nacl.bindings.crypto_sign import crypto_sign_BYTES, crypto_sign_open
from nacl.exceptions import BadSignatureError

ALGORITHM: Final = "EdDSA"


class Malformed(ValueError):
    """Fault of a token; the text holds nothing of it."""


class UnknownKey(Malformed):
    """A token's header names a key that isn't known, or none."""


class Header(msgspec.Struct, frozen=True):
    """Parts of a token's header that count."""

    alg: str
    kid: str = ""
    crit: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    """Names of parts that a reader must know (RFC 7515 §4.1.11), of which we know none."""
    b64: bool = True
    """False if the claims stand in the token as they are (RFC 7797), which ours never do."""


_header = msgspec.json.Decoder(Header)
_claims = msgspec.json.Decoder(dict[str, Any])


def sign(claims: dict[str, Any], key: Ed25519PrivateKey, kid: str) -> str:
    """Make a token of these claims, signed by `key`, whose id is `kid`."""
    header = {"alg": ALGORITHM, "kid": kid, "typ": "JWT"}
    signed = ".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{signed}.{_encode(key.sign(signed.encode()))}"


def read(token: str, keys: Mapping[str, Ed25519PublicKey]) -> tuple[dict[str, Any], str]:
    """Return the claims of a token that one of these keys has signed, and that key's id; or raise `Malformed`."""
    signed, _, signature = token.rpartition(".")
    header, _, body = signed.partition(".")
    try:
        said = _header.decode(_decode(header))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("malformed header") from None
    if said.alg != ALGORITHM or said.crit is not msgspec.UNSET or not said.b64:
        raise Malformed(f"not signed by {ALGORITHM}, or a header that isn't understood")
    if said.kid not in keys:
        raise UnknownKey("signed by an unknown key")
    content = _decode(body)
    _verify(_decode(signature), signed.encode(), keys[said.kid])
    try:
        return _claims.decode(content), said.kid
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("malformed claims") from None


def _verify(signature: bytes, signed: bytes, key: Ed25519PublicKey) -> None:
    """Raise `Malformed` unless `key` has signed this. By libsodium, which takes half the time of OpenSSL."""
    if len(signature) != crypto_sign_BYTES:  # libsodium takes both in one piece
        raise Malformed("a signature of another length")
    try:
        crypto_sign_open(signature + signed, key.public_bytes_raw())
    except BadSignatureError:
        raise Malformed("Signature verification failed") from None


def _encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _decode(part: str) -> bytes:
    """Return what a part says in base64url; `Malformed` unless it says it in its only form (RFC 4648 §3.5)."""
    try:
        content = base64.urlsafe_b64decode(part + "==")
    except ValueError:
        content = b""
    if _encode(content) != part:
        raise Malformed("malformed base64url")
    return content
