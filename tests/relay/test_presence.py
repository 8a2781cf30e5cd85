"""presence.py, load.py: what a relay tells on the bus, and when."""

from typing import Any

from nats.micro.service import ServiceInfo, ServicePing, ServiceStats

from streamrelay.bus import by_settings
from streamrelay.bus.message import Message
from streamrelay.errors import ConfigError
from streamrelay.program.readiness import Readiness
from streamrelay.program.settings import convert
from streamrelay.protocol import codec
from streamrelay.protocol.relay_state import RelayState
from streamrelay.protocol.tokens import Signer
from streamrelay.relay import presence as module
from streamrelay.relay.config import RelayConfig
from streamrelay.relay.load import Load
from streamrelay.relay.presence import Presence
from tests.documented import RELAY_EACH
from tests.examples import STREAM
from tests.fakes.bus import FakeBus
from tests.fakes.files import key_pair
from tests.relay.test_service import Case as RelayCase
from tests.relay.test_service import Leg

SETTINGS: dict[str, Any] = {
    **{"tokens": "signed", "platform_key": ("k",), "nats": ("tls://nats.example",), "url": "wss://fra-1.example"},
    **{"id": "fra.1", "zone": "fra"},
}


class Case(RelayCase):
    """A relay on a bus that is a fake."""

    def setUp(self) -> None:
        self.begin()

    def begin(self, **settings: Any) -> None:
        private, public = key_pair(self)
        self.signer = Signer.load(str(private))
        self.start(**{**SETTINGS, "platform_key": (str(public),), **settings})
        self.readiness, self.used = Readiness(), 0.0
        self.patch(by_settings, "Bus", lambda *more, **each: FakeBus(up=each["up"]))
        self.patch(module, "as_deferred", lambda work: work.close())
        self.presence = Presence(self.relay, self.clock, self.readiness)
        self.presence.load = Load(self.relay, self.clock, lambda: self.used)
        self.bus: Any = self.presence.bus
        self.presence.startService()
        self.readiness.ready()

    def leg(self, role: str, token: str = STREAM, control: bool = True) -> Leg:
        """A leg of a stream."""
        return super().leg(role, self.signer.mint("fra.1", role=role, sub=token), control)

    def told(self) -> list[RelayState]:
        """What was told since the last time, all on the relay's own subject."""
        subjects = {subject for subject, _ in self.bus.published}
        self.assertLessEqual(subjects, {"streamrelay.v1.relay.fra:1.state"})
        states = [codec.decode(data, RelayState) for _, data in self.bus.published]
        self.bus.published.clear()
        return states


