"""api.py: the platform's HTTP API."""

import json
import os
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from streamrelay.errors import Refused
from streamrelay.platform import Opened
from streamrelay.platform.auth.grants import Grant, KeyRing
from streamrelay.platform.auth.key_file import add_key
from streamrelay.platform.auth.sessions import Sessions
from streamrelay.platform.auth.throttle import Throttle
from streamrelay.platform.http import api, hosts, relays
from streamrelay.platform.http.authenticate import Authenticator
from streamrelay.platform.http.limits import BoundedSite
from streamrelay.protocol.summons import HostInfo, StreamInfo, TargetInfo, Terms
from tests.docs.test_twins import errors
from tests.documented import REQUEST_BODY
from tests.fakes.channels import FakeTransport
from tests.fakes.files import folder
from tests.fakes.logs import Heard
from tests.fakes.platform import FakePlatform

NO_HOSTS = {"hosts": [], "complete": True, "up": 0, "down": 0, "found": 0, "next": None}
"""The list of somebody who sees no host."""
NO_STREAMS = {"streams": [], "complete": True, "missing": [], "missed": 0, "found": 0, "next": None}
Answer = tuple[int, dict[str, str], str]
"""Status, headers, body."""


class Case(SynchronousTestCase):
    """The API on a transport in memory; its coroutines run at once."""

    def setUp(self) -> None:
        self.addCleanup(os.umask, os.umask(0o022))  # a file of keys that a group may write to is refused
        for module in (api, hosts, relays):
            self.patch(module, "as_deferred", Deferred.fromCoroutine)
        self.platform = FakePlatform()
        self.path = folder(self) / "keys.toml"
        self.key = add_key(self.path, "alice", [Grant("web-*", "log/*")])
        self.ring = KeyRing(str(self.path))
        self.ring.load()
        self.clock = Clock()
        self.authenticator = Authenticator(self.ring, Sessions(self.clock, 3600, 43200), Throttle(self.clock))
        self.root = api.Root(self.platform, self.authenticator)
        self.site = BoundedSite(self.root, self.clock, self.authenticator.proxies)
        self.site.reactor = self.clock

    peer = "127.0.0.1"
    """Where requests come from."""
    secure = False
    """Whether they come over TLS."""

    def send(self, data: bytes) -> FakeTransport:
        transport = FakeTransport()
        if self.secure:
            directlyProvides(transport, ISSLTransport)
        transport.peerAddr = IPv4Address("TCP", self.peer, 50000)
        self.channel = channel = self.site.buildProtocol(transport.getPeer())
        channel.callLater = self.clock.callLater
        channel.makeConnection(transport)
        channel.dataReceived(data)
        return transport

    def ask(self, method: str, path: str, body: object = None, key: str | None = "", **headers: str | None) -> Answer:
        """Status, headers in lower case, and body of an answer."""
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        lines: dict[str, str | None] = {
            "Host": "platform.example",
            "Content-Length": str(len(content)),
            "Content-Type": "application/json",
        }
        if key is not None:
            lines["Authorization"] = f"Bearer {key or self.key}"
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
        answer = self.send(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + content).value()
        head, _, text = answer.decode("latin-1").partition("\r\n\r\n")
        status, *rows = head.split("\r\n")
        named = dict(row.lower().split(": ", 1) for row in rows)
        if named.get("transfer-encoding") == "chunked":
            text = "".join(text.split("\r\n")[1::2])
        return int(status.split()[1]), named, text

    def problem(self, *arguments: Any, **more: Any) -> tuple[int, str]:
        status, headers, body = self.ask(*arguments, **more)
        self.assertEqual(headers["content-type"], "application/problem+json")
        told = json.loads(body)
        self.assertEqual(told["status"], status)
        return status, told["code"]


