"""authenticate.py: users whom others know, an issuer or a system of the user's own, by requests to the API."""

import json
import time
from typing import Any

from streamrelay import __version__
from streamrelay.net.http_client import Fetched, FetchError
from streamrelay.net.proxies import Proxies
from streamrelay.platform.auth.oidc import Issuer, OidcConfig
from streamrelay.platform.auth.webhook import AskConfig, Asking
from tests.fakes.http import FakeFetch
from tests.fakes.logs import Heard
from tests.issuer import AUDIENCE, ISSUER, Key
from tests.platform.auth.test_oidc import Known
from tests.platform.http.test_api import NO_HOSTS
from tests.platform.http.test_authenticate import LOCAL, PUBLIC, WANTED, GateCase


class Tokens(GateCase):
    """JWTs of an issuer."""

    def setUp(self) -> None:
        super().setUp()
        self.signer = Key("k")
        self.authenticator.issuer = Issuer(OidcConfig(ISSUER, AUDIENCE, "x"), Known(self.signer))
        with self.path.open("a") as file:
            file.write('[claims.groups.ops]\ngrants = [{ host = "web-*", target = "log/*" }]\n')

    def test_granted(self) -> None:
        """A JWT's user may open what their claims are granted, and by default nothing."""
        ops, dev = self.signer.sign(groups=["ops"]), self.signer.sign(groups=["dev"])
        self.assertEqual(self.told("POST", "/v1/streams", WANTED, key=ops)[0], 201)
        self.assertEqual(self.platform.opened, [("carol", "web-1", "log/nginx")])
        self.assertEqual(self.told("POST", "/v1/streams", {**WANTED, "target": "ssh"}, key=ops), (403, "not_granted"))
        for token in (dev, self.signer.sign()):
            self.assertEqual(self.told("POST", "/v1/streams", WANTED, key=token), (403, "not_granted"))
            self.assertEqual(self.told("GET", "/v1/hosts", key=token), (200, NO_HOSTS))
        self.assertEqual(self.told("GET", "/v1/hosts", key="")[0], 200)

    def test_refused(self) -> None:
        """A bad JWT gets one answer whatever is wrong; the log says what, and never the JWT."""
        heard = Heard(self)
        bodies = set()
        tokens = (
            self.signer.sign(aud="x"),
            self.signer.sign(aud="x", exp=1),
            Key("k").sign(),
            Key("other").sign(),
            "a.b.c",
        )
        for token in tokens:
            status, _, body = self.ask("GET", "/v1/hosts", key=token)
            self.assertEqual(status, 401)
            bodies.add(body)
            self.assertNotIn(token, heard.text)
        self.assertEqual(len(bodies), 1)
        self.assertIn("another audience", heard.text)

    def test_out_of_time(self) -> None:
        """A JWT of which nothing but its times is wrong is answered with by how much, in the log likewise."""
        heard = Heard(self)
        status, _, body = self.ask("GET", "/v1/hosts", key=self.signer.sign(exp=int(time.time()) - 61))
        self.assertEqual(status, 401)
        for told in (str(body), heard.text):
            self.assertRegex(
                told, "expired 6[1-3] s ago, .*: too late, or this machine's clock and its issuer's differ"
            )

    def test_no_session(self) -> None:
        """The console is signed in to by a key, not by a JWT."""
        self.assertEqual(self.told("POST", "/v1/session", {"key": self.signer.sign(groups="ops")})[0], 401)

    def test_none_wanted(self) -> None:
        """Without an issuer a JWT is a key that isn't known."""
        self.authenticator.issuer = None
        self.assertEqual(self.told("GET", "/v1/hosts", key=self.signer.sign()), (401, "no_key"))


