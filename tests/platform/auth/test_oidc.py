"""oidc.py: which JWTs of an issuer are good."""

import base64
import hashlib
import hmac
import json
import time
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.platform.auth.jwks import PublicKey, read_keys
from streamrelay.platform.auth.oidc import BearerError, Issuer, MistimedBearer, OidcConfig
from tests.documented import JWT_CLAIMS, JWT_HEADER
from tests.issuer import AUDIENCE, ISSUER, Key


def encoded(part: object) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Known:
    """Keys that are known."""

    def __init__(self, *keys: Key) -> None:
        self.keys = read_keys(json.dumps({"keys": [key.public() for key in keys]}).encode())

    async def find(self, kid: str) -> PublicKey | None:
        return self.keys.get(kid)


class Verifying(SynchronousTestCase):
    """`Issuer.claims`"""

    def setUp(self) -> None:
        self.rsa, self.ec, self.ed = Key("rsa", "RSA"), Key("ec", "P-256"), Key("ed", "Ed25519")
        self.issuer = Issuer(OidcConfig(ISSUER, AUDIENCE, "x"), Known(self.rsa, self.ec, self.ed))

    def claims(self, token: str) -> dict[str, Any]:
        return self.successResultOf(Deferred.fromCoroutine(self.issuer.claims(token)))

    def refused(self, token: str) -> str:
        return str(self.failure(token))

    def failure(self, token: str) -> BearerError:
        error: BearerError = self.failureResultOf(Deferred.fromCoroutine(self.issuer.claims(token)), BearerError).value
        return error

    def test_good(self) -> None:
        """A JWT by any of the issuer's keys is taken, with what it claims; its audience may be one of several."""
        for key in (self.rsa, self.ec, self.ed):
            claims = self.claims(key.sign(groups=["ops"], aud=["account", AUDIENCE]))
            self.assertEqual((self.issuer.user_of(claims), claims["groups"]), ("carol", ["ops"]))

    def test_longest(self) -> None:
        """A JWT whose header or claims are as long as may be is taken; one character more makes it none."""
        padded: tuple[tuple[int, Callable[[int], str]], ...] = (
            (JWT_HEADER, lambda size: self.ec.sign(headers={"x": "x" * size})),
            (JWT_CLAIMS, lambda size: self.ec.sign(x="x" * size)),
        )
        for at, (most, pad) in enumerate(padded):

            def length(size: int, at: int = at, pad: Callable[[int], str] = pad) -> int:
                return len(pad(size).split(".")[at])

            over = bisect_right(range(most), most, key=length)
            self.assertEqual(length(over - 1), most)
            self.claims(pad(over - 1))
            self.assertEqual(self.refused(pad(over)), "not a JWT")

    def test_user(self) -> None:
        """Another claim may name the user; one that is missing or odd names nobody."""
        self.issuer = Issuer(OidcConfig(ISSUER, AUDIENCE, "x", user="email"), self.issuer.keys)
        claims = self.claims(self.ec.sign(email="carol@example.com"))
        self.assertEqual(self.issuer.user_of(claims), "carol@example.com")
        for email in (None, "", "a\nb", "a\x1b[0m", "x" * 257, 7, ["carol"], True):
            self.assertIn("email", self.refused(self.ec.sign(email=email)))

    def test_claims(self) -> None:
        """Whoever else it is from or for, and whenever else it holds, it is refused."""
        now = time.time()
        wrong: tuple[dict[str, Any], ...] = (
            {"iss": None},
            {"iss": ISSUER.rstrip("/")},
            {"iss": ISSUER.upper()},
            {"iss": "https://issuer.example.evil/"},
            {"iss": ""},
            {"aud": None},
            {"aud": "Streamrelay"},
            {"aud": "streamrelay2"},
            {"aud": "stream"},
            {"aud": []},
            {"aud": ["other"]},
            {"aud": [["streamrelay"]]},
            {"aud": {"streamrelay": 1}},
            {"exp": None},
            {"exp": now - 6},
            {"exp": str(int(now) + 100)},
            {"exp": True},
            {"exp": float("inf")},
            {"nbf": now + 100},
            {"nbf": "x"},
            {"iat": now + 100},
        )
        for claims in wrong:
            self.refused(self.ec.sign(**claims))
        self.claims(self.ec.sign(exp=now - 3, iat=now + 3, nbf=now + 3))

    def test_by_how_much(self) -> None:
        """Of one whose times alone are wrong it is said by how many seconds, and that clocks may differ."""
        now = int(time.time())
        cases: tuple[tuple[dict[str, Any], str], ...] = (
            ({"exp": now - 61}, "expired 6[1-3] s ago, .* or this machine's clock and its issuer's differ"),
            ({"exp": now - 61, "iat": None}, "expired 6[1-3] s ago: too late, or"),
            ({"iat": now + 61}, "this machine's clock and its issuer's differ by (59|60|61) s"),
            ({"nbf": now + 61}, "this machine's clock and its issuer's differ by (59|60|61) s"),
        )
        for claims, words in cases:
            error = self.failure(self.ec.sign(**claims))
            self.assertIsInstance(error, MistimedBearer)
            self.assertRegex(str(error), words)
            for other in (Key("ec").sign(**claims), self.ec.sign(**{**claims, "aud": "other"})):
                self.assertNotIsInstance(self.failure(other), MistimedBearer)

    def test_part_of_the_issuer(self) -> None:
        """An issuer that is a part of the right one is another."""
        for part in (ISSUER[:-1], ISSUER[1:], "https://issuer", "issuer.example", "/", "https", ""):
            self.refused(self.ec.sign(iss=part))

    def test_unsigned(self) -> None:
        """A JWT without a signature, or with another's, is refused."""
        head, body, signature = self.ec.sign().split(".")
        other = Key("ec", "P-256").sign().split(".")[2]
        for token in (
            f"{head}.{body}.{other}",
            f"{head}.{encoded({'iss': ISSUER, 'aud': AUDIENCE, 'sub': 'root', 'exp': time.time() + 99})}.{signature}",
            f"{head}.{body}.{signature[:-4]}",
            f"{head}.{body}.AA",
        ):
            self.refused(token)
        for name in ("none", "None", "NONE", "nOnE"):
            nothing = encoded({"alg": name, "kid": "ec", "typ": "JWT"})
            for end in ("", signature, "AA"):
                self.refused(f"{nothing}.{body}.{end}")

    def test_secret(self) -> None:
        """The public key as the secret of an HMAC is refused, in every form in which it may be known."""
        _, body, _ = self.rsa.sign().split(".")
        public = self.rsa.private.public_key()
        forms = [
            public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            json.dumps(self.rsa.public()).encode(),
            b"",
        ]
        for name, digest in (("HS256", hashlib.sha256), ("HS384", hashlib.sha384), ("HS512", hashlib.sha512)):
            signed = f"{encoded({'alg': name, 'kid': 'rsa'})}.{body}"
            for secret in forms:
                mac = hmac.new(secret, signed.encode(), digest).digest()
                self.assertIn("algorithm", self.refused(f"{signed}.{encoded(mac)}"))

    def test_algorithms(self) -> None:
        """Only algorithms that the settings name are taken, and only with a key of their kind."""
        self.refused(self.rsa.sign("RS512"))
        self.refused(self.rsa.sign("PS256"))
        self.issuer = Issuer(OidcConfig(ISSUER, AUDIENCE, "x", algorithms=("RS512", "ES256")), self.issuer.keys)
        self.claims(self.rsa.sign("RS512"))
        self.refused(self.rsa.sign())
        self.refused(self.ed.sign())
        self.assertIn("key", self.refused(self.ec.sign(headers={"kid": "rsa"})))

    def test_headers(self) -> None:
        """A header can't bring a key along, point to one, or demand what isn't known here."""
        stranger = Key("stranger", "P-256")
        for headers in (
            {"jwk": stranger.public()},
            {"jku": "https://evil.example/jwks"},
            {"x5u": "https://evil.example/x"},
            {"kid": "ec"},
            {"kid": ""},
            {"kid": "../../dev/null"},
            {"kid": "x" * 300},
        ):
            self.refused(stranger.sign(headers=headers))
        self.refused(self.ec.sign(headers={"crit": ["exp"]}))
        _, body, signature = self.ec.sign().split(".")
        kids: tuple[object, ...] = (None, 7, ["ec"], {})
        for kid in kids:
            self.refused(f"{encoded({'alg': 'ES256', 'kid': kid})}.{body}.{signature}")
        self.refused(f"{encoded({'alg': 'ES256'})}.{body}.{signature}")

    def test_malformed(self) -> None:
        """What is no JWT is refused in our own words, whatever it is."""
        _, body, signature = self.ec.sign().split(".")
        for head in (
            b"",
            b"{",
            b"[]",
            b"7",
            b"null",
            b"\xff",
            b"[" * 700,
            b'{"alg":["ES256"],"kid":"ec"}',
            b'{"alg":7}',
        ):
            self.refused(f"{encoded(head)}.{body}.{signature}")
        for token in ("", "..", "a.b.", "a.b.c.d", f"a.{'b' * 9000}.c", "a b.c.d", self.ec.sign() + "\n", "é.é.é"):
            self.refused(token)
        good = encoded({"alg": "ES256", "kid": "ec"})
        for part in (b"", b"[]", b"7", b"\xff", b"[" * 5000):
            self.refused(f"{good}.{encoded(part)}.{signature}")
