"""Ends of streams: half-closes, closes with bytes in flight, resets, and programs that die."""

import json
import os
import signal
import socket
import struct
import time

from websockets.sync.client import ClientConnection

from tests.live.support.case import LiveTest
from tests.live.support.chain import Chain, shared
from tests.live.support.promise import kept, promised
from tests.live.support.sockets import MIB, give, reset, seeded, take, take_all
from tests.live.support.waiting import WAIT, Work, until
from tests.live.support.websockets import RAW, V1, close_code, hang_up, read_all, read_exactly, send_all

EOF = '{"eof":true}'
STOPPED = (0, -signal.SIGTERM)
"""How twistd ends after SIGTERM: in order, and by the same signal for its parent to see."""
CLOSES = int(os.environ.get("STREAMRELAY_CLOSES", "100"))
"""How often a target closes with bytes in flight; `python -m tests.reliability` has more."""
UP, DOWN = seeded(10 * MIB, 3), seeded(10 * MIB, 4)


class HalfClose(LiveTest):
    """streamrelay.v1: one direction ends, the other goes on to its own end."""

    def test_client_first(self) -> None:
        """The client half-closes after 10 MiB; what the target answers after that arrives whole, then 1000."""
        leg, target = self.stream(shared())

        def answer() -> bytes:
            asked = take_all(target)
            give(target, DOWN)
            target.close()
            return asked

        answered = Work(answer)
        send_all(leg, UP)
        leg.send(EOF)
        data, controls, code = read_all(leg)
        self.assertEqual(answered.result(), UP)
        self.assertEqual(data, DOWN)
        self.assertEqual(controls, [{"eof": True}])
        self.assertEqual(code, 1000)
        kept("client half-closes", "10 MiB after it, whole")

    def test_target_first(self) -> None:
        """The target half-closes after 10 MiB; what the client sends after that arrives whole, then 1000."""
        self.target_first(shared())
        kept("target half-closes", "10 MiB after it, whole")

    def test_over_tls(self) -> None:
        """Half-closes pass TLS, too."""
        self.target_first(shared(tls=True))

    def target_first(self, chain: Chain) -> None:
        leg, target = self.stream(chain)
        give(target, DOWN)
        target.shutdown(socket.SHUT_WR)
        self.assertEqual(read_exactly(leg, len(DOWN)), DOWN)
        self.assertEqual(json.loads(leg.recv(WAIT)), {"eof": True})
        asked = Work(take_all, target)
        send_all(leg, UP)
        leg.send(EOF)
        self.assertEqual(asked.result(), UP)
        self.assert_closed(leg, 1000)

    def test_raw(self) -> None:
        """Without control messages all that the target wrote before its end of file arrives, then 1000."""
        for subprotocol in (RAW, None):
            leg, target = self.stream(shared(), subprotocol)
            give(target, DOWN)
            target.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(leg), (DOWN, [], 1000))
        kept("raw half-close", "10 MiB, then 1000")

    def test_command(self) -> None:
        """`printf … | streamrelay connect` gets the answer that comes after its end of file."""
        listener = self.listen()

        def answer() -> bytes:
            target = listener.accept()
            asked = take_all(target)
            time.sleep(0.2)
            target.sendall(b"the answer to " + asked)
            target.close()
            return asked

        answered = Work(answer)
        done = shared().streamrelay("connect", "host-1", listener.target, given=b"a question")
        self.assertEqual(answered.result(), b"a question")
        self.assertEqual((done.stdout, done.returncode), (b"the answer to a question", 0), done.stderr)


