"""tokens.py: minting and verifying."""

import base64
import hashlib
import hmac
import json
import stat
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import ConfigError
from streamrelay.files import write_new
from streamrelay.protocol import tokens
from streamrelay.protocol.tokens import MistimedError, Signer, TokenError, Verifier
from tests.documented import TOKEN_CLAIMS, TOKEN_HEADER, TOKEN_SIGNATURE
from tests.examples import STREAM, examples
from tests.fakes.files import folder, key_pair

KEY = Ed25519PrivateKey.generate()
OTHER = Ed25519PrivateKey.generate()
KID = tokens.key_id(KEY.public_key())
VERIFIER = Verifier({KID: KEY.public_key()}, "relay")


def claims(**changes: object) -> dict[str, Any]:
    """The claims of a good client's token."""
    now = int(time.time())
    good = {"sub": STREAM, "role": "client", "aud": "relay", "iat": now, "exp": now + 30, "jti": "j" * 22}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def sign(payload: dict[str, Any], key: Ed25519PrivateKey = KEY, kid: str = KID) -> str:
    return jwt.encode(payload, key, algorithm="EdDSA", headers={"kid": kid})


def by_hand(header: dict[str, Any], payload: dict[str, Any], signature: bytes) -> str:
    """A JWT that no library would make."""
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


