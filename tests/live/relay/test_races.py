"""A token pairs once, whoever races for it: real relay, real sockets, requests that arrive in pieces at once."""

import time
from collections.abc import Callable
from heapq import heappop, heappush
from random import Random

from streamrelay.protocol.tokens import new_id
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain, shared
from tests.live.support.raw import BINARY, CLOSE, TEXT, RawSocket, frame, request

RACERS = 8
Pair = tuple[str, str]
"""A client's and an agent's token of one stream."""


def opaque(chain: Chain) -> Pair:
    token = new_id()
    return token, token


def signed(chain: Chain) -> Pair:
    mint, stream = chain.signer.mint, new_id()
    return (
        mint("relay", role="client", sub=stream, host=HOST),
        mint("relay", role="agent", sub=stream, host=HOST),
    )


class Racing(LiveTest):
    """Legs that race for one stream."""

    chance = Random(1)

    def send_request(self, role: str, token: str) -> tuple[RawSocket, bytes]:
        """A connection, and the request that it will send."""
        data = request(
            f"GET /{role} HTTP/1.1", Authorization=f"Bearer {token}", Sec_WebSocket_Protocol="streamrelay.v1"
        )
        return RawSocket(self.port), data

    def leg(self, role: str, token: str) -> RawSocket:
        """A leg that is let in."""
        leg, data = self.send_request(role, token)
        leg.send(data)
        self.assertEqual(leg.answer()[0], 101)
        return leg

    def race(self, role: str, token: str) -> RawSocket:
        """All at once: first the pieces up to a byte by chance, then the rests in another order. The one that won."""
        racers = [self.send_request(role, token) for _ in range(RACERS)]
        cuts = [self.chance.choice((0, self.chance.randrange(len(data)), len(data) - 1)) for _, data in racers]
        order = list(range(RACERS))
        for pieces in ([data[:cut] for (_, data), cut in zip(racers, cuts, strict=True)],
                       [data[cut:] for (_, data), cut in zip(racers, cuts, strict=True)]):  # fmt: skip
            self.chance.shuffle(order)
            for index in order:
                if pieces[index]:
                    racers[index][0].send(pieces[index])
        answers = [racer.answer()[0] for racer, _ in racers]
        self.assertEqual(sorted(answers), [101] + [401] * (RACERS - 1))
        winner = racers[answers.index(101)][0]
        for racer, _ in racers:
            if racer is not winner:
                while not racer.ended():
                    pass
                self.assertEqual(racer.buffer, b"this token is not valid here\n")
                racer.drop()
        return winner

    def assert_paired(self, client: RawSocket, agent: RawSocket, words: bytes) -> None:
        """The agent is met once, and what each says comes to the other and is all that comes."""
        client.send(frame(BINARY, b"up " + words))
        opcode, met = agent.frame()
        self.assertEqual((opcode, met[:8]), (TEXT, b'{"met":{'))
        self.assertEqual(agent.frame(), (BINARY, b"up " + words))
        self.assertEqual(client.frame(), (BINARY, b"down " + words))
        client.send(frame(CLOSE, b"\x03\xe8"))  # not before, or the relay may read it before what comes down
        self.assertEqual(agent.frame(), (CLOSE, b"\x03\xe8"))
        self.assertEqual(client.frame(), (CLOSE, b"\x03\xe8"))
        client.drop()
        agent.drop()

    def races(self, chain: Chain, mint: Callable[[Chain], Pair], role: str, count: int) -> None:
        """One leg of the other role waits (first or last), and the racers come."""
        self.port = chain.relay_port
        began = time.monotonic()
        for number in range(count):
            words = b"%d" % number
            client_token, agent_token = mint(chain)
            if role == "client":
                agent = self.leg("agent", agent_token)
                agent.send(frame(BINARY, b"down " + words))
                client = self.race("client", client_token)
            else:
                client = self.leg("client", client_token)
                agent = self.race("agent", agent_token)
                agent.send(frame(BINARY, b"down " + words))
            self.assert_paired(client, agent, words)
        print(f"figure: {count} races of {RACERS} {role}s in {time.monotonic() - began:.1f} s")
        self.assertTrue(chain.relay.alive)
        self.assertNotIn("Traceback", chain.relay.log)


