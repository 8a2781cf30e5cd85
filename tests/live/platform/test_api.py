"""The platform's HTTP API: who sees what, what is refused and how, and what every answer carries."""

import http.client
import json
import socket
from typing import Any

from streamrelay.protocol.tokens import new_id
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, shared
from tests.live.support.http import ask
from tests.live.support.sockets import MIB
from tests.live.support.waiting import WAIT, until

ANONYMOUS = '\n[anonymous]\ngrants = [{ host = "*", target = "port/*" }]\n'


class ApiTest(LiveTest):
    """A test on a common chain."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared()

    def live_stream(self) -> tuple[Any, Any, str]:
        """A stream, its target's connection, and its id."""
        listener = self.listen()
        answer = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": listener.target})
        leg = self.websocket(answer.json["url"])
        until(lambda: self.find(answer.json["stream"]), what="the stream")
        return leg, listener.accept(), answer.json["stream"]

    def find(self, stream: str, key: str = "") -> Any:
        streams = self.common.ask("GET", "/v1/streams", key=key).json.get("streams", [])
        return next((found for found in streams if found["stream"] == stream), None)


class Lists(ApiTest):
    """Hosts and streams, as far as the key's grants go."""

    def test_hosts(self) -> None:
        """The list of hosts has the targets that the key may open, and no others."""
        (host,) = self.common.ask("GET", "/v1/hosts").json["hosts"]
        self.assertEqual(host["host"], HOST)
        self.assertEqual({target["name"] for target in host["targets"]}, {"port/{number}", "port6/{number}"})
        (host,) = self.common.ask("GET", "/v1/hosts", key=self.common.weak_key).json["hosts"]
        self.assertEqual(host["targets"], [{"name": "port/{number}", "kind": "tcp", "viewer": "raw", "view": False}])

    def test_opened(self) -> None:
        """The answer to an opened stream: its id, its URL, its target's kind, and when it expires."""
        listener = self.listen()
        answer = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": listener.target})
        self.assertEqual(answer.status, 201)
        about = {"stream", "url", "kind", "viewer", "links", "view", "expires", "channels", "resume", "received"}
        about.add("terminal")
        self.assertEqual(set(answer.json), about)
        self.assertEqual(answer.json["kind"], "tcp")
        self.assertTrue(answer.json["url"].startswith(f"{self.common.relay_url}/client/"))

    def test_streams(self) -> None:
        """The list of streams shows what is live, with its bytes, to those who may open its target."""
        leg, target, stream = self.live_stream()
        leg.send(b"12345")
        self.assertEqual(target.recv(10), b"12345")
        target.sendall(b"123")
        self.assertEqual(leg.recv(WAIT), b"123")
        for key in ("", self.common.weak_key):  # the list may be two seconds old, or without an agent that was late
            found = until(lambda key=key: (now := self.find(stream, key)) and now["down"] and now, what="its bytes")
            self.assertEqual((found["host"], found["user"], found["up"], found["down"]), (HOST, "alice", 5, 3))
        six = self.listen("::1")
        hidden = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": six.target}).json
        self.websocket(hidden["url"])
        until(lambda: self.find(hidden["stream"]), what="the stream")
        self.assertIs(self.find(hidden["stream"], self.common.weak_key), None)

    def test_end(self) -> None:
        """DELETE ends a stream: its client is closed with 4006, its target is reset, and it is listed no more."""
        leg, target, stream = self.live_stream()
        answer = self.common.ask_to_end(stream)
        self.assertEqual((answer.status, answer.text), (204, ""))
        self.assert_closed(leg, 4006)
        self.assertRaises(ConnectionResetError, target.recv, 1)
        until(lambda: not self.find(stream), what="the end of the stream")
        self.assertEqual(self.common.ask_to_end(stream).status, 404)

    def test_end_of_others(self) -> None:
        """A stream whose target the key may not open can't be ended, and can't be told from none."""
        six = self.listen("::1")
        opened = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": six.target}).json
        leg = self.websocket(opened["url"])
        until(lambda: self.find(opened["stream"]), what="the stream")
        hidden = self.common.ask_to_end(opened["stream"], self.common.weak_key)
        missing = self.common.ask_to_end(new_id(), self.common.weak_key)
        self.assertEqual((hidden.status, hidden.text), (404, missing.text))
        leg.send(b"alive")
        self.assertEqual(six.accept().recv(10), b"alive")


