"""authenticate.py, cookies.py, origin.py: who a request's user is, by requests to the API."""

import json
from typing import Any

from streamrelay import __version__
from streamrelay.platform import Opened
from streamrelay.platform.auth.grants import Grant
from streamrelay.platform.auth.key_file import add_key, revoke_key
from streamrelay.protocol.summons import HostInfo, StreamInfo, TargetInfo
from tests.documented import BAD_BURST, BAD_EVERY
from tests.fakes.logs import Heard
from tests.platform.http.test_api import Case

WANTED = {"host": "web-1", "target": "log/nginx"}
PUBLIC, LOCAL = "__Host-streamrelay", "streamrelay"


class GateCase(Case):
    """Requests with other credentials than a key."""

    def setUp(self) -> None:
        super().setUp()
        self.platform.result = Opened("s", "wss://relay/client/t", "log", 5.0)
        self.platform.there = [HostInfo("web-1", (TargetInfo("log/nginx", "log"), TargetInfo("ssh", "tcp")))]
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
                ("POST", "/v1/relays/relay/drain", None),
                ("DELETE", "/v1/relays/relay/drain", None),
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

    def test_anonymous_of_other_sites(self) -> None:
        """Nobody's rights are lent to a page of another site, nor asked for by its forms and pictures; what a person
        types is theirs."""
        with self.path.open("a") as file:
            file.write("[anonymous]\ngrants = [{}]\n")
        local = {"Host": "localhost:8800"}
        foreign: tuple[dict[str, str], ...] = (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://localhost:9000"},
        )
        for more in foreign:
            self.assertEqual(self.told("GET", "/v1/hosts", **local, **more), (401, "no_key"), more)
            self.assertEqual(self.told("POST", "/v1/streams", WANTED, **local, **more), (401, "no_key"), more)
            self.assertEqual(self.told("GET", "/v1/session", **local, **more)[1]["user"], None, more)
        self.assertEqual((self.platform.opened, self.platform.ended), ([], []))
        own: tuple[dict[str, str], ...] = (
            {},
            {"Sec-Fetch-Site": "none"},
            {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:8800"},
        )
        for more in own:
            self.assertEqual(self.told("GET", "/v1/hosts", **local, **more)[0], 200, more)
        self.assertEqual(self.told("POST", "/v1/streams", WANTED, **local, **own[2])[0], 201)

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
        for number in range(BAD_BURST):
            self.assertEqual(ways[number % 3]()[0], 401)
        heard = Heard(self)
        for way in ways:
            status, headers, body = way()
            self.assertEqual((status, json.loads(body)["code"]), (429, "too_many"))
            self.assertEqual(int(headers["retry-after"]), BAD_EVERY)
        self.assertEqual(heard.events, [])
        self.assertEqual(self.told("GET", "/v1/hosts", key="")[0], 200)
        self.assertEqual(self.told("POST", "/v1/session", {"key": self.key})[0], 201)
        self.peer = "192.0.2.9"
        self.assertEqual(ways[0]()[0], 401)
        self.peer = "127.0.0.1"
        self.clock.advance(BAD_EVERY)
        self.assertEqual([ways[0]()[0] for _ in range(2)], [401, 429])

    def test_none(self) -> None:
        """Who brings no key at all isn't counted."""
        for _ in range(2 * BAD_BURST):
            self.assertEqual(self.told("GET", "/v1/hosts")[0], 401)
            self.assertEqual(self.told("GET", "/v1/hosts", Authorization="Basic YTpi")[0], 401)
