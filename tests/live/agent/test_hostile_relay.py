"""A relay that means harm, and the real agent and the real native client that dial it: nothing but a stream is lost."""

import re
import socket
import subprocess
from typing import Any

from streamrelay.protocol.tokens import new_id
from tests.live.agent.hostile_relay import HostileRelay, LeadingPlatform, Server
from tests.live.agent.hostile_relay_cases import FAULTS, HARMLESS, NOT_MET, SLOW, UNFRAMED, RelayCase, after_met
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, shared
from tests.live.support.nats import NatsClient
from tests.live.support.ports import free_port
from tests.live.support.processes import PROGRAMS, environment
from tests.live.support.raw import accept
from tests.live.support.sockets import RESET, take_all
from tests.live.support.waiting import WAIT, Work, until

OPEN = f"streamrelay.v1.host.{HOST}.open"


class Dialled(LiveTest):
    """A test of one who dials a hostile relay."""

    def relay(self, cases: list[RelayCase]) -> HostileRelay:
        relay = HostileRelay(cases)
        self.addCleanup(relay.close)
        return relay

    def assert_told(self, case: RelayCase, text: str) -> None:
        """What was said of a misdeed is what it was."""
        self.assertTrue(case.says in text, f"{case.name}: {text!r}")


class Agents(Dialled):
    """An agent that is summoned to a hostile relay."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared(agent="patience = 3\n")
        self.bus = NatsClient(self.common.nats_port)
        self.addCleanup(self.bus.close)
        self.listener = self.listen()
        self.addCleanup(self.assert_unharmed)

    def assert_unharmed(self) -> None:
        """The agent lives, and its log has neither a traceback nor a character that controls a terminal."""
        log = self.common.agent.log
        self.assertTrue(self.common.agent.alive)
        self.assertNotIn("Traceback", log)
        self.assertEqual([ascii(line) for line in log.splitlines() if not line.replace("\t", "").isprintable()], [])

    def summon(self, relay: str, stream: str) -> Any:
        """Ask the agent to come there; its answer."""
        claims: dict[str, Any] = {
            "role": "summons",
            "stream": stream,
            "sub": stream,
            "target": self.listener.target,
            "relay": relay,
        }
        summons = self.common.signer.mint(HOST, token=new_id(), user="mallory", **claims)
        return self.bus.ask(OPEN, summons.encode())

    def lines(self, stream: str) -> list[str]:
        return [line for line in self.common.agent.log.splitlines() if stream in line]

    def said(self, stream: str, count: int) -> str:
        """What the agent's log says at a stream's end, in its only line, or its second after the opening."""
        until(lambda: len(self.lines(stream)) >= count, what=f"line {count} of {stream}")
        self.assertEqual(len(self.lines(stream)), count, self.lines(stream))
        return self.lines(stream)[-1]

    def assert_target_closed(self, target: socket.socket) -> None:
        try:
            self.assertEqual(target.recv(1), b"")
        except ConnectionResetError:
            pass

    def assert_serves(self) -> None:
        """The agent's process follows the next summons, and its stream works."""
        relay = self.relay([HARMLESS[0]])
        self.assertEqual(self.summon(relay.url(0), new_id())["ready"], True)
        with self.listener.accept() as target:
            target.sendall(b"still there")
            self.assertEqual(target.recv(100), b"still there")

    def unframed(self, case: RelayCase, url: str) -> None:
        stream = new_id()
        answer = self.summon(url, stream)
        code = "relay_busy" if case.name == "status 503 Full" else "dial_failed"
        self.assertEqual(answer["refused"], code, case.name)
        self.assert_told(case, answer["reason"])
        self.assertTrue(answer["reason"].isprintable() and len(answer["reason"]) < 260, case.name)
        with self.listener.accept() as target:
            self.assert_target_closed(target)
        self.assertRegex(
            self.said(stream, 1), f" refused: agent {HOST} (can't reach|was refused by) {url}: ", case.name
        )

    def test_answers(self) -> None:
        """An answer that is no 101 of ours fails the dial: one line, the target is closed, the platform hears it."""
        relay = self.relay(UNFRAMED)
        for number, case in enumerate(UNFRAMED):
            self.unframed(case, relay.url(number))
        self.assert_serves()
        print(f"figure: {len(UNFRAMED)} bad answers of a relay to an agent")

    def test_slow_answers(self) -> None:
        """A relay that does not answer in 10 s is given up, while other streams open."""
        relay = self.relay(SLOW)
        buses = [NatsClient(self.common.nats_port) for _ in SLOW]
        streams = [new_id() for _ in SLOW]
        works = []
        for number, bus in enumerate(buses):
            self.addCleanup(bus.close)
            self.bus = bus
            works.append(Work(self.summon, relay.url(number), streams[number]))
            self.listener.accept()
        self.bus = NatsClient(self.common.nats_port)
        self.addCleanup(self.bus.close)
        self.assert_serves()
        for work, case, stream, target in zip(works, SLOW, streams, self.listener.accepted, strict=False):
            self.assertIn(case.says, work.result()["reason"])
            self.assert_target_closed(target)
            self.said(stream, 1)

    def test_no_tls(self) -> None:
        """A relay that answers TLS with something else, or not at all, fails the dial in one line."""
        for name, answer in {
            "HTTP": b"HTTP/1.1 400 Bad\r\n\r\n",
            "alert": b"\x15\x03\x03\x00\x02\x02\x28",
            "end": b"",
        }.items():

            def serve(connection: socket.socket, answer: bytes = answer) -> None:
                connection.recv(4096)
                connection.sendall(answer)

            server = Server(serve)
            self.addCleanup(server.close)
            says = "" if name == "end" else "TLS"
            self.unframed(RelayCase(name, says=says), f"wss://127.0.0.1:{server.port}")
        self.assert_serves()

    def framed(self, cases: list[RelayCase], lines: int, words: str) -> None:
        """Each misdeed ends its stream: so many lines, the last with these words; the target is closed."""
        relay = self.relay(cases)
        streams = []
        for number in range(len(cases)):
            streams.append(new_id())
            self.assertEqual(self.summon(relay.url(number), streams[-1])["ready"], True)
            self.listener.accept()
        for number, case in enumerate(cases):
            said = self.said(streams[number], lines)
            self.assertIn(words, said, case.name)
            self.assert_told(case, said)
            self.assert_target_closed(self.listener.accepted[number])
            if case.code is not None:
                self.assertEqual(relay.code(number), case.code, case.name)
        self.assert_serves()

    def test_faults_unmet(self) -> None:
        """Whoever breaks the protocol before the client has come is told its code, and the leg is given up."""
        self.framed([*FAULTS[:-3], *FAULTS[-2:], *NOT_MET], 1, "the client did not come")

    def test_faults_met(self) -> None:
        """Whoever breaks the protocol in a stream is told its code, and the stream ends."""
        self.framed([after_met(case) for case in FAULTS], 2, "ended: ")

    def test_bounded(self) -> None:
        """A relay that floods a leg before it is met costs the agent no memory."""
        before = self.common.agent.rss()
        flood = next(case for case in NOT_MET if "flood" in case.name)
        self.framed([flood] * 5, 1, "the client did not come")
        self.assertLess(self.common.agent.rss() - before, 20)

    def test_harmless(self) -> None:
        """What is odd but allowed does not disturb a stream."""
        relay = self.relay(HARMLESS)
        for number, case in enumerate(HARMLESS):
            self.assertEqual(self.summon(relay.url(number), new_id())["ready"], True, case.name)
            with self.listener.accept() as target:
                target.sendall(b"there and back")
                self.assertEqual(target.recv(100), b"there and back", case.name)

    def test_never_reads(self) -> None:
        """A relay that never reads stops the target, not the agent, and its end closes the target."""
        hold = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(hold.close)

        def serve() -> socket.socket:
            connection, _ = hold.accept()
            head = connection.recv(4096)
            key = re.search(rb"Sec-WebSocket-Key: (\S+)", head)
            assert key
            good = HARMLESS[0]
            connection.sendall(good.answer.replace(b"ACCEPT", accept(key[1].decode()).encode()) + good.frames[0])
            return connection

        work = Work(serve)
        self.assertEqual(self.summon(f"ws://127.0.0.1:{hold.getsockname()[1]}", new_id())["ready"], True)
        target, leg = self.listener.accept(), work.result()
        before = self.common.agent.rss()
        target.settimeout(1)
        with self.assertRaises(TimeoutError):
            for _ in range(1000):
                target.sendall(b"x" * 100_000)
        self.assertLess(self.common.agent.rss() - before, 10)
        self.assert_serves()
        leg.close()
        target.settimeout(WAIT)
        self.assert_target_closed(target)


