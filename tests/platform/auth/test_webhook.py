"""webhook.py: a system of the user's own decides."""

import json

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import Refused
from streamrelay.net.http_client import Fetched, FetchError
from streamrelay.platform.auth.grants import Grant
from streamrelay.platform.auth.webhook import AskConfig, Asking, Question, Verdict
from tests.documented import ASKED_AT_ONCE
from tests.fakes.http import FakeFetch
from tests.fakes.logs import Heard


class Deciding(SynchronousTestCase):
    """`Asking.decide`"""

    question = Question("open", "alice", "web-1", "log", None, "192.0.2.1")

    def setUp(self) -> None:
        self.fetch = FakeFetch()
        self.asking = Asking(AskConfig("https://panel.example/ask", timeout=1.5), self.fetch)

    def decide(self, result: "Fetched | Exception | Deferred[Fetched]") -> "Deferred[Verdict]":
        self.fetch.result = result
        return Deferred.fromCoroutine(self.asking.decide(self.question, {"Cookie": "panel=1"}))

    def refused(self, result: "Fetched | Exception") -> tuple[int, str]:
        refusal = self.failureResultOf(self.decide(result), Refused).value
        return refusal.status, refusal.code

    def test_question(self) -> None:
        """The question is a POST with every fact by its name, in the time that is set, with the credentials given."""
        self.successResultOf(self.decide(Fetched(204, b"")))
        [(method, url, seconds, headers, body)] = self.fetch.asked
        self.assertEqual((method, url, seconds), ("POST", "https://panel.example/ask", 1.5))
        self.assertEqual((headers["Cookie"], headers["Content-Type"]), ("panel=1", "application/json"))
        facts = {"action": "open", "user": "alice", "host": "web-1", "target": "log"}
        self.assertEqual(json.loads(body or b""), {**facts, "stream": None, "address": "192.0.2.1", "view": False})

    def test_yes(self) -> None:
        """Any 2xx is a yes, without a body or with a JSON object, which may name a user and their grants."""
        for status, body, verdict in (
            (200, b"", Verdict()),
            (204, b"", Verdict()),
            (299, b" \n", Verdict()),
            (200, b"{}", Verdict()),
            (200, b'{"user":"carol","more":1}', Verdict("carol")),
            (200, b'{"grants":[{"host":"a"}]}', Verdict(grants=(Grant("a"),))),
        ):
            self.assertEqual(self.successResultOf(self.decide(Fetched(status, body))), verdict, body)

    def test_no(self) -> None:
        """403 is a no, whatever it says."""
        for body in (b"", b"{}", b"<p>"):
            self.assertEqual(self.refused(Fetched(403, body)), (403, "not_allowed"))

    def test_neither(self) -> None:
        """Anything else is refused with 503, and logged: another status, no answer, or a body that isn't ours."""
        heard = Heard(self)
        wrong: list[Fetched | Exception] = [
            Fetched(status, b"") for status in (100, 301, 302, 304, 400, 401, 404, 500, 503, 999)
        ]
        bodies = [
            b"ok",
            b"<html>",
            b"[]",
            b'"yes"',
            b"true",
            b"\xff",
            b'{"user":7}',
            b'{"user":""}',
            b'{"user":"a\\nb"}',
        ]
        bodies += [b'{"grants":{}}', b'{"grants":[{"hosts":"a"}]}', b"[" * 5000]
        wrong += [Fetched(200, body) for body in bodies]
        for result in (*wrong, FetchError("no answer within 2 s")):
            self.assertEqual(self.refused(result), (503, "ask_failed"), result)
        said = [event for event in heard.events if "no decision from" in event["log_format"]]
        self.assertEqual(len(said), len(wrong) + 1)
        self.assertNotIn("panel=1", heard.text)

    def test_many(self) -> None:
        """Only so many questions wait at once; one more is refused without being asked, until one is answered."""
        answers: list[Deferred[Fetched]] = [Deferred() for _ in range(ASKED_AT_ONCE)]
        for answer in answers:
            self.decide(answer)
        self.assertEqual(self.refused(Fetched(204, b"")), (503, "ask_failed"))
        self.assertEqual(len(self.fetch.asked), ASKED_AT_ONCE)
        answers[0].callback(Fetched(204, b""))
        self.successResultOf(self.decide(Fetched(204, b"")))