class Clients(Racing):
    """Eight clients with one token: one gets the agent's bytes, seven are refused."""

    def test_signed(self) -> None:
        """500 races for signed tokens."""
        self.races(shared(alone=True), signed, "client", 500)

    def test_opaque(self) -> None:
        """500 races for opaque tokens."""
        self.races(shared(alone=True, tokens="opaque"), opaque, "client", 500)


class Agents(Racing):
    """Eight agents with one token: one gets the client, seven are refused."""

    def test_signed(self) -> None:
        """100 races for signed tokens."""
        self.races(shared(alone=True), signed, "agent", 100)

    def test_opaque(self) -> None:
        """100 races for opaque tokens."""
        self.races(shared(alone=True, tokens="opaque"), opaque, "agent", 100)


class Both(Racing):
    """Four of each role at once, none of them first."""

    def test_all_at_once(self) -> None:
        """One client and one agent get in, and they are a pair."""
        chain = shared(alone=True, tokens="opaque")
        self.port = chain.relay_port
        for number in range(100):
            token, words = new_id(), b"%d" % number
            racers = [(role, *self.send_request(role, token)) for role in ("client", "agent") * 4]
            self.chance.shuffle(racers)
            for _, racer, data in racers:
                racer.send(data)
            won = [(role, racer) for role, racer, _ in racers if racer.answer()[0] == 101]
            self.assertEqual(sorted(role for role, _ in won), ["agent", "client"])
            pair = dict(won)
            pair["agent"].send(frame(BINARY, b"down " + words))
            self.assert_paired(pair["client"], pair["agent"], words)
            for _, racer, _ in racers:
                racer.drop()


PATIENCE = 0.4


class Patience(Racing):
    """A client that comes as its agent's patience ends."""

    def test_end_of_patience(self) -> None:
        """Either both are paired and exchange bytes, or both are closed with 4004; 150 times nothing in between."""
        chain = shared(alone=True, tokens="opaque", relay=(f"--patience={PATIENCE}",))
        self.port = chain.relay_port
        outcomes = {"paired": 0, "4004": 0}
        # A busy machine needs wider steps to see both, and fewer at once, as it is late for all that wait for one.
        for step, at_once in ((0.003, 150), (0.006, 50), (0.012, 10), (0.024, 2)):
            for _ in range(150 // at_once):
                self.race_with_patience(at_once, step, outcomes)
            if all(outcomes.values()):
                break
        print(f"figure: races with the end of patience: {outcomes}")
        self.assertTrue(all(outcomes.values()), outcomes)
        self.assertNotIn("Traceback", chain.relay.log)

    def race_with_patience(self, count: int, step: float, outcomes: dict[str, int]) -> None:
        """So many pairs at once, whose clients come from ten steps before the end of the patience to two after."""
        tokens = [new_id() for _ in range(count)]
        legs: dict[str, dict[int, RawSocket]] = {"agent": {}, "client": {}}
        began = time.monotonic()
        due = [(began + PATIENCE * number / count, "agent", number) for number in range(count)]
        while due:
            when, role, number = heappop(due)
            time.sleep(max(0.0, when - time.monotonic()))
            leg = legs[role][number] = self.leg(role, tokens[number])
            leg.send(frame(BINARY, b"from the %s" % role.encode()))
            if role == "agent":
                heappush(due, (time.monotonic() + PATIENCE + (number % 13 - 10) * step, "client", number))
        for number in range(count):
            agent, client = legs["agent"][number], legs["client"][number]
            heard = agent.frame()
            if heard[0] == TEXT:
                outcomes["paired"] += 1
                self.assertEqual(agent.frame(), (BINARY, b"from the client"))
                self.assertEqual(client.frame(), (BINARY, b"from the agent"))
            else:
                outcomes["4004"] += 1
                for opcode, payload in (heard, client.frame()):
                    self.assertEqual((opcode, int.from_bytes(payload[:2], "big")), (CLOSE, 4004))
            agent.drop()
            client.drop()
