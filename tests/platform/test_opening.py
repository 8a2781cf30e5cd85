"""opening.py: an agent that can't use its relay is summoned to another one, within the same request."""

from typing import Any

from streamrelay.bus.message import Message
from streamrelay.errors import Refused
from streamrelay.platform import Early, Opened, Platform
from streamrelay.platform.opening import AGAIN_TIME, ELSEWHERE
from streamrelay.protocol import codec
from streamrelay.protocol.relay_state import STATE, RelayState
from streamrelay.protocol.subjects import relay_subject
from streamrelay.protocol.summons import Answer, Refusal, Summons
from streamrelay.protocol.tokens import Verifier
from tests.documented import OPEN_TIME, RELAY_DIAL, RELAYS_TRIED
from tests.fakes.bus import FakeBus
from tests.fakes.files import key_pair
from tests.fakes.reactors import awaited
from tests.platform.test_platform import READY
from tests.platform.test_platform import Case as OneRelay


class SlowBus(FakeBus):
    """A bus whose answers take their time."""

    time = 0.0
    seconds = 0.0

    async def request(self, subject: str, data: bytes, timeout: float, copies: bool = False) -> bytes:
        self.time += self.seconds
        return await super().request(subject, data, timeout, copies)


def cannot(code: str = Refusal.DIAL_FAILED) -> bytes:
    return codec.encode(Answer(refused=code, reason="agent web-1: relay wss://…: connection refused"))


class Case(OneRelay):
    """A platform of four relays of the bus."""

    bus: SlowBus

    def setUp(self) -> None:
        private, public = key_pair(self)
        self.bus, self.public = SlowBus(), str(public)
        self.platform = Platform(
            key=str(private), relays=("wss://{id}.relay.example",), clock=lambda: self.bus.time, zone_of=self.zone_of
        )
        self.platform.bus = self.platform.asking.bus = self.bus
        self.platform.choice.patience = 0
        for relay in ("r1", "r2", "r3", "r4"):
            self.tell(relay)

    def zone_of(self, host: str) -> str:
        return "fra" if host == "web-fra" else ""

    def tell(self, relay: str, **more: Any) -> None:
        state = RelayState(f"wss://{relay}.relay.example", **more)
        self.platform.choice.hear(Message(codec.encode(state), "", relay_subject(relay, STATE)))

    def summonses(self) -> list[Summons]:
        verifier = Verifier.load([self.public], "web-1")
        return [codec.convert(verifier.claims(data.decode(), "summons"), Summons) for _, data in self.bus.asked]

    def relays(self) -> list[str]:
        """The relays to which the agent was summoned."""
        return [summons.relay.removeprefix("wss://").partition(".")[0] for summons in self.summonses()]

    def legs(self, opened: Opened, summons: Summons) -> None:
        """Both legs have tokens for the relay that they are sent to, of one stream."""
        relay = summons.relay.removeprefix("wss://").partition(".")[0]
        verifier = Verifier.load([self.public], relay)
        self.assertEqual(opened.url.partition("/client/")[0], f"wss://{relay}.relay.example")
        subs = {verifier.leg(summons.token, "agent").sub, verifier.leg(opened.url.rpartition("/")[2], "client").sub}
        self.assertEqual(subs, {opened.stream})


