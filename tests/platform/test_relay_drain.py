"""relay_drain.py: a relay is asked to drain, and says itself that it does."""

from typing import Any

from streamrelay.agent.summonses import Summonses
from streamrelay.bus.message import Down, Message, Nobody, TooSlow
from streamrelay.errors import Refused
from streamrelay.platform import Platform
from streamrelay.platform.relays import HeardRelay
from streamrelay.protocol import codec
from streamrelay.protocol.relay_state import STATE, Drain, RelayState, State
from streamrelay.protocol.subjects import relay_subject
from streamrelay.protocol.summons import Answer
from streamrelay.protocol.tokens import Verifier
from tests.documented import DRAIN_LIFE
from tests.fakes.bus import FakeBus
from tests.fakes.files import key_pair
from tests.fakes.logs import Heard
from tests.fakes.reactors import leaping
from tests.platform.test_platform import Case as PlatformCase
from tests.platform.test_platform import put_bus

READY = codec.encode(Answer(ready=True))


class Relay(FakeBus):
    """A bus on which one relay answers, and then tells its state."""

    platform: Platform
    tells: tuple[State, bool] | None = ("draining", True)

    async def request(self, subject: str, data: bytes, timeout: float, copies: bool = False) -> bytes:
        answer = await super().request(subject, data, timeout, copies)
        if self.tells is not None:
            self.say(*self.tells)
        return answer

    def say(self, state: State, drained: bool = False, relay: str = "fra.1") -> None:
        told = RelayState(f"wss://{relay}.example", state=state, drained=drained)
        self.platform.choice.hear(Message(codec.encode(told), "", relay_subject(relay, STATE)))


class Case(PlatformCase):
    """A platform of relays on the bus, one of which is heard."""

    def setUp(self) -> None:
        private, public = key_pair(self)
        self.platform = Platform(key=str(private), relays=("wss://{id}.example",))
        put_bus(self.platform)
        self.public = str(public)
        self.relay = self.platform.bus = self.bus = Relay()
        self.relay.platform = self.platform
        self.relay.say("ready")

    def drain(self, undo: bool = False, relay: str = "fra.1") -> HeardRelay:
        return leaping(self.platform.drain(relay, undo, "alice"))

    def no(self, relay: str = "fra.1") -> Refused:
        refusal: Refused = self.assertRaises(Refused, self.drain, relay=relay)
        return refusal


class Asked(Case):
    """What a relay is asked, and what is made of its answer."""

    def test_drained(self) -> None:
        """It is asked on its own subject, by a request that it can verify and that is stale once nobody waits; then it
        isn't picked, and the log says for whom."""
        heard = Heard(self)
        self.bus.answers.append(READY)
        self.assertEqual(self.drain().state.drained, True)
        [(subject, data)] = self.bus.asked
        self.assertEqual(subject, "streamrelay.v1.drain.fra:1")
        asked: Any = Summonses(Verifier.load([self.public], "fra.1")).read(data, "drain", Drain)
        self.assertEqual((asked.drain, asked.user), (True, "alice"))
        claims = Verifier.load([self.public], "fra.1").claims(data.decode(), "drain")
        self.assertEqual(claims["exp"] - claims["iat"], DRAIN_LIFE)
        self.assertIsNone(self.platform.choice.pick("web-1", ""))
        self.assertEqual(heard.lines, ["relay fra.1 is drained, as alice wants it"])

    def test_undone(self) -> None:
        """To undo it is the same request with another word; then it is picked again."""
        self.relay.say("draining", True)
        self.relay.tells = ("ready", False)
        self.bus.answers.append(READY)
        self.assertEqual(self.drain(undo=True).state.state, "ready")
        asked = Summonses(Verifier.load([self.public], "fra.1")).read(self.bus.asked[0][1], "drain", Drain)
        self.assertFalse(asked.drain)
        self.assertIsNotNone(self.platform.choice.pick("web-1", ""))

    def test_another_server(self) -> None:
        """A platform that has just lost one of several servers of NATS asks once it has another one."""
        self.bus.down = self.bus.clustered = True
        self.bus.answers.append(READY)
        self.assertEqual(self.drain().state.drained, True)

    def test_no_relay(self) -> None:
        """Nobody is asked for a relay that isn't heard, be it that of the settings, nor without a bus."""
        self.assertEqual((self.no("fra-2").status, self.no("fra-2").code), (404, "no_such_relay"))
        fixed = Platform("wss://relay.example", key=self.platform.key, relay_id="fra.1")
        put_bus(fixed)
        refusal: Refused = self.assertRaises(Refused, leaping, fixed.drain("fra.1"))
        self.assertEqual(refusal.code, "no_such_relay")
        self.bus.down = True
        self.assertEqual(self.no().code, "bus_down")
        self.assertEqual(self.bus.asked, [])

    def test_refusals(self) -> None:
        """What keeps a relay from being drained is told as what it is."""
        stops = codec.encode(Answer(refused="relay_busy", reason="relay fra.1 stops"))
        bad = codec.encode(Answer(refused="bad_summons", reason="relay fra.1: the clocks differ"))
        for answer, status, code in (
            (Nobody(), 503, "relay_offline"),
            (Down(), 503, "bus_down"),
            (TooSlow(), 504, "relay_slow"),
            (b"nonsense", 502, "bad_answer"),
            (stops, 503, "relay_busy"),
            (bad, 502, "bad_summons"),
        ):
            self.bus.down = False
            self.bus.answers.append(answer)
            refusal = self.no()
            self.assertEqual((refusal.status, refusal.code), (status, code))
        self.assertEqual(refusal.reason, "relay fra.1: the clocks differ")

    def test_not_believed(self) -> None:
        """An answer alone is no proof: it is drained once it says so where nobody else may, else that is told."""
        for tells in (None, ("ready", False)):
            self.relay.tells = tells
            self.bus.answers.append(READY)
            self.assertEqual(self.no().code, "relay_slow")
