"""stall.py: a client that takes nothing of what waits for it."""

from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.websocket.close_frame import parse_close
from streamrelay.websocket.frames import PONG
from tests.documented import BEAT
from tests.fakes.frames import frame
from tests.fakes.logs import Heard
from tests.relay import test_service
from tests.relay.test_service import KEY, Leg

LIMIT = 30


class Stalls(test_service.Case):
    """A relay with a stall limit of 30 s, and one pair."""

    def setUp(self) -> None:
        self.pair(stall_limit=LIMIT)

    def pair(self, **settings: float) -> None:
        self.start(**settings)
        self.client, self.agent = self.leg("client"), self.leg("agent")
        self.agent.frames()
        self.client.channel.full, self.client.channel.taken = True, 0

    def beats(self, seconds: float) -> None:
        for _ in range(int(seconds / BEAT)):
            for leg in (self.client, self.agent):  # each says that it lives
                leg.channel.receive(frame(PONG, b"", KEY))
            self.clock.advance(BEAT)

    @property
    def lives(self) -> bool:
        return [splice.outcome for splice in self.relay.tally.live] == [None]

    def closed(self, leg: Leg) -> list[tuple[int, str]]:
        return [parse_close(payload) for opcode, payload in leg.frames() if opcode == 8]

    def test_ends(self) -> None:
        """Bytes of which nothing is taken for so long end the stream with 4008 at both legs, in words of its own; what
        waits stands before the close."""
        heard = Heard(self)
        self.agent.send(b"waits")
        self.beats(LIMIT)
        self.assertTrue(self.lives)
        self.beats(2 * BEAT)
        why = (CloseCode.IDLE, f"the client took nothing for {LIMIT} s")
        self.assertEqual(self.closed(self.agent), [why])
        (_, waited), (_, close) = self.client.frames()
        self.assertEqual((waited, parse_close(close)), (b"waits", why))
        self.assertEqual(self.relay.tally.stalled, 1)
        (line,) = [line for line in heard.lines if "stall_limit" in line]
        self.assertIn(f"took nothing for {LIMIT} s while 7 bytes waited for it (stall_limit)", line)

    def test_told_once(self) -> None:
        """A stream that is ended isn't ended again while its client still takes nothing."""
        self.agent.send(b"waits")
        self.beats(LIMIT + 2 * BEAT)
        self.beats(LIMIT)
        self.assertEqual(self.relay.tally.stalled, 1)

    def test_steady(self) -> None:
        """A client that takes a byte now and then, of which our kernel has many more, isn't ended."""
        self.agent.send(b"waits")
        for taken in range(40):
            self.client.channel.taken = taken
            self.beats(LIMIT - BEAT)
        self.assertTrue(self.lives)

    def test_unknown(self) -> None:
        """Where the kernel tells nothing, what left us counts as taken."""
        self.client.channel.taken = None
        self.agent.send(bytes(100))
        for _ in range(20):
            self.client.channel.unsent -= 1
            self.beats(LIMIT - BEAT)
        self.assertTrue(self.lives)
        self.beats(LIMIT + 2 * BEAT)
        self.assertEqual(len(self.closed(self.agent)), 1)

    def test_nothing_waits(self) -> None:
        """A stream where nothing waits goes on for ever, and so does one whose client has caught up in time."""
        for _ in range(10):
            self.client.channel.full = True
            self.agent.send(b"waits")
            self.beats(LIMIT - BEAT)
            self.client.channel.drain()
            self.client.channel.taken = 10 * (self.client.channel.taken or 1)
        self.beats(100 * LIMIT)
        self.assertTrue(self.lives)

    def test_off(self) -> None:
        """By default nobody is ended, however long nothing is taken."""
        self.pair()
        self.agent.send(b"waits")
        self.beats(100 * LIMIT)
        self.assertTrue(self.lives)

    def test_forgotten(self) -> None:
        """A stream that has ended otherwise leaves nothing in the heartbeat, and isn't counted."""
        self.agent.send(b"waits")
        self.agent.connection.close(outcome(CloseCode.OPERATOR))
        self.agent.close(4006)
        for leg in (self.agent, self.client):
            leg.lose()
        self.beats(2 * LIMIT)
        self.assertEqual((self.client.connection.heartbeat.members, self.relay.tally.stalled), ({}, 0))
