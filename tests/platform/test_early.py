"""platform.py: what is told of a stream while its agent is asked."""

from streamrelay.bus.message import Down, Nobody
from streamrelay.platform import Early, Platform
from streamrelay.protocol import codec
from streamrelay.protocol.summons import Answer, Summons, Terms
from streamrelay.protocol.tokens import Verifier
from tests.fakes.bus import FakeBus
from tests.platform.test_platform import READY, Case


class Told(Case):
    """A client that can wait at the relay."""

    def setUp(self) -> None:
        super().setUp()
        self.told: list[Early] = []

    def test_same(self) -> None:
        """It is told the URL that it will have, for one websocket however many the target's viewer needs."""
        self.bus.answers.append(codec.encode(Answer(ready=True, kind="qemu", viewer="spice", links=12)))
        opened = self.open(early=self.told.append)
        self.assertEqual(self.told, [Early(opened.stream, opened.url, opened.expires)])
        self.assertEqual(opened.links, 1)
        relay = Verifier.load([self.public], "relay-1")
        self.assertEqual(relay.leg(opened.url.rpartition("/")[2], "client").links, 1)
        claims = Verifier.load([self.public], "web-1").claims(self.bus.asked[0][1].decode(), "summons")
        summons = codec.convert(claims, Summons)
        self.assertEqual((summons.links, relay.leg(summons.token, "agent").links), (1, 1))

    def test_opaque(self) -> None:
        """With opaque tokens it is told as well; both legs have the one token."""
        self.platform = Platform("wss://relay.example/")
        self.platform.bus = self.platform.asking.bus = self.bus = FakeBus()
        self.bus.answers.append(READY)
        opened = self.open(early=self.told.append)
        self.assertEqual([early.url for early in self.told], [opened.url])
        self.assertEqual(codec.decode(self.bus.asked[0][1], Summons).token, opened.url.rpartition("/")[2])

    def test_not_told(self) -> None:
        """Nothing is told where the relay lets nobody wait, where the agent has to confirm that it is view-only, where
        there is no bus, and where the names are none."""
        self.platform.early = False
        self.bus.answers += [READY, codec.encode(Answer(ready=True, kind="log", viewer="log")), Down()]
        self.assertEqual(self.open(early=self.told.append).links, 1)
        self.platform.early = True
        self.assertTrue(self.open(terms=Terms(view=True), early=self.told.append).view)
        self.bus.down = True
        self.assertEqual(self.refused(self.platform.open("a", "web-1", "x", early=self.told.append)).code, "bus_down")
        self.assertEqual(self.refused(self.platform.open("a", "..", "x", early=self.told.append)).status, 404)
        self.assertEqual(self.told, [])

    def test_refused_later(self) -> None:
        """A host that turns out to be offline is refused as ever, after the first word."""
        self.bus.answers.append(Nobody("x"))
        refusal = self.refused(self.platform.open("a", "web-1", "x", early=self.told.append))
        self.assertEqual((refusal.code, len(self.told)), ("host_offline", 1))
