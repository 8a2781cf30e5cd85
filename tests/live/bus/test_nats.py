"""The bus: down, restarted, and with strangers on it."""

import json
import select
import socket
import time
from typing import Any

from streamrelay.protocol.tokens import Signer, generate, new_id
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain, shared
from tests.live.support.nats import NatsClient
from tests.live.support.pace import timed
from tests.live.support.promise import in_time, kept, promised
from tests.live.support.sockets import MIB, seeded
from tests.live.support.waiting import WAIT, Work, until
from tests.live.support.websockets import read_exactly

OPEN = f"streamrelay.v1.host.{HOST}.open"
END = f"streamrelay.v1.host.{HOST}.end"


class Restarts(LiveTest):
    """The bus comes and goes."""

    def test_late(self) -> None:
        """Agent and platform are started before the bus: both are there soon after it."""
        own = Chain(self.folder)
        self.addCleanup(own.stop)
        own.start_relay()
        own.start_agent()
        own.start_platform()
        own.agent.wait_for("can't connect to NATS")
        own.platform.wait_for("can't connect to NATS")
        answer = own.ask("POST", "/v1/streams", {"host": HOST, "target": "port/1"})
        self.assertEqual((answer.status, answer.json["code"]), (503, "bus_down"))
        with promised("bus down at start"):
            own.start_nats()
            until(own.hosts, what="the host")
        own.wait()  # for the relay, too
        _, target = self.stream(own)
        self.assertTrue(target)
        for program in (own.agent, own.platform):
            self.assertNotIn("Traceback", program.log)

    def test_restarted(self) -> None:
        """The bus dies: the API answers 503 at once, the live stream goes on, and all is back within 10 s."""
        own = self.chain()
        leg, target = self.stream(own)
        beside = self.neighbour(*self.stream(own))
        own.nats.kill()
        own.platform.wait_for("lost the connection to NATS")
        times = []
        for path, body in (("/v1/streams", {"host": HOST, "target": "port/1"}), ("/v1/hosts", None)):
            with timed() as passed:
                answer = own.ask("POST" if body else "GET", path, body)
            times.append((passed(), passed.fair))
            self.assertEqual((answer.status, answer.json["code"]), (503, "bus_down"))
        in_time("bus down", *map(max, zip(*times, strict=True)))
        data = seeded(4 * MIB)
        sending = Work(target.sendall, data)
        self.assertEqual(read_exactly(leg, len(data)), data)
        sending.result()
        beside.goes_on()
        with promised("bus back"):
            own.nats.start()
            until(own.hosts, what="the host")
        leg.send(b"untouched")
        self.assertEqual(target.recv(20), b"untouched")
        streams = own.streams()
        self.assertEqual([stream["down"] for stream in streams].count(len(data)), 1)
        self.assertEqual(len(streams), 2)
        self.stream(own)

    def test_frozen(self) -> None:
        """The bus hangs without a word: that is what a request is told, at once from the second on, and the live stream
        goes on; once the bus moves again all is back."""
        own = self.chain()
        beside = self.neighbour(*self.stream(own))
        own.nats.freeze()
        self.addCleanup(own.nats.thaw)
        # 0.5 s of doubt, 3 s of silence, 2 s in which it might be back; the second request finds that known.
        for promise in (promised("bus frozen"), promised("bus known frozen")):
            with promise:
                answer = own.ask("POST", "/v1/streams", {"host": HOST, "target": "port/1"})
            self.assertEqual((answer.status, answer.json["code"]), (503, "bus_down"))
        own.platform.wait_for("doesn't answer any more; connecting again")
        beside.goes_on()
        with promised("bus moves again"):
            own.nats.thaw()
            until(own.hosts, what="the host")
        until(lambda: own.opens(self.listen().target), what="a new stream")


