"""Streams that end while they have no leg, and who comes back to them; and who asks whether the host is there."""

import json

from tests.live.attacks.attack import AttackTest
from tests.live.attacks.resuming_stream import ResumingStream
from tests.live.support.waiting import WAIT, until


class Ended(AttackTest):
    """Through platform, relay and agent."""

    def test_told(self) -> None:
        """Who comes back to a stream that an operator has ended meanwhile is told so, in words and by its code; another
        user isn't."""
        stream = ResumingStream(self)
        stream.begin().socket.close()
        until(lambda: self.detached(stream.stream), what="a stream without a leg")
        self.common.end(stream.stream)
        until(lambda: self.detached(stream.stream) is None, what="no stream")
        answer = stream.ask()
        self.assertEqual((answer.status, answer.json["code"]), (410, "stream_over"))
        self.assertEqual(answer.json["ended"]["code"], 4006)
        self.assertIn("4006 ended by an operator", answer.json["detail"])
        self.assertNotIn("ended", stream.ask(key=self.common.weak_key).json)

    def detached(self, name: str) -> bool | None:
        """Whether a stream has no leg; None if there is none."""
        found = [one for one in self.common.streams() if one["stream"] == name]
        return "detached" in found[0] if found else None

    def test_there(self) -> None:
        """The host itself answers a ping, by its number, and a relay in between passes both on."""
        stream = ResumingStream(self)
        leg = stream.begin()
        for number in (1, 77):
            leg.send(json.dumps({"ping": number}))
            self.assertEqual(json.loads(leg.recv(WAIT)), {"pong": number})
