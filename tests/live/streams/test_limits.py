"""Streams that end by a limit, and addresses that a target may not lead to, with real processes."""

import json
import os
import socket
import time
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from streamrelay.protocol.limits import CONNECT_TIME
from streamrelay.protocol.tokens import new_id
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain, shared
from tests.live.support.nats import NatsClient
from tests.live.support.pace import timed
from tests.live.support.sockets import MIB, seeded, take_all
from tests.live.support.waiting import WAIT, Work, until
from tests.live.support.websockets import close_code, read_all, read_exactly, send_all

IDLE, LIFETIME, QUOTA = 4008, 4009, 4011
LATE = 15.0
"""Seconds by which a busy machine may be late; an idle time is found by a beat, of which there is one in 5 s."""
PACE = 0.25
"""Seconds between two reads of a slow client."""
MET = '{"met"'


class Legs(LiveTest):
    """The relay alone: the test is the platform, and both ends."""

    def pair(self, chain: Chain, client: dict[str, Any], agent: dict[str, Any]) -> list[ClientConnection]:
        """The client's and the agent's leg of a new stream, met, with tokens of these claims."""
        stream = new_id()
        legs = [
            self.websocket(chain.leg_url(role, chain.signer.mint("relay", role=role, sub=stream, **claims)))
            for role, claims in (("client", client), ("agent", agent))
        ]
        self.assertTrue(str(legs[1].recv(WAIT)).startswith(MET))
        return legs

    def both(self, **claims: Any) -> list[ClientConnection]:
        return self.pair(shared(alone=True), claims, claims)

    def test_idle(self) -> None:
        """A stream without a byte ends with 4008 at both legs, while its neighbour, and a busy one, live on."""
        busy, bystander = self.both(idle=LATE), self.both()
        with timed() as seconds:
            quiet = self.both(idle=1)
            ended = Work(close_code, quiet[0])
            while ended.is_alive():
                for leg in busy:
                    leg.send(b"x")
                time.sleep(0.2)
            self.assertEqual(ended.result(), IDLE)
            self.assertTrue(seconds() >= 1 and seconds.fair < 1 + LATE, seconds())
        self.assert_closed(quiet[1], IDLE)
        for client, agent in (busy, bystander):
            client.send(b"still here")
            read_exactly(agent, len(b"still here"))

    def test_lifetime(self) -> None:
        """A busy stream ends with 4009 at both legs when its time is over, not before."""
        with timed() as seconds:
            client, agent = self.both(lifetime=2)
            received = Work(read_all, agent)
            try:
                while seconds() < WAIT:
                    client.send(b"x" * 1000)
                    time.sleep(0.01)
            except ConnectionClosed as closed:
                self.assertEqual(closed.rcvd and closed.rcvd.code, LIFETIME)
            self.assertEqual(received.result()[2], LIFETIME)
            self.assertTrue(seconds() > 1 and seconds.fair < 2 + LATE, seconds())

    def test_quota(self) -> None:
        """Exactly so many bytes pass, both ways together, and all of them arrive before the 4011."""
        client, agent = self.both(quota=3 * MIB)
        up, down = seeded(1 * MIB, 6), seeded(8 * MIB, 7)
        sending = Work(send_all, client, up)
        self.assertEqual(read_exactly(agent, len(up)), up)
        sending.result()
        flood = Work(self.flood, agent, down)
        data, _, code = read_all(client)
        self.assertEqual((len(data), code), (2 * MIB, QUOTA))
        self.assertEqual(data, down[: 2 * MIB])
        self.assertEqual(flood.result(), QUOTA)

    def flood(self, leg: ClientConnection, data: bytes) -> int | None:
        """Send until the leg is closed, and give its code."""
        try:
            send_all(leg, data)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006
        return close_code(leg)

    def test_stricter(self) -> None:
        """Where the tokens differ the stricter one counts, whichever leg's it is."""
        for claims in (({"quota": 10}, {"quota": 1000}), ({"quota": 1000}, {"quota": 10}), ({}, {"quota": 10})):
            client, agent = self.pair(shared(alone=True), *claims)
            client.send(b"x" * 100)
            self.assertEqual(read_all(agent), (b"x" * 10, [], QUOTA))
            self.assert_closed(client, QUOTA)

    def test_stalled_reader(self) -> None:
        """A client that reads nothing doesn't keep its stream alive: the other leg is closed in time."""
        client, agent = self.both(lifetime=2)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with timed() as seconds:
            self.assertEqual(self.flood(agent, seeded(32 * MIB, 8)), LIFETIME)
            self.assertLess(seconds.fair, 2 + LATE)

    def test_stall_limit(self) -> None:
        """A client that takes nothing of what waits is ended with 4008, which it finds behind that once it reads; one
        that reads slowly isn't."""
        chain = shared(alone=True, relay=("--stall-limit=10",))
        (slow, agent), (deaf, other) = (self.pair(chain, {}, {}) for _ in range(2))
        going_on, ended = (Work(self.flood, leg, seeded(64 * MIB, 9)) for leg in (agent, other))
        for _ in range(int(WAIT / PACE)):
            slow.recv(WAIT)
            time.sleep(PACE)
            if not ended.is_alive():
                break
        self.assertEqual(ended.result(), IDLE)
        self.assertTrue(going_on.is_alive())
        data, _, code = read_all(deaf)
        self.assertEqual((data, code), (seeded(64 * MIB, 9)[: len(data)], IDLE))
        slow.close()
        going_on.result()

    def test_links(self) -> None:
        """All links of a stream use up one quota, and end together."""
        chain, stream = shared(alone=True), new_id()
        claims: dict[str, Any] = {"sub": stream, "links": 2, "quota": 10}
        tokens = {role: chain.signer.mint("relay", role=role, **claims) for role in ("client", "agent")}
        pairs = []
        for _ in range(2):
            legs = [self.websocket(chain.leg_url(role, token)) for role, token in tokens.items()]
            self.assertTrue(str(legs[1].recv(WAIT)).startswith(MET))
            pairs.append(legs)
        pairs[0][0].send(b"12345678")
        self.assertEqual(read_exactly(pairs[0][1], 8), b"12345678")
        pairs[1][0].send(b"90abcd")
        self.assertEqual(read_all(pairs[1][1]), (b"90", [], QUOTA))
        for leg in (*pairs[0], pairs[1][0]):
            self.assert_closed(leg, QUOTA)

    def test_relays_own(self) -> None:
        """The relay's own settings hold streams of opaque tokens, and the log has the outcome."""
        settings = self.folder / "relay.toml"
        settings.write_text("quota = 5\n")
        relay = self.twistd(
            "streamrelay", f"--config={settings}", "--tokens=opaque", "--listen=tcp:0:interface=127.0.0.1"
        )
        relay.wait_for("starting on")
        port = relay.log.split("starting on ")[1].split()[0]
        token = new_id()
        client, agent = (self.websocket(f"ws://127.0.0.1:{port}/{role}/{token}") for role in ("client", "agent"))
        agent.send(b"123456789")
        self.assertEqual(read_all(client), (b"12345", [], QUOTA))
        self.assert_closed(agent, QUOTA)
        relay.wait_for("ended: 4011 byte quota used up: its limit is 5 bytes")


