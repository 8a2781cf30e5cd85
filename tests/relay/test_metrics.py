"""What a relay counts, and tells when it is asked."""

from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.errors import Refused
from streamrelay.net.certificates import ServerTls
from streamrelay.net.descriptors import allowed
from streamrelay.program.histogram import Histogram
from streamrelay.protocol.close import OUTCOMES, outcome_word
from streamrelay.relay.metrics import RelayMetrics
from streamrelay.websocket.refusal_words import WORDS, word
from streamrelay.websocket.server import REFUSALS, LegFactory
from tests.examples import STREAM
from tests.fakes.channels import FakeTransport
from tests.fakes.frames import frame
from tests.relay.test_service import KEY, Case


class Told(Case):
    """Legs come and go; the metrics follow."""

    def value(self, name: str, *labels: str) -> float:
        factory = LegFactory(self.clock, self.relay, Heartbeat(self.clock))
        for family in RelayMetrics(self.relay, factory, ServerTls(())).families():
            if family.name == f"streamrelay_{name}":
                value = family.values.get(labels, -1)
                return value.buckets[-1][1] if isinstance(value, Histogram) else value
        raise AssertionError(name)

    def test_waiting(self) -> None:
        """A leg that waits is told by its role until it is met, withdrawn or gone."""
        for role in ("client", "agent"):
            self.leg(role, f"{role:a<22}")
            self.assertEqual(self.value("relay_legs_waiting", role), 1)
        self.leg("agent", f"{'client':a<22}")
        self.assertEqual([self.value("relay_legs_waiting", role) for role in ("client", "agent")], [0, 1])
        self.clock.advance(self.relay.config.patience)
        self.assertEqual(self.value("relay_legs_waiting", "agent"), 0)
        self.assertEqual([self.value("relay_legs_unmet", role) for role in ("client", "agent")], [0, 1])

    def test_bytes(self) -> None:
        """Bytes are told of a stream that lives, and no more and no less once it has ended."""
        client, agent = self.leg("client"), self.leg("agent")
        client.send(b"up")
        agent.send(b"down!")
        told = [self.value("relay_bytes", direction) for direction in ("up", "down")]
        self.assertEqual(told, [2, 5])
        client.lose()
        agent.lose()
        self.assertEqual([self.value("relay_bytes", direction) for direction in ("up", "down")], told)
        self.assertEqual(self.value("relay_streams"), 0)
        self.assertEqual(self.value("relay_streams_ended", "leg_lost"), 1)

    def test_own_codes(self) -> None:
        """Close codes of a client's own make no new words: they mean the end; all that aren't ours have one word."""
        before = len(self.relay.tally.ended)
        for at in range(3):
            client, agent = self.leg("client", f"{at:b<22}"), self.leg("agent", f"{at:b<22}")
            client.channel.receive(frame(8, (3000 + at).to_bytes(2, "big"), KEY))
            client.lose()
            agent.lose()
        self.assertEqual(self.value("relay_streams_ended", "finished"), 3)
        self.assertEqual(len(self.relay.tally.ended), before + 1)
        self.assertEqual({outcome_word(code) for code in range(5000)}, set(OUTCOMES))

    def test_pairing(self) -> None:
        """The time for which the first leg has waited is what is told of a pair, whichever came first."""
        self.leg("agent")
        self.clock.advance(3)
        self.leg("client")
        self.assertEqual(self.value("relay_pairing_seconds"), 1)
        self.assertEqual(self.relay.tally.pairing.total, 3)

    def test_limits(self) -> None:
        """Connections are told beside what the setting allows."""
        self.leg("agent", STREAM)
        self.assertEqual(self.value("limit_used", "max_connections"), 1)
        self.assertEqual(self.value("limit", "max_connections"), min(50_000, allowed()))


class Refusals(Case):
    """Words of refusals."""

    def test_words(self) -> None:
        """Each status has a word, with those of its own where there are several, and none is a stranger's."""
        self.assertLessEqual({word(Refused(status, "x" * 50)) for status in (*REFUSALS, 429, 431, 500)}, set(WORDS))
        for refusal, expected in (
            (Refused(403, "origin"), "origin"),
            (Refused(403, "certificate"), "certificate"),
            (Refused(503, "shutting down"), "shutting_down"),
            (Refused(401, "token"), "token"),
            (Refused(418, "teapot"), "malformed"),
        ):
            self.assertEqual(word(refusal), expected)

    def test_counted(self) -> None:
        """Each refusal before 101 is counted once: by its answer, or as a request that came too late."""
        factory = LegFactory(self.clock, self.relay, Heartbeat(self.clock))
        host = b" HTTP/1.1\r\nHost: x\r\n\r\n"
        for request in (b"GET /" + host, b"GET /agent" + host, b"nonsense\r\n\r\n", b""):
            transport = FakeTransport()
            transport.protocol = protocol = factory.buildProtocol(None)
            protocol.makeConnection(transport)
            if request:
                protocol.dataReceived(request)
        self.clock.advance(5)
        self.assertEqual(dict(factory.refused), {"path": 1, "upgrade": 1, "malformed": 1, "late": 1})
