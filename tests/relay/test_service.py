"""service.py: admission and pairing."""

import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.datapath.connection import HIGH
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.errors import Refused
from streamrelay.protocol import tokens
from streamrelay.protocol.close import CloseCode
from streamrelay.protocol.tokens import Signer
from streamrelay.relay.config import RelayConfig
from streamrelay.relay.goodbye import ANSWERED, MEETING, WIND_UP
from streamrelay.relay.rendezvous import Rendezvous
from streamrelay.relay.service import Relay
from streamrelay.websocket.admission import LegRequest
from streamrelay.websocket.connection import FramedConnection
from streamrelay.websocket.frame_writer import Masking
from streamrelay.websocket.frames import FrameReader
from tests.documented import AGENT_PATIENCE, BEAT, OPAQUE_MEMORY, RELAY_GOODBYE, RELAY_MEETING
from tests.examples import STREAM, examples
from tests.fakes.admission import FakeHandshake
from tests.fakes.channels import FakeChannel
from tests.fakes.files import key_pair
from tests.fakes.frames import frame
from tests.fakes.logs import Heard

KEY = b"\x01\x02\x03\x04"
ORIGIN = "https://panel.example"


class Leg:
    """One websocket at the relay, as a stranger sees it."""

    def __init__(self, relay: Relay, role: str, token: str, control: bool = True, is_open: bool = True) -> None:
        self.relay, self.channel = relay, FakeChannel()
        self.admitted = relay.admit(LegRequest(role, token, None, f"{role}.example:1"))
        self.connection = FramedConnection(self.channel, relay.clock, relay_pulse(relay), Masking.NONE, control)
        if is_open:
            self.open()

    def open(self) -> None:
        """Let its 101 go out."""
        self.admitted.opened(self.connection)

    def frames(self) -> list[tuple[int, bytes]]:
        reader = FrameReader(masked=False, text_is_bytes=False)
        return [
            (opcode, b"".join(payload) if isinstance(payload, list) else payload)
            for opcode, payload in reader.feed(memoryview(self.channel.take()))
        ]

    def close_codes(self) -> list[int]:
        return [int.from_bytes(payload[:2], "big") for opcode, payload in self.frames() if opcode == 8]

    def send(self, data: bytes) -> None:
        self.channel.receive(frame(2, data, KEY))

    def close(self, code: int) -> None:
        self.channel.receive(frame(8, code.to_bytes(2, "big"), KEY))

    def lose(self) -> None:
        self.connection.connection_lost("")


def relay_pulse(relay: Relay) -> Heartbeat:
    return Heartbeat(relay.clock)


class Case(SynchronousTestCase):
    """A relay for opaque tokens."""

    def setUp(self) -> None:
        self.start()

    def start(self, **settings: Any) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        chosen: dict[str, Any] = {"tokens": "opaque", "origin": (ORIGIN,), **settings}
        config = RelayConfig(**chosen)
        self.relay = Relay(config, self.clock, self.clock.seconds)
        self.relay.startService()

    def leg(self, role: str, token: str = STREAM, control: bool = True) -> Leg:
        return Leg(self.relay, role, token, control)

    def status(self, role: str = "client", token: str = STREAM, origin: str | None = None) -> int:
        """Of a refusal, 101 if there is none."""
        try:
            self.relay.admit(LegRequest(role, token, origin, "x:1"))
        except Refused as refusal:
            return refusal.status
        return 101


class Sweep(Case):
    """What a relay forgets in time."""

    def test_one_that_fails(self) -> None:
        """A sweep that fails is told of in the log, and the next one comes all the same."""
        swept: list[float] = []

        def forget(rendezvous: object, now: float) -> None:
            swept.append(now)
            raise RuntimeError("broken")

        self.patch(Rendezvous, "forget", forget)
        self.clock.pump([5.0] * 3)
        self.assertEqual(len(swept), 3)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 3)


