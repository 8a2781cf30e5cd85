"""Attacks with tokens: stolen, altered, replayed, shared; and every stream is checked at three places."""

import base64
import hashlib
import hmac
import json
import socket
import time
from random import Random
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization

from streamrelay.platform.auth.grants import Grant
from streamrelay.protocol.tokens import Signer, generate, new_id
from tests.live.attacks.attack import AttackTest, upgrade
from tests.live.support.chain import HOST
from tests.live.support.nats import NatsClient
from tests.live.support.waiting import WAIT
from tests.live.support.websockets import hang_up, websocket

RACES = 100
RACERS = 8


def part(value: object) -> str:
    """A part of a JWT."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def at(signer: Signer, seconds: float) -> Signer:
    """A signer of the same key whose clock is off."""
    return Signer(signer.key, signer.kid, lambda: time.time() + seconds)


class Tokens(AttackTest):
    """A token opens one leg: its role's, at its relay, in its time, once."""

    def refused(self, path: str, **_: Any) -> bytes:  # type: ignore[override]
        """The whole answer of a 401."""
        reply = self.send_request(upgrade(path))
        self.assertEqual((reply.status, reply.ended), (401, "eof"), path)
        return reply.raw

    def faults(self, stream: str) -> dict[str, str]:
        """Tokens for the client's leg of a stream, each with one fault."""
        signer = self.common.signer
        about: dict[str, Any] = {"role": "client", "sub": stream}
        good = signer.mint("relay", **about)
        head, body, mark = good.split(".")
        now = int(time.time())
        claims = {"aud": "relay", "iat": now, "exp": now + 30, "jti": new_id(), **about}
        generate(self.folder / f"{stream}.key", self.folder / f"{stream}.pub")
        other = Signer.load(str(self.folder / f"{stream}.key"))
        kid = {"kid": signer.kid}
        own = {"typ": "JWT", "jwk": jwt.algorithms.OKPAlgorithm.to_jwk(other.key.public_key(), as_dict=True)}

        def signed(claims: dict[str, Any], headers: dict[str, Any] | None = None) -> str:
            return jwt.encode(claims, signer.key, algorithm="EdDSA", headers=kid if headers is None else headers)

        def without(name: str) -> str:
            return signed({key: value for key, value in claims.items() if key != name})

        return {
            "another relay": signer.mint("relay-2", **about),
            "a host's summons": signer.mint(HOST, role="summons", sub=stream),
            "a host's audience": signer.mint(HOST, **about),
            "the agent's": signer.mint("relay", role="agent", sub=stream),
            "another role": signer.mint("relay", role="admin", sub=stream),
            "expired": at(signer, -60).mint("relay", **about),
            "from the future": at(signer, 60).mint("relay", **about),
            "a long life": signer.mint("relay", 7200, **about),
            "no signature": f"{head}.{body}.",
            "no signature at all": f"{head}.{body}",
            "another signature": f"{head}.{body}.{part(bytes(64))}",
            "one bit of the signature": f"{head}.{body}.{part(flipped(mark))}",
            "another body": f"{head}.{part({**claims, 'sub': new_id()})}.{mark}",
            "an unknown key": other.mint("relay", **about),
            "an unknown key under a known name": Signer(other.key, signer.kid).mint("relay", **about),
            "a key of its own": jwt.encode(claims, other.key, algorithm="EdDSA", headers={**own, **kid}),
            "a file as the key": signed(claims, {"kid": "../../../../dev/null"}),
            "no key's name": signed(claims, {}),
            "two audiences": signed({**claims, "aud": ["relay", "other"]}),
            "times that are no numbers": signed({**claims, "exp": "9999999999"}),
            "no end": without("exp"),
            "no beginning": without("iat"),
            "no audience": without("aud"),
            "no role": without("role"),
            "no id": without("jti"),
            "no stream": without("sub"),
            "links beyond measure": signed({**claims, "links": 1000}),
            "a critical extension": signed(claims, {**kid, "crit": ["b64"], "b64": False}),
            "an opaque token": "x" * 32,
            "too long": "x" * 7000,
            **self.unsigned(claims),
        }

    def unsigned(self, claims: dict[str, Any]) -> dict[str, str]:
        """Tokens by the name of another algorithm: none, or HS256 with the public key as its secret."""
        public = (self.common.folder / "platform.pub").read_bytes()
        key = self.common.signer.key.public_key()
        raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        found = {}
        for name in ("none", "None", "NONE", "nOnE", ""):
            begin = f"{part({'alg': name, 'kid': self.common.signer.kid})}.{part(claims)}"
            found[f"alg {name!r}"] = f"{begin}."
            found[f"alg {name!r} with something"] = f"{begin}.{part(b'x' * 64)}"
        for number, secret in enumerate((public, public.strip(), raw, raw.hex().encode(), b"")):
            for name in ("HS256", "EdDSA"):
                begin = f"{part({'alg': name, 'typ': 'JWT', 'kid': self.common.signer.kid})}.{part(claims)}"
                mark = hmac.new(secret, begin.encode(), hashlib.sha256).digest()
                found[f"{name} with the public key in form {number}"] = f"{begin}.{part(mark)}"
        return found

    def test_faults(self) -> None:
        """Every fault of a token gets a 401 with the same bytes, and none of them uses up the stream's own token."""
        decoy = self.decoy()
        path = self.opened(decoy)
        token = path.rpartition("/")[2]
        stream = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["sub"]
        faults = self.faults(stream)
        answers = {what: self.refused(f"/client/{faulty}") for what, faulty in faults.items()}
        answers["the client's token on the agent's path"] = self.refused(f"/agent/{token}")
        answers["no token"] = self.refused("/client")
        self.assertEqual((len(answers), len(set(answers.values()))), (52, 1), answers)
        self.assertIn(b"\r\n\r\nthis token is not valid here\n", answers["expired"])
        self.assert_reached(decoy, 1)
        self.leg(path)

    def test_altered(self) -> None:
        """A token with any one character changed is refused."""
        path = self.opened(self.decoy())
        random = Random(4)
        for position in random.sample(range(len("/client/"), len(path) - 1), 60):
            new = random.choice([letter for letter in "AQgwBRhx_-." if letter != path[position]])
            self.refused(path[:position] + new + path[position + 1 :])
        self.leg(path)

    def test_replayed(self) -> None:
        """A token that was used is refused: while its stream lives, after its end, and if it never met anybody."""
        decoy = self.decoy()
        path = self.opened(decoy)
        first = self.leg(path)
        self.refused(path)
        first.close()
        self.refused(path)
        for url in self.common.pair():
            hang_up(websocket(url))
            self.refused(url.removeprefix(self.common.relay_url))
        self.assert_reached(decoy, 1)

    def race(self, random: Random) -> None:
        """Clients with one token at once, their requests cut at any places and sent in any order."""
        path = self.common.pair()[0].removeprefix(self.common.relay_url)
        request = upgrade(path)
        racers = [socket.create_connection(self.relay_at, WAIT) for _ in range(RACERS)]
        cut = random.choice((len(request) - 1, len(request) - 2, random.randrange(1, len(request))))
        for racer in racers:
            racer.sendall(request[:cut])
        random.shuffle(racers)
        for racer in racers:
            racer.sendall(request[cut:])
        statuses = sorted(int(racer.recv(4096).split()[1]) for racer in racers)
        for racer in racers:
            racer.close()
        self.assertEqual(statuses, [101] + [401] * (RACERS - 1))

    def test_races(self) -> None:
        """Of clients that come with one token at the same time exactly one comes in, each time."""
        random = Random(5)
        for _ in range(RACES):
            self.race(random)

    def test_no_mercy_for_the_second(self) -> None:
        """Who comes second with a token neither hears nor disturbs the first one's stream."""
        listener = self.listen()
        path = self.open(self.common, listener.target).removeprefix(self.common.relay_url)
        leg = self.leg(path)
        target = listener.accept()
        for _ in range(20):
            self.refused(path)
        leg.sendall(b"\x82\x85\0\0\0\0mine!")
        self.assertEqual(target.recv(100), b"mine!")


