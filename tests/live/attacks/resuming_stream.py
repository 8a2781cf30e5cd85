"""A stream that resumes whose client is the attacker."""

from typing import Any

from websockets.sync.client import ClientConnection

from tests.live.attacks.attack import AttackTest
from tests.live.support.chain import HOST
from tests.live.support.http import Answer
from tests.live.support.waiting import WAIT


class ResumingStream:
    """A stream of a user whose client is the attacker."""

    def __init__(self, case: AttackTest) -> None:
        self.case, self.listener, self.attempt = case, case.listen(), 0
        self.about: dict[str, Any] = {"host": HOST, "target": self.listener.target}
        answer = case.common.ask("POST", "/v1/streams", {**self.about, "resume": True})
        case.assertEqual(answer.status, 201, answer.text)
        self.stream, self.url = str(answer.json["stream"]), str(answer.json["url"])
        case.addCleanup(case.common.ask, "DELETE", f"/v1/streams/{self.stream}")

    def begin(self) -> ClientConnection:
        leg = self.case.websocket(self.url)
        self.target = self.listener.accept()
        return leg

    def ask(self, received: object = 0, key: str = "", instead: dict[str, object] | None = None) -> Answer:
        """Ask for another leg."""
        self.attempt += 1
        body = {**self.about, "received": received, "try": self.attempt, **(instead or {})}
        return self.case.common.ask("POST", f"/v1/streams/{self.stream}/resume", body, key=key)

    def again(self, received: int = 0) -> ClientConnection:
        answer = self.ask(received)
        self.case.assertEqual(answer.status, 201, answer.text)
        return self.case.websocket(str(answer.json["url"]))

    def lives(self) -> None:
        """It goes on by another leg, from its first byte on."""
        self.down(self.again())

    def down(self, leg: ClientConnection) -> None:
        """What its target sends comes by this leg, beside what the agent confirms whenever it is time for it."""
        self.target.sendall(b"down")
        got = b""
        while len(got) < 4:
            message = leg.recv(WAIT)
            got += message if isinstance(message, bytes) else b""
        self.case.assertEqual(got, b"down")

    def over(self) -> None:
        """It doesn't, and who asks is told so."""
        answer = self.ask()
        self.case.assertEqual((answer.status, answer.json["code"]), (410, "stream_over"), answer.text)
