"""api.py: an answer of two lines, of which the client has the first while the agent is asked."""

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from streamrelay.errors import Refused
from streamrelay.platform import Opened
from tests.fakes.channels import FakeTransport
from tests.platform.http import test_api

OPENED = Opened("s", "wss://relay/client/t", "log", 5.0)
EARLY = {"stream": "s", "url": "wss://relay/client/t", "expires": 5.0}
LINES = "application/x-ndjson"


class Early(test_api.Case):
    """POST /v1/streams of a client that takes lines."""

    wanted = {"host": "web-1", "target": "log/nginx"}

    def begin(self, accept: str = LINES, version: str = "1.1") -> FakeTransport:
        """Ask for a stream that waits for its agent."""
        self.platform.result, self.platform.opening = OPENED, Deferred()
        body = json.dumps(self.wanted)
        return self.send(
            f"POST /v1/streams HTTP/{version}\r\nHost: platform.example\r\nAuthorization: Bearer {self.key}\r\n"
            f"Accept: {accept}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )

    def lines(self, transport: FakeTransport) -> tuple[str, list[Any]]:
        """The head of what was sent by now, and the lines of its body."""
        head, _, body = transport.value().decode().partition("\r\n\r\n")
        if "chunked" in head:
            body = "".join(body.split("\r\n")[1::2])
        self.assertTrue(body.endswith("\n") or not body)
        return head.lower(), [json.loads(line) for line in body.splitlines()]

    def test_two_lines(self) -> None:
        """The first line is out before the agent has answered, with all headers of an answer; the second is today's."""
        transport = self.begin()
        head, lines = self.lines(transport)
        self.assertEqual(lines, [EARLY])
        self.assertTrue(head.startswith("http/1.1 200 "))
        for row in (f"content-type: {LINES}", "x-accel-buffering: no", "cache-control: no-store"):
            self.assertIn(row, head)
        self.assertNotIn("content-encoding", head)
        opening = self.platform.opening
        assert opening is not None
        opening.callback(None)
        _, lines = self.lines(transport)
        self.assertEqual(
            lines[1:],
            [
                {
                    **EARLY,
                    "kind": "log",
                    "viewer": "raw",
                    "links": 1,
                    "view": False,
                    "channels": 0,
                    "resume": 0,
                    "received": 0,
                    "terminal": "",
                }
            ],
        )
        self.assertTrue(transport.value().endswith(b"\r\n0\r\n\r\n"))

    def test_refused(self) -> None:
        """What the agent refuses, or an error of ours, is the second line, as a problem with its status."""
        for error, status in ((Refused(504, "no answer", code="target_unreachable"), 504), (ZeroDivisionError(), 500)):
            self.setUp()
            transport = self.begin()
            self.platform.result = error
            assert self.platform.opening is not None
            self.platform.opening.callback(None)
            _, [_, problem] = self.lines(transport)
            self.assertEqual((problem["status"], problem["type"]), (status, "about:blank"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_before(self) -> None:
        """What is refused before the agent is asked has its own status, and nothing was told early."""
        for target, key, status in (("ssh", self.key, 403), ("log/nginx", "wrong", 401)):
            told = self.problem("POST", "/v1/streams", {"host": "web-1", "target": target}, key=key, Accept=LINES)
            self.assertEqual(told[0], status)

    def test_others(self) -> None:
        """Who doesn't say so gets one object with 201, whatever else they take."""
        self.platform.result = OPENED
        for accept in (None, "*/*", "application/json", "application/*", "text/x-ndjson", "application/x-ndjson-seq"):
            status, headers, body = self.ask("POST", "/v1/streams", self.wanted, Accept=accept)
            self.assertEqual((status, headers["content-type"]), (201, "application/json"))
            self.assertEqual(json.loads(body)["links"], 1)
        for accept in ("application/json, Application/X-NDJSON;q=0.9", f"text/html,{LINES}"):
            self.assertEqual(self.ask("POST", "/v1/streams", self.wanted, Accept=accept)[0], 200)

    def test_left(self) -> None:
        """A client that leaves between the lines has its stream ended."""
        self.begin()
        self.channel.connectionLost(Failure(ConnectionDone()))
        assert self.platform.opening is not None
        self.platform.opening.callback(None)
        self.assertEqual(self.platform.ended, [("web-1", "s")])

    def test_old_http(self) -> None:
        """By HTTP/1.0 the lines come as they are, without chunks."""
        transport = self.begin(version="1.0")
        self.assertEqual(self.lines(transport)[1], [EARLY])

    def test_pages_elsewhere(self) -> None:
        """A page of an allowed origin may read the lines."""
        self.authenticator.origins = ("https://panel.example",)
        self.platform.result = OPENED
        answer = self.ask("POST", "/v1/streams", self.wanted, Accept=LINES, Origin="https://panel.example")
        self.assertEqual((answer[0], answer[1]["access-control-allow-origin"]), (200, "https://panel.example"))
        self.assertEqual([json.loads(line)["stream"] for line in answer[2].splitlines()], ["s", "s"])
