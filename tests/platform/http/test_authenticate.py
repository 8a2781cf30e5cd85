"""authenticate.py, cookies.py, origin.py: who a request's user is, by requests to the API."""

import json
from typing import Any

from streamrelay import __version__
from streamrelay.net.http_client import Fetched, FetchError
from streamrelay.net.proxies import Proxies
from streamrelay.platform import Opened
from streamrelay.platform.auth.grants import Grant
from streamrelay.platform.auth.key_file import add_key, revoke_key
from streamrelay.platform.auth.oidc import Issuer, OidcConfig
from streamrelay.platform.auth.throttle import BURST, EVERY
from streamrelay.platform.auth.webhook import AskConfig, Asking
from streamrelay.protocol.summons import HostInfo, StreamInfo, TargetInfo
from tests.fakes.http import FakeFetch
from tests.fakes.logs import Heard
from tests.issuer import AUDIENCE, ISSUER, Key
from tests.platform.auth.test_oidc import Known
from tests.platform.http.test_api import Case

WANTED = {"host": "web-1", "target": "log/nginx"}
PUBLIC, LOCAL = "__Host-streamrelay", "streamrelay"


class GateCase(Case):
    """Requests with other credentials than a key."""

    def setUp(self) -> None:
        super().setUp()
        self.platform.result = Opened("s", "wss://relay/client/t", "log", 5.0)
        self.platform.up = [HostInfo("web-1", (TargetInfo("log/nginx", "log"), TargetInfo("ssh", "tcp")))]
        self.platform.live = [StreamInfo("a", "web-1", "log/x", "u", 1.0, 2, 3)]

    def told(self, *arguments: Any, **more: Any) -> tuple[int, Any]:
        """Status and body of an answer, or the code of a problem."""
        status, _, body = self.ask(*arguments, **{"key": None, **more})
        content: Any = json.loads(body) if body else None
        return status, content["code"] if status >= 400 else content