class Asked(GateCase):
    """A system of the user's own that decides."""

    forward = False

    def setUp(self) -> None:
        super().setUp()
        self.fetch = FakeFetch(Fetched(204, b""))
        self.authenticator.asking = Asking(AskConfig("https://panel.example/ask", forward=self.forward), self.fetch)

    def questions(self) -> list[dict[str, Any]]:
        asked = [json.loads(body or b"") for *_, body in self.fetch.asked]
        self.fetch.asked.clear()
        return asked

    def test_decides(self) -> None:
        """What is granted is asked as well, with its facts; what isn't granted is refused without asking."""
        self.assertEqual(self.told("POST", "/v1/streams", WANTED, key="")[0], 201)
        [asked] = self.questions()
        facts = {"action": "open", "user": "alice", "stream": None, "address": "127.0.0.1", "view": False}
        self.assertEqual(asked, {**WANTED, **facts})
        self.assertEqual(self.told("POST", "/v1/streams", {**WANTED, "target": "ssh"}, key=""), (403, "not_granted"))
        self.assertEqual(self.questions(), [])

    def test_through_a_proxy(self) -> None:
        """The address in a question, and in logs, is the one that a trusted proxy tells; nobody else is believed."""
        forwarded = {"X-Forwarded-For": "192.0.2.66, 192.0.2.7"}
        for proxies, address in ((Proxies(), "127.0.0.1"), (Proxies.named(["127.0.0.1"], False), "192.0.2.7")):
            self.authenticator.proxies = proxies
            self.assertEqual(self.told("POST", "/v1/streams", WANTED, key="", **forwarded)[0], 201)
            self.assertEqual(self.questions()[0]["address"], address)

    def test_refuses(self) -> None:
        """A no is 403, no decision 503, and nothing is opened, ended or listed."""
        for result, expected in (
            (Fetched(403, b""), (403, "not_allowed")),
            (Fetched(500, b""), (503, "ask_failed")),
            (FetchError("late"), (503, "ask_failed")),
        ):
            self.fetch.result = result
            for method, path, body in (
                ("POST", "/v1/streams", WANTED),
                ("DELETE", "/v1/streams/a", None),
                ("GET", "/v1/streams", None),
                ("GET", "/v1/hosts", None),
            ):
                self.assertEqual(self.told(method, path, body, key=""), expected, (method, path))
        self.assertEqual((self.platform.opened, self.platform.ended), ([], []))

    def test_lists_and_ends(self) -> None:
        """A list is one question, an end is two: the list in which it is found, and the end itself."""
        self.assertEqual(len(self.told("GET", "/v1/hosts", key="")[1]["hosts"]), 1)
        [asked] = self.questions()
        self.assertEqual((asked["action"], asked["host"], asked["user"]), ("list", None, "alice"))
        self.assertEqual(self.told("DELETE", "/v1/streams/a", key="")[0], 204)
        asked, end = self.questions()
        self.assertEqual((asked["action"], end["action"]), ("list", "end"))
        self.assertEqual((end["stream"], end["host"], end["target"]), ("a", "web-1", "log/x"))

    def test_no_credentials(self) -> None:
        """No key, JWT or cookie is sent along, and who isn't known isn't asked about."""
        more = {"Cookie": "panel=1"}
        self.told("POST", "/v1/streams", WANTED, key="", **more)
        self.assertEqual(set(self.fetch.asked[0][3]), {"Content-Type", "Accept"})
        self.assertNotIn(self.key, repr(self.fetch.asked))
        self.fetch.asked.clear()
        for headers in ({"key": None, **more}, {"key": "panel-token"}, {"key": "srk_wrong"}):
            self.assertEqual(self.told("POST", "/v1/streams", WANTED, **headers)[0], 401)
        self.assertEqual(self.fetch.asked, [])