class Forms(ApiTest):
    """What a request must look like, and what every answer does."""

    def test_problems(self) -> None:
        """Every error is a problem of RFC 9457, with a code for programs."""
        for method, path, body, status in (
            ("GET", "/v1/nothing", None, 404),
            ("GET", "/v1/streams/", None, 405),
            ("PUT", "/v1/streams", {}, 405),
            ("DELETE", "/v1/hosts", None, 405),
            ("DELETE", "/v1/streams/%0d%0a", None, 404),
            ("POST", "/v1/streams", "not JSON", 400),
            ("POST", "/v1/streams", "[]", 400),
            ("POST", "/v1/streams", {"host": HOST}, 400),
            ("POST", "/v1/streams", {"host": HOST, "target": 7}, 400),
            ("POST", "/v1/streams", {"host": HOST, "target": "log", "more": 1}, 400),
            ("POST", "/v1/streams", b"\xff\xfe", 400),
            ("POST", "/v1/streams", "[" * 8000, 400),
            ("POST", "/v1/streams", {"host": "a b", "target": "log"}, 404),
            ("POST", "/v1/streams", {"host": "a.*", "target": ">"}, 404),
        ):
            answer = self.common.ask(method, path, body)
            self.assertEqual(answer.status, status, (method, path, body, answer.text))
            self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
            self.assertEqual(answer.json["status"], status)
            self.assertTrue(answer.json["title"] and answer.json["detail"] and answer.json["code"])

    def test_content_type(self) -> None:
        """A POST that another site's form could send is refused with 415."""
        body = json.dumps({"host": HOST, "target": "port/1"})
        for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""):
            answer = self.common.ask("POST", "/v1/streams", body, headers={"Content-Type": content_type})
            self.assertEqual(answer.status, 415, content_type)
        # A form with parts is read by twisted.web before we see it, and this is none.
        answer = self.common.ask("POST", "/v1/streams", body, headers={"Content-Type": "multipart/form-data"})
        self.assertEqual(answer.status, 400)

    def test_big_body(self) -> None:
        """A body over the limit is answered 413 or cut off, whether its length is told or not; the platform lives."""
        before = self.common.platform.rss()
        for head in ("Content-Length: 200000000", "Transfer-Encoding: chunked"):
            with socket.create_connection(("127.0.0.1", self.common.platform_port), WAIT) as connection:
                connection.sendall(
                    f"POST /v1/streams HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                    f"Authorization: Bearer {self.common.key}\r\n{head}\r\n\r\n".encode()
                )
                sent = 0
                try:
                    while sent < 50 * MIB:
                        connection.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
                        sent += 65536
                    answer = connection.recv(100)
                except (ConnectionError, TimeoutError):
                    answer = b""
                self.assertTrue(answer == b"" or b" 413 " in answer, answer)
                self.assertLess(sent, 50 * MIB)
        self.assertLess(self.common.platform.rss() - before, 4)
        self.assertEqual(self.common.ask("GET", "/v1/hosts").status, 200)

    def test_headers(self) -> None:
        """Every answer forbids sniffing, framing and referrers, and to be used again unasked."""
        for path, key, kept in (
            ("/v1/hosts", self.common.key, "private, no-cache"),
            ("/v1/hosts", None, "no-store"),
            ("/v1/nothing", self.common.key, "no-store"),
            ("/", None, "no-cache"),
            ("/console.js", None, "no-cache"),
        ):
            headers = self.common.ask("GET", path, key=key).headers
            self.assertEqual(headers["Cache-Control"], kept, path)
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(headers["Referrer-Policy"], "no-referrer")
            self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
            self.assertIn("frame-ancestors 'none'", headers["Content-Security-Policy"])
            self.assertNotIn("unsafe", headers["Content-Security-Policy"])

    def test_pages(self) -> None:
        """The console's files are served without a key, and no other file is."""
        page = self.common.ask("GET", "/", key=None)
        self.assertEqual((page.status, page.headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertIn(f"connect-src 'self' {self.common.relay_url}", page.headers["Content-Security-Policy"])
        for path in (
            "/../setup.cfg",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/console.js/",
            "/console.html",
            "//etc/passwd",
            "/v1",
        ):
            self.assertEqual(self.common.ask("GET", path).status, 404, path)

    def test_keep_alive(self) -> None:
        """Several requests come over one connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.common.platform_port, timeout=WAIT)
        for _ in range(3):
            connection.request("GET", "/v1/hosts", headers={"Authorization": f"Bearer {self.common.key}"})
            self.assertEqual(connection.getresponse().read()[:10], b'{"hosts":[')
        connection.close()


class Anonymous(LiveTest):
    """Requests without a key, where the file allows them."""

    def test_odd_host(self) -> None:
        """A Host header that is none is the client's fault, not an error of ours."""
        own = self.chain()
        with own.keys.open("a") as file:
            file.write(ANONYMOUS)
        for name in ("[", "[::1", "127.0.0.1:x", "a:b:c", "\xe9"):
            answer = ask(own.platform_port, "GET", "/v1/hosts", headers={"Host": name})
            self.assertIn(answer.status, (200, 400, 401) if name == "127.0.0.1:x" else (400, 401), name)

    def test_loopback_only(self) -> None:
        """Without a key only requests under this machine's own names are answered: no page can rebind its own."""
        own = self.chain()
        self.assertEqual(ask(own.platform_port, "GET", "/v1/hosts").status, 401)
        with own.keys.open("a") as file:
            file.write(ANONYMOUS)
        for name in ("127.0.0.1", "localhost", "[::1]", "127.0.0.1:8800", "localhost:1"):
            answer = ask(own.platform_port, "GET", "/v1/hosts", headers={"Host": name})
            self.assertEqual(answer.status, 200, name)
            (host,) = answer.json["hosts"]
            self.assertEqual([target["name"] for target in host["targets"]], ["port/{number}"])
        for name in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "10.0.0.1", "0x7f.1"):
            answer = ask(own.platform_port, "GET", "/v1/hosts", headers={"Host": name})
            self.assertEqual(answer.status, 401, name)
        for name in ("Forwarded", "X-Forwarded-For", "Via"):
            answer = ask(own.platform_port, "GET", "/v1/hosts", headers={"Host": "localhost", name: "for=10.0.0.1"})
            self.assertEqual(answer.status, 401, name)
        answer = ask(own.platform_port, "GET", "/v1/hosts", headers={"Authorization": "Bearer srk_wrong"})
        self.assertEqual(answer.status, 401)
        listener = self.listen()
        body = json.dumps({"host": HOST, "target": listener.target})
        headers = {"Content-Type": "application/json"}
        self.assertEqual(ask(own.platform_port, "POST", "/v1/streams", body, headers).status, 201)
        body = json.dumps({"host": HOST, "target": "port6/1"})
        self.assertEqual(ask(own.platform_port, "POST", "/v1/streams", body, headers).status, 403)