class Pairing(Case):
    """Two legs of one token."""

    def test_either_first(self) -> None:
        """Whichever leg comes first, the two are spliced as soon as the second is there."""
        for token, order in (("a" * 22, ("client", "agent")), ("b" * 22, ("agent", "client"))):
            legs = {role: self.leg(role, token) for role in order}
            self.assertEqual(legs["client"].frames(), [])
            self.assertEqual(legs["agent"].frames(), [(1, b'{"met":{"mode":"v1","from":"client.example:1"}}')])
            legs["client"].send(b"up")
            legs["agent"].send(b"down")
            self.assertEqual(legs["agent"].frames(), [(2, b"up")])
            self.assertEqual(legs["client"].frames(), [(2, b"down")])
        self.assertEqual(self.relay.streams, 2)

    def test_raw_client(self) -> None:
        """An agent is told that its client is raw, and its control messages stop at the relay."""
        agent, client = self.leg("agent"), self.leg("client", control=False)
        self.assertIn((1, b'{"met":{"mode":"raw","from":"client.example:1"}}'), agent.frames())
        agent.channel.receive(frame(1, b'{"exit": 0}', KEY) + frame(2, b"x", KEY))
        self.assertEqual(client.frames(), [(2, b"x")])

    def test_no_byte_before(self) -> None:
        """A leg that waits isn't read."""
        client = self.leg("client")
        self.assertIsNone(client.channel.receiver)

    def test_nobody_came(self) -> None:
        """A leg that waits in vain is closed with 4004 after the relay's patience, and its token is used up."""
        client = self.leg("client")
        self.clock.advance(self.relay.config.patience - 0.1)
        self.assertEqual(client.close_codes(), [])
        self.clock.advance(0.1)
        self.assertEqual(client.close_codes(), [CloseCode.NOBODY_CAME])
        client.lose()
        self.assertEqual(self.status("client"), 401)

    def test_strict(self) -> None:
        """Without patience a client that finds no waiting agent is closed at once; an agent may wait for it."""
        self.start(patience=0)
        self.assertEqual(self.leg("client").close_codes(), [CloseCode.NOBODY_CAME])
        agent = self.leg("agent", "b" * 22)
        self.clock.advance(AGENT_PATIENCE - 1)
        self.leg("client", "b" * 22)
        self.assertEqual(agent.close_codes(), [])
        self.assertEqual(self.relay.streams, 1)
        late = self.leg("agent", "c" * 22)
        self.clock.advance(AGENT_PATIENCE)
        self.assertEqual(late.close_codes(), [CloseCode.NOBODY_CAME])

    def test_end(self) -> None:
        """When one leg closes the other is closed for the same reason, and nothing of the stream stays."""
        client, agent = self.leg("client"), self.leg("agent")
        agent.channel.receive(frame(8, (4001).to_bytes(2, "big"), KEY))
        self.assertEqual(client.close_codes(), [4001])
        agent.lose()
        self.assertEqual(self.relay.streams, 1)
        client.lose()
        self.assertEqual((self.relay.streams, self.relay.legs), (0, set()))
        self.clock.advance(OPAQUE_MEMORY + 20)
        self.assertEqual(self.relay.rendezvous.meetings, {})

    def test_lost_leg(self) -> None:
        """When a leg is lost the other is closed with 4005."""
        client, agent = self.leg("client"), self.leg("agent")
        client.lose()
        self.assertEqual(agent.close_codes(), [CloseCode.LEG_LOST])

    def test_lost_while_waiting(self) -> None:
        """A leg that is lost while it waits leaves at once, and is no more counted; who comes for it is told so."""
        heard = Heard(self)
        client = self.leg("client")
        self.assertEqual((len(self.relay.legs), self.relay.rendezvous.waiting), (1, 1))
        client.lose()
        self.assertEqual((self.relay.legs, self.relay.rendezvous.waiting), (set(), 0))
        agent = self.leg("agent")
        self.assertEqual(agent.close_codes(), [CloseCode.LEG_LOST])
        agent.lose()
        self.assertEqual((self.relay.streams, self.relay.legs), (0, set()))
        self.clock.advance(self.relay.config.patience)
        name = tokens.fingerprint(STREAM)
        self.assertEqual(
            heard.lines[-2:],
            [
                f"stream {name}: the client client.example:1 was lost while it waited for the other side",
                f"stream {name}: the agent agent.example:1 came when the other side had been lost",
            ],
        )

    def test_reset_while_waiting(self) -> None:
        """A leg that is reset while it waits unread is gone after one beat, long before its patience ends."""
        client = self.leg("client")
        client.channel.gone = True
        self.clock.advance(BEAT)
        self.assertTrue(client.channel.aborted)
        client.lose()  # as the transport says, once it is aborted
        self.assertEqual((self.relay.legs, self.relay.rendezvous.waiting), (set(), 0))

    def test_ended_log(self) -> None:
        """The end of a stream is logged once, with its outcome, its seconds and the bytes each way."""
        heard = Heard(self)
        client, agent = self.leg("client"), self.leg("agent")
        client.send(b"up")
        agent.send(b"down!")
        self.clock.advance(2.5)
        client.channel.receive(frame(8, b"\x03\xe8", KEY))
        client.lose()
        agent.lose()
        [ended] = [event for event in heard.events if " ended: " in (event.get("log_format") or "")]
        self.assertEqual((ended["up"], ended["down"], ended["seconds"]), (2, 5, 2.5))
        self.assertTrue(ended["outcome"].startswith("1000 "))
        self.assertNotIn(STREAM, heard.text)
        self.assertIn(tokens.fingerprint(STREAM), heard.text)

    def test_cut(self) -> None:
        """A stream that is cut, as the relay is told to end now, has its line in the log before that is done."""
        heard = Heard(self)
        client, agent = self.leg("client"), self.leg("agent")
        client.send(b"up")
        self.relay.drain()
        done = self.relay.cut()
        self.assertNoResult(done)
        for leg in (client, agent):
            self.assertEqual(leg.close_codes(), [CloseCode.GOING_AWAY])
        self.clock.advance(ANSWERED)
        for leg in (client, agent):
            self.assertTrue(leg.channel.aborted)
            leg.lose()
        self.successResultOf(done)
        [ended] = [event for event in heard.events if " ended: " in (event.get("log_format") or "")]
        self.assertEqual((ended["up"], ended["outcome"][:5]), (2, "1001 "))