class Forwarded(Asked):
    """The same, when it may recognise those whom the platform doesn't know."""

    forward = True

    def test_no_credentials(self) -> None:
        """Of those whom the platform knows, or who say so, nothing is sent along."""
        self.told("POST", "/v1/streams", WANTED, key="", Cookie="panel=1")
        self.assertEqual(set(self.fetch.asked[0][3]), {"Content-Type", "Accept"})
        self.fetch.asked.clear()
        self.assertEqual(self.told("POST", "/v1/streams", WANTED, key="srk_wrong", Cookie="panel=1")[0], 401)
        self.assertEqual(self.told("POST", "/v1/streams", WANTED, Cookie=f"panel=1; {PUBLIC}=x")[0], 401)
        self.assertEqual(self.told("POST", "/v1/streams", WANTED)[0], 401)
        self.authenticator.issuer = Issuer(OidcConfig(ISSUER, AUDIENCE, "x"), Known(Key("k")))
        for token in (Key("k").sign(), "a.b.", f"a.{'b' * 9000}.c"):
            self.assertEqual(self.told("POST", "/v1/streams", WANTED, key=token)[0], 401)
        self.assertEqual(self.fetch.asked, [])

    def test_recognised(self) -> None:
        """A stranger's Authorization and cookies, but ours, go along; a yes opens, in the name that it says."""
        self.fetch.result = Fetched(200, b'{"user":"dora"}')
        other = f"{LOCAL}=x; a=1;b=2"  # ours for plain loopback, which this request isn't
        for headers, sent in (
            ({"key": "panel-token"}, {"Authorization": "Bearer panel-token"}),
            ({"Authorization": "Basic YTpi", "Cookie": "a=1"}, {"Authorization": "Basic YTpi", "Cookie": "a=1"}),
            ({"Cookie": other}, {"Cookie": "a=1; b=2"}),
            ({"key": Key("k").sign()}, None),
        ):
            self.fetch.asked.clear()
            self.assertEqual(self.told("POST", "/v1/streams", WANTED, **headers)[0], 201)
            [(_, _, _, given, body)] = self.fetch.asked
            self.assertIsNone(json.loads(body or b"")["user"])
            self.assertEqual(self.platform.opened.pop()[0], "dora")
            if sent is not None:
                self.assertEqual({name: given[name] for name in given.keys() & {"Authorization", "Cookie"}}, sent)

    def test_stranger_version(self) -> None:
        """Whoever isn't known to the platform isn't told its version: neither nobody nor a stranger, in no header."""
        for headers in ({}, {"Cookie": "a=1"}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer x"}):
            for path in ("/v1/session", "/v1/hosts", "/", "/nothing"):
                _, named, body = self.ask("GET", path, key=None, **headers)
                self.assertNotIn(__version__, body, (path, headers))
                self.assertNotIn("server", named, (path, headers))

    def test_stranger_refused(self) -> None:
        """A no opens nothing for a stranger, nor does a request of another site that borrows a cookie."""
        self.fetch.result = Fetched(403, b"")
        self.assertEqual(self.told("POST", "/v1/streams", WANTED, Cookie="a=1"), (403, "not_allowed"))
        self.fetch.result = Fetched(204, b"")
        for more in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"}):
            for sent in ({"Cookie": "a=1"}, {"Authorization": "Basic YTpi"}):  # browsers repeat both by themselves
                self.assertEqual(self.told("POST", "/v1/streams", WANTED, **sent, **more), (403, "csrf"))
        self.assertEqual(self.platform.opened, [])

    def test_stranger_lists(self) -> None:
        """A stranger is shown what the yes grants, by default nothing, and ends only what they are shown."""
        self.assertEqual(self.told("GET", "/v1/hosts", Cookie="a=1"), (200, NO_HOSTS))
        self.assertEqual(self.told("DELETE", "/v1/streams/a", Cookie="a=1"), (404, "no_such_stream"))
        self.fetch.result = Fetched(200, b'{"user":"dora","grants":[{"host":"web-1","target":"log/*"}]}')
        [host] = self.told("GET", "/v1/hosts", Cookie="a=1")[1]["hosts"]
        self.assertEqual([target["name"] for target in host["targets"]], ["log/nginx"])
        self.assertEqual(self.told("DELETE", "/v1/streams/a", Cookie="a=1")[0], 204)

    def test_stranger_looks(self) -> None:
        """Where a yes grants a stranger no more than to look at a target, it is opened for that alone."""
        for grants, view in (
            ([{"host": "web-1", "target": "log/*", "view": True}], True),
            ([{"host": "*", "target": "*", "view": True}, {"host": "web-1", "target": "log/*"}], False),
            ([{"host": "db", "target": "*", "view": True}], False),  # it says nothing of this one but the yes
        ):
            self.fetch.result = Fetched(200, json.dumps({"user": "dora", "grants": grants}).encode())
            self.assertEqual(self.told("POST", "/v1/streams", WANTED, Cookie="a=1")[0], 201)
            self.assertIs(self.platform.terms.pop().view, view)

    def test_no_secret_logged(self) -> None:
        """What is sent along appears in no log."""
        heard = Heard(self)
        for result in (Fetched(403, b""), Fetched(500, b""), Fetched(204, b"")):
            self.fetch.result = result
            self.told("POST", "/v1/streams", WANTED, key="panel-secret", Cookie="a=cookie-secret")
        self.assertNotIn("-secret", heard.text)