class Secured(Case):
    """What every answer tells a browser of TLS."""

    def test_strict_transport(self) -> None:
        """Over TLS of ours browsers are told to come by TLS from then on; not over plain HTTP, nor at a name of the
        machine itself, where other programs have ports, too."""
        name = "strict-transport-security"
        for path in ("/v1/session", "/nothing", "/", "/health"):
            self.secure = True
            self.assertEqual(self.ask("GET", path)[1].get(name), "max-age=31536000", path)
            for host in ("localhost:8444", "127.0.0.1", "[::1]:8444", "[", ""):
                self.assertNotIn(name, self.ask("GET", path, Host=host)[1], host)
            self.secure = False
            self.assertNotIn(name, self.ask("GET", path)[1], path)


class Health(Case):
    """/health"""

    def health(self, method: str = "GET", version: str = "1.1") -> tuple[bytes, bytes]:
        """The status line's end and the body of an answer."""
        host = "Host: a\r\n" if version == "1.1" else ""
        asked = f"{method} /health HTTP/{version}\r\n{host}\r\n".encode()
        head, _, body = self.send(asked).value().partition(b"\r\n\r\n")
        return head.split(b"\r\n")[0].split(b" ", 1)[1], body

    def test_ready(self) -> None:
        """Whoever asks is told whether the bus is there, by HTTP/1.0 too without a Host, and nothing else."""
        for connected, status, body in (
            (True, b"200 OK", b"ready\n"),
            (False, b"503 Service Unavailable", b"not ready\n"),
        ):
            self.patch(type(self.platform.bus), "connected", connected)
            for version in ("1.0", "1.1"):
                self.assertEqual(self.health("GET", version), (status, body))
                self.assertEqual(self.health("HEAD", version), (status, b""))
        self.assertEqual(self.problem("POST", "/health", b""), (405, "method_not_allowed"))
        self.assertEqual(self.problem("GET", "/health/more"), (404, "not_found"))

    def test_one_host(self) -> None:
        """A request of HTTP/1.1 names one host, not none and not several, or is answered 400."""
        for path in ("/health", "/v1/hosts", "/"):
            for version, named in (("1.1", ""), ("1.1", "Host: a\r\nHost: b\r\n"), ("1.0", "Host: a\r\nHost: a\r\n")):
                answer = self.send(f"GET {path} HTTP/{version}\r\n{named}\r\n".encode()).value()
                self.assertIn(b" 400 Bad Request\r\n", answer)
                self.assertIn(b'"detail":"expected one Host"', answer)