class Legs(SynchronousTestCase):
    """Tokens of legs."""

    def refused(self, token: str) -> str:
        return str(self.assertRaises(TokenError, VERIFIER.leg, token, "client"))

    def test_good(self) -> None:
        """A token that the platform minted for this relay and role is read with all its claims."""
        signer = Signer(KEY, KID)
        token = signer.mint("relay", role="client", sub=STREAM, host="h", target="t", user="u", links=3)
        read = VERIFIER.leg(token, "client")
        self.assertEqual((read.sub, read.role, read.host, read.target), (STREAM, "client", "h", "t"))
        self.assertEqual((read.user, read.links), ("u", 3))
        self.assertGreaterEqual(len(read.jti), 22)
        self.assertLess(abs(read.exp - time.time() - 30), 3)

    def test_each_is_its_own(self) -> None:
        """Two tokens for the same stream have different ids."""
        signer = Signer(KEY, KID)
        ids = {VERIFIER.leg(signer.mint("relay", role="client", sub=STREAM), "client").jti for _ in range(20)}
        self.assertEqual(len(ids), 20)

    def test_role(self) -> None:
        """A client's token is no agent's, an agent's no client's, and a summons is neither."""
        for role, used in (("client", "agent"), ("agent", "client"), ("summons", "client"), ("summons", "agent")):
            self.assertRaises(TokenError, VERIFIER.leg, sign(claims(role=role)), used)
        self.assertEqual(VERIFIER.leg(sign(claims(role="agent")), "agent").role, "agent")

    def test_audience(self) -> None:
        """A token for another relay, for several, or for none is refused."""
        for audience in ("other", "relay2", "Relay", "", ["relay"], ["relay", "other"], None):
            self.refused(sign(claims(aud=audience)))

    def test_time(self) -> None:
        """A token is good from its issue to its expiry, give or take five seconds."""
        now = int(time.time())
        for change in (
            {"exp": now - 8, "iat": now - 30},
            {"iat": now + 60, "exp": now + 90},
            {"nbf": now + 60},
            {"exp": now + 3700},
            {"iat": now - 3600, "exp": now + 20},
        ):
            self.refused(sign(claims(**change)))
        for change in ({"exp": now - 2, "iat": now - 30}, {"iat": now + 3}, {"nbf": now + 3}, {"exp": now + 3500}):
            VERIFIER.leg(sign(claims(**change)), "client")

    def test_by_how_much(self) -> None:
        """The refusal of a token that is too early or too late says by how many seconds, and that clocks may differ; of
        one that is another's, or for another relay, it says that and nothing of clocks."""
        now = int(time.time())
        late, early = {"exp": now - 61, "iat": now - 91}, {"iat": now + 61, "exp": now + 91}
        told = self.refused(sign(claims(**late)))
        self.assertRegex(told, r"expired 6[1-3] s ago, 9[1-3] s after it was signed: too late, or this machine's clock")
        self.assertRegex(
            self.refused(sign(claims(**early))), "this machine's clock and the platform's differ by (59|60|61) s"
        )
        for times in (late, early, {"nbf": now + 61}):
            error = self.assertRaises(TokenError, VERIFIER.leg, sign(claims(**times)), "client")
            self.assertIsInstance(error, MistimedError)
            for other in (sign(claims(**times), OTHER), sign(claims(aud="relay-2", **times))):
                error = self.assertRaises(TokenError, VERIFIER.leg, other, "client")
                self.assertNotIsInstance(error, MistimedError)
        for odd in ({"exp": -(10**400)}, {"iat": 10**400}, {"exp": now - 61, "nbf": "1"}):
            self.assertLess(len(self.refused(sign(claims(**odd)))), 200)

    def test_required(self) -> None:
        """A token without one of its claims is refused."""
        for name in ("exp", "iat", "jti", "aud", "role", "sub"):
            self.refused(sign(claims(**{name: None})))

    def test_impossible_claims(self) -> None:
        """A token whose claims are impossible is refused."""
        for change in (
            {"sub": "short"},
            {"sub": STREAM + "\r\n"},
            {"sub": 5},
            {"jti": "short"},
            {"links": 0},
            {"links": 33},
            {"links": "1"},
            {"exp": float("inf")},
            {"exp": float("nan")},
            {"exp": [1]},
            {"exp": 10**400},
            {"exp": 10**400, "iat": time.time()},
            {"role": ["client"]},
            {"host": 5},
            {"user": "\ud800"},
        ):
            self.refused(sign(claims(**change)))

    def test_no_algorithm(self) -> None:
        """A token with the algorithm "none" is refused, whatever stands in place of a signature."""
        for name in ("none", "None", "NONE", ""):
            for signature in (b"", b"x" * 64):
                self.refused(by_hand({"alg": name, "kid": KID, "typ": "JWT"}, claims(), signature))

    def test_public_key_as_secret(self) -> None:
        """A token signed by HS256 with the public key as the secret is refused."""
        public = KEY.public_key()
        secrets = [
            public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
            public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw),
        ]
        for secret in secrets:
            unsigned = by_hand({"alg": "HS256", "kid": KID, "typ": "JWT"}, claims(), b"").rpartition(".")[0]
            signature = hmac.new(secret, unsigned.encode(), hashlib.sha256).digest()
            self.refused(unsigned + "." + base64.urlsafe_b64encode(signature).rstrip(b"=").decode())

    def test_key(self) -> None:
        """A token by another key is refused, under its own `kid`, under ours, and under none."""
        self.refused(sign(claims(), OTHER, tokens.key_id(OTHER.public_key())))
        self.refused(sign(claims(), OTHER, KID))
        self.refused(jwt.encode(claims(), KEY, algorithm="EdDSA"))
        self.refused(sign(claims(), KEY, "unknown"))

    def test_tampered(self) -> None:
        """A token with any part changed is refused."""
        head, body, signature = sign(claims()).split(".")
        more = base64.urlsafe_b64encode(json.dumps(claims(links=32)).encode()).rstrip(b"=").decode()
        raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
        for place in (0, 31, 63):
            wrong = bytearray(raw)
            wrong[place] ^= 1
            self.refused(f"{head}.{body}.{base64.urlsafe_b64encode(wrong).rstrip(b'=').decode()}")
        self.refused(f"{head}.{more}.{signature}")
        self.refused(f"{head}.{body}.{signature[:-10]}")
        self.refused(f"{head}.{body}.")

    def test_longest(self) -> None:
        """A token whose header or claims are as long as may be is good; one character more makes it none."""
        head, body = {"kid": KID, "alg": "EdDSA", "typ": "JWT"}, claims()
        for most, part in ((TOKEN_HEADER, head), (TOKEN_CLAIMS, body)):
            room = most * 3 // 4 - len(json.dumps(part, separators=(",", ":"))) - len(',"x":""')
            for more, good in ((0, True), (1, False)):
                part["x"] = "x" * (room + more)
                token = jwt.encode(body, KEY, algorithm="EdDSA", headers=head)
                longest = max(len(each) for each in token.split("."))
                self.assertEqual((longest <= most, longest < most + 4), (good, True))
                if good:
                    self.assertEqual(VERIFIER.leg(token, "client").sub, STREAM)
                else:
                    self.assertEqual(self.refused(token), "not a JWT")
            del part["x"]
        signed = sign(claims()).rpartition(".")[0]
        self.assertNotEqual(self.refused(f"{signed}.{'A' * TOKEN_SIGNATURE}"), "not a JWT")
        self.assertEqual(self.refused(f"{signed}.{'A' * (TOKEN_SIGNATURE + 1)}"), "not a JWT")

    def test_garbage(self) -> None:
        """What is no JWT at all is refused, however long, deep or odd it is."""
        deep = base64.urlsafe_b64encode(b"[" * 1500).rstrip(b"=").decode()
        for token in ("", ".", "..", "a.b.c", "a" * 100_000, "a." * 5000, "é.é.é", sign(claims()) + "\n", "\0"):
            self.refused(token)
        self.refused(f"{deep}.{deep}.AAAA")
        self.refused(by_hand({"alg": "EdDSA", "kid": ["x"]}, {}, b"x"))

    @examples(200)
    @given(
        st.one_of(st.text(max_size=80), st.from_regex(r"[A-Za-z0-9_-]{1,40}(\.[A-Za-z0-9_-]{1,40}){2}", fullmatch=True))
    )
    def test_anything(self, token: str) -> None:
        """Any string is refused by a `TokenError` and by no other error."""
        self.refused(token)

    def test_reason_is_one_line(self) -> None:
        """What is said of a bad token goes to a log, so nothing in the token can break its line."""
        for header in ({"crit": ["a\nb"], "a\nb": 1}, {"alg": "a\nb"}, {"typ": "a\x1b[2Jb"}, {"b64": "a\nb"}):
            self.assertTrue(self.refused(by_hand({"alg": "EdDSA", "kid": KID, **header}, claims(), b"x")).isprintable())

    @examples(50)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=5,
        ),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=5
        ),
    )
    def test_odd_headers(self, kid: object, algorithm: object) -> None:
        """Any `kid` and `alg` that aren't ours are refused by a `TokenError` and by no other error."""
        self.refused(by_hand({"alg": algorithm, "kid": kid}, claims(), b"x" * 64))

    def test_rotation(self) -> None:
        """While keys are rotated, tokens of each of them are good."""
        both = {tokens.key_id(key.public_key()): key for key in (KEY, OTHER)}
        verifier = Verifier({kid: key.public_key() for kid, key in both.items()}, "relay")
        for kid, key in both.items():
            self.assertEqual(verifier.leg(sign(claims(), key, kid), "client").sub, STREAM)