class Admission(Case):
    """Who may come in."""

    def test_once(self) -> None:
        """A token admits one client and one agent, whether or not they ever opened."""
        self.assertEqual([self.status("client") for _ in range(3)], [101, 401, 401])
        self.assertEqual([self.status("agent") for _ in range(2)], [101, 401])

    def test_memory(self) -> None:
        """An opaque token stays used up for a minute after its last leg, and not for ever."""
        self.relay.admit(LegRequest("client", STREAM, None, "x:1")).left()
        self.clock.pump([5.0] * int(OPAQUE_MEMORY / 5))
        self.assertEqual(self.status("client"), 401)
        self.clock.pump([5.0] * 4)
        self.assertEqual(self.relay.rendezvous.meetings, {})

    def test_memory_of_signed(self) -> None:
        """A signed token stays used up until 5 s after its expiry, as it is let in so long, and no longer."""
        key, public = key_pair(self)
        self.start(tokens="signed", platform_key=(str(public),))
        minted = int(time.time())
        token = Signer.load(str(key)).mint("relay", 3000, role="client", sub=STREAM, iat=minted, exp=minted + 3000)
        self.relay.admit(LegRequest("client", token, None, "x:1")).left()
        for late, known in ((0.5, 1), (4.9, 1), (5.1, 0)):
            self.relay.now = lambda late=late: minted + 3000 + late
            self.clock.advance(5)
            self.assertEqual(len(self.relay.rendezvous.meetings), known, late)
            if known:
                self.assertEqual(self.status("client", token), 401)

    def test_malformed(self) -> None:
        """What can't be an opaque token is refused with 401."""
        for token in ("", "short", "x" * 257, "x" * 22 + "!", "x" * 21 + "é", "x" * 22 + "?a=b"):
            self.assertEqual(self.status(token=token), 401, token)
        self.assertEqual(self.relay.rendezvous.meetings, {})

    def test_origin(self) -> None:
        """A page comes in only from an origin that is allowed, byte by byte; who sends none is no page."""
        for origin in (
            "null",
            "",
            "https://panel.example:443",
            "https://panel.example/",
            "http://panel.example",
            "https://panel.example.evil",
            "https://evil-panel.example",
            "https://Panel.example",
            " https://panel.example",
            "https://panel.example, https://panel.example",
        ):
            self.assertEqual(self.status(origin=origin), 403, origin)
        self.assertEqual(self.relay.rendezvous.meetings, {})
        self.assertEqual(self.status(origin=ORIGIN), 101)
        self.assertEqual(self.status("agent", origin=None), 101)

    @examples(100)
    @given(st.text(max_size=6), st.text(max_size=6))
    def test_origin_like(self, before: str, behind: str) -> None:
        """Nothing before or behind an allowed origin makes another one pass."""
        if before or behind:
            self.assertEqual(self.status(origin=before + ORIGIN + behind), 403)
        self.assertEqual(self.status(origin=before or "x"), 403)

    def waiting(self, token: str, address: str | None, role: str = "agent") -> int:
        """The status of a leg from an address, which opens if it is let in."""
        request = LegRequest(role, token, None, f"{address}:1", address=address)
        try:
            admitted = self.relay.admit(request)
        except Refused as refusal:
            return refusal.status
        connection = FramedConnection(FakeChannel(), self.clock, relay_pulse(self.relay), Masking.NONE, True)
        admitted.opened(connection)
        self.addCleanup(connection.connection_lost, "")
        self.here.append(connection)
        return 101

    def test_waiting(self) -> None:
        """One address has so many legs that wait and no more; who is waited for is let in, and so are others."""
        self.start(max_waiting_per_address=2, proxies=("10.0.0.0/8",))
        self.here: list[FramedConnection] = []
        heard = Heard(self)
        names = [letter * 22 for letter in "abcdefghijk"]
        self.assertEqual([self.waiting(name, "2001:db8::1") for name in names[:3]], [101, 101, 503])
        self.assertEqual(self.waiting(names[2], "2001:db8::2"), 503)
        self.assertEqual(self.waiting(names[0], "2001:db8::3", "client"), 101)  # met, so that both wait no more
        self.assertEqual([self.waiting(name, "2001:db8::1") for name in names[2:4]], [101, 503])
        for address in ("192.0.2.1", "10.1.1.1", None):
            self.assertEqual(self.waiting(names[3], address, "client" if address is None else "agent"), 101)
            self.relay.rendezvous.forget(1e9)
            names.pop(3)
        self.clock.advance(self.relay.config.patience)
        self.assertEqual(self.waiting(names[3], "2001:db8::1"), 503)  # those that are told hold a connection yet
        for connection in self.here:
            connection.connection_lost("")
        self.assertEqual([self.waiting(name, "2001:db8::1") for name in names[3:6]], [101, 101, 503])
        self.clock.advance(60)
        self.assertEqual([line for line in heard.lines if "refused" in line], [])
        told = [line for line in heard.lines if "max_waiting_per_address = 2" in line]
        words = "connections were dropped by max_waiting_per_address = 2, since the last such line"
        self.assertEqual(told, [f"{words} 1: 1 of 2001:db8::/64", f"{words} 4: 4 of 2001:db8::/64"])

    def test_agents_certificate(self) -> None:
        """Where agents must show certificates, one without is refused, and one in another host's name."""
        key, public = key_pair(self)
        self.start(tokens="signed", platform_key=(str(public),), certificates=("c",), agent_ca="ca")
        signer = Signer.load(str(key))

        def request(role: str, host: str, names: tuple[str, ...] | None) -> int:
            claims: dict[str, Any] = {"sub": tokens.new_id(), "host": host} if host else {"sub": tokens.new_id()}
            token = signer.mint("relay", role=role, **claims)
            try:
                self.relay.admit(LegRequest(role, token, None, "x:1", names))
            except Refused as refusal:
                return refusal.status
            return 101

        self.assertEqual(request("agent", "Web-1", ("web-1", "web-1.example")), 101)
        self.assertEqual(request("agent", "", ("web-2",)), 101)
        self.assertEqual(request("agent", "web-1", ("web-2",)), 403)
        self.assertEqual(request("agent", "web-1", ()), 403)
        self.assertEqual(request("agent", "web-1", None), 403)
        self.assertEqual(request("client", "web-1", None), 101)

    def test_greeting_lost(self) -> None:
        """A leg that was admitted and lost before its 101 is counted out."""
        admitted = self.relay.admit(LegRequest("client", STREAM, None, "x:1"))
        admitted.left()
        self.assertEqual(self.relay.legs, set())

    def test_no_token_in_the_log(self) -> None:
        """Refusals are logged with the token's fingerprint, never with the token."""
        heard = Heard(self)
        for token in (STREAM, STREAM, "bad token", "x" * 300):
            self.status(token=token)
        self.status(token=STREAM, origin="https://evil\r\nexample")
        self.assertNotIn(STREAM, heard.text)
        self.assertNotIn("bad token", heard.text)
        self.assertNotIn("\r", heard.text)
        self.assertIn(tokens.fingerprint(STREAM), heard.text)


