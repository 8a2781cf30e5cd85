"""Legs of three independent websocket libraries, each in both roles: they and the relay agree on RFC 6455."""

import asyncio
import json
from collections.abc import Coroutine
from itertools import product
from typing import Any

from tests.live.relay.third_party_clients import LIBRARIES, Closed, Foreign
from tests.live.support.case import LiveTest
from tests.live.support.chain import shared
from tests.live.support.sockets import MIB, seeded
from tests.live.support.waiting import WAIT
from tests.live.support.websockets import RAW, V1

SIZES = (0, 1, 2, 125, 126, 127, 65535, 65536, 65537, MIB, 4 * MIB)
Pair = tuple[Foreign, Foreign]
"""A client's leg and an agent's."""


async def read(leg: Foreign, size: int) -> bytes:
    """So many bytes of the stream."""
    taken = b""
    while len(taken) < size:
        message = await leg.receive()
        assert isinstance(message, bytes), message
        taken += message
    return taken


async def outcome(leg: Foreign) -> tuple[int | None, str]:
    """The close's code and reason, when nothing else comes."""
    try:
        message = await leg.receive()
    except Closed as closed:
        return closed.code, closed.reason
    raise AssertionError(f"{leg.name} got {message[:100]!r}")


class Pairs(LiveTest):
    """Every two of the libraries as client and agent."""

    def pairs(self, mode: str, talk: Any, client_mode: str = "") -> None:
        chain = shared(alone=True)
        for client_kind, agent_kind in product(LIBRARIES, LIBRARIES):
            client_url, agent_url = chain.pair()
            client, agent = client_kind(), agent_kind()

            async def session(
                client: Foreign = client, agent: Foreign = agent, urls: Any = (client_url, agent_url)
            ) -> None:
                self.assertEqual(await agent.open(urls[1], [mode, "other"] if mode else []), mode or None)
                asked = client_mode or mode
                self.assertEqual(await client.open(urls[0], ["other", asked] if asked else []), asked or None)
                if mode == V1:
                    met = json.loads(await agent.receive())["met"]
                    self.assertEqual(met["mode"], "v1" if asked == V1 else "raw")
                await asyncio.wait_for(talk((client, agent)), 3 * WAIT)

            try:
                asyncio.run(session())
            except Exception as error:
                raise AssertionError(f"{client.name} as client, {agent.name} as agent, {mode}: {error!r}") from error
        self.assertTrue(chain.relay.alive)
        self.assertNotIn("Traceback", chain.relay.log)

    def both_ways(self, pair: Pair) -> "list[Pair]":
        return [pair, (pair[1], pair[0])]

    async def bytes_of_all_sizes(self, pair: Pair) -> None:
        """Messages of any size, both ways at once, then fragments and pings; then a close with a code of its own."""

        async def send(leg: Foreign, seed: int) -> None:
            for size in SIZES:
                await leg.send(seeded(size, seed))

        total, jobs = sum(SIZES), list[Coroutine[Any, Any, Any]]()
        for seed, (near, far) in enumerate(self.both_ways(pair)):
            jobs += [send(near, seed), read(far, total)]
        _, down, _, up = await asyncio.gather(*jobs)
        for seed, came in enumerate((down, up)):
            self.assertTrue(came == b"".join(seeded(size, seed) for size in SIZES))
        for near, far in self.both_ways(pair):
            await near.send_pieces([b"one ", b"", b"two ", b"x" * 70000, b" three"])
            self.assertEqual(await read(far, 70014), b"one two " + b"x" * 70000 + b" three")
            await near.ping(b"are you there")
            await near.ping(b"")
        client, agent = pair
        waiting = asyncio.ensure_future(outcome(agent))
        await client.close(4001, "größer")
        self.assertEqual(await waiting, (4001, "größer"))

    def test_v1_bytes(self) -> None:
        """streamrelay.v1: bytes of all sizes, fragments, pings, and a close code that is passed on."""
        self.pairs(V1, self.bytes_of_all_sizes)

    def test_raw_bytes(self) -> None:
        """The same with `binary`."""
        self.pairs(RAW, self.bytes_of_all_sizes)

    def test_plain_bytes(self) -> None:
        """The same without any subprotocol."""
        self.pairs("", self.bytes_of_all_sizes)

    def test_control(self) -> None:
        """streamrelay.v1: control messages in order with bytes; a half-close, then the rest, then 1000 for both."""

        async def talk(pair: Pair) -> None:
            client, agent = pair
            for near, far in self.both_ways(pair):
                await near.send(b"before")
                await near.send('{"resize":[80,24],"name":"größer"}')
                await near.send(b"behind")
                self.assertEqual(await read(far, 6), b"before")
                self.assertEqual(await far.receive(), '{"resize":[80,24],"name":"größer"}')
                self.assertEqual(await read(far, 6), b"behind")
            await client.send('{"eof":true}')
            self.assertEqual(await agent.receive(), '{"eof":true}')
            answer = seeded(MIB)
            _, came = await asyncio.gather(agent.send(answer), read(client, MIB))
            self.assertTrue(came == answer)
            await agent.send('{"eof":true}')
            self.assertEqual(await client.receive(), '{"eof":true}')
            self.assertEqual([code for code, _ in await asyncio.gather(outcome(client), outcome(agent))], [1000, 1000])

        self.pairs(V1, talk)

    def test_raw_text(self) -> None:
        """Raw: text comes as bytes, and the agent's orderly close ends the client with 1000 behind all bytes."""

        async def talk(pair: Pair) -> None:
            client, agent = pair
            for near, far in self.both_ways(pair):
                await near.send("text, größer, ")
                await near.send(b"bytes\xff")
                self.assertEqual(await read(far, 22), "text, größer, ".encode() + b"bytes\xff")
            await agent.send(b"last")
            closing = asyncio.ensure_future(agent.close(1000, ""))
            self.assertEqual(await read(client, 4), b"last")
            self.assertEqual((await outcome(client))[0], 1000)
            await closing

        self.pairs(RAW, talk)

    def test_raw_client(self) -> None:
        """A raw client's agent with streamrelay.v1: its end of file closes the client with 1000 behind all bytes."""

        async def talk(pair: Pair) -> None:
            client, agent = pair
            await client.send("text")
            self.assertEqual(await read(agent, 4), b"text")
            await agent.send('{"exit":3}')
            await agent.send(b"last")
            await agent.send('{"eof":true}')
            self.assertEqual(await read(client, 4), b"last")
            self.assertEqual((await asyncio.gather(outcome(client), outcome(agent)))[0][0], 1000)

        self.pairs(V1, talk, RAW)
