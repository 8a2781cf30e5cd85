"""Attacks on the bus, by somebody who may publish whatever they like there: summonses that are none.

That a host of its own NATS user can neither read nor answer the summonses of others is proven in
tests.live.bus.test_permissions; here the bus is open to all, and the signatures alone keep the agent.
"""

import json
import re
import time
from typing import Any

from streamrelay.protocol.tokens import Signer, generate, new_id
from tests.live.attacks.attack import AttackTest, Decoy
from tests.live.support.chain import HOST
from tests.live.support.nats import NatsClient
from tests.live.support.waiting import WAIT

OPEN = f"streamrelay.v1.host.{HOST}.open"
END = f"streamrelay.v1.host.{HOST}.end"


class Summonses(AttackTest):
    """The agent follows what its platform has signed, for this host, now, once."""

    def setUp(self) -> None:
        super().setUp()
        self.bus = NatsClient(self.common.nats_port)
        self.addCleanup(self.bus.close)

    def claims(self, decoy: Decoy, **changes: Any) -> dict[str, Any]:
        """What a good summons to the decoy says."""
        stream = new_id()
        about = {
            "stream": stream,
            "target": decoy.target,
            "relay": self.common.relay_url,
            "token": self.common.signer.mint("relay", role="agent", sub=stream),
            "role": "summons",
            **changes,
        }
        return about

    def sign(self, claims: dict[str, Any], host: str = HOST, life: float = 30, off: float = 0) -> bytes:
        """Signed by the platform's key, whose clock may be off."""
        own = self.common.signer
        return Signer(own.key, own.kid, lambda: time.time() + off).mint(host, life, **claims).encode()

    def refusals(self) -> int:
        return self.common.agent.log.count("refused a summons: ")

    def assert_bad(self, decoy: Decoy, summonses: dict[str, bytes], said: str = "") -> None:
        """Each is answered in the same words, stands in the agent's log, and reaches no target."""
        before = self.refusals()
        for what, summons in summonses.items():
            answer = self.bus.ask(OPEN, summons)
            answer["reason"] = re.sub(r"[0-9]+ s", "N s", answer["reason"])
            words = said or "the summons is invalid here; the agent's log says why"
            self.assertEqual(answer, {"refused": "bad_summons", "reason": f"host {HOST}: {words}"}, what)
        self.assertEqual(self.refusals() - before, len(summonses))
        self.assert_reached(decoy, 0)

    def test_forged(self) -> None:
        """Without the platform's signature nothing opens: another key, none, plain JSON, or bytes of no sense."""
        decoy = self.decoy()
        name = new_id()
        generate(self.folder / f"{name}.key", self.folder / f"{name}.pub")
        thief = Signer.load(str(self.folder / f"{name}.key"))
        good = self.sign(self.claims(decoy))
        head, body, mark = good.split(b".")
        plain = {**self.claims(decoy), "jti": new_id(), "exp": time.time() + 30}
        self.assert_bad(
            decoy,
            {
                "another key": thief.mint(HOST, **self.claims(decoy)).encode(),
                "another key by this one's name": Signer(thief.key, self.common.signer.kid)
                .mint(HOST, **self.claims(decoy))
                .encode(),
                "plain JSON": json.dumps(plain).encode(),
                "no signature": head + b"." + body + b".",
                "another body": head + b"." + self.sign(self.claims(decoy)).split(b".")[1] + b"." + mark,
                "nothing": b"",
                "zeros": bytes(100),
                "too long": good + b"A" * 20000,
                "nested": b"[" * 10000,
                "lines": good + b"\r\nPUB x 1\r\nx",
            },
        )

    def test_of_another_kind(self) -> None:
        """What the platform has signed for something else is no summons: tokens of legs, requests to end."""
        decoy = self.decoy()
        claims = self.claims(decoy)
        self.assert_bad(
            decoy,
            {
                "the agent's token": self.sign({**claims, "role": "agent"}),
                "the client's token": self.sign({**claims, "role": "client"}),
                "an end": self.sign({**claims, "role": "end"}),
                "for the relay": self.sign(claims, "relay"),
                "a stream's id with a path": self.sign({**claims, "stream": "../" + "x" * 22}),
                "a target with a line end": self.sign({**claims, "target": f"{decoy.target}\n"}),
                "a target with an escape": self.sign({**claims, "target": "log\x1b[31m"}),
                "no relay": self.sign({**claims, "relay": "http://127.0.0.1"}),
                "a relay with a user": self.sign({**claims, "relay": f"{claims['relay']}@127.0.0.1:1"}),
                "a relay with a line end": self.sign({**claims, "relay": f"{claims['relay']}/\r\nX: y"}),
            },
        )

    def test_redirected(self) -> None:
        """A summons for another host opens nothing here, whoever brings it."""
        decoy = self.decoy()
        others = {host: self.sign(self.claims(decoy), host) for host in ("host-2", "host-11", "HOST-1", "*", "")}
        self.assert_bad(decoy, others)

    def test_to_another_relay(self) -> None:
        """A relay that isn't in the agent's list isn't dialled, even if the platform's key has signed it."""
        decoy, relay = self.decoy(), self.decoy()
        for url in (
            f"ws://127.0.0.1:{relay.port}",
            f"ws://localhost:{relay.port}",
            f"{self.common.relay_url}.evil.example",
            f"{self.common.relay_url}/elsewhere",
            f"wss://127.0.0.1:{self.common.relay_port}",
        ):
            answer = self.bus.ask(OPEN, self.sign(self.claims(decoy, relay=url)))
            self.assertEqual(answer["refused"], "dial_failed", url)
        self.assert_reached(relay, 0)
        self.assert_reached(decoy, 0)

    def test_late(self) -> None:
        """A summons of yesterday, of tomorrow, or for longer than 30 s opens nothing; those of our platform that come
        early or late are told how far the clocks are apart."""
        decoy = self.decoy()
        claims = self.claims(decoy)
        apart = "this host's clock and the platform's differ by N s"
        late = {"a minute old": self.sign(claims, off=-60), "just over": self.sign(claims, off=-37)}
        self.assert_bad(decoy, late, f"{apart} (or it came late): this host's is ahead")
        early = {"a minute too early": self.sign(claims, off=60)}
        self.assert_bad(decoy, early, f"{apart}: this host's is behind")
        self.assert_bad(decoy, {"for an hour": self.sign(claims, life=3600), "for 31 s": self.sign(claims, life=31)})

    def test_replayed(self) -> None:
        """A copy of a summons opens nothing: it gets the first one's answer, however often and at once it comes."""
        decoy = self.decoy()
        summons = self.sign(self.claims(decoy))
        for _ in range(20):
            self.bus.publish(OPEN, summons)
        answers = [self.bus.ask(OPEN, summons) for _ in range(20)]
        self.assertEqual(answers, [{"ready": True, "kind": "tcp"}] * 20)
        self.assert_reached(decoy, 1)

    def test_same_token_twice(self) -> None:
        """A second summons with the token of the first gets the agent no second leg."""
        decoy = self.decoy()
        claims = self.claims(decoy)
        self.assertEqual(self.bus.ask(OPEN, self.sign(claims)), {"ready": True, "kind": "tcp"})
        self.assertEqual(self.bus.ask(OPEN, self.sign(claims))["refused"], "dial_failed")
        self.assert_reached(decoy, 2)

    def test_reply_elsewhere(self) -> None:
        """An answer goes to an inbox only: no caller makes the agent publish where it may and they may not."""
        decoy = self.decoy()
        self.bus.subscribe("streamrelay.v1.host.host-2.>")
        self.bus.subscribe("streamrelay.v1.event.>")
        self.bus.subscribe("$SRV.stolen")
        for subject in ("streamrelay.v1.host.host-2.open", f"streamrelay.v1.event.{HOST}.up", "$SRV.stolen"):
            self.bus.publish(OPEN, b"nonsense", subject)
            self.bus.publish(OPEN, self.sign(self.claims(decoy, target="nothing")), subject)
            self.bus.publish(END, b"nonsense", subject)
        heard = []
        while (message := self.bus.message(0.5)) is not None:
            heard.append(message)
        self.assertEqual([message for message in heard if b"refused" in message or b"ready" in message], [])
        self.assert_reached(decoy, 0)

    def test_end_forged(self) -> None:
        """A stream is ended by the platform's signature for this host alone."""
        listener = self.listen()
        opened = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": listener.target}).json
        leg = self.websocket(opened["url"])
        target = listener.accept()
        name = new_id()
        generate(self.folder / f"{name}.key", self.folder / f"{name}.pub")
        thief = Signer.load(str(self.folder / f"{name}.key"))
        about = {"stream": opened["stream"]}
        for end in (
            thief.mint(HOST, role="end", **about).encode(),
            json.dumps({**about, "jti": new_id(), "exp": time.time() + 30}).encode(),
            self.sign({**about, "role": "end"}, "host-2"),
            self.sign({**about, "role": "end"}, off=-60),
            self.sign({**about, "role": "summons"}),
        ):
            self.assertEqual(self.bus.ask(END, end)["refused"], "bad_summons")
        leg.send(b"alive")
        self.assertEqual(target.recv(10), b"alive")
        self.assertEqual(self.bus.ask(END, self.sign({**about, "role": "end"})), {"ready": True})
        self.assert_closed(leg, 4006, WAIT)