class SignedCase(Case):
    """A relay for signed tokens."""

    def setUp(self) -> None:
        private, public = key_pair(self)
        self.start(tokens="signed", platform_key=(str(public),), id="relay-1")
        self.relay.now = time.time
        self.signer = Signer.load(str(private))

    def mint(self, role: str = "client", audience: str = "relay-1", **claims: Any) -> str:
        return self.signer.mint(audience, role=role, **{"sub": STREAM, **claims})


class Signed(SignedCase):
    """Legs with signed tokens."""

    def test_pair(self) -> None:
        """Two tokens of one stream, one for each role, are paired."""
        self.leg("agent", self.mint("agent"))
        self.leg("client", self.mint("client"))
        self.assertEqual(self.relay.streams, 1)

    def test_replay(self) -> None:
        """A token is good once, and a second one of the same stream and role not at all."""
        token = self.mint()
        self.assertEqual([self.status(token=token), self.status(token=token)], [101, 401])
        self.assertEqual(self.status(token=self.mint()), 401)

    def test_two_platforms(self) -> None:
        """Legs of two platforms never meet, nor use up each other's tokens, though their streams have the same id."""
        (key, public), (other, other_public) = key_pair(self), key_pair(self)
        self.start(tokens="signed", platform_key=(str(public), str(other_public)), id="relay-1")
        self.relay.now = time.time
        ours, theirs = Signer.load(str(key)), Signer.load(str(other))
        for signer, role, streams in ((ours, "agent", 0), (theirs, "client", 0), (theirs, "agent", 1)):
            self.leg(role, signer.mint("relay-1", role=role, sub=STREAM, kid=ours.kid))  # that claim says nothing
            self.assertEqual(self.relay.streams, streams)
        client = self.leg("client", ours.mint("relay-1", role="client", sub=STREAM))
        client.send(b"ours")
        self.assertEqual(self.relay.streams, 2)

    def test_wrong(self) -> None:
        """A token of the other role, for another relay, or no token at all is refused with 401, all alike."""
        for token in (self.mint("agent"), self.mint(audience="relay-2"), self.mint()[:-5], STREAM, ""):
            self.assertEqual(self.status(token=token), 401)
        self.assertEqual(self.relay.rendezvous.meetings, {})

    def test_links(self) -> None:
        """A stream of two links takes two legs of each role."""
        for _ in range(2):
            self.leg("client", self.mint("client", links=2))
        self.assertEqual(self.status(token=self.mint(links=2)), 401)
        for _ in range(2):
            self.leg("agent", self.mint("agent", links=2))
        self.assertEqual(self.relay.streams, 2)