class Signing(GateCase):
    """The console's sessions."""

    def sign_in(self, key: str = "", **headers: Any) -> dict[str, str]:
        """Headers of the session's own page."""
        status, named, body = self.ask("POST", "/v1/session", {"key": key or self.key}, key=None, **headers)
        self.assertEqual(status, 201)
        self.cookie = named["set-cookie"].split(";")[0]
        # `ask` gives headers in lower case, and tokens aren't: the platform's own memory knows it.
        self.cookie = self.sent_cookie()
        return {"Cookie": self.cookie, "X-CSRF-Token": json.loads(body)["csrf"]}

    def sent_cookie(self) -> str:
        [cookie] = self.cookies
        return str(cookie)

    def send(self, data: bytes) -> Any:
        transport = super().send(data)
        lines = transport.value().decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
        rows = [line.split(": ", 1)[1] for line in lines if line.lower().startswith("set-cookie: ")]
        self.cookies = [row.split(";")[0] for row in rows]
        self.attributes = [set(row.split("; ")[1:]) for row in rows]
        return transport

    def test_attributes(self) -> None:
        """The cookie is for this very host, over TLS, out of the reach of scripts and of other sites' requests."""
        self.secure = True
        self.sign_in()
        self.assertTrue(self.cookie.startswith(f"{PUBLIC}="))
        wanted = {"Path=/", "HttpOnly", "Secure", "SameSite=strict", "Max-Age=43200"}
        self.assertEqual(self.attributes, [wanted])

    def test_local(self) -> None:
        """Without TLS, which only this machine's own browser does, it has neither the prefix nor Secure."""
        self.sign_in(Host="localhost:8800")
        self.assertTrue(self.cookie.startswith(f"{LOCAL}="))
        self.assertEqual(self.attributes, [{"Path=/", "HttpOnly", "SameSite=strict", "Max-Age=43200"}])
        for more in ({"Host": "platform.example"}, {"Host": "localhost", "X_Forwarded_For": "192.0.2.1"}):
            self.sign_in(**more)  # through a proxy that does TLS, which we can't see
            self.assertTrue(self.cookie.startswith(f"{PUBLIC}="), more)
            self.assertIn("Secure", self.attributes[0])

    def test_used(self) -> None:
        """With cookie and CSRF token everything goes as with the key; what changes nothing needs no CSRF token."""
        page = self.sign_in()
        self.assertEqual(self.told("POST", "/v1/streams", WANTED, **page)[0], 201)
        self.assertEqual(self.platform.opened, [("alice", "web-1", "log/nginx")])
        self.assertEqual(self.told("POST", "/v1/streams", {**WANTED, "target": "ssh"}, **page), (403, "not_granted"))
        self.assertEqual(self.told("GET", "/v1/hosts", Cookie=self.cookie)[0], 200)
        status, session = self.told("GET", "/v1/session", Cookie=self.cookie)
        self.assertEqual(
            (status, session), (200, {"user": "alice", "csrf": page["X-CSRF-Token"], "version": __version__})
        )
        self.assertEqual(self.told("DELETE", "/v1/streams/a", **page)[0], 204)

    def test_forged(self) -> None:
        """Without this session's CSRF token, or from another origin, nothing is changed."""
        page, other = self.sign_in(), self.sign_in()["X-CSRF-Token"]
        own = "http://platform.example"
        wrong = [{"X-CSRF-Token": token} for token in (None, "", other, page["X-CSRF-Token"][:-1], "\xff")]
        origins: tuple[str, ...] = (
            "https://evil.example",
            "null",
            "",
            "http://platform.example:81",
            "http://platform.example.evil",
        )
        origins += ("http://localhost", "platform.example", "HTTP://platform.example", f"{own}/")
        wrong += [{"Origin": origin} for origin in origins]
        wrong += [{"Sec-Fetch-Site": site} for site in ("cross-site", "same-site", "none", "")]
        for more in wrong:
            for method, path, body in (
                ("POST", "/v1/streams", WANTED),
                ("DELETE", "/v1/streams/a", None),
                ("DELETE", "/v1/session", None),
            ):
                self.assertEqual(self.told(method, path, body, **{**page, **more}), (403, "csrf"), more)
        self.assertEqual((self.platform.opened, self.platform.ended), ([], []))
        same: tuple[dict[str, str], ...] = (
            {"Origin": own},
            {"Origin": "https://platform.example", "Sec-Fetch-Site": "same-origin"},
        )
        for own_page in same:
            self.assertEqual(self.told("POST", "/v1/streams", WANTED, **page, **own_page)[0], 201)
        self.secure = True
        page = self.sign_in()
        self.assertEqual(self.told("POST", "/v1/streams", WANTED, **page, Origin=own), (403, "csrf"))

    def test_forged_sign_in(self) -> None:
        """Another site's page can't sign somebody in, and a form can't at all."""
        body = {"key": self.key}
        self.assertEqual(self.told("POST", "/v1/session", body, Origin="https://evil.example"), (403, "csrf"))
        self.assertEqual(self.told("POST", "/v1/session", body, Sec_Fetch_Site="cross-site"), (403, "csrf"))
        self.assertEqual(self.told("POST", "/v1/session", body, Content_Type="text/plain")[0], 415)
        for wrong in (b"", b"{}", {"key": 7}, {"key": "x", "more": 1}):
            self.assertEqual(self.told("POST", "/v1/session", wrong)[0], 400)
        self.assertEqual(len(self.authenticator.sessions), 0)

    def test_wrong_key(self) -> None:
        """A key that isn't known signs nobody in, sets no cookie, and appears in no log."""
        heard = Heard(self)
        self.assertEqual(self.told("POST", "/v1/session", {"key": "srk_wrong"}), (401, "no_key"))
        self.assertEqual(self.cookies, [])
        self.sign_in()
        for secret in ("srk_wrong", self.key, self.cookie.split("=")[1]):
            self.assertNotIn(secret, heard.text)
        self.assertIn("alice signed in from 127.0.0.1", heard.text)
        self.assertIn("refused a request from 127.0.0.1", heard.text)

    def test_once(self) -> None:
        """A key that is good once signs in once, whoever asks next is told so, and it opens nothing by itself."""
        key = add_key(self.path, "guest", [Grant("*", "*")], once=True)
        self.assertEqual(self.told("GET", "/v1/hosts", Authorization=f"Bearer {key}"), (401, "no_key"))
        heard = Heard(self)
        page = self.sign_in(key)
        self.assertEqual(self.told("GET", "/v1/session", Cookie=page["Cookie"])[1]["user"], "guest")
        status, _, body = self.ask("POST", "/v1/session", {"key": key}, key=None)
        self.assertEqual((status, self.cookies), (401, []))
        self.assertIn("has been used", json.loads(body)["detail"])
        self.assertNotIn(key, heard.text)
        self.assertEqual(self.told("GET", "/v1/hosts", Cookie=page["Cookie"])[0], 200)
        self.sign_in()  # as somebody else

    def test_signed_out(self) -> None:
        """Who signs out has no session any more, and the browser forgets its cookie; the other sessions stay."""
        other, page = self.sign_in(), self.sign_in()
        self.assertEqual(self.told("DELETE", "/v1/session", **page)[0], 204)
        self.assertEqual(self.cookies, [f"{PUBLIC}="])
        self.assertIn("Max-Age=0", self.attributes[0])
        self.assertEqual(self.told("GET", "/v1/session", Cookie=page["Cookie"]), (401, "no_key"))
        self.assertEqual(self.told("GET", "/v1/session", Cookie=other["Cookie"])[0], 200)
        self.assertEqual(self.told("DELETE", "/v1/session", key=""), (404, "no_such_session"))

    def test_signed_in_again(self) -> None:
        """Who signs in again over an old session ends that."""
        old = self.sign_in()
        self.sign_in(Cookie=old["Cookie"])
        self.assertEqual(len(self.authenticator.sessions), 1)
        self.assertEqual(self.told("GET", "/v1/session", Cookie=old["Cookie"])[0], 401)

    def test_revoked(self) -> None:
        """With its key a session ends, also when there is another key of the same name; with its grants it changes."""
        page = self.sign_in()
        self.path.write_text(self.path.read_text().replace('"log/*"', '"none"'))
        self.assertEqual(self.told("POST", "/v1/streams", WANTED, **page), (403, "not_granted"))
        revoke_key(self.path, "alice")
        add_key(self.path, "alice", [Grant()])
        self.assertEqual(self.told("GET", "/v1/hosts", **page), (401, "no_key"))
        self.assertEqual(len(self.authenticator.sessions), 0)

    def test_nobody(self) -> None:
        """Who isn't signed in may ask who is, and is told: nobody. Elsewhere a credential is needed."""
        self.assertEqual(self.told("GET", "/v1/session", key=None), (200, {"user": None, "csrf": ""}))
        self.assertEqual(self.told("DELETE", "/v1/session", key=None), (401, "no_key"))
        self.assertEqual(self.told("GET", "/v1/session", key="srk_wrong"), (401, "no_key"))

    def test_no_fall(self) -> None:
        """A bad credential is refused where none would do: a bad key before a good session, that before nobody."""
        page = self.sign_in(Host="localhost")
        with self.path.open("a") as file:
            file.write("[anonymous]\ngrants = [{}]\n")
        local = {"Host": "localhost"}
        anonymous = {"user": "anonymous", "csrf": "", "version": __version__}
        self.assertEqual(self.told("GET", "/v1/session", **local), (200, anonymous))
        self.assertEqual(self.told("GET", "/v1/session", **local, **page)[1]["user"], "alice")
        self.assertEqual(self.told("GET", "/v1/session", **local, **page, key="srk_wrong")[0], 401)
        for cookie in ("wrong", "", page["Cookie"] + "x"):
            self.assertEqual(self.told("GET", "/v1/session", **local, Cookie=f"{LOCAL}={cookie}")[0], 401)
            self.assertEqual(self.cookies, [f"{LOCAL}="])
        other = page["Cookie"].replace(LOCAL, PUBLIC)  # the other kind of cookie is none of ours here
        self.assertEqual(self.told("GET", "/v1/session", **local, Cookie=other)[1]["user"], "anonymous")

    def test_planted(self) -> None:
        """Over TLS a cookie without the prefix, which a neighbouring host could plant, is not looked at."""
        page = self.sign_in(Host="localhost")
        self.secure = True
        self.assertEqual(self.told("GET", "/v1/session", Cookie=page["Cookie"])[1]["user"], None)
        self.assertEqual(self.told("GET", "/v1/hosts", Cookie=page["Cookie"]), (401, "no_key"))


