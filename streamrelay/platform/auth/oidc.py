"""Users of an identity provider: JWTs of an OIDC issuer (RFC 7519, with RFC 8725's care)."""

import re
from typing import Annotated, Any, Final, Literal

import jwt
from attrs import define
from msgspec import Meta, Struct

from streamrelay.platform.auth.grants import is_user
from streamrelay.platform.auth.jwks import PublicKey, PublicKeys
from streamrelay.protocol.clocks import UNTIMED, misfit
from streamrelay.protocol.limits import CLOCK_SKEW

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""The algorithms by which an issuer may sign: none that verifies with a secret."""


class OidcConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of ``[oidc]``: bearer JWTs of an issuer. Their grants are in the file of keys, ``[claims]``."""

    issuer: Annotated[str, Meta(min_length=1)]
    """The issuer's name: a JWT's ``iss`` must be this, byte by byte."""
    audience: Annotated[str, Meta(min_length=1)]
    """The platform's name at the issuer: a JWT's ``aud`` must be this, byte by byte, or have it among others."""
    jwks: Annotated[str, Meta(min_length=1)]
    """The issuer's public keys: an https:// URL, or a file, which is read again when it changes."""
    user: str = "sub"
    """The claim that names the user."""
    algorithms: Annotated[tuple[Algorithm, ...], Meta(min_length=1)] = ("RS256", "ES256", "EdDSA")
    """Algorithms by which a JWT may be signed; only asymmetric ones can be named."""
    fresh: Annotated[float, Meta(ge=10, le=86400)] = 300.0
    """Seconds after which the URL is fetched again."""
    stale: Annotated[float, Meta(ge=0, le=604800)] = 3600.0
    """Seconds for which keys count while the URL can't be fetched."""
    ca: str = ""
    """A file of certificates to trust for the URL, in place of the system's."""


JWT: Final = re.compile(r"[A-Za-z0-9_-]{1,1024}\.[A-Za-z0-9_-]{1,8192}\.[A-Za-z0-9_-]{1,1400}")
"""Pattern of a JWT: up to a signature by an RSA key of 8192 bits."""


class BearerError(Exception):
    """Rejection of a JWT; the text is for our own log, never for the peer."""


class MistimedBearer(BearerError):
    """Rejection of a JWT of which nothing but its times is wrong; the text is for who has it, too."""


@define(eq=False)
class Issuer:
    """Verifier of one issuer's JWTs for one audience (RFC 8725 §3)."""

    config: OidcConfig
    keys: PublicKeys

    async def claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a JWT that holds good now, or raise `BearerError`; its user is `user_of` them.

        `Refused` 503 if the issuer's keys aren't known at all.
        """
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
            raise BearerError("it has an unknown critical header")
        if not isinstance(kid, str) or len(kid) > 256:
            raise BearerError("it names no key (kid)")
        key = await self.keys.find(kid)
        if key is None or not key.fits(algorithm):
            raise BearerError("it is signed by a key that is not among the issuer's")
        claims = self._verify(token, key, algorithm)
        if not is_user(claims.get(self.config.user)):
            raise BearerError(f"its claim {self.config.user} is missing or is not a user's name")
        return claims

    def user_of(self, claims: dict[str, Any]) -> str:
        return str(claims[self.config.user])

    def _verify(self, token: str, key: PublicKey, algorithm: str, **more: Any) -> dict[str, Any]:
        options: Any = {"require": ["exp", "iss", "aud"], "verify_aud": False, **more}
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                issuer=self.config.issuer,
                leeway=CLOCK_SKEW,
                options=options,
            )
        except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError):
            claims = self._verify(token, key, algorithm, **UNTIMED)
            raise MistimedBearer(misfit(claims, "its issuer")) from None
        except jwt.PyJWTError as error:
            raise BearerError(str(error)) from None
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise BearerError(f"malformed ({type(error).__name__})") from None
        audience = claims["aud"]
        if self.config.audience not in ([audience] if isinstance(audience, str) else _texts(audience)):
            raise BearerError("it is for another audience")
        for name in ("exp", "nbf", "iat"):
            if name in claims and type(claims[name]) not in (int, float):
                raise BearerError(f"its {name} is not a number")
        return claims


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