class Chains(LiveTest):
    """The whole chain: the platform's settings are the limits of its streams."""

    def events(self, chain: Chain) -> NatsClient:
        listening = NatsClient(chain.nats_port)
        self.addCleanup(listening.close)
        listening.subscribe(f"streamrelay.v1.event.{HOST}.ended")
        listening.flush()
        return listening

    def ended(self, listening: NatsClient) -> dict[str, Any]:
        message = listening.message()
        self.assertIsNotNone(message)
        event: dict[str, Any] = json.loads(message or b"")
        return event

    def check_quota(self, tokens: str) -> Chain:
        """What the target gets, what the client gets, and what is told of it."""
        chain = self.chain(tokens=tokens, platform_options=("--quota=1000000", "--lifetime=600", "--idle=600"))
        listening = self.events(chain)
        leg, target = self.stream(chain)
        received = Work(take_all, target)
        data = seeded(2_000_000, 9)
        try:
            send_all(leg, data)
        except ConnectionClosed:
            pass
        self.assertEqual(received.result(), data[:1_000_000])
        self.assert_closed(leg, QUOTA)
        self.assertIn("1000000 bytes", leg.close_reason)
        event = self.ended(listening)
        self.assertEqual((event["code"], event["up"], event["down"]), (QUOTA, 1_000_000, 0))
        chain.agent.wait_for("ended: 4011 byte quota used up")
        chain.relay.wait_for("ended: 4011 byte quota used up")
        return chain

    def test_both(self) -> None:
        """Signed: relay and agent both hold the stream; the target gets exactly the quota, then an end in order."""
        self.check_quota("signed")

    def test_agent_alone(self) -> None:
        """Opaque: the relay knows no limits, and the agent holds the stream to its summons'."""
        chain = self.check_quota("opaque")
        self.assertNotIn("quota", " ".join(chain.relay_arguments()))

    def test_agent_by_its_summons(self) -> None:
        """The agent ends idle and old streams by itself, at a relay of opaque tokens without limits."""
        chain = self.chain(tokens="opaque", platform_options=("--idle=5", "--lifetime=20"))
        listening = self.events(chain)
        quiet, quiet_target = self.stream(chain)
        with timed() as seconds:
            busy, busy_target = self.stream(chain)
            old = Work(close_code, busy)
            while old.is_alive():
                busy_target.sendall(b"x")
                time.sleep(0.2)
            self.assertEqual(old.result(), LIFETIME)
            self.assertTrue(seconds() > 18.5 and seconds.fair < 20 + LATE, seconds())
        self.assert_closed(quiet, IDLE)
        self.assertEqual(take_all(quiet_target), b"")
        self.assertEqual([self.ended(listening)["code"] for _ in range(2)], [IDLE, LIFETIME])

    def test_neighbour(self) -> None:
        """The end of one stream by its quota isn't noticed by another of the same client and target."""
        chain = self.chain(platform_options=("--quota=1000",))
        other, other_target = self.stream(chain)
        leg, target = self.stream(chain)
        target.sendall(b"x" * 5000)
        self.assertEqual(read_all(leg), (b"x" * 1000, [], QUOTA))
        other.send(b"hello")
        self.assertEqual(other_target.recv(100), b"hello")