class Clients(Dialled):
    """The native client's command, led to a hostile relay."""

    def lead(self, cases: list[RelayCase]) -> tuple[HostileRelay, LeadingPlatform]:
        relay = self.relay(cases)
        platform = LeadingPlatform(relay.url)
        self.addCleanup(platform.close)
        return relay, platform

    def connect(self, platform: LeadingPlatform, number: int, *more: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [str(PROGRAMS / "streamrelay"), "connect", HOST, f"row-{number}", *more],
            env=environment(STREAMRELAY_PLATFORM=platform.url, STREAMRELAY_KEY="k"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.addCleanup(process.wait, WAIT)
        self.addCleanup(process.kill)
        return process

    def assert_says(self, process: "subprocess.Popen[bytes]", case: RelayCase, status: int) -> None:
        """It ends with this status and one line, in which nothing controls the terminal."""
        out, err = process.communicate(timeout=WAIT)
        self.assertEqual((process.returncode, out), (status, b""), f"{case.name}: {err!r}")
        text = err.decode()
        self.assertEqual(len(text.splitlines()), 1, text)
        self.assertTrue(text.startswith("streamrelay: ") and text[:-1].isprintable(), ascii(text))
        self.assert_told(case, text)

    def exits(self, cases: list[RelayCase], status: int) -> None:
        relay, platform = self.lead(cases)
        for begin in range(0, len(cases), 4):
            some = range(begin, min(begin + 4, len(cases)))
            for number, process in [(number, self.connect(platform, number)) for number in some]:
                self.assert_says(process, cases[number], status)
                if cases[number].code is not None:
                    self.assertEqual(relay.code(number), cases[number].code, cases[number].name)

    def test_unreached(self) -> None:
        """6 when the relay's answer is no 101 of ours, or none comes."""
        names = ("a wrong accept", "status 302", "words that", "garbage", "nothing, and an end", "the extension x-un")
        self.exits([case for case in UNFRAMED if case.name.startswith(names)] + SLOW[:1], 6)

    def test_broken(self) -> None:
        """1 when the relay breaks the protocol, and the code goes to the relay."""
        names = ("a masked frame, opcode 2", "reserved bits 100", "a flood", "close code 1005", "an unknown", "an exit")
        self.exits([case for case in FAULTS if case.name.startswith(names)], 1)

    def test_target(self) -> None:
        """5 when the target refused, whatever the relay puts into the reason."""
        self.exits([case for case in FAULTS if case.name.startswith("a reason that takes")], 5)

    def test_port(self) -> None:
        """With --listen every misdeed ends its own connection, each reason is told once, and the port goes on."""
        cases = [*UNFRAMED, *FAULTS]
        relay = self.relay([*cases, HARMLESS[0]])
        turn = iter(range(len(cases) + 1))  # every connection is led to the next row
        platform = LeadingPlatform(lambda _: relay.url(next(turn)))
        self.addCleanup(platform.close)
        port = free_port()
        process = self.connect(platform, 0, "--listen", f"127.0.0.1:{port}")
        assert process.stderr is not None
        self.assertIn(b"listens on", process.stderr.readline())
        for number, case in enumerate(cases):
            try:  # on a busy machine it may be reset before this thread has seen it open
                with socket.create_connection(("127.0.0.1", port), WAIT) as local:
                    self.assertEqual(take_all(local), b"", case.name)
            except RESET:
                pass
            if case.code is not None:
                self.assertEqual(relay.code(number), case.code, case.name)
        with socket.create_connection(("127.0.0.1", port), WAIT) as local:
            local.sendall(b"there and back")
            self.assertEqual(local.recv(100), b"there and back")
        self.assertIsNone(process.poll())
        process.terminate()
        lines = process.stderr.read().decode().splitlines()
        for line in lines:
            self.assertTrue(line.startswith("streamrelay: ") and line.isprintable(), repr(line))
        for case in cases:  # a reason that several have is told once a minute
            self.assertTrue(any(case.says in line for line in lines), (case.name, lines))
        print(f"figure: {len(cases)} misdeeds of a relay to a native client")
