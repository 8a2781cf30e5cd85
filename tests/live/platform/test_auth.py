"""Who may use the API, at running processes: keys, an issuer's JWTs, a system that is asked, the console's sessions."""

import base64
import hashlib
import hmac
import http.client
import json
import select
import ssl
import time
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.issuer import AUDIENCE, ISSUER, Key
from tests.live.console.console import DEEP_TEXT
from tests.live.platform.site import Site
from tests.live.support.browser import chromium
from tests.live.support.case import LiveTest
from tests.live.support.certificates import certificates
from tests.live.support.chain import HOST, Beside, Chain, shared
from tests.live.support.http import Answer, ask
from tests.live.support.pace import Stopwatch, timed
from tests.live.support.ports import answers, free_port
from tests.live.support.waiting import WAIT, until
from tests.live.support.websockets import V1

JSON = {"Content-Type": "application/json"}
GRANTED = '\n[claims.groups.ops]\ngrants = [{ host = "*", target = "port/*" }]\n'
LOCAL, PUBLIC = "streamrelay", "__Host-streamrelay"


class AuthTest(LiveTest):
    """Requests with other credentials than the chain's key."""

    chain_: Chain

    def site(self, *tls: Path) -> Site:
        site = Site(*tls)
        self.addCleanup(site.close)
        return site

    def beside(self, settings: str = "") -> Chain:
        """A chain with a platform of this test alone."""
        chain = self.start_chain(Beside(shared(), self.folder, settings))
        return chain

    def told(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str]:
        """An answer's status, and its code if it is a problem."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.chain_.ask(method, path, body, key=None, headers=given)
        return answer.status, answer.json["code"] if answer.status >= 400 else ""

    def opens(self, target: str, **headers: str) -> tuple[int, str]:
        return self.told("POST", "/v1/streams", {"host": HOST, "target": target}, **headers)

    def assert_unreached(self, listener: Any) -> None:
        """Nothing has reached a target."""
        self.assertEqual(select.select([listener.socket], [], [], 0)[0], [])

    def assert_unlogged(self, *secrets: str) -> None:
        for program in (*self.chain_.programs, self.chain_.relay, self.chain_.agent):
            for secret in secrets:
                self.assertNotIn(secret, program.log, program.name)


class Issuers(AuthTest):
    """JWTs of an OIDC issuer, whose keys are behind a URL."""

    def setUp(self) -> None:
        super().setUp()
        self.issuer, self.key = self.site(), Key("first", "RSA")
        self.publish(self.key)
        settings = f'[oidc]\nissuer = "{ISSUER}"\naudience = "{AUDIENCE}"\njwks = "{self.issuer.url}/jwks"\n'
        self.chain_ = self.beside(settings)
        with self.chain_.keys.open("a") as file:
            file.write(GRANTED)
        self.listener = self.listen()

    def publish(self, *keys: Key) -> None:
        self.issuer.answer(200, json.dumps({"keys": [key.public() for key in keys]}).encode())

    def with_token(self, token: str) -> tuple[int, str]:
        return self.opens(self.listener.target, Authorization=f"Bearer {token}")

    def test_opened(self) -> None:
        """A JWT opens what its claims are granted, in its user's name, through to the target; not what they aren't."""
        token = self.key.sign(groups=["dev", "ops"])
        bearer = {"Authorization": f"Bearer {token}"}
        answer = self.chain_.ask("POST", "/v1/streams", {"host": HOST, "target": self.listener.target}, None, bearer)
        self.assertEqual(answer.status, 201, answer.text)
        leg = self.websocket(answer.json["url"], V1)
        leg.send(b"hello")
        self.assertEqual(self.listener.accept().recv(10), b"hello")
        until(lambda: "for carol" in self.chain_.platform.log, what="the line of the stream")
        self.assertEqual(self.opens("port6/1", **bearer), (403, "not_granted"))
        self.assertEqual(self.with_token(self.key.sign(groups=["dev"])), (403, "not_granted"))
        self.assertEqual(self.with_token(self.key.sign()), (403, "not_granted"))
        self.assert_unlogged(token)

    def test_rotated(self) -> None:
        """A new key is found as it comes into use, a withdrawn one counts no longer, and keys outlive the issuer."""
        self.assertEqual(self.with_token(self.key.sign(groups="ops"))[0], 201)
        second = Key("second", "Ed25519")
        self.publish(second)
        while self.with_token(second.sign(groups="ops"))[0] != 201:
            time.sleep(1)  # not so often that it is too many; the test's own limit ends it
        self.assertEqual(self.with_token(self.key.sign(groups="ops")), (401, "no_key"))
        self.assertIn(len(self.issuer.asked), (2, 3))  # 3: for the withdrawn one, if that came 10 s later
        self.issuer.answer(500)
        self.assertEqual(self.with_token(second.sign(groups="ops"))[0], 201)

    def test_refused(self) -> None:
        """Forged, foreign, expired and future JWTs are refused with 401, and reach no target; but for those of which
        nothing is wrong but the times, all have one body."""
        now = time.time()
        good = self.key.sign(groups="ops")
        head, body, signature = good.split(".")
        public = self.key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        tokens = [
            self.key.sign(groups="ops", **claims)
            for claims in (
                *({"iss": None}, {"iss": ISSUER + "x"}, {"iss": ISSUER[:-1]}, {"aud": None}, {"aud": "other"}),
                *({"exp": None}, {"exp": now - 10}, {"exp": now - 86400}, {"nbf": now + 60}, {"iat": now + 60}),
                *({"sub": None}, {"sub": "a\nb"}),
            )
        ]
        tokens += [f"{head}.{body}.{Key('first', 'RSA').sign(groups='ops').split('.')[2]}", f"{head}.{body}.AAAA"]
        heads = {name: _encoded({"alg": name, "kid": "first"}) for name in ("none", "HS256", "ES256")}
        tokens += [f"{other}.{body}.{signature}" for other in heads.values()]
        signed = f"{heads['HS256']}.{body}"
        mac = hmac.new(public, signed.encode(), hashlib.sha256).digest()
        tokens.append(f"{signed}.{_encoded(mac)}")
        answers = []
        for token in tokens:
            bearer = {"Authorization": f"Bearer {token}"}
            wanted = {"host": HOST, "target": self.listener.target}
            answer = self.chain_.ask("POST", "/v1/streams", wanted, None, bearer)
            self.assertIn(answer.status, (401, 429), token)
            answers.append((answer.status, answer.text))
        refusals = [text for status, text in answers if status == 401]
        mistimed = [text for text in refusals if "this token is not accepted now: " in text]
        self.assertEqual((len(set(refusals) - set(mistimed)), len(mistimed)), (1, 4), answers)
        self.assertIn(self.with_token(f"{heads['none']}.{body}.")[0], (401, 429))
        self.assertEqual(self.with_token(good)[0], 201)
        self.listener.accept()
        self.assert_unreached(self.listener)
        self.assert_unlogged(good, *tokens)

    def test_flood(self) -> None:
        """A flood of unknown keys has the issuer asked once in ten seconds, and a good JWT passes meanwhile."""
        self.assertEqual(self.with_token(self.key.sign(groups="ops"))[0], 201)
        stranger = Key("x", "Ed25519")
        begun = time.monotonic()
        for number in range(300):
            token = stranger.sign(headers={"kid": f"unknown-{number}"})
            self.assertIn(self.with_token(token)[0], (401, 429))
            if number % 50 == 0:
                self.assertEqual(self.told("GET", "/v1/hosts", Authorization=f"Bearer {self.key.sign()}")[0], 200)
        self.assertLessEqual(len(self.issuer.asked), 1 + (time.monotonic() - begun) / 10 + 1)

    def test_issuer_down(self) -> None:
        """While the issuer's keys were never fetched a JWT is answered 503, within a time, and keys work on."""
        for answer in ({"status": 500}, {"status": 200, "body": b"<p>"}, {"status": 200, "after": 60.0}):
            self.issuer.answer(**answer)
            self.chain_.platform.restart()
            until(self.chain_.hosts, what="the platform")
            with timed() as passed:
                self.assertEqual(self.with_token(self.key.sign(groups="ops")), (503, "issuer_down"))
            self.assertLess(passed.fair, 20)  # of the 60 s that it would take
            self.assertEqual(self.chain_.hosts(), [HOST])


