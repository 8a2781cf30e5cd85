"""Many relays on the bus, of which the platform picks one for each stream: a real server with the permissions that
`streamrelay relay add` writes, over TLS."""

import json
import signal
import socket
from collections import Counter

from streamrelay.platform import enrolment
from streamrelay.protocol.relay_state import RelayState
from tests.documented import RELAY_SILENCE
from tests.live.bus.secured_bus import LockedChain, User
from tests.live.relay.by_relays import ByRelays
from tests.live.support.chain import HOST
from tests.live.support.pace import LATE, Stopwatch
from tests.live.support.ports import answers, free_port
from tests.live.support.processes import Program, twistd
from tests.live.support.promise import promised
from tests.live.support.waiting import until
from tests.live.support.websockets import close_code

RELAYS = ("fra-1", "fra-2", "nyc-1")
PLATFORM = """\
relays = ["{base}:*"]
nats = ["{scheme}://localhost:{port}"]
nats_nkey = "{folder}/platform.nkey"
key = "{folder}/platform.key"
keys = "{folder}/keys.toml"
ca = "{folder}/ca.pem"
"""


class ManyRelays(LockedChain):
    """A chain of three relays in two zones."""

    enrolled = (HOST,)
    base, port_kind = "wss://localhost", "tls"
    """How relays are reached, and listen."""
    ports: dict[str, int]
    relays: dict[str, Program]

    @property
    def settings(self) -> str:  # type: ignore[override]
        return PLATFORM.replace("{base}", self.base)

    def write_files(self) -> None:
        super().write_files()
        self.ports, self.relays = {relay: free_port() for relay in RELAYS}, {}
        for relay, port in self.ports.items():
            self.enrol_relay(relay, f"{self.base}:{port}", zone=relay.partition("-")[0])

    def start_relay(self) -> None:
        for relay in RELAYS:
            self.start_one(relay)
        self.relay = self.relays[RELAYS[0]]

    def start_one(self, relay: str, port: int = 0) -> None:
        self.relays[relay] = self.add(
            *(relay, *twistd(), "streamrelay", f"--config={self.folder}/relays/{relay}/relay.toml"),
            f"--listen={self.port_kind}:{port or self.ports[relay]}:interface=127.0.0.1",
            *(f"--certificate={self.folder}/relay.pem,{self.folder}/relay.key", "--drain=30"),
        )

    def cut_off(self, *relays: str) -> None:
        """Let relays go on to tell the bus that they are well, while nobody is where they say that they are."""
        for relay in relays:
            with self.relays[relay].saying("connected to NATS"):  # into the same file
                self.relays[relay].kill()
                self.start_one(relay, free_port())
        until(lambda: set(relays) <= self.ready(), what="what they say")

    def ready(self) -> set[str]:
        """The relays that may be picked."""
        listed = self.ask("GET", "/v1/relays").json["relays"]
        return {relay["relay"] for relay in listed if relay["state"] == "ready"}

    def wait_without(self, *relays: str) -> None:
        """Until the platform picks none of these any more."""
        until(lambda: self.ready().isdisjoint(relays), what=f"the end of {relays}")

    def wait(self) -> None:
        for port in self.ports.values():
            until(lambda port=port: answers(port), what="a relay")
        until(self.hosts, what="the agent")
        until(lambda: {self.opened_by() for _ in range(4)} == set(RELAYS), what="streams by all relays")

    def opened_by(self, zone: str = "") -> str:
        """The relay by which a stream is opened, to a target that is none; empty if it isn't."""
        answer = self.ask("POST", "/v1/streams", {"host": HOST, "target": f"port/{self.nats_port}", "zone": zone})
        return self.relay_of(answer.json["url"]) if answer.status == 201 else ""

    def relay_of(self, url: str) -> str:
        return next(relay for relay, port in self.ports.items() if url.startswith(f"{self.base}:{port}/client/"))


class RelayCase(ByRelays):
    """Three relays, a platform and an agent."""

    own: ManyRelays

    def setUp(self) -> None:
        super().setUp()
        self.own = self.start_chain(ManyRelays(self.folder))

    def user(self, who: str) -> User:
        user = self.own.user(who)
        self.addCleanup(user.close)
        self.assertEqual(user.welcome, "+OK", who)
        return user


