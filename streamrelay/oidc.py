"""Users of an identity provider: JWTs of an OIDC issuer (RFC 7519, with RFC 8725's care)."""

import re
from typing import Any, Final

import jwt
from attrs import define

from streamrelay import wire
from streamrelay.config import OidcConfig
from streamrelay.grants import is_user
from streamrelay.jwks import PublicKey, PublicKeys

JWT: Final = re.compile(r"[A-Za-z0-9_-]{1,1024}\.[A-Za-z0-9_-]{1,8192}\.[A-Za-z0-9_-]{1,1400}")
"""A JWT's form: up to a signature by 8192 bits."""


class BearerError(Exception):
    """A JWT is no good; the text is for our own log, never for the peer."""


@define(eq=False)
class Issuer:
    """Verifies JWTs of one issuer, for one audience."""

    config: OidcConfig
    keys: PublicKeys

    async def claims(self, token: str) -> dict[str, Any]:
        """The claims of a JWT that holds good now, or `BearerError`; its user is `user_of` them."""
        if not JWT.fullmatch(token):
            raise BearerError("not a JWT")
        try:
            head = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise BearerError(f"malformed ({type(error).__name__})") from None
        algorithm, kid = head.get("alg"), head.get("kid")
        if algorithm not in self.config.algorithms:
            raise BearerError("its algorithm is not one of those that are accepted")
        if "crit" in head:
            raise BearerError("it has a critical header that we don't know")
        if not isinstance(kid, str) or len(kid) > 256:
            raise BearerError("it names no key (kid)")
        key = await self.keys.find(kid)
        if key is None or not key.fits(algorithm):
            raise BearerError("it is signed by a key that the issuer doesn't have")
        claims = self._verify(token, key, algorithm)
        if not is_user(claims.get(self.config.user)):
            raise BearerError(f"its claim {self.config.user} names no user")
        return claims

    def user_of(self, claims: dict[str, Any]) -> str:
        return str(claims[self.config.user])

    def _verify(self, token: str, key: PublicKey, algorithm: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                issuer=self.config.issuer,
                leeway=wire.CLOCK_SKEW,
                options={"require": ["exp", "iss", "aud"], "verify_aud": False},
            )
        except jwt.PyJWTError as error:
            raise BearerError(str(error)) from None
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise BearerError(f"malformed ({type(error).__name__})") from None
        audience = claims["aud"]
        if self.config.audience not in ([audience] if isinstance(audience, str) else _texts(audience)):
            raise BearerError("it is for another audience")
        for name in ("exp", "nbf", "iat"):
            if name in claims and type(claims[name]) not in (int, float):
                raise BearerError(f"its {name} is no number")
        return claims


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
