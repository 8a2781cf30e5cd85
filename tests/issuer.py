"""An issuer of JWTs: its keys, and what it signs with them."""

import json
import time
from typing import Any

import jwt
from attrs import define, field
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ISSUER, AUDIENCE = "https://issuer.example/", "streamrelay"

_ALGORITHMS = {"RSA": "RS256", "P-256": "ES256", "P-384": "ES384", "Ed25519": "EdDSA"}
_CURVES = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1}


@define(eq=False)
class Key:
    """A key pair of the issuer, of a kind that is named by its curve, or RSA."""

    kid: str
    kind: str = "P-256"
    bits: int = 2048
    private: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        if self.kind == "RSA":
            self.private = rsa.generate_private_key(65537, self.bits)
        elif self.kind == "Ed25519":
            self.private = Ed25519PrivateKey.generate()
        else:
            self.private = ec.generate_private_key(_CURVES[self.kind]())

    @property
    def algorithm(self) -> str:
        return _ALGORITHMS[self.kind]

    def public(self) -> dict[str, Any]:
        """Its row of a JWKS."""
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        return {**json.loads(algorithm.to_jwk(self.private.public_key())), "kid": self.kid, "use": "sig"}

    def secret(self) -> dict[str, Any]:
        """The same with its private part."""
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        return {**json.loads(algorithm.to_jwk(self.private)), "kid": self.kid, "use": "sig"}

    def sign(self, algorithm: str = "", headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """A JWT that holds good now, but for what is said otherwise; a claim that is None is left out."""
        now = int(time.time())
        usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "carol", "iat": now, "exp": now + 300}
        payload = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        head = {"kid": self.kid, **(headers or {})}
        return jwt.encode(payload, self.private, algorithm or self.algorithm, headers=head)
