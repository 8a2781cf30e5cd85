"""Attacks by a relay on those who dial it: TLS records without content, or of one byte each."""

import socket
import subprocess
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from streamrelay.protocol.tls_records import TOO_MANY
from streamrelay.protocol.tokens import new_id
from tests.fakes.tls13 import APPLICATION, UPDATE, UPDATE_BOTH
from tests.live.agent.hostile_relay import LeadingPlatform
from tests.live.agent.hostile_relay_cases import GOOD, HARMLESS, MET_WORDS, RelayCase, frame
from tests.live.agent.sealed_relay import SealedRelay, TrustingChain
from tests.live.attacks.attack import AttackTest
from tests.live.attacks.test_attacks_floods import BOUND, FLOOD
from tests.live.support.chain import HOST
from tests.live.support.nats import NatsClient
from tests.live.support.ports import free_port
from tests.live.support.processes import PROGRAMS, environment, rss
from tests.live.support.raw import BINARY, TEXT
from tests.live.support.sockets import RESET, take, take_all
from tests.live.support.waiting import WAIT, until

FLOODED = 1000
"""Records of one connection."""
TINY = b"t" * 30_000
"""What comes in records of one byte."""


def updates(connection: Any, data: bytes, message: bytes = UPDATE) -> None:
    """KeyUpdates behind the data."""
    connection.sendall(data)
    connection.socket.sendall(connection.sealer().updates(FLOODED, message))


def empty(connection: Any, data: bytes) -> None:
    """Records of nothing behind the data."""
    connection.sendall(data)
    sealer = connection.sealer()
    connection.socket.sendall(b"".join(sealer.seal(APPLICATION, b"") for _ in range(FLOODED)))


def tiny(connection: Any, data: bytes) -> None:
    """A message behind the data, in records of one byte."""
    connection.sendall(data)
    sealer, message = connection.sealer(), frame(BINARY, TINY)
    connection.socket.sendall(b"".join(sealer.seal(APPLICATION, message[at : at + 1]) for at in range(len(message))))


WAYS: dict[str, Callable[[Any, bytes], None]] = {
    "KeyUpdates": updates,
    "KeyUpdates that want answers": partial(updates, message=UPDATE_BOTH),
    "records of nothing": empty,
}
WORDS = (TOO_MANY, "TLS: record too small")
"""The reasons of their end: ours, and OpenSSL's own, which takes 32 records of nothing in a row."""
MET = frame(TEXT, MET_WORDS)
IN_STREAM = [RelayCase(name, frames=(MET,), send=way) for name, way in WAYS.items()]
UNMET = [RelayCase(f"{name}, unmet", send=way) for name, way in WAYS.items()]
UNANSWERED = [RelayCase(f"{name}, no answer", b"", send=way) for name, way in WAYS.items()]


