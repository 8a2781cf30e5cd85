"""authenticate.py: who somebody is, decided on credentials alone, without a request."""

import ast
import json
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import Refused
from streamrelay.net.http_client import Fetched
from streamrelay.platform.auth import credentials as credentials_module
from streamrelay.platform.auth.credentials import Credentials
from streamrelay.platform.auth.grants import Grant, KeyRing, hash_key
from streamrelay.platform.auth.key_file import add_key, revoke_key
from streamrelay.platform.auth.oidc import Issuer, OidcConfig
from streamrelay.platform.auth.session_token import csrf_of
from streamrelay.platform.auth.sessions import Sessions
from streamrelay.platform.auth.throttle import Throttle
from streamrelay.platform.auth.webhook import AskConfig, Asking
from streamrelay.platform.http import authenticate
from streamrelay.platform.http.authenticate import Authenticator, Caller, SessionOver
from tests.documented import BAD_BURST
from tests.fakes.files import folder
from tests.fakes.http import FakeFetch
from tests.issuer import AUDIENCE, ISSUER, Key
from tests.platform.auth.test_oidc import Known

AWAY = "192.0.2.7"
PANEL = "https://panel.example"


class Deciding(SynchronousTestCase):
    """`Authenticator.caller`"""

    def setUp(self) -> None:
        self.path = folder(self) / "keys.toml"
        self.key = add_key(self.path, "alice", [Grant("web-*", "log/*")])
        self.ring = KeyRing(str(self.path))
        self.ring.load()
        clock = Clock()
        self.gate = Authenticator(self.ring, Sessions(clock, 3600, 43200), Throttle(clock))
        self.gate.origins = (PANEL,)
        self.token = self.gate.sessions.begin("alice", hash_key(self.key))
        self.by_key = Credentials(AWAY, f"Bearer {self.key}")
        self.by_session = Credentials(AWAY, session=self.token, csrf=csrf_of(self.token))

    def caller(self, credentials: Credentials) -> Caller:
        return self.successResultOf(Deferred.fromCoroutine(self.gate.caller(credentials)))

    def refused(self, credentials: Credentials) -> tuple[type[Exception], int, str]:
        refusal = self.failureResultOf(Deferred.fromCoroutine(self.gate.caller(credentials)), Refused).value
        return type(refusal), refusal.status, refusal.code

    def let_anonymous(self) -> None:
        self.path.write_text(self.path.read_text() + "\n[anonymous]\ngrants = [{}]\n")

    def forward(self) -> None:
        self.gate.asking = Asking(AskConfig("https://panel.example/ask", forward=True), FakeFetch(Fetched(204, b"")))

    def test_drain(self) -> None:
        """To drain a relay takes a grant for it, in the key's or the claim's table; the system that is asked is asked
        on top, by the relay's name, and can't give what isn't granted."""
        fetch = FakeFetch(Fetched(200, b'{"user":"root","grants":[{}]}'))
        self.gate.asking = Asking(AskConfig("https://panel.example/ask", forward=True), fetch)
        key = add_key(self.path, "operator", [], drain=["fra-*"])
        self.ring.files.refresh(force=True)
        operator = self.caller(Credentials(AWAY, f"Bearer {key}"))
        drained = Deferred.fromCoroutine(self.gate.permit_drain(operator, "fra-1"))
        self.assertEqual(self.successResultOf(drained).name, "operator")
        [(*_, asked)] = fetch.asked
        expected = {"action": "drain", "user": "operator", "host": None, "target": None, "stream": None}
        self.assertEqual(json.loads(asked or b""), {**expected, "address": AWAY, "view": False, "relay": "fra-1"})
        stranger = self.caller(Credentials(AWAY, "Basic YTpi", own_page=True))
        for caller, relay in ((operator, "nyc-1"), (self.caller(self.by_key), "fra-1"), (stranger, "fra-1")):
            refused = Deferred.fromCoroutine(self.gate.permit_drain(caller, relay))
            self.assertEqual(self.failureResultOf(refused, Refused).value.code, "not_granted")
        self.assertEqual(len(fetch.asked), 1)
        fetch.result = Fetched(403, b"")
        refused = Deferred.fromCoroutine(self.gate.permit_drain(operator, "fra-1"))
        self.assertEqual(self.failureResultOf(refused, Refused).value.code, "not_allowed")

    def test_no_http(self) -> None:
        """The modules that decide know nothing of HTTP requests."""
        for module in (authenticate, credentials_module):
            source = Path(str(module.__file__)).read_text()
            imported = [node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
            own = [name for name in imported if name and name.startswith(("twisted", "streamrelay.platform.http"))]
            self.assertEqual(own, [], module.__name__)

    def test_key(self) -> None:
        """A key's holder is who asks, whatever the scheme's case and the spaces around it, from any page."""
        for text in (f"Bearer {self.key}", f"bearer   {self.key} ", f"BEARER {self.key}"):
            found = self.caller(Credentials(AWAY, text, origin=PANEL, own_page=False))
            self.assertEqual((found.user.name, found.address, found.csrf), ("alice", AWAY, ""))
            self.assertFalse(found.is_stranger)

    def test_session(self) -> None:
        """A session's holder is who asks, and gets the session's CSRF token."""
        found = self.caller(self.by_session)
        self.assertEqual((found.user.name, found.session, found.csrf), ("alice", self.token, csrf_of(self.token)))

    def test_forged(self) -> None:
        """What changes something needs the session's own CSRF token and no word against its page."""
        for changes in ({"csrf": ""}, {"csrf": csrf_of("other")}, {"csrf": "\udcff"}, {"own_page": False}):
            wrong = evolve(self.by_session, **changes)
            self.assertEqual(self.refused(wrong), (Refused, 403, "csrf"), changes)
            self.assertEqual(self.caller(evolve(wrong, safe=True)).user.name, "alice")

    def test_over(self) -> None:
        """A session that isn't, or whose key is gone, is refused so that its cookie can be forgotten."""
        self.assertEqual(self.refused(Credentials(AWAY, session="x")), (SessionOver, 401, "no_key"))
        revoke_key(self.path, "alice")
        self.assertEqual(self.refused(self.by_session), (SessionOver, 401, "no_key"))
        self.assertEqual(len(self.gate.sessions), 0)

    def test_first_counts(self) -> None:
        """The first credential counts, and a bad one is never passed over for a weaker one."""
        self.let_anonymous()
        here = Credentials("127.0.0.1", local=True)
        self.assertEqual(self.caller(here).user.name, "anonymous")
        self.assertEqual(self.caller(evolve(self.by_session, local=True)).user.name, "alice")
        both = evolve(self.by_session, local=True, authorization="Bearer srk_wrong")
        self.assertEqual(self.refused(both), (Refused, 401, "no_key"))
        for text in ("", "Bearer", "Bearer ", "Basic YTpi"):
            self.assertEqual(self.refused(evolve(both, authorization=text)), (Refused, 401, "no_key"), text)
        self.assertEqual(self.refused(evolve(here, session="x"))[0], SessionOver)

    def test_anonymous(self) -> None:
        """Nobody's requests are let in on this machine alone, and only where the file of keys says so."""
        self.assertEqual(self.refused(Credentials("127.0.0.1", local=True)), (Refused, 401, "no_key"))
        self.let_anonymous()
        self.assertEqual(self.refused(Credentials("127.0.0.1")), (Refused, 401, "no_key"))

    def test_elsewhere(self) -> None:
        """A page of an allowed origin borrows neither the session nor the machine; our own among them does no harm."""
        self.let_anonymous()
        page = evolve(self.by_session, local=True, safe=True, origin=PANEL)
        self.assertEqual(self.refused(evolve(page, own_page=False)), (Refused, 401, "no_key"))
        self.assertEqual(self.caller(page).user.name, "alice")

    def test_throttled(self) -> None:
        """Beyond the burst a bad credential is answered 429, a session's too; a good one passes."""
        bad = Credentials(AWAY, "Bearer srk_wrong")
        answers = [self.refused(bad)[1] for _ in range(BAD_BURST + 1)]
        self.assertEqual(answers, [401] * BAD_BURST + [429])
        self.assertEqual(self.refused(Credentials(AWAY, session="x")), (SessionOver, 429, "too_many"))
        self.assertEqual(self.caller(self.by_key).user.name, "alice")

    def test_jwt(self) -> None:
        """A bearer of three parts is the issuer's, where there is one."""
        signer = Key("k")
        credentials = Credentials(AWAY, f"Bearer {signer.sign()}")
        self.assertEqual(self.refused(credentials), (Refused, 401, "no_key"))
        self.gate.issuer = Issuer(OidcConfig(ISSUER, AUDIENCE, "x"), Known(signer))
        self.assertEqual(self.caller(credentials).user.name, "carol")
        self.assertEqual(self.refused(Credentials(AWAY, "Bearer a.b.c")), (Refused, 401, "no_key"))

    def test_stranger(self) -> None:
        """Whom the platform doesn't know is a stranger by what they bring, if that is sent along; by a key never."""
        brings: list[dict[str, Any]] = [
            {"authorization": "Basic YTpi"},
            {"authorization": "Bearer t"},
            {"cookies": "p=1"},
        ]
        for sent in brings:
            self.assertEqual(self.refused(Credentials(AWAY, **sent))[1], 401)
        self.forward()
        for sent in brings:
            found = self.caller(Credentials(AWAY, **sent))
            self.assertEqual((found.is_stranger, found.user.grants), (True, ()))
            self.assertEqual(list(found.forwarded.values()), list(sent.values()))
            self.assertEqual(self.refused(Credentials(AWAY, **sent, own_page=False)), (Refused, 403, "csrf"))
            self.assertTrue(self.caller(Credentials(AWAY, **sent, own_page=False, safe=True)).is_stranger)
        self.assertEqual(self.refused(Credentials(AWAY, "Bearer srk_wrong")), (Refused, 401, "no_key"))

    def test_nobody(self) -> None:
        """Nobody is who brings nothing where something is needed."""
        self.assertTrue(self.gate.is_nobody(Credentials(AWAY)))
        self.assertTrue(self.gate.is_nobody(Credentials(AWAY, cookies="p=1")))
        for credentials in (Credentials(AWAY, ""), Credentials(AWAY, session=""), self.by_key, self.by_session):
            self.assertFalse(self.gate.is_nobody(credentials))
        self.forward()
        self.assertFalse(self.gate.is_nobody(Credentials(AWAY, cookies="p=1")))
        self.let_anonymous()
        self.assertFalse(self.gate.is_nobody(Credentials("127.0.0.1", local=True)))

    def test_signed_in_and_out(self) -> None:
        """A key is changed for a new session in place of the one before, by our own page alone, and given back."""
        self.assertRaises(Refused, self.gate.sign_in, Credentials(AWAY, own_page=False), self.key)
        self.assertRaises(Refused, self.gate.sign_in, Credentials(AWAY), "srk_wrong")
        user, token = self.gate.sign_in(self.by_session, self.key)
        self.assertEqual((user.name, len(self.gate.sessions)), ("alice", 1))
        self.gate.sign_out(self.caller(Credentials(AWAY, session=token, safe=True)))
        self.assertEqual(len(self.gate.sessions), 0)
        self.assertRaises(Refused, self.gate.sign_out, self.caller(self.by_key))

    def test_no_secret_shown(self) -> None:
        """Nothing that is secret is in the text of credentials or of a caller."""
        whole = Credentials(AWAY, f"Bearer {self.key}", self.token, "panel=secret", csrf_of(self.token))
        shown = repr(whole) + repr(self.caller(whole)) + repr(self.caller(self.by_session))
        self.forward()
        shown += repr(self.caller(Credentials(AWAY, cookies="panel=secret")))
        for secret in (self.key, self.token, "secret", csrf_of(self.token)):
            self.assertNotIn(secret, shown)
        self.assertIn(AWAY, shown)
