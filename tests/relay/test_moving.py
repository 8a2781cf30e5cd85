"""moving.py: a relay that stops sends those streams away that outlive their legs."""

from typing import Any

from streamrelay.protocol.tokens import Signer
from tests.fakes.files import key_pair
from tests.relay.test_service import Case, Leg

STREAM = "s" * 22


class Moved(Case):
    """A relay with signed tokens."""

    def start(self, **settings: Any) -> None:
        private, public = key_pair(self)
        self.signer = Signer.load(str(private))
        super().start(tokens="signed", platform_key=(str(public),), id="relay", **settings)
        self.signer.now = self.clock.seconds
        self.patch(__import__("time"), "time", self.clock.seconds)

    def stream(self, letter: str, resumes: bool) -> Leg:
        """A stream that lives; its client's leg."""
        more: dict[str, Any] = {"stream": STREAM} if resumes else {}
        legs = {
            role: self.leg(role, self.signer.mint("relay", role=role, sub=letter * 22, **more))
            for role in ("client", "agent")
        }
        legs["client"].frames()
        return legs["client"]

    def test_spread(self) -> None:
        """With other relays on the bus they go one after the other, over the time to drain; others stay."""
        self.start(nats=("nats://127.0.0.1:4222",), url="wss://relay.example", drain=60.0)
        moved = [self.stream(letter, True) for letter in "abc"]
        stays = self.stream("d", False)
        self.relay.drain()
        gone = []
        for _ in range(4):
            gone.append(sorted(code for leg in moved for code in leg.close_codes()))
            self.clock.advance(20)
        self.assertEqual(gone, [[1012], [1012], [1012], []])
        self.assertEqual(stays.close_codes(), [])

    def test_alone(self) -> None:
        """At a lone relay they stay as long as others live, and all go with the last of these."""
        self.start(drain=60.0)
        moved, stays = [self.stream(letter, True) for letter in "ab"], self.stream("d", False)
        self.relay.drain()
        self.clock.advance(30)
        self.assertEqual([leg.close_codes() for leg in moved], [[], []])
        stays.close(1000)
        for admitted in tuple(self.relay.legs):
            if not admitted.claims.resumes:
                admitted.left()
        self.assertEqual([leg.close_codes() for leg in moved], [[1012], [1012]])

    def test_nothing_else(self) -> None:
        """Where there are no others they go at once."""
        self.start(drain=60.0)
        moved = self.stream("a", True)
        self.relay.drain()
        self.assertEqual(moved.close_codes(), [1012])
