"""Attacks by channels of one stream: frames that are none, channels without end, channels for nothing."""

import contextlib
import socket
import threading
import time

from streamrelay.channels import frames
from streamrelay.protocol.close import FINISHED
from tests.documented import CHANNEL_WINDOW
from tests.live.attacks.attack import AttackTest, frame
from tests.live.support.chain import HOST
from tests.live.support.sockets import Listener
from tests.live.support.waiting import WAIT, until

FLOOD = 1.0
"""Seconds of a flood."""
BOUND = 8.0
"""MiB by which a program may grow meanwhile."""
CHANNELS = 256
CARRYING = 8
"""Channels whose windows are filled byte by byte."""

MALFORMED: dict[str, bytes] = {
    "an unknown type": frames.header(9, 1),
    "an empty frame of data": frames.header(frames.DATA, 1),
    "a frame of 16 MiB": frames.header(frames.DATA, 1, (1 << 24) - 1),
    "a channel that was never opened": frames.header(frames.EOF, 2),
    "a number that was used before": frames.header(frames.OPEN, 1),
    "a number too high": frames.header(frames.OPEN, 3),
    "a window of nothing": frames.header(frames.WINDOW, 1, 4) + bytes(4),
    "a window without end": frames.window(1, (1 << 32) - 1),
    "an end with a code that is none": frames.header(frames.END, 1, 2) + b"\0\1",
    "bytes after the end": frames.header(frames.EOF, 1) + frames.header(frames.DATA, 1, 1) + b"x",
    "one channel too many": b"".join(frames.header(frames.OPEN, number) for number in range(2, CHANNELS + 2)),
}


def carrying(case: AttackTest, target: str) -> socket.socket:
    """The client's leg of a stream that carries channels to a target."""
    answer = case.common.ask("POST", "/v1/streams", {"host": HOST, "target": target, "channels": True})
    case.assertEqual((answer.status, answer.json["channels"]), (201, CHANNELS), answer.text)
    return case.leg(answer.json["url"].removeprefix(case.common.relay_url))


class Channels(AttackTest):
    """Who may open a stream to a target sends what they like within it."""

    def test_malformed(self) -> None:
        """Each fault ends that stream, with words of it, and reaches no target."""
        for what, sent in MALFORMED.items():
            decoy = self.decoy()
            leg = carrying(self, decoy.target)
            leg.sendall(frame(2, sent))
            self.assertEqual(self.closed_with(leg), 4005, what)
            self.assertEqual(decoy.data, b"")
        for program in self.common.programs:
            self.assertNotIn("Traceback", program.log, program.name)

    def test_flood(self) -> None:
        """Channels that are opened and ended without end cost nobody else what they would notice, and no memory."""
        decoy = self.decoy()
        leg = carrying(self, decoy.target)
        leg.settimeout(WAIT)

        def read() -> None:
            with contextlib.suppress(OSError):
                while leg.recv(1 << 20):
                    pass

        threading.Thread(target=read, daemon=True).start()
        number = 1
        with self.memory(self.common.relay, self.common.agent, most=BOUND), contextlib.suppress(OSError):
            end = time.monotonic() + FLOOD
            while number < 1024 or time.monotonic() < end:
                pairs = []
                for number in range(number + 1, number + 513):  # noqa: B020
                    pairs.append(frames.header(frames.OPEN, number) + frames.end(number, FINISHED))
                leg.sendall(frame(2, b"".join(pairs)))
        print(f"figure: {number} channels for nothing in {FLOOD:g} s; connections: {decoy.connections}")
        self.assertGreater(number, 512)
        leg.close()


class Deaf(AttackTest):
    """A program that doesn't read, by a unix socket: of bytes that come singly the kernel holds some hundred there."""

    def setUp(self) -> None:
        super().setUp()
        self.listener = Listener(str(self.folder / "deaf.sock"))
        self.addCleanup(self.listener.close)
        self.common.write_agent(f'[targets.deaf]\nkind = "unix"\npath = "{self.folder}/deaf.sock"\n')
        self.addCleanup(self.common.write_agent, "")
        wanted = {"host": HOST, "target": "deaf"}
        until(lambda: self.common.ask("POST", "/v1/streams", wanted).status == 201, what="the target")
        self.listener.accept()

    def test_channels(self) -> None:
        """Bytes in frames of their own, of one channel after the other, cost little memory while nobody reads them."""
        numbers = range(2, CARRYING + 2)
        with contextlib.closing(carrying(self, "deaf")) as leg:
            leg.sendall(frame(2, b"".join(frames.header(frames.OPEN, number) for number in numbers)))
            for _ in range(1 + CARRYING):
                self.listener.accept()
            one_each = b"".join(frames.header(frames.DATA, number, 1) + b"x" for number in numbers)
            with self.memory(self.common.relay, self.common.agent, most=BOUND):
                for _ in range(CHANNEL_WINDOW // 512):
                    leg.sendall(frame(2, one_each * 512))
                leg.sendall(frame(2, frames.header(frames.OPEN, CARRYING + 2)))
                self.listener.accept()  # which is begun behind all bytes

    def test_websocket(self) -> None:
        """So do bytes in frames of a websocket of their own."""
        with contextlib.closing(self.leg(self.open(self.common, "deaf").removeprefix(self.common.relay_url))) as leg:
            self.listener.accept()
            leg.settimeout(1)
            with self.memory(self.common.relay, self.common.agent, most=BOUND), contextlib.suppress(TimeoutError):
                while True:
                    leg.sendall(frame(2, b"x") * 4096)