class Floods(GateCase):
    """Too many bad credentials."""

    def test_limited(self) -> None:
        """Beyond the burst bad keys, sign-ins and sessions are answered 429 with the time to wait; good ones pass."""
        ways = (
            lambda: self.ask("GET", "/v1/hosts", key="srk_wrong"),
            lambda: self.ask("POST", "/v1/session", {"key": "srk_wrong"}, key=None),
            lambda: self.ask("GET", "/v1/hosts", key=None, Cookie=f"{PUBLIC}=wrong"),
        )
        for number in range(BURST):
            self.assertEqual(ways[number % 3]()[0], 401)
        heard = Heard(self)
        for way in ways:
            status, headers, body = way()
            self.assertEqual((status, json.loads(body)["code"]), (429, "too_many"))
            self.assertEqual(int(headers["retry-after"]), EVERY)
        self.assertEqual(heard.events, [])
        self.assertEqual(self.told("GET", "/v1/hosts", key="")[0], 200)
        self.assertEqual(self.told("POST", "/v1/session", {"key": self.key})[0], 201)
        self.peer = "192.0.2.9"
        self.assertEqual(ways[0]()[0], 401)
        self.peer = "127.0.0.1"
        self.clock.advance(EVERY)
        self.assertEqual([ways[0]()[0] for _ in range(2)], [401, 429])

    def test_none(self) -> None:
        """Who brings no key at all isn't counted."""
        for _ in range(2 * BURST):
            self.assertEqual(self.told("GET", "/v1/hosts")[0], 401)
            self.assertEqual(self.told("GET", "/v1/hosts", Authorization="Basic YTpi")[0], 401)


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
            self.assertEqual(self.told("GET", "/v1/hosts", key=token), (200, {"hosts": [], "complete": True}))
        self.assertEqual(self.told("GET", "/v1/hosts", key="")[0], 200)

    def test_refused(self) -> None:
        """A bad JWT gets one answer whatever is wrong; the log says what, and never the JWT."""
        heard = Heard(self)
        bodies = set()
        tokens = (self.signer.sign(aud="x"), self.signer.sign(exp=1), Key("k").sign(), Key("other").sign(), "a.b.c")
        for token in tokens:
            status, _, body = self.ask("GET", "/v1/hosts", key=token)
            self.assertEqual(status, 401)
            bodies.add(body)
            self.assertNotIn(token, heard.text)
        self.assertEqual(len(bodies), 1)
        self.assertIn("another audience", heard.text)
        self.assertIn("expired", heard.text)

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
        self.assertEqual(self.told("GET", "/v1/hosts", Cookie="a=1"), (200, {"hosts": [], "complete": True}))
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