class Told(Case):
    """A relay on the bus."""

    def test_at_once_and_often(self) -> None:
        """It tells where it is as soon as there is a connection, and then every two seconds."""
        self.bus.up()
        [state] = self.told()
        self.assertEqual((state.url, state.zone, state.state), ("wss://fra-1.example", "fra", "ready"))
        self.assertTrue(state.version)
        self.clock.pump([0.5] * (4 * RELAY_EACH))
        self.assertEqual(len(self.told()), 2)

    def test_no_bus(self) -> None:
        """While there is no bus nothing is told, and nothing is kept for later."""
        self.bus.down = True
        self.clock.advance(RELAY_EACH)
        self.assertEqual(self.told(), [])

    def test_draining(self) -> None:
        """That it stops is told at once, and that it has stopped at last."""
        self.readiness.drain("stopping: 1 stream still running")
        self.assertEqual([state.state for state in self.told()], ["draining"])
        self.readiness.drain("stopping: 0 streams still running")
        self.assertEqual(self.told(), [])
        self.presence.stopService()
        self.assertEqual(self.bus.published, [("streamrelay.v1.relay.fra:1.down", b"{}")])
        self.clock.advance(RELAY_EACH)
        self.assertEqual(len(self.bus.published), 1)

    def test_streams(self) -> None:
        """Streams and connections are counted as they are now."""
        self.leg("client")
        self.leg("agent")
        self.leg("agent", "w" * 22)
        self.clock.advance(RELAY_EACH)
        [state] = self.told()
        self.assertEqual((state.streams, state.load), (1, round(3 / self.relay.handshakes.most, 3)))

    def test_cpu(self) -> None:
        """A relay that uses up its core is loaded, however few its connections are."""
        for used, load in ((1.5, 0.75), (0.0, 0.0), (9.0, 1.0)):
            self.used += used
            self.clock.advance(RELAY_EACH)
            self.assertEqual(self.told()[-1].load, load)

    def test_full(self) -> None:
        """That there is no room for a stream is told with the leg that takes it, and once: only when a good part of it
        is free again it takes streams."""
        self.begin(max_connections=40)
        legs: list[Leg] = []
        while not (states := self.told()):
            legs.append(self.leg("agent", f"{len(legs):a<22}"))
        self.assertEqual(([state.state for state in states], len(legs)), (["full"], 39))
        self.assertEqual(states[0].load, round(39 / 40, 3))
        for leg in legs[:2]:
            leg.lose()
        self.assertEqual(self.told(), [])
        legs[2].lose()
        self.assertEqual([state.state for state in self.told()], ["ready"])

    def test_discovery(self) -> None:
        """NATS' own library understands what the relay answers to its service discovery, to inboxes alone."""
        kinds: dict[str, type[ServicePing | ServiceInfo | ServiceStats]] = {
            "PING": ServicePing,
            "INFO": ServiceInfo,
            "STATS": ServiceStats,
        }
        asked = {subject: receive for subject, receive in self.bus.listeners.items() if subject.startswith("$SRV.")}
        self.assertEqual(len(asked), 9)
        for subject, receive in asked.items():
            self.bus.published.clear()
            receive(Message(b"", "streamrelay.v1.relay.fra-2.state"))
            self.assertEqual(self.bus.published, [])
            receive(Message(b"", "_INBOX.a"))
            [(where, data)] = self.bus.published
            read = kinds[subject.split(".")[1]].from_dict(codec.decode(data, dict))
            self.assertEqual((where, read.name, read.id), ("_INBOX.a", "streamrelay", "fra:1"))
            self.assertEqual((read.metadata["url"], read.metadata["state"]), ("wss://fra-1.example", "ready"))


class Settings(RelayCase):
    """What a relay needs for the bus, and what it must not have."""

    def refused(self, *without: str, **more: Any) -> str:
        settings = {name: value for name, value in {**SETTINGS, **more}.items() if name not in without}
        return str(self.assertRaises(ConfigError, convert, RelayConfig, settings, {}, None))

    def test_whole(self) -> None:
        """With these it starts; without any of the bus' it isn't on it, whatever stands for a default elsewhere."""
        convert(RelayConfig, SETTINGS, {}, None)
        alone = convert(RelayConfig, {"platform_key": ("k",)}, {}, None)
        self.assertEqual((alone.nats, alone.url), ((), ""))

    def test_refused(self) -> None:
        """Settings that don't fit each other keep it from starting, in a line that names one of them."""
        self.assertIn("--url", self.refused("url"))
        self.assertIn("--url", self.refused(url="https://x.example") + "--url")
        self.assertIn("ws://x.example is not encrypted", self.refused(url="ws://x.example"))
        self.assertIn("nats://nats.example is not encrypted", self.refused(nats=("nats://nats.example",)))
        self.assertIn("signed tokens", self.refused(tokens="opaque"))
        self.assertIn("zone", self.refused(zone="a b"))
        self.assertIn("both set", self.refused(nats_nkey="a", nats_creds="b"))
        self.assertIn("outbound_proxy", self.refused(outbound_proxy="ftp://x"))

    def test_no_bus(self) -> None:
        """What is set for a bus that isn't there is a mistake, and is said to be one."""
        for name in ("url", "zone"):
            self.assertIn(f"{name} is set, but no NATS server", self.refused("nats", *{"url", "zone"} - {name}))
        self.assertIn("nats_nkey is set", self.refused("nats", "url", "zone", nats_nkey="x"))
