"""JWTs with any header and any claims, well signed all the same, as a platform gone wrong might make them."""

import base64
import time
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fuzz.choices import Choices
from streamrelay.protocol.tokens import Verifier, key_id

AUDIENCE: Final = "relay"

_key: Final = Ed25519PrivateKey.from_private_bytes(b"streamrelay's fuzzing, key no. 1")
KID: Final = key_id(_key.public_key())
HEADER: Final = b'{"alg":"EdDSA","kid":"%s","typ":"JWT"}' % KID.encode()

verifier: Final = Verifier({KID: _key.public_key()}, AUDIENCE)


def signed(header: bytes, claims: bytes) -> str:
    """A token of these two parts, whatever they are."""
    text = f"{_base64(header)}.{_base64(claims)}"
    return f"{text}.{_base64(_key.sign(text.encode()))}"


def timed(source: bytes) -> bytes:
    """An input's words for times as seconds since the epoch: they can't be kept in a file."""
    now = int(time.time())
    return source.replace(b"$NOW", b"%d" % now).replace(b"$SOON", b"%d" % (now + 30))


VALUES: Final = [
    *b'$NOW $SOON $NOW.5 $SOON.25 1e308 1e400 NaN -Infinity -0 1 32 33 256 true null [] {} [""] "" "relay"'.split(),
    *b'["relay"] "client" "agent" "end"'.split(),
    b"9" * 400,
    *rb'"summons" "wss://[::1]:1/" "ws://x" "a/b/c" ".." "\u0000" "\ud800" "0123456789" [80,24]'.split(),
    b'"ssssssssssssssssssssss"',
    b'"' + b"x" * 300 + b'"',
    b'[{"name":"log","kind":"log"}]',
    b'{"mode":"v1"}',
    b"[" * 2000,
]
"""JSON for any claim or key."""


def changed(choices: Choices, members: bytes) -> bytes:
    """An object of these members (``"a":1,"b":2``) with some of them changed."""
    good = members.split(b",")
    names = [member.split(b":")[0] for member in good] + [b'"nbf"', b'"sub"', b'"links"', b'"user"', b'"iat"']
    return b"{" + b",".join(choices.change(good, lambda _: choices.pick(names) + b":" + choices.pick(VALUES))) + b"}"


def printable(error: Exception) -> None:
    """What goes to a log is one line, and not a long one."""
    text = str(error)
    assert text and text.isprintable() and len(text) <= 1000, repr(text)


def _base64(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()