def _encoded(part: object) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class FileIssuers(AuthTest):
    """The same, with the keys in a file."""

    def test_rotated(self) -> None:
        """A file of keys is read again when it changes; one that breaks changes nothing, and says so."""
        first, second = Key("a", "P-256"), Key("b", "P-384")
        path = self.folder / "jwks.json"
        path.write_text(json.dumps({"keys": [first.public()]}))
        algorithms = 'algorithms = ["ES256", "ES384"]'
        settings = f'[oidc]\nissuer = "{ISSUER}"\naudience = "{AUDIENCE}"\njwks = "{path}"\n{algorithms}\n'
        self.chain_ = self.beside(settings)

        def status(key: Key) -> int:
            return self.told("GET", "/v1/hosts", Authorization=f"Bearer {key.sign()}")[0]

        self.assertEqual([status(first), status(second)], [200, 401])
        path.write_text(json.dumps({"keys": [second.public()]}))
        self.assertEqual([status(first), status(second)], [401, 200])
        path.write_text("{")
        self.assertEqual([status(first), status(second)], [401, 200])
        self.assertIn("can't read the issuer's keys again", self.chain_.platform.log)


class Encrypted(AuthTest):
    """An issuer and a system that is asked, behind TLS."""

    def setUp(self) -> None:
        super().setUp()
        certificates(self.folder, "127.0.0.9")  # and for localhost
        own = (self.folder / "relay.pem", self.folder / "relay.key")
        self.key, self.issuer, self.panel = Key("k"), self.site(*own), self.site(*own)
        self.issuer.answer(200, json.dumps({"keys": [self.key.public()]}).encode())

    def start(self, more: str = "", name: str = "localhost") -> None:
        issuer, panel = (site.url.replace("localhost", name) for site in (self.issuer, self.panel))
        self.chain_ = Chain(
            self.folder,
            platform=f'[oidc]\nissuer = "{ISSUER}"\naudience = "{AUDIENCE}"\njwks = "{issuer}/jwks"\n{more}'
            f'[ask]\nurl = "{panel}/ask"\n{more}',
        )
        self.addCleanup(self.chain_.stop)
        for start in (self.chain_.start_nats, self.chain_.start_platform):
            start()
        until(lambda: answers(self.chain_.platform_port), what="the platform")

    def by_jwt(self) -> tuple[int, str]:
        return self.told("GET", "/v1/hosts", Authorization=f"Bearer {self.key.sign()}")

    def by_key(self) -> tuple[int, str]:
        return self.told("GET", "/v1/hosts", Authorization=f"Bearer {self.chain_.key}")

    def test_trusted(self) -> None:
        """With their CA named, keys are fetched and questions asked over TLS."""
        self.start(f'ca = "{self.folder}/ca.pem"\n')
        until(lambda: self.by_key()[0] == 200, what="the bus")
        self.assertEqual(self.by_jwt()[0], 200)
        self.assertTrue(self.issuer.asked and self.panel.asked)

    def test_untrusted(self) -> None:
        """Whoever has no certificate that is trusted gives no keys and no decision, and isn't told the question."""
        self.start()
        self.assertEqual((self.by_jwt(), self.by_key()), ((503, "issuer_down"), (503, "ask_failed")))
        self.assertEqual((self.issuer.asked, self.panel.asked), ([], []))
        self.assertIn("an unknown issuer", self.chain_.platform.log)

    def test_other_name(self) -> None:
        """A certificate for another name is worth nothing."""
        self.start(f'ca = "{self.folder}/ca.pem"\n', "127.0.0.1")
        self.assertEqual((self.by_jwt(), self.by_key()), ((503, "issuer_down"), (503, "ask_failed")))
        self.assertEqual((self.issuer.asked, self.panel.asked), ([], []))
        self.assertEqual(self.chain_.platform.log.count("the certificate is for another host"), 2)