ADDRESSES = """
[targets."any/{host}/{port}"]
kind = "tcp"
address = "{host}:{port}"
parts = { host = ".+", port = "[0-9]+" }

[targets."six/{host}/{port}"]
kind = "tcp"
address = "[{host}]:{port}"
parts = { host = ".+", port = "[0-9]+" }

[targets."local/{host}/{port}"]
kind = "tcp"
address = "{host}:{port}"
networks = ["127.0.0.0/8"]
parts = { host = ".+", port = "[0-9]+" }

[targets."name/{port}"]
kind = "tcp"
address = "localhost:{port}"
parts = { port = "[0-9]+" }

[targets."private/{port}"]
kind = "tcp"
address = "localhost:{port}"
networks = ["10.0.0.0/8"]
parts = { port = "[0-9]+" }

[targets."vm/{name}"]
kind = "unix"
path = "FOLDER/vms/{name}.sock"
parts = { name = "[a-z]+" }
"""


class Addresses(LiveTest):
    """What a target's address may be, once its name is resolved by this machine's own resolver."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared(targets=ADDRESSES)
        self.listener = self.listen()
        self.port = self.listener.target.partition("/")[2]

    def answer(self, target: str) -> tuple[int, str]:
        answer = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": target})
        return answer.status, answer.json.get("code", "")

    def test_chosen_by_the_client(self) -> None:
        """No spelling of this machine's addresses, nor a name of it, gets a client to its loopback: 403, at once."""
        for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0.0.0.0", "0"):
            with timed() as seconds:
                self.assertEqual(self.answer(f"any/{host}/{self.port}"), (403, "not_allowed"), host)
                self.assertLess(seconds.fair, CONNECT_TIME)
        for host in ("::1", "::ffff:127.0.0.1", "::", "::127.0.0.1", "64:ff9b::7f00:1", "fe80::1"):
            self.assertEqual(self.answer(f"six/{host}/{self.port}"), (403, "not_allowed"), host)
        self.common.agent.wait_for("127.0.0.1 is a loopback address, and the target lists no networks")

    def test_not_told(self) -> None:
        """The client learns that it isn't allowed, and not what the name resolves to."""
        answer = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": f"any/localhost/{self.port}"})
        self.assertEqual(answer.json["detail"], "the target's address is not allowed")
        self.assertNotIn("127.0.0.1", answer.text)

    def test_listed(self) -> None:
        """`localhost` in the agent's own file, and what `networks` lists, is connected."""
        hosts = ("localhost", "127.0.0.1", "2130706433", "127.1")
        for target in (f"name/{self.port}", *(f"local/{host}/{self.port}" for host in hosts)):
            leg = self.websocket(self.open(self.common, target))
            connection = self.listener.accept()
            leg.send(b"hello")
            self.assertEqual(connection.recv(100), b"hello", target)

    def test_not_listed(self) -> None:
        """With networks given only those count, even for what the agent's own file names."""
        self.assertEqual(self.answer(f"private/{self.port}"), (403, "not_allowed"))
        self.assertEqual(self.answer(f"local/10.0.0.1/{self.port}"), (403, "not_allowed"))

    def test_unix(self) -> None:
        """A symbolic link out of a pattern's directory isn't followed; one that stays inside is."""
        vms = self.common.folder / "vms"
        vms.mkdir(exist_ok=True)
        for path in (vms / "inside.sock", self.common.folder / "outside.sock"):
            listening = socket.socket(socket.AF_UNIX)
            self.addCleanup(listening.close)
            path.unlink(missing_ok=True)
            listening.bind(str(path))
            listening.listen()
        for name, aim in (("in", "inside.sock"), ("out", "../outside.sock")):
            link = vms / f"{name}.sock"
            link.unlink(missing_ok=True)
            os.symlink(aim, link)
        self.assertEqual(self.answer("vm/in")[0], 201)
        self.assertEqual(self.answer("vm/inside")[0], 201)
        self.assertEqual(self.answer("vm/out"), (403, "not_allowed"))
        until(lambda: "which is not within" in self.common.agent.log, what="the reason in the log")