class InFlight(LiveTest):
    """Bytes that are on their way when somebody closes; a neighbour's go on."""

    def setUp(self) -> None:
        super().setUp()
        self.neighbour(*self.stream(shared()))

    def test_target_closes(self) -> None:
        """A target that closes with bytes in flight: the client gets all of them, each time."""
        listener = self.listen()
        data = seeded(1 * MIB, 5)
        for attempt in range(CLOSES):
            leg = self.websocket(self.open(shared(), listener.target), RAW if attempt % 2 else V1)
            target = listener.accept()
            sent = data[: 1 + attempt * 10_007 % MIB]
            target.sendall(sent)
            target.close()
            if not attempt % 2:
                leg.send(EOF)
            got, _, code = read_all(leg)
            self.assertEqual((len(got), code), (len(sent), 1000), f"attempt {attempt}")
            self.assertEqual(got, sent)
            hang_up(leg)
        kept("target closes", f"{CLOSES:,} times of {CLOSES:,}")

    def test_client_closes(self) -> None:
        """A client that closes after sending: the target gets every byte, then an end of file."""
        for subprotocol in (V1, RAW):
            for attempt in range(5):
                leg, target = self.stream(shared(), subprotocol)
                got = Work(take_all, target)
                send_all(leg, UP[: (attempt + 1) * MIB])
                leg.close()
                self.assertEqual(got.result(), UP[: (attempt + 1) * MIB])
        kept("client closes", "1 to 5 MiB whole, 10 times of 10")

    def test_slow_target(self) -> None:
        """A client closes while its target is not reading yet: the target gets every byte all the same."""
        leg, target = self.stream(shared())
        data = UP[: 2 * MIB]
        sending = Work(send_all, leg, data)
        time.sleep(0.5)
        got = Work(take_all, target)
        sending.result()
        leg.close()
        self.assertEqual(got.result(), data)

    def test_client_resets(self) -> None:
        """A client whose connection is reset: the target's is closed at once."""
        leg, target = self.stream(shared())
        leg.send(b"hello")
        self.assertEqual(target.recv(10), b"hello")
        with promised("client resets"):
            reset_leg(leg)
            gone(target)

    def test_target_resets(self) -> None:
        """A target that resets its connection: the client is closed with 4003 at once."""
        leg, target = self.stream(shared())
        leg.send(b"hello")
        self.assertEqual(target.recv(10), b"hello")
        with promised("target resets"):
            reset(target)
            self.assert_closed(leg, 4003)


class Deaths(LiveTest):
    """Programs that die in mid-stream."""

    def start_flood(self) -> None:
        self.own = self.chain()
        self.leg, self.target = self.stream(self.own)
        self.leg.send(b"hello")
        self.assertEqual(self.target.recv(10), b"hello")
        self.target.sendall(seeded(MIB))
        read_exactly(self.leg, MIB)

    def test_relay_killed(self) -> None:
        """The relay is killed: the client and the target know within 1 s, and the agent keeps no stream."""
        self.start_flood()
        with promised("relay killed"):
            self.own.relay.process.send_signal(signal.SIGKILL)
            self.assertEqual(close_code(self.leg), 1006)
            gone(self.target)
        until(lambda: self.own.streams() == [], what="the agent's end of the stream")

    def test_agent_killed(self) -> None:
        """The agent is killed: the client is closed with 4005 within 1 s, and the target knows."""
        self.start_flood()
        beside = self.neighbour(*self.both_legs(self.own))
        with promised("agent killed"):
            self.own.agent.process.send_signal(signal.SIGKILL)
            self.assert_closed(self.leg, 4005)
            gone(self.target)
        beside.goes_on()

    def test_agent_stopped(self) -> None:
        """The agent is stopped: the client is closed with 4005, and the agent ends in order."""
        self.start_flood()
        self.own.agent.process.terminate()
        self.assert_closed(self.leg, 4005)
        self.assertIn(self.own.agent.process.wait(WAIT), STOPPED)

    def test_relay_stopped(self) -> None:
        """The relay is stopped: the client is closed with 1001, the target is closed, and the relay ends in order."""
        self.start_flood()
        self.own.relay.process.terminate()
        self.assert_closed(self.leg, 1001)
        gone(self.target)
        self.assertIn(self.own.relay.process.wait(WAIT), STOPPED)

    def test_platform_and_bus_killed(self) -> None:
        """Platform and bus are killed: a stream that lives goes on."""
        self.start_flood()
        beside = self.neighbour(*self.stream(self.own))
        self.own.platform.kill()
        self.own.nats.kill()
        beside.goes_on()
        sending = Work(give, self.target, DOWN)
        self.assertEqual(read_exactly(self.leg, len(DOWN)), DOWN)
        sending.result()
        self.leg.send(b"bye")
        self.assertEqual(take(self.target, 3), b"bye")


def reset_leg(leg: ClientConnection) -> None:
    """Reset the TCP connection below a websocket, whose own thread is reading it."""
    sock = leg.socket
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # A thread in recv() holds the description open, so close() alone sends nothing.
    sock.shutdown(socket.SHUT_RD)
    sock.close()


def gone(target: socket.socket) -> None:
    """Read until the connection is over, in whatever way."""
    try:
        while target.recv(65536):
            pass
    except ConnectionError:
        pass