class Streams(Case):
    """/v1/streams"""

    wanted = {"host": "web-1", "target": "log/nginx"}

    def test_left(self) -> None:
        """A stream whose client has left before the answer is ended, as nobody knows it; the log says so. One that was
        answered lives."""
        for leaves in (True, False):
            self.setUp()
            self.platform.result, self.platform.opening = Opened("s", "wss://relay/client/t", "log", 5.0), Deferred()
            body, heard = json.dumps(self.wanted), Heard(self)
            self.send(
                f"POST /v1/streams HTTP/1.1\r\nHost: platform.example\r\nAuthorization: Bearer {self.key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            if leaves:
                self.channel.connectionLost(Failure(ConnectionDone()))
            self.platform.opening.callback(None)
            self.assertEqual(self.platform.ended, [("web-1", "s")] * leaves)
            self.assertEqual(
                [line.endswith("alice has left before the answer") for line in heard.lines][1:], [True] * leaves
            )

    def test_opened(self) -> None:
        """A stream that is granted is opened for the key's holder, and answered 201 with its URL."""
        self.platform.result = Opened("s", "wss://relay/client/t", "log", 5.0)
        status, headers, body = self.ask("POST", "/v1/streams", self.wanted)
        self.assertEqual(status, 201)
        expected = {"stream": "s", "url": "wss://relay/client/t", "kind": "log", "expires": 5.0}
        expected |= {"viewer": "raw", "links": 1, "view": False, "channels": 0, "resume": 0}
        expected |= {"received": 0, "terminal": ""}
        self.assertEqual(json.loads(body), expected)
        self.assertEqual(self.platform.opened, [("alice", "web-1", "log/nginx")])
        self.assertEqual(headers["cache-control"], "no-store")
        self.assertEqual(headers["referrer-policy"], "no-referrer")
        self.assertEqual(headers["x-content-type-options"], "nosniff")
        self.assertIn("default-src 'none'", headers["content-security-policy"])

    def test_terms(self) -> None:
        """Place and lines are passed on, and who may only look gets no more, whether they ask for it or not."""
        self.platform.result = Opened("s", "u", "log", 5.0)
        self.ask("POST", "/v1/streams", {**self.wanted, "place": "here", "after": 3})
        self.ask("POST", "/v1/streams", {**self.wanted, "lines": 0})
        self.ask("POST", "/v1/streams", {**self.wanted, "view": True})
        self.path.write_text(self.path.read_text().replace('target = "log/*"', 'target = "log/*", view = true'))
        self.ask("POST", "/v1/streams", self.wanted)
        self.ask("POST", "/v1/streams", {**self.wanted, "view": False})
        looks = Terms(view=True)
        self.assertEqual(self.platform.terms, [Terms(place="here", after=3), Terms(lines=0), looks, looks, looks])
        many = {"lines": 100_001}
        for wrong in ({"place": "a b"}, {"place": "x" * 257}, {"after": -1}, {"view": 1}, {"links": 2}, many):
            self.assertEqual(self.problem("POST", "/v1/streams", {**self.wanted, **wrong}), (400, "bad_request"))

    def test_channels(self) -> None:
        """Channels are asked for only by who wants them, and may be none."""
        self.platform.result = Opened("s", "u", "tcp", 5.0, channels=256)
        body = self.ask("POST", "/v1/streams", {**self.wanted, "channels": True})[2]
        self.ask("POST", "/v1/streams", self.wanted)
        self.assertEqual((self.platform.channels, json.loads(body)["channels"]), ([True, False], 256))
        self.assertEqual(self.problem("POST", "/v1/streams", {**self.wanted, "channels": 2}), (400, "bad_request"))

    def test_looks_do_not_end(self) -> None:
        """Who may only look sees a stream in the list, and can't end it, which is said: with other grants, too."""
        self.platform.live = [StreamInfo("a", "web-1", "log/x", "u", 1.0, 2, 3)]
        self.path.write_text(self.path.read_text().replace('target = "log/*"', 'target = "log/*", view = true'))
        self.assertEqual(len(json.loads(self.ask("GET", "/v1/streams")[2])["streams"]), 1)
        self.assertEqual(self.problem("DELETE", "/v1/streams/a"), (403, "not_granted"))
        key = add_key(self.path, "dora", [Grant("*", "log/*", view=True), Grant("db", "*")])
        status, _, body = self.ask("DELETE", "/v1/streams/a", key=key)
        self.assertEqual((status, json.loads(body)["detail"]), (403, "this key may only look at log/x of web-1"))
        self.assertEqual(self.ask("DELETE", "/v1/streams/c", key=key)[0], 404)

    def test_not_granted(self) -> None:
        """What isn't granted is refused with 403, and nobody is summoned."""
        for host, target in (("web-1", "ssh"), ("db", "log/x"), ("", "")):
            told = self.problem("POST", "/v1/streams", {"host": host, "target": target})
            self.assertEqual(told, (403, "not_granted"))
        self.assertEqual(self.platform.opened, [])

    def test_no_key(self) -> None:
        """Without a good key everything is refused with 401, which says what is wanted."""
        for method, path in (
            ("POST", "/v1/streams"),
            ("GET", "/v1/streams"),
            ("DELETE", "/v1/streams/x"),
            ("GET", "/v1/hosts"),
        ):
            for key, more in (
                (None, {}),
                ("wrong", {}),
                (None, {"Authorization": "Basic YTpi"}),
                (None, {"Authorization": "Bearer"}),
                (None, {"Authorization": "Bearer   "}),
                (None, {"Authorization": ""}),
            ):
                status, headers, _ = self.ask(method, path, self.wanted, key=key, **more)
                self.assertEqual(status, 401)
                self.assertIn("bearer", headers["www-authenticate"])
        self.assertEqual(self.platform.opened, [])

    def test_anonymous(self) -> None:
        """Who needs no key must ask this machine by its own names, so that no page of another site can."""
        self.path.write_text("[anonymous]\ngrants = [{}]\n")
        for host, status in (
            ("localhost:8800", 200),
            ("127.0.0.1", 200),
            ("[::1]:80", 200),
            ("evil.example", 401),
            ("localhost.evil.example", 401),
            ("localhost@evil.example", 400),
            ("", 401),
        ):
            self.assertEqual(self.ask("GET", "/v1/streams", key=None, Host=host)[0], status, host)

    def test_anonymous_from_elsewhere(self) -> None:
        """Who needs no key must be on this machine, whatever it says, and may not come through a proxy."""
        self.path.write_text("[anonymous]\ngrants = [{}]\n")
        self.assertEqual(
            self.ask("GET", "/v1/streams", key=None, Host="localhost", X_Forwarded_For="127.0.0.1")[0], 401
        )
        self.peer = "192.0.2.7"
        self.assertEqual(self.ask("GET", "/v1/streams", key=None, Host="localhost")[0], 401)

    def test_refused(self) -> None:
        """What the platform refuses is told as a problem document."""
        for status in (404, 502, 503, 504):
            self.platform.result = Refused(status, "why", code="word", detail="secret")
            answer = self.ask("POST", "/v1/streams", self.wanted)
            self.assertEqual(answer[0], status)
            told = json.loads(answer[2])
            self.assertEqual((told["detail"], told["code"], told["type"]), ("why", "word", "about:blank"))
            self.assertNotIn("secret", answer[2])

    def test_titles(self) -> None:
        """Whatever isn't the target's matter isn't told as such, and where a host or the relay is busy the answer says
        when to ask again."""
        titles = {}
        for status, code in sorted(errors()):
            self.platform.result = Refused(status, "why", code=code, retry_after=7 * (status == 503))
            answer = self.ask("POST", "/v1/streams", self.wanted)
            titles[code] = json.loads(answer[2])["title"]
            self.assertEqual(answer[1].get("retry-after"), "7" if status == 503 else None)
            self.assertEqual("target" in titles[code], code.startswith("target_"), titles[code])
            if status >= 502:
                self.assertEqual(list(titles.values()).count(titles[code]), 1, titles)
        self.assertEqual(titles["relay_busy"], "The relay takes no more streams now")

    def test_our_fault(self) -> None:
        """An error of ours is answered 500 without its words, and logged once."""
        self.platform.result = ZeroDivisionError("inner words")
        status, _, body = self.ask("POST", "/v1/streams", self.wanted)
        self.assertEqual(status, 500)
        self.assertNotIn("inner words", body)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_malformed(self) -> None:
        """A body that isn't what is expected is refused with 400."""
        for body in (
            b"",
            b"{",
            b"[]",
            b"\xff",
            {"host": "a"},
            {"host": 1, "target": "x"},
            {**self.wanted, "user": "bob"},
        ):
            self.assertEqual(self.problem("POST", "/v1/streams", body)[0], 400, body)

    def test_deep_body(self) -> None:
        """A body of thousands of nested brackets is refused with 400."""
        body = b'{"host": "a", "target": "b", "x":' + b"[" * 5000 + b"]" * 5000 + b"}"
        status = self.ask("POST", "/v1/streams", body)[0]
        errors = self.flushLoggedErrors(RecursionError)
        self.assertEqual((status, len(errors)), (400, 0))

    def test_forms(self) -> None:
        """What a form of another site could send is refused with 415."""
        for kind in ("text/plain", "application/x-www-form-urlencoded", None, ""):
            status, _ = self.problem("POST", "/v1/streams", self.wanted, Content_Type=kind)
            self.assertEqual(status, 415, kind)
        self.platform.result = Opened("s", "u", "log", 5.0)
        self.assertEqual(
            self.ask("POST", "/v1/streams", self.wanted, Content_Type="Application/JSON; charset=utf-8")[0], 201
        )

    def test_long_body(self) -> None:
        """A request that announces a body of over 16 KiB, or none of its length, is cut off."""
        padded = json.dumps(self.wanted).encode().ljust(REQUEST_BODY)
        self.platform.result = Opened("s", "u", "log", 5.0)
        self.assertEqual(self.ask("POST", "/v1/streams", padded)[0], 201)
        self.platform.opened.clear()
        for head in (f"Content-Length: {REQUEST_BODY + 1}", "Content-Length: 1000000000", "Transfer-Encoding: chunked"):
            data = f"POST /v1/streams HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {self.key}\r\n{head}\r\n\r\n"
            self.assertTrue(self.send(data.encode()).disconnecting, head)
        self.assertEqual(self.platform.opened, [])

    def test_list(self) -> None:
        """Only streams that the key may open are listed."""
        self.platform.live = [
            StreamInfo(name, host, "log/x", "u", 1.0, 2, 3) for name, host in (("a", "web-1"), ("b", "db"))
        ]
        status, _, body = self.ask("GET", "/v1/streams")
        self.assertEqual(status, 200)
        self.assertEqual([info["stream"] for info in json.loads(body)["streams"]], ["a"])

    def test_end(self) -> None:
        """A stream that the key may open can be ended; others are as if they were not there."""
        self.platform.live = [
            StreamInfo(name, host, "log/x", "u", 1.0, 2, 3) for name, host in (("a", "web-1"), ("b", "db"))
        ]
        status, _, body = self.ask("DELETE", "/v1/streams/a")
        self.assertEqual((status, body), (204, ""))
        self.assertEqual(self.platform.ended, [("web-1", "a")])
        for stream in ("b", "c", "", "%2e%2e"):
            self.assertEqual(self.problem("DELETE", f"/v1/streams/{stream}"), (404, "no_such_stream"))
        self.assertEqual(len(self.platform.ended), 1)

    def test_incomplete(self) -> None:
        """Where not all hosts have answered the lists say so, and a stream that isn't found may yet be there."""
        for complete in (True, False):
            self.platform.complete = complete
            for path in ("/v1/hosts", "/v1/streams"):
                self.assertEqual(json.loads(self.ask("GET", path)[2])["complete"], complete)
        self.assertEqual(self.problem("DELETE", "/v1/streams/a"), (503, "incomplete"))

    def test_nothing_granted(self) -> None:
        """For a key that may see nothing, or end nothing, nobody is asked."""
        text = self.path.read_text()
        self.path.write_text(text.replace('target = "log/*"', 'target = "log/*", view = true'))
        self.assertEqual(self.problem("DELETE", "/v1/streams/a"), (403, "not_granted"))
        key = add_key(self.path, "nobody", [])
        for path, nothing in (("/v1/hosts", NO_HOSTS), ("/v1/streams", NO_STREAMS)):
            self.assertEqual(json.loads(self.ask("GET", path, key=key)[2]), nothing)
        self.assertEqual(self.platform.asked, 0)

    def test_end_of_claimed(self) -> None:
        """A stream that a second host claims to have is ended at both, once each; what one refuses is told."""
        claims = (("a", "web-9", 1e9), ("a", "web-1", 2.0), ("a", "web-1", 1.0), ("a", "db", 3.0), ("b", "web-1", 4.0))
        self.platform.live = [StreamInfo(name, host, "log/x", "u", age, 2, 3) for name, host, age in claims]
        self.assertEqual(self.ask("DELETE", "/v1/streams/a")[0], 204)
        self.assertEqual(self.platform.ended, [("web-9", "a"), ("web-1", "a")])

        async def end(host: str, stream: str) -> None:
            ended.append(host)
            if host == "web-9":
                raise Refused(504, "host web-9 did not answer in time", code="host_slow")

        ended: list[str] = []
        self.patch(FakePlatform, "end", lambda _, *named: end(*named))
        self.assertEqual(self.problem("DELETE", "/v1/streams/a"), (504, "host_slow"))
        self.assertEqual(ended, ["web-9", "web-1"])

    def test_methods(self) -> None:
        """A path answers its own methods only."""
        for method, path in (
            ("PUT", "/v1/streams"),
            ("DELETE", "/v1/streams"),
            ("GET", "/v1/streams/x"),
            ("POST", "/v1/hosts"),
        ):
            self.assertEqual(self.problem(method, path, self.wanted)[0], 405, path)


class Paths(Case):
    """All others."""

    def test_hosts(self) -> None:
        """Only targets that the key may open are listed, and only hosts that have some."""
        self.platform.there = [
            HostInfo(
                "web-1", (TargetInfo("log/a", "log"), TargetInfo("ssh", "tcp"), TargetInfo("log/{x}", "log")), "1.2.3"
            ),
            HostInfo("db", (TargetInfo("log/a", "log"),)),
            HostInfo("web-2", (TargetInfo("ssh", "tcp"),)),
        ]
        status, _, body = self.ask("GET", "/v1/hosts")
        [host] = json.loads(body)["hosts"]
        self.assertEqual((status, host["host"], host["version"], host["complete"]), (200, "web-1", "1.2.3", True))
        looks = {"kind": "log", "viewer": "raw", "view": False}
        self.assertEqual(host["targets"], [{"name": "log/a", **looks}, {"name": "log/{x}", **looks}])

    def test_looks(self) -> None:
        """Where a key may only look, no target is listed that can't be looked at."""
        self.path.write_text(self.path.read_text().replace('target = "log/*"', 'target = "*", view = true'))
        kinds = (("a", "log", "log"), ("b", "pty", "terminal"), ("c", "qemu", "vnc"), ("d", "tcp", "raw"))
        targets = tuple(TargetInfo(*kind) for kind in (*kinds, ("e", "qemu", "spice"), ("f", "new", "unheard-of")))
        self.platform.there = [HostInfo("web-1", targets), HostInfo("web-2", targets[3:])]
        [host] = json.loads(self.ask("GET", "/v1/hosts")[2])["hosts"]
        self.assertEqual({target["name"]: target["view"] for target in host["targets"]}, dict.fromkeys("abc", True))

    def test_cut(self) -> None:
        """A host whose list isn't whole is told so, also where nothing in it is for the key; to no other key."""
        cut = (TargetInfo("ssh", "tcp"),)
        self.platform.there = [HostInfo(host, cut, complete=False) for host in ("web-1", "other")]
        [host] = json.loads(self.ask("GET", "/v1/hosts")[2])["hosts"]
        self.assertEqual((host["host"], host["targets"], host["complete"]), ("web-1", [], False))

    def test_pages(self) -> None:
        """The console's files are there without a key, with a policy that allows no inline script."""
        for path, kind in (("/", "text/html"), ("/console.css", "text/css"), ("/console.js", "text/javascript")):
            status, headers, body = self.ask("GET", path, key=None)
            self.assertEqual(status, 200)
            self.assertTrue(headers["content-type"].startswith(kind))
            self.assertTrue(body)
            policy = headers["content-security-policy"]
            self.assertNotIn("unsafe", policy)
            self.assertIn("script-src 'self';", policy)
            self.assertIn("frame-ancestors 'none'", policy)
            self.assertIn("connect-src 'self' wss://relay.example;", policy)

    def test_no_others(self) -> None:
        """There are no other files and no other paths."""
        for path in (
            "/console.html",
            "/../api.py",
            "/%2e%2e/api.py",
            "/console.js/x",
            "/console.css/..",
            "//console.css",
            "/v1",
            "/v1/",
            "/v1/streams/a/b",
            "/v2/streams",
            "/__init__.py",
            "/favicon.ico",
        ):
            self.assertEqual(self.problem("GET", path)[0], 404, path)


class Odd(Case):
    """Odd requests."""

    def test_broken_host(self) -> None:
        """A request without a key whose Host can't be read is malformed, and nothing is logged as our error."""
        self.path.write_text("[anonymous]\ngrants = [{}]\n")
        status = self.ask("GET", "/v1/streams", key=None, Host="[::1")[0]
        errors = self.flushLoggedErrors(ValueError)
        self.assertEqual((status, len(errors)), (400, 0))