class Limited(SignedCase):
    """Streams that end by a limit."""

    def pair(self, client: dict[str, Any], agent: dict[str, Any]) -> tuple[Leg, Leg]:
        legs = self.leg("client", self.mint("client", **client)), self.leg("agent", self.mint("agent", **agent))
        legs[1].frames()
        return legs

    def test_stricter_token(self) -> None:
        """Of each limit the stricter of both tokens counts, at both legs."""
        client, agent = self.pair({"quota": 3, "lifetime": 9}, {"quota": 5, "lifetime": 2})
        client.send(b"12345")
        self.assertEqual(agent.frames()[0], (2, b"123"))
        self.assertEqual(client.close_codes(), [CloseCode.QUOTA])
        self.setUp()
        client, agent = self.pair({"quota": 3, "lifetime": 9}, {"quota": 5, "lifetime": 2})
        self.clock.advance(2)
        self.assertEqual((client.close_codes(), agent.close_codes()), ([CloseCode.LIFETIME], [CloseCode.LIFETIME]))

    def test_relays_own(self) -> None:
        """No token exceeds the relay's own settings, nor does one that says nothing."""
        for claims in ({}, {"idle": 3600}):
            self.setUp()
            self.relay.config = structs.replace(self.relay.config, idle=10)
            client, agent = self.pair(claims, claims)
            self.clock.pump([BEAT] * 3)
            self.assertEqual((client.close_codes(), agent.close_codes()), ([CloseCode.IDLE], [CloseCode.IDLE]))

    def test_opaque(self) -> None:
        """With opaque tokens the relay's settings are the limits of every stream."""
        self.start(quota=4)
        client, agent = self.leg("client"), self.leg("agent")
        agent.frames()
        agent.send(b"12345")
        self.assertEqual(client.frames()[0], (2, b"1234"))
        self.assertEqual(agent.close_codes(), [CloseCode.QUOTA])

    def test_links(self) -> None:
        """All links of a stream have one quota, until its tokens have expired and nobody is there."""
        more = {"quota": 4, "links": 2}
        client, agent = self.pair(more, more)
        client.send(b"123")
        client.lose()
        agent.lose()
        client, agent = self.pair(more, more)
        client.send(b"45")
        self.assertEqual(agent.frames()[0], (2, b"4"))
        self.assertEqual(client.close_codes(), [CloseCode.QUOTA])
        client.lose()
        agent.lose()
        self.assertEqual(len(self.relay.bounds), 1)
        self.relay.now = lambda: time.time() + 60
        self.clock.advance(BEAT)
        self.assertEqual((self.relay.rendezvous.meetings, self.relay.bounds), ({}, {}))

    def test_impossible(self) -> None:
        """A token whose limits are none is refused, rather than to have no limits."""
        for claims in ({"idle": -1}, {"quota": "many"}, {"lifetime": None}, {"quota": 1.5}, {"idle": 1e300}):
            self.assertEqual(self.status(token=self.mint(**claims)), 401, claims)

    def test_outcome(self) -> None:
        """The log says which limit ended the stream."""
        heard = Heard(self)
        client, agent = self.pair({"quota": 2}, {})
        client.send(b"123")
        client.lose()
        agent.lose()
        self.assertIn("ended: 4011 byte quota used up: its limit is 2 bytes", heard.text)