class Elsewhere(Case):
    """Agents that can't use the relay that was picked."""

    def test_first(self) -> None:
        """Where the agent can, it is asked once; both tokens are for the relay that was picked."""
        self.bus.answers.append(READY)
        opened = self.open()
        [summons] = self.summonses()
        self.legs(opened, summons)

    def test_another(self) -> None:
        """A relay that can't be reached, or takes no more, is followed by another one; the stream keeps its id, so
        that whoever was told it can end it."""
        for code in ELSEWHERE:
            self.setUp()
            self.bus.answers += [cannot(code), READY]
            opened = self.open()
            first, second = self.summonses()
            self.legs(opened, second)
            self.assertNotEqual(first.relay, second.relay)
            self.assertEqual((first.stream, second.stream), (opened.stream, opened.stream))
            self.assertNotEqual(first.jti, second.jti)

    def test_most(self) -> None:
        """Three relays are tried, and no more; the last one's reason is told."""
        self.bus.answers += [cannot(), cannot(), cannot(Refusal.RELAY_BUSY)]
        refusal = self.refused(self.platform.open("alice", "web-1", "log"))
        self.assertEqual(refusal.code, Refusal.RELAY_BUSY)
        self.assertEqual((len(self.relays()), len(set(self.relays()))), (RELAYS_TRIED, RELAYS_TRIED))

    def test_only_one(self) -> None:
        """Where there is no other relay the agent's word is the answer, and so it is with a fixed one."""
        self.platform.choice._heard.clear()
        self.tell("r1")
        self.bus.answers.append(cannot())
        self.assertEqual(self.refused(self.platform.open("a", "web-1", "log")).code, Refusal.DIAL_FAILED)
        OneRelay.setUp(self)
        self.bus.answers.append(cannot())
        self.assertEqual(self.refused(self.platform.open("a", "web-1", "log")).code, Refusal.DIAL_FAILED)
        self.assertEqual(len(self.bus.asked), 1)

    def test_other_refusals(self) -> None:
        """What isn't the relay's matter is answered at once."""
        for code in (Refusal.BUSY, Refusal.TARGET_REFUSED, Refusal.NO_SUCH_TARGET, Refusal.BAD_SUMMONS):
            self.setUp()
            self.bus.answers.append(cannot(code))
            self.assertEqual(self.refused(self.platform.open("a", "web-1", "log")).code, code)
            self.assertEqual(len(self.bus.asked), 1)

    def test_time(self) -> None:
        """An agent is given three seconds for a relay in whose place another one can be tried, else as ever; and none
        is tried when a client would have to wait for longer than it does."""
        self.bus.answers += [cannot(), cannot(), READY]
        self.open()
        self.assertEqual([summons.dial for summons in self.summonses()], [RELAY_DIAL, RELAY_DIAL, 0])
        self.setUp()
        self.bus.seconds = AGAIN_TIME + 0.1
        self.bus.answers.append(cannot())
        self.assertEqual(self.refused(self.platform.open("a", "web-1", "log")).code, Refusal.DIAL_FAILED)
        self.assertLess(AGAIN_TIME + OPEN_TIME, 20)

    def test_avoided(self) -> None:
        """The host isn't sent there again for a while; other hosts are."""
        self.platform.choice._heard.clear()
        self.tell("r1", zone="fra")
        self.tell("r2")
        self.bus.answers += [cannot(), *[READY] * 20]
        self.open(zone="fra")
        self.assertEqual({self.open(zone="fra").url[6:8] for _ in range(18)}, {"r2"})
        self.assertEqual(self.open("web-2", zone="fra").url[6:8], "r1")

    def test_early(self) -> None:
        """A client that was told where to go is told the other URL by the answer, once."""
        told: list[Early] = []
        self.bus.answers += [cannot(), READY]
        opened = self.open(early=told.append)
        first, second = self.summonses()
        self.legs(opened, second)
        [early] = told
        self.assertEqual((early.stream, early.url.partition("/client/")[0]), (opened.stream, first.relay))
        self.assertEqual(opened.links, 1)

    def test_none(self) -> None:
        """Without a relay no agent is asked; without the bus that is what is told."""
        self.platform.choice._heard.clear()
        refusal = self.refused(self.platform.open("a", "web-1", "log"))
        self.assertEqual((refusal.status, refusal.code, self.bus.asked), (503, "no_relay", []))
        self.bus.down = True
        self.assertEqual(self.refused(self.platform.open("a", "web-1", "log")).code, "bus_down")

    def test_zones(self) -> None:
        """The zone that is asked for counts, else the host's own."""
        self.tell("r1", zone="nyc")
        self.tell("r2", zone="fra")
        self.bus.answers += [READY] * 3
        self.assertEqual(self.open("web-fra").url[6:8], "r2")
        self.assertEqual(self.open("web-fra", zone="nyc").url[6:8], "r1")
        self.assertEqual(self.open("web-1", zone="nyc").url[6:8], "r1")

    def test_heard(self) -> None:
        """Only a platform of many relays listens to them: another one's user of the bus needn't be allowed to."""
        platform = Platform("wss://relay.example")
        self.assertNotIn(relay_subject("*", "*"), platform.bus._subscriptions._wanted)
        many = Platform(relays=("wss://relay.example",))
        self.assertIn(relay_subject("*", "*"), many.bus._subscriptions._wanted)
        self.assertRaises(Refused, awaited, platform.open("a", "web-1", "log"))