class AskingTest(AuthTest):
    """A system of the user's own that decides."""

    more = ""
    timeout = 30
    """Seconds that it has to decide, in which it must on a busy machine."""

    def setUp(self) -> None:
        super().setUp()
        self.panel = self.site()
        self.chain_ = self.beside(f'[ask]\nurl = "{self.panel.url}/ask"\ntimeout = {self.timeout}\n{self.more}')
        self.panel.asked.clear()
        self.listener = self.listen()

    def own(self, target: str = "") -> tuple[int, str]:
        return self.opens(target or self.listener.target, Authorization=f"Bearer {self.chain_.key}", Cookie="panel=1")

    def assert_undecided(self, what: object = None) -> None:
        """There is no decision, which is logged, though not after all the time that there is to wait for."""
        before = self.chain_.platform.log.count("no decision from")
        with timed() as passed:
            self.assertEqual(self.own(), (503, "ask_failed"), what)
        self.assertLess(passed.fair, 15)
        self.assertEqual(self.chain_.platform.log.count("no decision from"), before + 1, what)


class Asking(AskingTest):
    """What it decides, or not."""

    def test_yes(self) -> None:
        """A yes opens; the question has the facts, and neither the key nor a cookie."""
        self.panel.answer(204)
        self.assertEqual(self.own()[0], 201)
        [asked] = self.panel.asked
        facts = {"action": "open", "user": "alice", "host": HOST, "target": self.listener.target}
        self.assertEqual(json.loads(asked.body), {**facts, "stream": None, "address": "127.0.0.1", "view": False})
        self.assertEqual((asked.method, asked.path), ("POST", "/ask"))
        self.assertNotIn("Authorization", asked.headers)
        self.assertNotIn("Cookie", asked.headers)

    def test_no(self) -> None:
        """A no is 403, and no target is reached."""
        self.panel.answer(403, b"because")
        self.assertEqual(self.own(), (403, "not_allowed"))
        self.assertEqual(self.told("GET", "/v1/hosts", Authorization=f"Bearer {self.chain_.key}"), (403, "not_allowed"))
        self.assert_unreached(self.listener)

    def test_no_decision(self) -> None:
        """Garbage, redirects, other statuses and long answers are refused with 503 and logged."""
        elsewhere = self.site()
        elsewhere.answer(204)
        for answer in (
            {"status": 302, "headers": {"Location": f"{elsewhere.url}/"}},
            {"status": 307, "headers": {"Location": f"{elsewhere.url}/"}},
            {"status": 401},
            {"status": 500},
            {"status": 200, "body": b"<html>Welcome!</html>"},
            {"status": 200, "body": b'{"user":' + b" " * 100_000 + b'"x"}'},
            {"status": 200, "raw": b"garbage\r\n\r\n"},
            {"status": 200, "raw": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"},
        ):
            self.panel.answer(**answer)
            self.assert_undecided(answer)
        self.panel.close()
        self.assertEqual(self.own(), (503, "ask_failed"))
        self.assertEqual(elsewhere.asked, [])
        self.assert_unreached(self.listener)

    def test_others_wait_not(self) -> None:
        """While a decision is waited for, other requests are answered."""
        self.panel.answer(403, after=WAIT)
        connection = http.client.HTTPConnection("127.0.0.1", self.chain_.platform_port, timeout=WAIT)
        self.addCleanup(connection.close)
        body = json.dumps({"host": HOST, "target": self.listener.target})
        connection.request("POST", "/v1/streams", body, {**JSON, "Authorization": f"Bearer {self.chain_.key}"})
        until(lambda: self.panel.asked, what="the question")
        for _ in range(5):
            self.assertEqual(ask(self.chain_.platform_port, "GET", "/").status, 200)
        self.assertEqual(select.select([connection.sock], [], [], 0)[0], [])
        self.panel.gone.set()
        self.assertEqual(connection.getresponse().status, 403)


class Undecided(AskingTest):
    """One that has a moment to decide."""

    timeout = 1

    def test_silence(self) -> None:
        """Silence is refused with 503 and logged."""
        self.panel.answer(200, after=WAIT)
        self.assert_undecided()


class Recognising(Asking):
    """The same, where it may recognise those whom the platform doesn't know."""

    more = "forward = true\n"

    def test_recognised(self) -> None:
        """A cookie that isn't ours is sent along; the stream is opened in the name that the yes says."""
        self.panel.answer(200, b'{"user":"dora"}')
        self.assertEqual(self.opens(self.listener.target, Cookie=f"{PUBLIC}x=1; panel=secret-7")[0], 201)
        [asked] = self.panel.asked
        self.assertEqual(asked.headers["Cookie"], f"{PUBLIC}x=1; panel=secret-7")
        self.assertIs(json.loads(asked.body)["user"], None)
        until(lambda: "for dora" in self.chain_.platform.log, what="the line of the stream")
        self.assert_unlogged("secret-7")

    def test_ours_stay(self) -> None:
        """A wrong key or session of ours is refused here, and never sent along."""
        for headers in (
            {"Authorization": "Bearer srk_wrong", "Cookie": "panel=1"},
            {"Cookie": f"{LOCAL}=x; panel=1"},
        ):
            self.assertEqual(self.opens(self.listener.target, **headers), (401, "no_key"))
        self.assertEqual(self.panel.asked, [])


class Sessions(AuthTest):
    """The console's sessions, on plain loopback."""

    def setUp(self) -> None:
        super().setUp()
        self.chain_ = shared()

    def sign_in(self, key: str = "", chain: Chain | None = None, **headers: str) -> Answer:
        chain = chain or self.chain_
        return chain.ask("POST", "/v1/session", {"key": key or chain.key}, None, headers)

    def page(self, answer: Answer) -> dict[str, str]:
        """The headers that the page sends with everything that changes something."""
        self.assertEqual(answer.status, 201, answer.text)
        [(name, cookie)] = SimpleCookie(answer.headers["Set-Cookie"]).items()
        return {"Cookie": f"{name}={cookie.value}", "X-CSRF-Token": answer.json["csrf"]}

    def test_cookie(self) -> None:
        """The cookie is HttpOnly, SameSite=Strict, for every path; without TLS it has neither prefix nor Secure."""
        answer = self.sign_in()
        [(name, cookie)] = SimpleCookie(answer.headers["Set-Cookie"]).items()
        self.assertEqual(name, LOCAL)
        self.assertEqual((cookie["path"], cookie["samesite"].lower(), cookie["domain"]), ("/", "strict", ""))
        self.assertTrue(cookie["httponly"])
        self.assertFalse(cookie["secure"])
        self.assertGreaterEqual(len(cookie.value), 43)
        self.assertNotIn(cookie.value, answer.text)
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assert_unlogged(cookie.value, answer.json["csrf"], self.chain_.key)

    def test_csrf(self) -> None:
        """Without its CSRF token, or from another origin, a session's request changes nothing: 403."""
        page = self.page(self.sign_in())
        listener = self.listen()
        own = f"http://127.0.0.1:{self.chain_.platform_port}"
        for more in (
            {"X-CSRF-Token": ""},
            {"X-CSRF-Token": "0" * 64},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1"},
            {"Origin": f"{own}0"},
            {"Origin": own, "Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ):
            self.assertEqual(self.opens(listener.target, **{**page, **more}), (403, "csrf"), more)
            self.assertEqual(self.told("DELETE", "/v1/session", **{**page, **more}), (403, "csrf"), more)
        self.assert_unreached(listener)
        self.assertEqual(self.opens(listener.target, **page, Origin=own, Sec_Fetch_Site="same-origin")[0], 201)
        listener.accept()

    def test_foreign_sign_in(self) -> None:
        """A page of another site can't sign anybody in."""
        foreign: tuple[dict[str, Any], ...] = ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"})
        for more in foreign:
            answer = self.sign_in(**more)
            self.assertEqual((answer.status, answer.headers["Set-Cookie"]), (403, None))

    def test_signed_out(self) -> None:
        """Who has signed out isn't known by the cookie any more, and the browser is told to forget it."""
        page = self.page(self.sign_in())
        self.assertEqual(self.told("GET", "/v1/session", Cookie=page["Cookie"])[0], 200)
        answer = self.chain_.ask("DELETE", "/v1/session", None, None, page)
        self.assertEqual(answer.status, 204)
        self.assertIn("Max-Age=0", answer.headers["Set-Cookie"])
        self.assertEqual(self.told("GET", "/v1/session", Cookie=page["Cookie"]), (401, "no_key"))

    def test_revoked(self) -> None:
        """`streamrelay key revoke` ends a key and its sessions with the next request; the key list shows it no more."""
        own = self.beside()
        keys = ("--keys", str(own.keys))
        made = own.streamrelay("key", "add", "eve", *keys, "--grant", "*:*")
        key = made.stdout.decode().strip()
        page = self.page(self.sign_in(key, own))
        self.assertEqual(own.ask("GET", "/v1/hosts", None, None, page).status, 200)
        listed = own.streamrelay("key", "list", *keys).stdout.decode()
        self.assertIn("eve\t", listed)
        self.assertNotIn("sha256", listed)
        self.assertEqual(own.streamrelay("key", "revoke", "eve", *keys).returncode, 0)
        self.assertEqual(own.ask("GET", "/v1/hosts", None, None, page).status, 401)
        self.assertEqual(own.ask("GET", "/v1/hosts", key=key).status, 401)
        self.assertEqual(own.ask("GET", "/v1/hosts").status, 200)
        self.assertNotIn("eve", own.streamrelay("key", "list", *keys).stdout.decode())
        self.assertEqual(own.streamrelay("key", "revoke", "eve", *keys).returncode, 2)

    def test_lives(self) -> None:
        """A session ends when it was idle for its time, and after its life however it is used."""
        own = self.beside("[sessions]\nidle = 1\nlife = 2.5\n")
        lived, used = Stopwatch(), Stopwatch()  # from before each is asked for
        idle, cookie = (self.page(self.sign_in(chain=own))["Cookie"] for _ in range(2))

        def ended() -> bool:
            """Whether it isn't known any more; before one of its times is over it is, however late this is asked."""
            nonlocal used
            before, used = used, Stopwatch()
            known = own.ask("GET", "/v1/session", None, None, {"Cookie": cookie}).status == 200
            self.assertTrue(known or before() > 0.9 or lived() > 2.4, "it ended too early")
            return not known

        until(ended, what="the end of its life")
        self.assertEqual(own.ask("GET", "/v1/session", None, None, {"Cookie": idle}).status, 401)

    def test_flood(self) -> None:
        """A flood of wrong keys, by either way, is answered 429 with Retry-After; a good key and session pass."""
        own = self.beside()
        page = self.page(self.sign_in(chain=own))
        answers, passed = [], Stopwatch()
        for number in range(60):
            wrong = f"srk_wrong-{number}"
            way = self.sign_in(wrong, own) if number % 2 else own.ask("GET", "/v1/hosts", key=wrong)
            answers.append(way)
        statuses = [answer.status for answer in answers]
        self.assertEqual(set(statuses), {401, 429})
        self.assertEqual(statuses[:20], [401] * 20)
        again = int(passed() / 3) + 1  # one more every 3 s
        self.assertGreaterEqual(statuses.count(429), 40 - again)
        for answer in answers:
            if answer.status == 429:
                self.assertIn(int(answer.headers["Retry-After"]), (1, 2, 3))
                self.assertEqual(answer.json["code"], "too_many")
        self.assertEqual(own.ask("GET", "/v1/hosts").status, 200)
        self.assertEqual(own.ask("GET", "/v1/hosts", None, None, page).status, 200)
        self.assertLess(own.platform.log.count("refused a request"), 25 + again)

    def test_writable_keys(self) -> None:
        """A file of keys that others may write to keeps the platform from starting, with the command that mends it."""
        self.keys = self.folder / "keys.toml"
        self.keys.write_text("")
        self.keys.chmod(0o666)
        platform = self.twistd("streamplatform", "--relay=ws://127.0.0.1:1", "--tokens=opaque", f"--keys={self.keys}")
        self.assertEqual(platform.process.wait(WAIT), 1)
        self.assertIn(f"run: chmod go-w {self.keys}", platform.log)


class Browser(AuthTest):
    """The console page in Chromium, over TLS."""

    def setUp(self) -> None:
        super().setUp()
        log = '[targets.log]\nkind = "log"\npath = "FOLDER/app.log"\n'
        (self.folder / "app.log").write_text("one\n<b>two</b>\n")
        self.chain_ = Chain(self.folder, tls=True, targets=log)
        self.addCleanup(self.chain_.stop)
        self.port = free_port()
        self.console = f"https://localhost:{self.port}"
        self.chain_.platform_options = (
            f"--listen=tls:{self.port}:interface=127.0.0.1",
            f"--certificate={self.folder}/relay.pem,{self.folder}/relay.key",
        )
        self.chain_.relay_options = (f"--origin={self.console}",)
        self.chain_.start()

    def ask_tls(self, method: str, path: str, body: object, **headers: str) -> Answer:
        context = ssl.create_default_context(cafile=self.chain_.ca)
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=WAIT, context=context)
        self.addCleanup(connection.close)
        connection.request(method, path, json.dumps(body), {**JSON, **headers})
        return Answer(connection.getresponse())

    def test_cookie(self) -> None:
        """Over TLS the cookie is bound to this host by its name, and Secure."""
        answer = self.ask_tls("POST", "/v1/session", {"key": self.chain_.key})
        [(name, cookie)] = SimpleCookie(answer.headers["Set-Cookie"]).items()
        self.assertEqual((name, cookie["secure"], cookie["httponly"], cookie["path"]), (PUBLIC, True, True, "/"))
        plain = {"Cookie": f"{LOCAL}={cookie.value}", "X-CSRF-Token": answer.json["csrf"]}
        self.assertEqual(self.ask_tls("DELETE", "/v1/session", None, **plain).status, 401)
        page = {**plain, "Cookie": f"{PUBLIC}={cookie.value}"}
        self.assertEqual(self.ask_tls("DELETE", "/v1/session", None, **page, Origin=self.console[:-1]).status, 403)
        self.assertEqual(self.ask_tls("DELETE", "/v1/session", None, **page, Origin=self.console).status, 204)

    def test_page(self) -> None:
        """Somebody signs in by a key, stays so after a reload, sees a log, and signs out; the page keeps no secret."""
        with chromium() as browser:
            context = browser.new_context(ignore_https_errors=True)
            self.use(context, context.new_page())

    def use(self, context: Any, page: Any) -> None:
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(self.console)
        page.wait_for_selector("#signin:not([hidden])")
        page.fill("#key", "srk_wrong")
        page.get_by_role("button", name="Sign in").click()
        until(lambda: "not known" in page.inner_text("#signin-error"), what="the refusal")
        page.fill("#key", self.chain_.key)
        page.get_by_role("button", name="Sign in").click()
        page.locator("#hosts").get_by_role("treeitem", name="log").click()
        until(lambda: "<b>two</b>" in page.evaluate(DEEP_TEXT, page.query_selector("#panels")), what="the log")
        self.assertEqual(page.inner_text("p.state"), "Connected")
        self.assertEqual(page.inner_text("#user"), "alice")
        self.assertFalse(page.is_visible("#signin"))
        self.picture(page, "signed-in")

        [cookie] = context.cookies()
        self.assertEqual((cookie["name"], cookie["httpOnly"], cookie["secure"]), (PUBLIC, True, True))
        self.assertEqual(cookie["sameSite"], "Strict")
        kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
        self.assertEqual(kept, '[{},{},""]')

        page.reload()
        until(lambda: "<b>two</b>" in page.evaluate(DEEP_TEXT, page.query_selector("#panels")), what="the log again")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_selector("#signin:not([hidden])")
        self.assertFalse(page.is_visible("#work") or page.is_visible("#signout"))
        self.assertEqual((page.inner_text("#hosts-list"), context.cookies()), ("", []))
        until(lambda: self.chain_.streams() == [], what="the end of the stream")
        self.picture(page, "signed-out")
        again = f"{PUBLIC}={cookie['value']}"
        self.assertEqual(self.ask_tls("GET", "/v1/session", None, Cookie=again).status, 401)
        expected = "the server responded with a status of 401"
        self.assertEqual([text for text in complaints if expected not in text], [])
        self.assert_unlogged(self.chain_.key, cookie["value"])

    def picture(self, page: Any, name: str) -> None:
        path = Path("screenshots") / f"{name}.png"  # in trial's directory
        page.screenshot(path=path)