class Strangers(LiveTest):
    """Summonses that are published straight to the bus."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared()
        self.listener = self.listen()
        self.bus = NatsClient(self.common.nats_port)
        self.addCleanup(self.bus.close)

    def summons(self, signer: Signer | None = None, audience: str = HOST, life: float = 30, **claims: Any) -> bytes:
        stream = new_id()
        token = self.common.signer.mint("relay", role="agent", sub=stream)
        about = {
            "role": "summons",
            "stream": stream,
            "target": self.listener.target,
            "relay": self.common.relay_url,
            "token": token,
            "user": "test",
            **claims,
        }
        return (signer or self.common.signer).mint(audience, life, **about).encode()

    def dials(self, seconds: float = 0.3) -> int:
        """How often the target was connected."""
        count = 0
        while select.select([self.listener.socket], [], [], seconds)[0]:
            self.listener.accept()
            count += 1
        return count

    def signer(self, shift: float = 0, name: str = "") -> Signer:
        """The platform's, or a stranger's, by a clock that is off."""
        if name:
            generate(self.folder / name, self.folder / f"{name}.pub")
        signer = Signer.load(str(self.folder / name if name else self.common.folder / "platform.key"))
        signer.now = lambda: time.time() + shift
        return signer

    def test_valid(self) -> None:
        """A summons by the platform's key is followed, whoever carries it."""
        self.assertEqual(self.bus.ask(OPEN, self.summons()), {"ready": True, "kind": "tcp"})
        self.assertEqual(self.dials(), 1)

    def test_refused(self) -> None:
        """A summons that is forged, stale, early, too long-lived, or another's is refused and opens nothing."""
        good = self.summons()
        head, _, rest = good.partition(b".")
        refused = self.common.agent.log.count("refused a summons")
        wrong = {
            "forged": self.summons(self.signer(name="stranger")),
            "expired": self.summons(self.signer(-60)),
            "early": self.summons(self.signer(60)),
            "long-lived": self.summons(life=3600),
            "another host's": self.summons(audience="host-2"),
            "the relay's": self.summons(audience="relay"),
            "a client's token": self.summons(role="client"),
            "changed": head + b"." + rest[:30] + (b"A" if rest[30:31] != b"A" else b"B") + rest[31:],
            "no signature": good[: good.rindex(b".") + 1],
            "plain": json.dumps({"stream": new_id(), "target": self.listener.target, "jti": new_id()}).encode(),
            "empty": b"",
            "long": b"x" * 20000,
            "bytes": bytes(range(256)),
            "no target": self.summons(target=""),
            "odd target": self.summons(target="a\r\nb"),
            "odd relay": self.summons(relay="http://127.0.0.1"),
        }
        for what, data in wrong.items():
            self.assertEqual(self.bus.ask(OPEN, data)["refused"], "bad_summons", what)
        self.assertEqual(self.dials(), 0)
        self.common.agent.wait_for("refused a summons", count=refused + len(wrong))
        kept("summons late", f"{len(wrong)} of {len(wrong)} kinds refused")

    def test_replayed(self) -> None:
        """The same summons again, at once and later: one dial, and the same answer."""
        data = self.summons()
        inbox = "_INBOX.replay.1"
        self.bus.subscribe(inbox)
        for _ in range(3):
            self.bus.publish(OPEN, data, inbox)
        answers = [self.bus.message() for _ in range(3)]
        self.assertEqual(answers[0], b'{"ready":true,"kind":"tcp"}')
        self.assertEqual(len(set(answers)), 1)
        self.assertEqual(self.dials(), 1)
        self.assertEqual(self.bus.ask(OPEN, data), {"ready": True, "kind": "tcp"})
        self.assertEqual(self.dials(), 0)
        kept("summons again", "4 summonses, 1 dial, 4 answers")

    def test_replayed_refusal(self) -> None:
        """A summons that was refused is answered the same when it comes again."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            data = self.summons(target=f"port/{taken.getsockname()[1]}")
            first = self.bus.ask(OPEN, data)
        self.assertEqual(first["refused"], "target_refused")
        self.assertEqual(self.bus.ask(OPEN, data), first)

    def test_no_inbox(self) -> None:
        """A reply subject that is no inbox gets no answer, so that nobody makes the agent talk to others."""
        for subject in ("streamrelay.v1.host.host-2.open", "spoof.me", "$SRV.PING", "_INBOX"):
            self.bus.subscribe(subject)
            self.bus.publish(OPEN, self.summons(), subject)
            self.assertIs(self.bus.message(0.4), None, subject)

    def test_client_first(self) -> None:
        """A client's leg that waits at the relay is met by the agent that is summoned for it."""
        stream = new_id()
        mint = self.common.signer.mint
        leg = self.websocket(self.common.leg_url("client", mint("relay", role="client", sub=stream)))
        leg.send(b"early")
        token = mint("relay", role="agent", sub=stream)
        self.assertEqual(self.bus.ask(OPEN, self.summons(stream=stream, token=token))["ready"], True)
        target = self.listener.accept()
        self.assertEqual(target.recv(10), b"early")
        target.sendall(b"and late")
        self.assertEqual(leg.recv(WAIT), b"and late")

    def test_nobody_asks(self) -> None:
        """If nobody waits for the agent's answer, the client at the relay is told by a 4001 that its target refused."""
        stream = new_id()
        mint = self.common.signer.mint
        leg = self.websocket(self.common.leg_url("client", mint("relay", role="client", sub=stream)))
        token = mint("relay", role="agent", sub=stream)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            target = f"port/{taken.getsockname()[1]}"
            self.bus.publish(OPEN, self.summons(stream=stream, token=token, target=target))
            self.assert_closed(leg, 4001)
        self.assertIn("refused the connection", leg.close_reason)

    def test_links(self) -> None:
        """A stream of two links has two legs of each role, each pair with a connection of its own, and no third."""
        stream = new_id()
        mint = self.common.signer.mint
        client = self.common.leg_url("client", mint("relay", role="client", sub=stream, links=2))
        token = mint("relay", role="agent", sub=stream, links=2)
        self.assertEqual(self.bus.ask(OPEN, self.summons(stream=stream, token=token, links=2))["ready"], True)
        for word in (b"first", b"second"):
            leg = self.websocket(client)
            leg.send(word)
            self.assertEqual(self.listener.accept().recv(10), word)
        self.assertEqual(self.refused(client), 401)

    def test_no_reply(self) -> None:
        """A summons without a reply subject opens the stream all the same."""
        self.bus.publish(OPEN, self.summons())
        self.listener.accept()
        self.assertEqual(self.dials(), 0)

    def test_target_named_by_agent(self) -> None:
        """A signed summons to a target that the agent's list doesn't have is answered, and opens nothing."""
        answer = self.bus.ask(OPEN, self.summons(target="127.0.0.1:22"))
        self.assertEqual(answer["refused"], "no_such_target")

    def test_relay_unreachable(self) -> None:
        """An agent that can't reach the relay says so, and leaves its target alone."""
        answer = self.bus.ask(OPEN, self.summons(relay="ws://127.0.0.1:9"))
        self.assertEqual(answer["refused"], "dial_failed")
        target = self.listener.accept()
        try:
            self.assertEqual(target.recv(1), b"")
        except ConnectionResetError:
            pass

    def test_end(self) -> None:
        """A request to end a stream counts only with the platform's signature."""
        leg, target = self.stream(self.common)
        name = f"port/{target.getsockname()[1]}"

        def found() -> list[str]:
            streams = self.common.streams()
            return [stream["stream"] for stream in streams if stream["target"] == name]

        (stream,) = until(found, what="the stream")
        forged = self.signer(name="stranger").mint(HOST, role="end", stream=stream).encode()
        plain = json.dumps({"stream": stream, "jti": new_id(), "exp": time.time() + 10}).encode()
        for data in (forged, plain, self.common.signer.mint(HOST, role="summons", stream=stream).encode()):
            self.assertEqual(self.bus.ask(END, data)["refused"], "bad_summons")
        leg.send(b"alive")
        self.assertEqual(target.recv(10), b"alive")
        signed = self.common.signer.mint(HOST, role="end", stream=stream).encode()
        self.assertEqual(self.bus.ask(END, signed), {"ready": True})
        self.assert_closed(leg, 4006)
        signed = self.common.signer.mint(HOST, role="end", stream=stream).encode()
        self.assertEqual(self.bus.ask(END, signed)["refused"], "no_such_stream")

    def test_events(self) -> None:
        """A stream's life is published: opened, and ended with its outcome and its bytes."""
        self.bus.subscribe(f"streamrelay.v1.event.{HOST}.*")
        listener = self.listen()
        leg = self.websocket(self.open(self.common, listener.target))
        target = listener.accept()
        leg.send(b"12345")
        self.assertEqual(target.recv(10), b"12345")
        leg.close()
        events: list[Any] = []

        def ended() -> Any:
            message = self.bus.message()
            event = json.loads(message or b"{}")
            if event.get("target") == listener.target:
                events.append(event)
            return len(events) == 2 or None

        until(ended, what="the event")
        self.assertEqual(events[0]["user"], "alice")
        self.assertEqual((events[1]["code"], events[1]["up"], events[1]["down"]), (1000, 5, 0))


class Relays(LiveTest):
    """An agent that knows its relays."""

    def test_other_relay(self) -> None:
        """A summons that names a relay beyond the agent's list is refused, though it is signed."""
        own = self.start_chain(Chain(self.folder, agent='relays = ["wss://relay.example"]\n'))
        answer = own.ask("POST", "/v1/streams", {"host": HOST, "target": "port/1"})
        self.assertEqual((answer.status, answer.json["code"]), (502, "dial_failed"))