def flipped(mark: str) -> bytes:
    raw = bytearray(base64.urlsafe_b64decode(mark + "=="))
    raw[10] ^= 1
    return bytes(raw)


class ThreeChecks(AttackTest):
    """Platform, relay and agent each refuse by themselves what the others let pass."""

    def test_platform(self) -> None:
        """Without a grant there is a 403, and not even a summons."""
        decoy = self.decoy()
        bus = NatsClient(self.common.nats_port)
        self.addCleanup(bus.close)
        bus.subscribe("streamrelay.v1.host.*.open")
        for target, host in (
            (decoy.target.replace("port/", "port6/"), HOST),
            ("shell", HOST),
            (decoy.target, "host-2"),
        ):
            body = {"host": host, "target": target}
            answer = self.common.ask("POST", "/v1/streams", body, self.common.weak_key)
            self.assertEqual((answer.status, answer.json["code"]), (403, "not_granted"))
        body = {"host": HOST, "target": decoy.target}
        wrong = ("srk_" + "A" * 43, self.common.key[:-1], self.common.key + "a", self.common.key.upper())
        answers = [self.common.ask("POST", "/v1/streams", body, None), *(self.ask_wrongly(key, body) for key in wrong)]
        for answer in answers:
            self.assertEqual((answer.status, answer.json["code"]), (401, "no_key"))
        self.assertIs(bus.message(0.3), None)
        self.assert_reached(decoy, 0)

    def test_withdrawn(self) -> None:
        """A key is looked at for every request: the next one after it was withdrawn is refused."""
        decoy = self.decoy()
        body = {"host": HOST, "target": decoy.target}
        before = self.common.keys.read_bytes()
        self.addCleanup(self.common.keys.write_bytes, before)
        key = self.common.add_key(f"mallory{new_id()}", Grant("*", "*"))
        self.assertEqual(self.common.ask("POST", "/v1/streams", body, key).status, 201)
        self.common.keys.write_bytes(before)
        self.assertEqual(self.ask_wrongly(key, body).status, 401)
        self.assert_reached(decoy, 1)

    def test_relay(self) -> None:
        """Whoever knows a stream's id, but can't sign, gets no leg in: not as client, not as agent."""
        decoy = self.decoy()
        answer = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": decoy.target}).json
        name = new_id()
        generate(self.folder / f"{name}.key", self.folder / f"{name}.pub")
        thief = Signer.load(str(self.folder / f"{name}.key"))
        for role in ("client", "agent"):
            token = thief.mint("relay", role=role, sub=answer["stream"])
            self.assertEqual(self.send_request(upgrade(f"/{role}/{token}")).status, 401)
        self.assert_reached(decoy, 1)

    def test_agent(self) -> None:
        """A summons that the platform has signed for a target that isn't in the host's own list opens nothing."""
        decoy = self.decoy()
        bus = NatsClient(self.common.nats_port)
        self.addCleanup(bus.close)
        for target in (f"127.0.0.1:{decoy.port}", f"tcp/{decoy.port}", f"port/{decoy.port}/x", f"port/0{decoy.port}x"):
            answer = bus.ask(f"streamrelay.v1.host.{HOST}.open", self.summons(target))
            self.assertEqual(answer["refused"], "no_such_target", target)
        self.assert_reached(decoy, 0)

    def summons(self, target: str) -> bytes:
        stream = new_id()
        token = self.common.signer.mint("relay", role="agent", sub=stream)
        about: dict[str, Any] = {"stream": stream, "target": target, "relay": self.common.relay_url, "token": token}
        return self.common.signer.mint(HOST, role="summons", **about).encode()
