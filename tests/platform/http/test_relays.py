"""relays.py: the relays in the API, and the zone of a stream that is asked for."""

import json
from typing import Any

from streamrelay.bus.message import Message, Nobody
from streamrelay.net.certificates import ServerTls
from streamrelay.platform import Opened
from streamrelay.platform.auth.grants import Grant
from streamrelay.platform.auth.key_file import add_key
from streamrelay.platform.http.tally import AnswerTally
from streamrelay.platform.metrics import PlatformMetrics
from streamrelay.platform.relays import RelayChoice
from streamrelay.protocol import codec
from streamrelay.protocol.relay_state import STATE, Drain, RelayState, State
from streamrelay.protocol.subjects import relay_subject
from streamrelay.protocol.summons import Answer
from tests.fakes.bus import FakeBus
from tests.platform.http.test_api import Case


class RelayCase(Case):
    """Relays on a bus that is a fake, and a key that may open everything."""

    def setUp(self) -> None:
        super().setUp()
        self.platform.bus = self.platform.asking.bus = self.bus = FakeBus()
        self.platform.live_streams.bus = self.bus
        self.everything = add_key(self.path, "root", [Grant("*", "*")])
        self.ring.files.refresh(force=True)

    def many(self, *allowed: str) -> None:
        self.platform.choice = RelayChoice(lambda: 0.0, allowed=allowed)


class Listed(RelayCase):
    """``GET /v1/relays``."""

    def relays(self) -> list[dict[str, Any]]:
        status, _, body = self.ask("GET", "/v1/relays", key=self.everything)
        self.assertEqual(status, 200)
        found: list[dict[str, Any]] = json.loads(body)["relays"]
        return found

    def test_many(self) -> None:
        """Those that were heard lately are listed by name, with what each says of itself."""
        self.many("wss://*.relay.example")
        self.assertEqual(self.relays(), [])
        for relay, state in (("b", "draining"), ("a", "ready")):
            told = RelayState(f"wss://{relay}.relay.example", "fra", state, 0.25, 3, "1.2.3")  # type: ignore[arg-type]
            self.platform.choice.hear(Message(codec.encode(told), "", relay_subject(relay, STATE)))
        first, second = self.relays()
        about = {"url": "wss://a.relay.example", "zone": "fra", "load": 0.25, "streams": 3, "version": "1.2.3"}
        self.assertEqual(first, {"relay": "a", "state": "ready", **about, "drained": False, "drain": False})
        self.assertEqual((second["relay"], second["state"]), ("b", "draining"))

    def test_may_drain(self) -> None:
        """Who may drain relays is told of these, and that they may; who may open everything, of all, and which are
        drained."""
        self.many("wss://*.relay.example")
        for relay, drained in (("fra-1", True), ("fra-2", False), ("nyc-1", False)):
            told = RelayState(f"wss://{relay}.relay.example", state="draining", drained=drained)
            self.platform.choice.hear(Message(codec.encode(told), "", relay_subject(relay, STATE)))
        operator = add_key(self.path, "operator", [], drain=["fra-*"])
        both = add_key(self.path, "both", [Grant("*", "*")], drain=["fra-1"])
        self.ring.files.refresh(force=True)
        for key, rows in (
            (operator, [("fra-1", True, True), ("fra-2", False, True)]),
            (both, [("fra-1", True, True), ("fra-2", False, False), ("nyc-1", False, False)]),
            (self.everything, [("fra-1", True, False), ("fra-2", False, False), ("nyc-1", False, False)]),
        ):
            found = json.loads(self.ask("GET", "/v1/relays", key=key)[2])["relays"]
            self.assertEqual([(one["relay"], one["drained"], one["drain"]) for one in found], rows)

    def test_metrics(self) -> None:
        """Relays are counted by what they say, of each state also where there are none."""
        parts = (AnswerTally(self.clock.seconds), self.authenticator.sessions, ServerTls(()))
        metrics = PlatformMetrics(self.platform, self.site, *parts)
        counted = {family.name: family.values for family in metrics.families()}["streamrelay_platform_relays"]
        self.assertEqual(counted, {("unknown",): 1})
        self.many("wss://a.relay.example")
        told = RelayState("wss://a.relay.example", state="full")
        self.platform.choice.hear(Message(codec.encode(told), "", relay_subject("a", STATE)))
        counted = {family.name: family.values for family in metrics.families()}["streamrelay_platform_relays"]
        self.assertEqual(counted, {("ready",): 0, ("draining",): 0, ("full",): 1})

    def test_one(self) -> None:
        """The one relay of the settings is listed as what it is: nobody knows how it is."""
        [relay] = self.relays()
        self.assertEqual((relay["url"], relay["state"]), ("wss://relay.example", "unknown"))

    def test_not_everybody(self) -> None:
        """Who may not open everything, or only look at it, isn't told; nor is anybody while the bus is lost."""
        for grants in ([Grant("*", "log/*")], [Grant("web-*", "*")], [Grant("*", "*", view=True)], []):
            key = add_key(self.path, f"k{len(self.ring.content.keys)}", grants)
            self.ring.files.refresh(force=True)
            self.assertEqual(self.problem("GET", "/v1/relays", key=key), (403, "not_granted"), grants)
        self.assertEqual(self.problem("GET", "/v1/relays", key=None), (401, "no_key"))
        self.many("wss://*.relay.example")
        self.bus.down = True
        self.assertEqual(self.problem("GET", "/v1/relays", key=self.everything), (503, "bus_down"))

    def test_policy(self) -> None:
        """Pages may connect what the settings allow now, as they may have been read again; never what relays say."""
        self.many("wss://{id}.relay.example", "wss://relay-9.example:8443/x")
        told = RelayState("wss://a.relay.example")
        self.platform.choice.hear(Message(codec.encode(told), "", relay_subject("a", STATE)))
        expected = "connect-src 'self' wss://*.relay.example wss://relay-9.example:8443;"
        self.assertIn(expected, self.ask("GET", "/")[1]["content-security-policy"])
        self.platform.choice.allowed = ("wss://other.example",)
        self.assertIn("connect-src 'self' wss://other.example;", self.ask("GET", "/")[1]["content-security-policy"])