class Picked(RelayCase):
    """Which relays get streams."""

    def test_spread(self) -> None:
        """Streams go by all relays, and carry; with a zone by those of that zone alone, but where it has none."""
        counts = Counter(self.own.opened_by() for _ in range(30))
        self.assertEqual(set(counts), set(RELAYS))
        self.assertEqual({self.own.opened_by("nyc") for _ in range(10)}, {"nyc-1"})
        self.assertEqual({self.own.opened_by("fra") for _ in range(20)}, {"fra-1", "fra-2"})
        self.assertEqual({self.own.opened_by("sgp") for _ in range(30)}, set(RELAYS))
        for relay in RELAYS:
            self.carries(*self.stream_by(relay))
        for program in (*self.own.relays.values(), self.own.agent, self.own.platform):
            self.assertNotIn("Traceback", program.log)
        self.assertNotIn("Violation", self.own.nats.log)

    def test_drained(self) -> None:
        """A relay that is told to stop is picked no more at once, while its streams go on; the others take over."""
        beside = self.neighbour(*self.stream_by("fra-1"))
        self.own.relays["fra-1"].process.send_signal(signal.SIGTERM)
        self.own.relays["fra-1"].wait_for("stopping; nothing new is taken on")
        until(lambda: "fra-1" not in {self.own.opened_by("fra") for _ in range(8)}, what="another relay")
        self.assertNotIn("fra-1", {self.own.opened_by("fra") for _ in range(20)})
        beside.goes_on()

    def test_killed(self) -> None:
        """Of a relay that is killed nobody notices a thing but its own streams: no byte of the same host's stream by
        another relay is lost, no request fails, and after five seconds it isn't picked."""
        leg, _ = self.stream_by("fra-1")
        beside = self.neighbour(*self.stream_by("fra-2"))
        with promised("one of several relays killed"):
            self.own.relays["fra-1"].kill()
            self.assertEqual(close_code(leg), 1006)
        killed = Stopwatch()
        beside.goes_on()
        while killed() < 2:
            self.assertIn(self.own.opened_by("fra"), ("fra-2", "nyc-1"))
        self.own.wait_without("fra-1")
        self.assertLess(killed.fair, RELAY_SILENCE + LATE)
        tried = self.own.platform.log.count("can't use relay fra-1")
        self.assertLessEqual({self.own.opened_by("fra") for _ in range(20)}, {"fra-2", "nyc-1"})
        self.assertEqual(self.own.platform.log.count("can't use relay fra-1"), tried)
        beside.goes_on()
        self.own.start_one("fra-1")
        until(lambda: self.own.opened_by("fra") == "fra-1", what="the relay that is back")

    def test_silent(self) -> None:
        """Relays that take connections and don't answer, as those of a machine that is lost, are given three seconds
        each; the stream comes all the same, by a third one."""
        self.own.cut_off("fra-1", "fra-2")
        for relay in ("fra-1", "fra-2"):
            silent = socket.create_server(("127.0.0.1", self.own.ports[relay]))
            self.addCleanup(silent.close)
        self.assertEqual(self.own.opened_by("fra"), "nyc-1")
        self.assertEqual(self.own.platform.log.count("no answer within 3 s"), 2)

    def test_removed(self) -> None:
        """A relay that is taken off the bus isn't picked after five seconds, and its streams go on."""
        beside = self.stream_by("fra-1")
        users = enrolment.Users(self.folder / "nats-users.conf")
        enrolment.remove(users, "fra-1", "relay")
        self.own.reload()
        self.own.relays["fra-1"].wait_for("NATS refused this user")
        self.own.wait_without("fra-1")
        self.assertNotIn("fra-1", {self.own.opened_by("fra") for _ in range(20)})
        self.carries(*beside)

    def test_listed(self) -> None:
        """Who may open everything is told of the relays, by name, zone and state; others aren't."""
        listed = self.own.streamrelay("relays")
        rows = [line.split("\t") for line in listed.stdout.decode().splitlines()]
        self.assertEqual([(row[0], row[2], row[3]) for row in rows], [(name, name[:3], "ready") for name in RELAYS])
        self.assertEqual(self.own.streamrelay("relays", more={"STREAMRELAY_KEY": self.own.weak_key}).returncode, 4)

    def test_none(self) -> None:
        """Where all relays have gone, who asks is told that none takes streams."""
        for relay in self.own.relays.values():
            relay.stop()
        self.own.wait_without(*RELAYS)
        answer = self.own.ask("POST", "/v1/streams", {"host": HOST, "target": "port/1"})
        self.assertEqual((answer.status, answer.json["code"]), (503, "no_relay"))
        self.assertEqual(answer.headers["Retry-After"], "2")

    def test_pages(self) -> None:
        """The pages may connect what the settings allow, and nothing that a relay says."""
        policy = self.own.ask("GET", "/").headers["Content-Security-Policy"]
        self.assertIn("connect-src 'self' wss://localhost:*;", policy)