class HostileRelays(AttackTest):
    """A relay that means harm ends the stream that was summoned to it, and nothing else."""

    kind = TrustingChain

    def setUp(self) -> None:
        self.watched = self._testMethodName != "test_client"  # which starts a program
        super().setUp()

    def relay(self, cases: list[RelayCase]) -> SealedRelay:
        relay = SealedRelay(cases, self.common.folder / "relay.pem")
        self.addCleanup(relay.close)
        return relay

    # -- the agent -------------------------------------------------------------------------------------------

    def summoned(self, relay: SealedRelay, number: int) -> tuple[str, Any]:
        """Summon the agent to a row of the relay; the stream, and the agent's answer."""
        bus = NatsClient(self.common.nats_port)
        stream = new_id()
        claims: dict[str, Any] = {"role": "summons", "stream": stream, "sub": stream, "target": self.listener.target}
        summons = self.common.signer.mint(HOST, token=new_id(), user="mallory", relay=relay.url(number), **claims)
        try:
            return stream, bus.ask(f"streamrelay.v1.host.{HOST}.open", summons.encode(), WAIT)
        finally:
            bus.close()

    def line_of(self, stream: str, words: str) -> str:
        """The line of the agent's log that has both."""

        def lines() -> list[str]:
            return [line for line in self.common.agent.log.splitlines() if stream in line and words in line]

        return str(until(lines, what=f"{words} of {stream}")[0])

    def flood(self, cases: list[RelayCase], ended: Callable[[str, Any], str]) -> None:
        """Summon the agent to all of these again and again, for a time; each is to end in the same word."""
        self.listener = self.listen()
        relay, end, count = self.relay(cases), time.monotonic() + FLOOD, 0
        with self.memory(self.common.agent, most=BOUND):
            while count < len(cases) or time.monotonic() < end:
                case = cases[count % len(cases)]
                said = ended(*self.summoned(relay, count % len(cases)))
                self.assertTrue(any(words in said for words in WORDS), f"{case.name}: {said}")
                self.assertEqual(self.rest_of(self.listener.accept), b"", case.name)
                count += 1
        self.assertEqual(relay.dials, count)
        print(f"figure: {count} connections of {FLOODED} records without content to an agent in {FLOOD:g} s")

    def test_in_stream(self) -> None:
        """In a stream records without content end it, with the reason."""
        self.flood(IN_STREAM, lambda stream, _: self.line_of(stream, "ended: "))

    def test_unmet(self) -> None:
        """So they do before the client has come."""
        self.flood(UNMET, lambda stream, _: self.line_of(stream, "the client did not come"))

    def test_unanswered(self) -> None:
        """In place of an answer they fail the dial, which isn't tried again."""
        self.flood(UNANSWERED, lambda _, answer: str(answer["reason"]))

    def test_tiny(self) -> None:
        """A message in records of one byte gets through."""
        self.listener = self.listen()
        relay = self.relay([RelayCase("tiny", frames=(MET,), send=tiny)])
        with self.memory(self.common.agent, most=BOUND):
            self.summoned(relay, 0)
            with self.listener.accept() as target:
                self.assertEqual(take(target, len(TINY)), TINY)

    # -- the native client -----------------------------------------------------------------------------------

    def client(self, relay: SealedRelay, rows: list[int]) -> tuple["subprocess.Popen[bytes]", int]:
        """A native client that listens, and leads its connections to these rows, one after another; and its port."""
        turns = iter(rows)
        platform = LeadingPlatform(lambda _: relay.url(next(turns)))
        self.addCleanup(platform.close)
        port = free_port()
        process = subprocess.Popen(
            [str(PROGRAMS / "streamrelay"), "connect", HOST, "row-0", "--listen", f"127.0.0.1:{port}"],
            env=environment(
                STREAMRELAY_PLATFORM=platform.url, STREAMRELAY_KEY="k", STREAMRELAY_CA=f"{self.common.folder}/ca.pem"
            ),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self.addCleanup(process.wait, WAIT)
        self.addCleanup(process.kill)
        assert process.stderr is not None
        self.assertIn(b"listens on", process.stderr.readline())
        return process, port

    def test_client(self) -> None:
        """The native client tells each end, and its other streams go on."""
        cases = [RelayCase("good", GOOD, HARMLESS[0].frames, echoes=True), *IN_STREAM, *UNANSWERED]
        cases.append(RelayCase("tiny", frames=(MET,), send=tiny))
        relay, last = self.relay(cases), len(cases) - 1
        process, port = self.client(relay, [0, *(number for number in range(1, last)), last])
        with socket.create_connection(("127.0.0.1", port), WAIT) as neighbour:
            self.echoed(neighbour)
            before = rss(process.pid)
            for number in range(1, last):
                self.assertEqual(
                    self.rest_of(lambda: socket.create_connection(("127.0.0.1", port), WAIT)), b"", cases[number].name
                )
                self.echoed(neighbour)
            with socket.create_connection(("127.0.0.1", port), WAIT) as local:
                self.assertEqual(take(local, len(TINY)), TINY)
            self.echoed(neighbour)
            self.assertLess(rss(process.pid) - before, BOUND)
        process.terminate()
        assert process.stderr is not None
        said = process.stderr.read().decode()
        for words in WORDS:
            self.assertIn(words, said)
        self.assertEqual(relay.dials, len(cases))

    def echoed(self, connection: socket.socket) -> None:
        """Its stream carries bytes both ways."""
        connection.sendall(b"there and back")
        self.assertEqual(take(connection, 14), b"there and back")

    def rest_of(self, connect: Callable[[], socket.socket]) -> bytes:
        """What a connection brings until its end; nothing if it is reset."""
        try:
            with connect() as connection:
                return take_all(connection)
        except RESET:
            return b""