class Files(SynchronousTestCase):
    """Key files."""

    def test_generated(self) -> None:
        """A generated pair signs and verifies; only its owner may read the private file."""
        private, public = key_pair(self)
        self.assertEqual(stat.S_IMODE(private.stat().st_mode), 0o600)
        signer = Signer.load(str(private))
        verifier = Verifier.load([str(public)], "relay")
        self.assertEqual(list(verifier.keys), [signer.kid])
        self.assertEqual(verifier.leg(signer.mint("relay", role="agent", sub=STREAM), "agent").sub, STREAM)
        self.assertNotIn(b"PRIVATE", public.read_bytes())

    def test_kept(self) -> None:
        """An existing key file is never written over."""
        private, public = key_pair(self)
        before = private.read_bytes(), public.read_bytes()
        self.assertRaises(ConfigError, tokens.generate, private, public)
        self.assertRaises(ConfigError, write_new, public, b"x", 0o644)
        self.assertEqual((private.read_bytes(), public.read_bytes()), before)

    def test_readable_by_others(self) -> None:
        """A private key that others may read is refused, with the command that mends it."""
        private, _ = key_pair(self)
        for mode in (0o640, 0o604, 0o660):
            private.chmod(mode)
            error = self.assertRaises(ConfigError, Signer.load, str(private))
            self.assertIn(f"chmod 600 {private}", str(error))

    def test_mixed_up(self) -> None:
        """A private key in the place of a public one is refused, and the other way round."""
        private, public = key_pair(self)
        self.assertIn("private key", str(self.assertRaises(ConfigError, Verifier.load, [str(private)], "relay")))
        public.chmod(0o600)
        self.assertRaises(ConfigError, Signer.load, str(public))

    def test_not_a_key(self) -> None:
        """A file that is missing, empty or no Ed25519 key is refused by its name."""
        where = folder(self)
        (where / "empty").touch(0o600)
        pem = (
            generate_private_key(SECP256R1())
            .public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        (where / "other").write_bytes(pem)
        for name in ("missing", "empty", "other"):
            path = str(where / name)
            self.assertIn(path, str(self.assertRaises(ConfigError, Verifier.load, [path], "relay")))
            if (where / name).exists():
                (where / name).chmod(0o600)
            self.assertIn(path, str(self.assertRaises(ConfigError, Signer.load, path)))


class Marks(SynchronousTestCase):
    """Ids and fingerprints."""

    def test_new_id(self) -> None:
        """A new id is 22 characters that an opaque token may have, never the same twice."""
        ids = [tokens.new_id() for _ in range(200)]
        self.assertEqual(len(set(ids)), 200)
        for name in ids:
            self.assertRegex(name, r"\A[A-Za-z0-9_-]{22}\Z")

    def test_fingerprint(self) -> None:
        """A fingerprint is 8 hex digits, the same for the same token, and shows nothing of it."""
        self.assertEqual(tokens.fingerprint("abc"), hashlib.sha256(b"abc").hexdigest()[:8])
        self.assertEqual(len(tokens.fingerprint("\ud800")), 8)


class OddTimes(SynchronousTestCase):
    """Times that are signed and yet none."""

    def test_times_as_text(self) -> None:
        """A signed token whose times are text is refused by a `TokenError`."""
        now = int(time.time())
        for change in ({"exp": str(now + 20)}, {"iat": str(now)}):
            self.assertRaises(TokenError, VERIFIER.leg, sign(claims(**change)), "client")