class Permissions(RelayCase):
    """What the bus lets a relay do."""

    def test_another(self) -> None:
        """A relay tells its own state and nothing else: not another's, no host's event, no summons, no answer."""
        relay = self.user("fra-1")
        for kind in ("state", "down"):
            self.assertTrue(relay.may_say(f"streamrelay.v1.relay.fra-1.{kind}"))
        others = [
            *("streamrelay.v1.relay.fra-2.state", "streamrelay.v1.relay.fra-2.down", "streamrelay.v1.relay.fra-1"),
            *("streamrelay.v1.relay.fra-1.state.x", f"streamrelay.v1.event.{HOST}.up", "streamrelay.v1.event.fra-1.up"),
            *(f"streamrelay.v1.host.{HOST}.open", f"streamrelay.v1.host.{HOST}.end", "streamrelay.v1.hosts.targets"),
            *("streamrelay.v1.drain.fra-1", "streamrelay.v1.drain.fra-2"),
            *("_INBOX_platform.a.fra-1", "_INBOX.a", "_INBOX_audit.a", "$SRV.PING", "$SYS.REQ.SERVER.PING", "x"),
        ]
        self.assertEqual([subject for subject in others if relay.may_say(subject)], [])
        heard = [
            *(">", "streamrelay.>", "streamrelay.v1.relay.>", "streamrelay.v1.relay.fra-2.state", "_INBOX_platform.>"),
            *(f"streamrelay.v1.host.{HOST}.open", "streamrelay.v1.hosts.targets", "streamrelay.v1.event.*.*", "$SRV.>"),
            *("$SRV.PING.streamagent", "$SRV.INFO.streamrelay.fra-2", "$SRV.INFO.streamrelay.*"),
        ]
        self.assertEqual([subject for subject in heard if relay.may_hear(subject)], [])
        own = ("streamrelay.v1.drain.fra-1", "$SRV.PING", "$SRV.INFO.streamrelay", "$SRV.STATS.streamrelay.fra-1")
        for subject in own:
            self.assertTrue(relay.may_hear(subject), subject)

    def test_host(self) -> None:
        """A host neither tells a relay's state nor hears one."""
        host = self.user(HOST)
        for subject in ("streamrelay.v1.relay.fra-1.state", f"streamrelay.v1.relay.{HOST}.state"):
            self.assertFalse(host.may_say(subject), subject)
            self.assertFalse(host.may_hear(subject), subject)

    def test_thief(self) -> None:
        """Whoever has a relay's seed draws no streams to a URL that the settings don't allow."""
        thief = self.user("fra-1")
        lie = RelayState("wss://evil.example", "fra", load=0.0)
        self.own.relays["fra-1"].kill()
        said = json.dumps({name: getattr(lie, name) for name in lie.__struct_fields__})
        until(lambda: thief.may_say("streamrelay.v1.relay.fra-1.state", said) and "evil" in self.own.platform.log)
        self.assertNotIn("fra-1", {self.own.opened_by("fra") for _ in range(20)})

    def test_discovery(self) -> None:
        """Tools find the relays by NATS' own discovery, through the user that may ask so, and hear their states."""
        audit = self.user("audit")
        self.assertTrue(audit.may_hear("_INBOX_audit.a"))
        self.assertTrue(audit.may_say("$SRV.INFO.streamrelay", "", "_INBOX_audit.a"))
        found = [json.loads(audit.message()[2]) for _ in RELAYS]
        self.assertEqual({each["id"] for each in found}, set(RELAYS))
        self.assertEqual({each["metadata"]["state"] for each in found}, {"ready"})
        self.assertTrue(audit.may_hear("streamrelay.v1.relay.*.*"))
        subject, _, text = audit.message()
        self.assertIn(subject.split(".")[3], RELAYS)
        self.assertEqual(json.loads(text)["state"], "ready")