class Drains(RelayCase):
    """``POST`` and ``DELETE /v1/relays/<id>/drain``."""

    def setUp(self) -> None:
        super().setUp()
        self.many("wss://*.relay.example")
        self.say("ready", False)
        self.operator = add_key(self.path, "operator", [], drain=["fra-*"])
        self.ring.files.refresh(force=True)

    def say(self, state: State, drained: bool) -> None:
        told = RelayState("wss://a.relay.example", state=state, drained=drained)
        self.platform.choice.hear(Message(codec.encode(told), "", relay_subject("fra-1", STATE)))

    def test_drained(self) -> None:
        """It is asked, in the user's name, and answered as it is then; and back again."""
        for method, drained in (("POST", True), ("DELETE", False)):
            self.bus.answers.append(codec.encode(Answer(ready=True)))
            self.say("draining" if drained else "ready", drained)  # comes before its answer
            status, _, body = self.ask(method, "/v1/relays/fra-1/drain", key=self.operator)
            self.assertEqual((status, json.loads(body)["drained"], json.loads(body)["drain"]), (200, drained, True))
            asked = codec.decode(self.bus.asked[-1][1], Drain)
            self.assertEqual((asked.drain, asked.user), (drained, "operator"))

    def test_not_granted(self) -> None:
        """Nobody may but by a grant for that relay, least of all by one for all hosts and targets; nothing is asked,
        and nobody is told whether there is such a relay."""
        once = add_key(self.path, "nyc", [Grant("*", "*")], drain=["nyc-*", "FRA-1"])
        self.ring.files.refresh(force=True)
        for method in ("POST", "DELETE"):
            for key in (self.everything, self.key, once):
                for relay in ("fra-1", "fra-9", "relay"):
                    refusal = self.problem(method, f"/v1/relays/{relay}/drain", key=key)
                    self.assertEqual(refusal, (403, "not_granted"))
            self.assertEqual(self.problem(method, "/v1/relays/fra-1/drain", key=None), (401, "no_key"))
        self.assertEqual(self.bus.asked, [])

    def test_refused(self) -> None:
        """One that there isn't, one that doesn't listen, and a bus that is lost are told apart."""
        path = "/v1/relays/fra-1/drain"
        self.assertEqual(self.problem("POST", "/v1/relays/fra-9/drain", key=self.operator), (404, "no_such_relay"))
        self.assertEqual(self.problem("POST", "/v1/relays/fra-%20/drain", key=self.operator), (404, "no_such_relay"))
        self.bus.answers.append(Nobody())
        self.assertEqual(self.problem("POST", path, key=self.operator), (503, "relay_offline"))
        self.assertEqual(self.problem("GET", path, key=self.operator), (405, "method_not_allowed"))
        self.bus.down = True
        self.assertEqual(self.problem("POST", path, key=self.operator), (503, "bus_down"))


class Zones(Case):
    """``POST /v1/streams`` with a zone."""

    def test_zone(self) -> None:
        """The zone that is asked for reaches the platform; what can't be one is refused."""
        self.platform.result = Opened("s", "wss://relay/client/t", "log", 5.0)
        wanted = {"host": "web-1", "target": "log/a"}
        self.assertEqual(self.ask("POST", "/v1/streams", {**wanted, "zone": "fra"})[0], 201)
        self.assertEqual(self.ask("POST", "/v1/streams", wanted)[0], 201)
        self.assertEqual(self.platform.zones, ["fra", ""])
        for zone in ("a b", "x" * 65, 5, "\n"):
            self.assertEqual(self.problem("POST", "/v1/streams", {**wanted, "zone": zone}), (400, "bad_request"))