class Stopping(Case):
    """A relay that goes away."""

    def test_all_legs_are_told(self) -> None:
        """Every leg is closed with 1001, waiting or spliced, and new ones are refused with 503."""
        waiting = self.leg("client", "w" * 22)
        client, agent = self.leg("client"), self.leg("agent")
        agent.frames()
        stopped = self.relay.stopService()
        self.assertEqual([leg.close_codes() for leg in (waiting, client, agent)], [[1001], [], [1001]])
        agent.close(1001)
        self.assertEqual(client.close_codes(), [1001])
        self.assertEqual(self.status("client", "n" * 22), 503)
        self.assertNoResult(stopped)
        for leg in (waiting, client, agent):
            leg.lose()
        self.successResultOf(stopped)

    def test_in_flight(self) -> None:
        """All that an agent has sent before it has heard of the stop comes to its client, and then 1001."""
        client, agent = self.leg("client"), self.leg("agent")
        self.relay.stopService()
        for _ in range(3):
            agent.send(b"x" * 49_000)
        agent.close(1001)
        frames = client.frames()
        self.assertEqual(sum(len(payload) for opcode, payload in frames if opcode == 2), 147_000)
        self.assertEqual(frames[-1][:1], (8,))

    def test_in_flight_slowly(self) -> None:
        """A client that takes nothing holds its agent up while the relay stops, too: what waits stays bounded."""
        client, agent = self.leg("client"), self.leg("agent")
        client.channel.full = True
        self.relay.stopService()
        agent.send(b"x" * (HIGH + 1))
        self.assertTrue(agent.channel.paused)
        client.channel.drain()
        self.assertFalse(agent.channel.paused)

    def test_no_answer(self) -> None:
        """A client whose agent doesn't answer is told all the same, in time to hear it."""
        client, _ = self.leg("client"), self.leg("agent")
        self.relay.stopService()
        self.clock.advance(WIND_UP)
        self.assertEqual(client.close_codes(), [1001])

    def test_drain(self) -> None:
        """A relay that drains lets no stream in, tells legs that have met nobody for a while, and is through when the
        last stream has ended."""
        waiting = self.leg("client", "w" * 22)
        client, agent = self.leg("client"), self.leg("agent")
        drained = self.relay.drain()
        self.clock.advance(RELAY_MEETING - 0.1)
        self.assertEqual([leg.close_codes() for leg in (waiting, client, agent)], [[], [], []])
        self.clock.advance(0.1)
        self.assertEqual([leg.close_codes() for leg in (waiting, client, agent)], [[1001], [], []])
        waiting.lose()
        handshake = FakeHandshake()
        self.assertTrue(self.relay.handshake_began(handshake))  # to be answered once it is read
        self.relay.handshake_ended(handshake)
        self.assertEqual(self.status("client", "n" * 22), 503)
        client.send(b"still runs")
        self.assertIn((2, b"still runs"), agent.frames())
        self.assertEqual(self.relay.still_running, 1)
        self.assertNoResult(drained)
        agent.close(1000)
        client.lose()
        agent.lose()
        self.successResultOf(drained)
        self.assertEqual(self.relay.still_running, 0)

    def test_nothing_to_drain(self) -> None:
        """A relay without streams is through at once, and nothing more is scheduled."""
        before = self.clock.getDelayedCalls()
        self.successResultOf(self.relay.drain())
        self.assertEqual(self.clock.getDelayedCalls(), before)

    def test_meet_while_draining(self) -> None:
        """A stream whose first leg was let in before the drain comes to be, whichever that is, open by then or not: its
        client may have been told the URL just now. Others don't."""
        for first, second in (("agent", "client"), ("client", "agent")):
            for is_open in (True, False):
                self.start()
                one = Leg(self.relay, first, STREAM, is_open=is_open)
                drained = self.relay.drain()
                self.assertEqual(self.status(second, "n" * 22), 503)
                if not is_open:
                    one.open()
                other = self.leg(second)
                other.send(b"met")
                self.assertIn((2, b"met"), one.frames())
                self.assertNoResult(drained)
                self.assertEqual(self.status(first), 503)
                one.lose()
                other.lose()
                self.successResultOf(drained)

    def test_meet_too_late(self) -> None:
        """Once those that waited have been told, nobody is let in for them."""
        self.leg("agent")
        self.relay.drain()
        self.clock.advance(MEETING)
        self.assertEqual(self.status("client"), 503)

    def test_drain_ended(self) -> None:
        """A relay that is told to end now tells those that wait at once."""
        waiting = self.leg("client")
        self.relay.drain()
        self.relay.cut()
        self.assertEqual(waiting.close_codes(), [1001])

    def test_under_way(self) -> None:
        """A relay that drains waits for handshakes that are under way, as who has come is to be answered."""
        handshake = FakeHandshake()
        self.relay.handshake_began(handshake)
        drained = self.relay.drain()
        self.assertNoResult(drained)
        self.relay.handshake_ended(handshake)
        self.successResultOf(drained)

    def test_waiting_alone(self) -> None:
        """The stop is over as soon as the last leg is gone, also when none was spliced."""
        waiting = self.leg("client")
        stopped = self.relay.stopService()
        waiting.lose()
        self.successResultOf(stopped)

    def test_not_for_ever(self) -> None:
        """Legs that don't answer are waited for five seconds."""
        self.leg("client")
        stopped = self.relay.stopService()
        self.clock.advance(RELAY_GOODBYE)
        self.successResultOf(stopped)

    def test_empty(self) -> None:
        """Without legs the stop is over at once, and nothing is scheduled any more."""
        self.successResultOf(self.relay.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_opened_while_stopping(self) -> None:
        """A leg whose 101 goes out while the relay stops is closed with 1001."""
        admitted = self.relay.admit(LegRequest("client", STREAM, None, "x:1"))
        self.relay.stopService()
        channel = FakeChannel()
        admitted.opened(FramedConnection(channel, self.clock, Heartbeat(self.clock), Masking.NONE, True))
        self.assertIn((1001).to_bytes(2, "big"), bytes(channel.sent))
