"""`Verifier.leg`: tokens of strangers, and signed ones with any header and any claims.

Each is refused with a `TokenError` in one line, or holds what the claims' table says: this relay, this role, now, not
for long, with a proper stream. What isn't signed by the known key never holds, nor what PyJWT would refuse.
"""

import base64
import json
import time
from typing import Any, Final

import jwt

from fuzz.choices import Choices
from fuzz.targets.signing import AUDIENCE, HEADER, KID, changed, printable, signed, timed, verifier
from streamrelay.protocol.limits import CLOCK_SKEW
from streamrelay.protocol.names import is_opaque
from streamrelay.protocol.tokens import LONGEST_LIFE, Role, TokenError

_CLAIMS = (
    b'{"aud":"relay","iat":$NOW,"exp":$SOON,"jti":"0123456789abcdef","role":"client","sub":"ssssssssssssssssssssss",'
    b'"host":"web-1","target":"log","user":"alice","links":2,"idle":60,"lifetime":3600.5,"quota":1000}'
)

SEEDS: Final = [
    b"\1\0" + _CLAIMS,
    b"\1\1" + _CLAIMS.replace(b"client", b"agent"),
    b"\1\0" + _CLAIMS.replace(b"$SOON", b"9" * 400).replace(b"$NOW", b"$NOW.5"),
    b"\1\0" + _CLAIMS.replace(b"$SOON", b"NaN"),
    b"\1\0" + _CLAIMS.replace(b"$SOON", b"1e400"),
    b"\1\0" + _CLAIMS.replace(b'"relay"', b'["relay"]'),
    b"\1\0" + b"[" * 3000,
    b"\2\0" + bytes([len(HEADER)]) + HEADER + _CLAIMS,
    b'\2\0\x2f{"alg":"none","kid":"%s"}' % KID.encode() + _CLAIMS,
    b'\2\0\x10{"alg":"HS256"}\0' + _CLAIMS,
    b"\3\0",
    b"\3\0\3\1\1\6\x05\3\0\2\0\5\1\4\4",
    b"\3\1\2\4\1\4\x11\2\1\5\x1b",
    b"\0\0$TOKEN",
    b"\0\0a.b.c",
]
WORDS: Final = [
    *rb'"aud": "iat": "exp": "jti": "role": "sub": "links": "host": "target": "nbf": $NOW $SOON $TOKEN null'.split(),
    *rb'"idle": "lifetime": "quota":'.split(),
    *rb'true NaN Infinity 1e400 -1 [] {} "" 0.5 "alg": "kid": "crit": "b64": "typ": "EdDSA" "none" client'.split(),
    *rb"agent \ud800 \n".split(),
]

_ROLES: Final[tuple[Role, ...]] = ("client", "agent")


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    kind, role = choices.number(8), choices.pick(_ROLES)
    if kind == 0:
        good = signed(HEADER, timed(_CLAIMS))
        token = choices.rest().replace(b"$TOKEN", good.encode()).decode("latin-1")
        forged = token[: token.rfind(".")] != good[: good.rfind(".")]
    else:
        header = choices.block() if kind == 2 else HEADER
        claims = changed(choices, _CLAIMS[1:-1]) if kind > 2 else choices.rest()
        token, forged = signed(header, timed(claims)), False
    try:
        held = verifier.leg(token, role)
    except TokenError as error:
        printable(error)
        return
    assert not forged, "a token that nobody has signed"
    said, now = _claims_of(token), time.time()
    assert jwt.decode(token, verifier.keys[KID], ["EdDSA"], audience=AUDIENCE, leeway=CLOCK_SKEW + 2) == said
    assert said["aud"] == AUDIENCE and said["role"] == role == held.role
    assert now - CLOCK_SKEW - 2 < held.exp and said["iat"] < now + CLOCK_SKEW + 2
    assert held.exp - said["iat"] <= LONGEST_LIFE
    assert is_opaque(held.sub) and 1 <= held.links <= 32 and 8 <= len(held.jti) <= 64


def _claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims
