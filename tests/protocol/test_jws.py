"""jws.py: signed claims, with PyJWT as a second opinion."""

import base64
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.protocol import jws
from tests.examples import examples

KEY = Ed25519PrivateKey.from_private_bytes(b"a key that signs what tests say.")
OTHER = Ed25519PrivateKey.from_private_bytes(b"a key that none of ours verifies")
KEYS = {"k": KEY.public_key(), "other": OTHER.public_key()}
GOOD = {"alg": "EdDSA", "kid": "k", "typ": "JWT"}
CLAIMS = {"aud": "relay", "exp": 2000000000, "user": "Zoë"}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def base64url(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def signed(header: bytes, claims: bytes, key: Ed25519PrivateKey = KEY) -> str:
    """A token of these two parts, whatever they are, well signed."""
    text = f"{base64url(header)}.{base64url(claims)}"
    return f"{text}.{base64url(key.sign(text.encode()))}"


def second_opinion(token: str) -> dict[str, Any]:
    """What PyJWT says the claims are; it raises if it takes none."""
    options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False}
    options |= {"verify_sub": False, "verify_jti": False, "verify_iss": False}
    kid = jwt.get_unverified_header(token)["kid"]
    return jwt.decode(token, KEYS[kid], algorithms=["EdDSA"], options=options)


class Jws(SynchronousTestCase):
    """What is taken, and what isn't."""

    def agree(self, token: str) -> bool:
        """Tell whether a token is taken; then PyJWT takes it too, for the same claims."""
        try:
            claims, kid = jws.read(token, KEYS)
        except jws.Malformed as error:
            self.assertTrue(str(error).isprintable())
            return False
        self.assertEqual(claims, second_opinion(token))
        self.assertEqual(kid, jwt.get_unverified_header(token)["kid"])
        return True

    def test_both_ways(self) -> None:
        """A token that we sign is good to PyJWT, and one that PyJWT signs is good to us."""
        ours, theirs = jws.sign(CLAIMS, KEY, "k"), jwt.encode(CLAIMS, KEY, algorithm="EdDSA", headers={"kid": "k"})
        for token in (ours, theirs):
            self.assertTrue(self.agree(token))
            self.assertEqual(jws.read(token, KEYS), (CLAIMS, "k"))

    def test_headers(self) -> None:
        """Whatever a header says that isn't ours, the token is refused, though it is well signed."""
        changes: dict[str, list[object]] = {
            "alg": ["none", "None", "", "HS256", "ES256", "eddsa", "Ed25519", None, ["EdDSA"], 5],
            "kid": ["", "other", "unknown", None, ["k"], 5, {}],
            "crit": [[], ["exp"], ["b64"], None, "b64"],
            "b64": [False, 0, None, "false"],
        }
        for change in [{name: value} for name, values in changes.items() for value in values]:
            header = json.dumps({**GOOD, **change}).encode()
            self.assertRaises(jws.Malformed, jws.read, signed(header, json.dumps(CLAIMS).encode()), KEYS)
        for header in (b"", b"{}", b"[]", b"null", b'"EdDSA"', b"{", b"[" * 1500, b"\xff", b'{"alg":"EdDSA"}', b"{}{}"):
            self.assertRaises(jws.Malformed, jws.read, signed(header, json.dumps(CLAIMS).encode()), KEYS)

    def test_claims(self) -> None:
        """Claims that are no object are refused, however well they are signed."""
        for claims in (
            b"",
            b"[]",
            b"null",
            b"5",
            b'"x"',
            b"{",
            b"[" * 3000,
            b"{}x",
            b"\xff",
            b'{"a":NaN}',
            b'{"a":"\xff"}',
        ):
            self.assertFalse(self.agree(signed(json.dumps(GOOD).encode(), claims)), claims)

    def test_lengths(self) -> None:
        """A signature of any other length than 64 bytes is refused, wherever the rest of it would be taken from."""
        signed_, _, signature = jws.sign(CLAIMS, KEY, "k").rpartition(".")
        raw = base64.urlsafe_b64decode(signature + "==")
        for size in (*range(64), 65, 66, 96, 128):
            other = base64url((raw + raw)[:size])
            self.assertRaises(jws.Malformed, jws.read, f"{signed_}.{other}", KEYS)

    def test_only_form(self) -> None:
        """A part that says the same in another form of base64 is refused."""
        good = jws.sign(CLAIMS, KEY, "k")
        header, body, signature = good.split(".")
        last = chr(ord(signature[-1]) + 1)  # two bits of it say nothing
        self.assertEqual(
            base64.urlsafe_b64decode(signature[:-1] + last + "=="), base64.urlsafe_b64decode(signature + "==")
        )
        for other in (signature + "=", signature + "==", signature[:-1] + last, signature + "\n", " " + signature):
            self.assertRaises(jws.Malformed, jws.read, f"{header}.{body}.{other}", KEYS)
        for token in (
            f"{header}=.{body}.{signature}",
            good + ".",
            "." + good,
            f"{header}.{body}.{body}.{signature}",
            body,
        ):
            self.assertRaises(jws.Malformed, jws.read, token, KEYS)

    @examples(300)
    @given(st.integers(0, 400), st.characters(codec="ascii") | st.just(""), st.sampled_from(["", "x"]))
    def test_changed(self, place: int, mark: str, more: str) -> None:
        """A token with any character changed, left out or added is refused."""
        good = jws.sign(CLAIMS, KEY, "k")
        place %= len(good)
        token = good[:place] + more + mark + good[place + 1 :]
        self.assertEqual(self.agree(token), token == good)

    @examples(200)
    @given(
        st.dictionaries(st.sampled_from(["alg", "kid", "crit", "b64", "typ", "jku", "jwk"]), json_values), json_values
    )
    def test_second_opinion(self, header: dict[str, Any], claims: object) -> None:
        """Of any header and claims, well signed, nothing is taken that PyJWT doesn't take for the same."""
        for said in (header, {**GOOD, **header}, GOOD):
            self.agree(signed(json.dumps(said).encode(), json.dumps(claims).encode()))
