"""resume.py: a stream is resumed by who has opened it, as long as they may."""

import json
from typing import Any

from twisted.internet.defer import Deferred

from streamrelay.platform import Opened, StreamOver
from streamrelay.platform.http import resume
from streamrelay.protocol.summons import PastEnd
from tests.platform.http import test_api

STREAM = "s" * 22
BODY: dict[str, Any] = {"host": "web-1", "target": "log/nginx", "received": 7, "try": 2}


class Resuming(test_api.Case):
    """POST /v1/streams/ID/resume."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(resume, "as_deferred", Deferred.fromCoroutine)

    def post(self, stream: str = STREAM, **changes: Any) -> tuple[int, Any]:
        return self.problem("POST", f"/v1/streams/{stream}/resume", {**BODY, **changes})

    def test_asked(self) -> None:
        """What the client has is passed on, in the name of who asks; the answer is that of the host."""
        self.platform.result = Opened(STREAM, "wss://relay/client/t", "log", 5.0, resume=120.0, received=99)
        status, _, body = self.ask("POST", f"/v1/streams/{STREAM}/resume", BODY)
        told = json.loads(body)
        self.assertEqual((status, told["received"], told["resume"]), (201, 99, 120.0))
        [again] = self.platform.resumed
        self.assertEqual((again.user, again.host, again.target, again.stream), ("alice", "web-1", "log/nginx", STREAM))
        self.assertEqual((again.received, again.attempt, again.view), (7, 2, False))

    def test_withdrawn(self) -> None:
        """Without a grant it is refused, and the stream of this user ended."""
        self.assertEqual(self.post(target="ssh"), (403, "not_granted"))
        self.assertEqual(self.platform.withdrawn, [("alice", "web-1", STREAM)])
        self.assertEqual(self.platform.resumed, [])

    def test_over(self) -> None:
        """What the host says of it is the answer."""
        self.platform.result = StreamOver("the stream is over")
        self.assertEqual(self.post(), (410, "stream_over"))
        self.platform.result = StreamOver("the stream is over", PastEnd(4006, "maintenance", 3))
        problem = json.loads(self.ask("POST", f"/v1/streams/{STREAM}/resume", BODY)[2])
        self.assertEqual(problem["ended"], {"code": 4006, "reason": "maintenance", "exit": 3})

    def test_malformed(self) -> None:
        """What can't be a stream, a position or a number is refused."""
        self.assertEqual(self.post(stream="short"), (404, "no_such_stream"))
        for wrong in ({"received": -1}, {"try": 0}, {"received": 1.5}, {"try": None}, {"more": 1}):
            self.assertEqual(self.post(**wrong)[0], 400, wrong)
        self.assertEqual(self.platform.resumed, [])
