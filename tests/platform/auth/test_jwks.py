"""jwks.py: an issuer's keys."""

import json

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import ConfigError, Refused
from streamrelay.net.http_client import Fetched, FetchError
from streamrelay.platform.auth.jwks import FetchedKeys, FileKeys, PublicKey, read_keys
from tests.documented import JWKS_KEYS, JWKS_RETRY, JWKS_TIME
from tests.fakes.files import folder
from tests.fakes.http import FakeFetch
from tests.issuer import Key


def jwks(*keys: Key) -> bytes:
    return json.dumps({"keys": [key.public() for key in keys]}).encode()


class Reading(SynchronousTestCase):
    """`read_keys`"""

    def test_kinds(self) -> None:
        """Each kind of key is read, and fits the algorithms of its own kind only."""
        for kind, algorithms in (
            ("RSA", {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
            ("P-256", {"ES256"}),
            ("P-384", {"ES384"}),
            ("Ed25519", {"EdDSA"}),
        ):
            found = read_keys(jwks(Key("k", kind)))["k"]
            every = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
            every += ["HS256", "none", "None", ""]
            self.assertEqual({name for name in every if found.fits(name)}, algorithms, kind)

    def test_own_algorithm(self) -> None:
        """A key with an algorithm of its own fits no other, and one of another kind makes it useless."""
        key = Key("k", "RSA")
        row = key.public()
        found = read_keys(json.dumps({"keys": [{**row, "alg": "RS512"}]}).encode())["k"]
        self.assertEqual([found.fits(name) for name in ("RS256", "RS512")], [False, True])
        for algorithm in ("HS256", "none", "ES256", "X", 7, ["RS256"]):
            content = json.dumps({"keys": [{**row, "alg": algorithm}]}).encode()
            self.assertRaises(ValueError, read_keys, content)

    def test_useless(self) -> None:
        """Secrets, private keys, keys for encryption, weak keys and keys without a name are passed over."""
        good = Key("good", "P-256").public()
        for row in (
            {"kty": "oct", "kid": "k", "k": "c2VjcmV0"},
            Key("k", "P-256").secret(),
            Key("k", "RSA").secret(),
            Key("k", "Ed25519").secret(),
            {**Key("k", "P-256").public(), "use": "enc"},
            {**Key("k", "P-256").public(), "kid": None},
            {**Key("k", "P-256").public(), "x": "!"},
            {**Key("k", "P-256").public(), "crv": ["P-256"]},
            {**Key("k", "P-256").public(), "crv": "secp256k1"},
            Key("k", "RSA", 1024).public(),
            {"kty": "RSA", "kid": "k", "n": "AQ", "e": "AQAB"},
            {"kty": ["RSA"], "kid": "k"},
            {},
            7,
            None,
        ):
            found = read_keys(json.dumps({"keys": [row, good]}).encode())
            self.assertEqual(list(found), ["good"], row)

    def test_none(self) -> None:
        """What is no JWKS, or has no usable key, is refused."""
        for content in (b"", b"{", b"[]", b"\xff", b'{"keys":{}}', b'{"keys":[]}', b'{"keys":7}', b"[" * 5000, b"{}"):
            self.assertRaises(ValueError, read_keys, content)

    def test_many(self) -> None:
        """Only so many keys of one issuer are read."""
        key = Key("k", "Ed25519").public()
        rows = [{**key, "kid": str(number)} for number in range(JWKS_KEYS + 10)]
        self.assertEqual(len(read_keys(json.dumps({"keys": rows}).encode())), JWKS_KEYS)


class Files(SynchronousTestCase):
    """`FileKeys`"""

    def setUp(self) -> None:
        self.path = folder(self) / "jwks.json"
        self.keys = FileKeys(str(self.path))

    def find(self, kid: str) -> PublicKey | None:
        return self.successResultOf(Deferred.fromCoroutine(self.keys.find(kid)))

    def test_rotated(self) -> None:
        """A changed file counts at once; one that became wrong or vanished changes nothing."""
        self.path.write_bytes(jwks(Key("a", "P-256")))
        self.keys.load()
        self.assertIsNotNone(self.find("a"))
        self.path.write_bytes(jwks(Key("b", "P-256"), Key("c", "RSA")))
        self.assertEqual([self.find(kid) is not None for kid in "abc"], [False, True, True])
        for change in (lambda: self.path.write_text("{"), self.path.unlink):
            change()
            self.assertIsNotNone(self.find("b"))

    def test_wrong(self) -> None:
        """A file that is missing or no JWKS keeps the program from starting, by its name."""
        self.assertIn(str(self.path), str(self.assertRaises(ConfigError, self.keys.load)))
        self.path.write_text("{}")
        self.assertIn(str(self.path), str(self.assertRaises(ConfigError, self.keys.load)))


class Fetching(SynchronousTestCase):
    """`FetchedKeys`"""

    def setUp(self) -> None:
        self.clock, self.fetch = Clock(), FakeFetch()
        self.keys = FetchedKeys("https://issuer.example/jwks", self.fetch, self.clock, fresh=300, stale=3600)
        self.first = Fetched(200, jwks(Key("a", "P-256")))
        self.second = Fetched(200, jwks(Key("b", "P-256")))

    def ask(self, kid: str) -> "Deferred[object]":
        return Deferred.fromCoroutine(self.keys.find(kid))

    def found(self, kid: str) -> bool:
        return self.successResultOf(self.ask(kid)) is not None

    def test_fetched_once(self) -> None:
        """Keys are fetched when the first is needed, within a time, and kept while they are fresh."""
        self.fetch.result = self.first
        self.assertTrue(self.found("a"))
        self.clock.advance(299)
        self.assertTrue(self.found("a"))
        self.assertEqual(len(self.fetch.asked), 1)
        self.assertEqual(self.fetch.asked[0][:3], ("GET", "https://issuer.example/jwks", JWKS_TIME))
        self.clock.advance(1)
        self.fetch.result = self.second
        self.assertFalse(self.found("a"))
        self.assertEqual(len(self.fetch.asked), 2)

    def test_rotated(self) -> None:
        """A key that isn't known has the keys fetched again: at once, but not sooner than the interval allows."""
        self.fetch.result = self.first
        self.found("a")
        self.fetch.result = self.second
        self.assertFalse(self.found("b"))
        self.clock.advance(JWKS_RETRY)
        self.assertTrue(self.found("b"))
        self.assertFalse(self.found("a"))

    def test_flood(self) -> None:
        """However many unknown keys are named, there is one fetch in each interval."""
        self.fetch.result = self.first
        for number in range(1000):
            self.assertFalse(self.found(f"unknown-{number}"))
            self.clock.advance(0.05)
        self.assertLessEqual(len(self.fetch.asked), 50 / JWKS_RETRY + 1)
        self.assertTrue(self.found("a"))

    def test_together(self) -> None:
        """Those who come while the keys are fetched wait for the same answer."""
        self.fetch.result = Deferred()
        waiting = [self.ask("a") for _ in range(5)]
        for asked in waiting:
            self.assertNoResult(asked)
        self.fetch.result.callback(self.first)
        for asked in waiting:
            self.assertIsNotNone(self.successResultOf(asked))
        self.assertEqual(len(self.fetch.asked), 1)

    def test_survives(self) -> None:
        """Keys outlive failed fetches of any kind, until they are stale; then everything is refused with 503."""
        self.fetch.result = self.first
        self.found("a")
        for failure in (FetchError("gone"), Fetched(500, b""), Fetched(302, self.second.body), Fetched(200, b"<p>")):
            self.fetch.result = failure
            self.clock.advance(800)
            self.assertTrue(self.found("a"), failure)
        self.clock.advance(400)
        refusal = self.failureResultOf(self.ask("a"), Refused).value
        self.assertEqual((refusal.status, refusal.code), (503, "issuer_down"))
        self.fetch.result = self.first
        self.failureResultOf(self.ask("a"), Refused)  # the interval counts here as well
        self.clock.advance(JWKS_RETRY)
        self.assertTrue(self.found("a"))

    def test_never_there(self) -> None:
        """Until the first fetch succeeds everything is refused with 503, not with 401."""
        self.fetch.result = FetchError("gone")
        self.assertEqual(self.failureResultOf(self.ask("a"), Refused).value.status, 503)
