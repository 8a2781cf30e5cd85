"""Attacks by channels of one stream: frames that are none, channels without end, channels for nothing."""

import contextlib
import socket
import threading
import time

from streamrelay.channels import frames
from streamrelay.protocol.close import FINISHED
from tests.live.attacks.attack import AttackTest, Decoy, frame
from tests.live.support.chain import HOST
from tests.live.support.waiting import WAIT

FLOOD = 2.0
"""Seconds of a flood."""
BOUND = 8.0
"""MiB by which a program may grow meanwhile."""
CHANNELS = 256

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


class Channels(AttackTest):
    """Who may open a stream to a target sends what they like within it."""

    def carrying(self, decoy: Decoy) -> socket.socket:
        """The client's leg of a stream that carries channels to a decoy."""
        wanted = {"host": HOST, "target": decoy.target, "channels": True}
        answer = self.common.ask("POST", "/v1/streams", wanted)
        self.assertEqual((answer.status, answer.json["channels"]), (201, CHANNELS), answer.text)
        return self.leg(answer.json["url"].removeprefix(self.common.relay_url))

    def test_malformed(self) -> None:
        """Each fault ends that stream, with words of it, and reaches no target."""
        for what, sent in MALFORMED.items():
            decoy = self.decoy()
            leg = self.carrying(decoy)
            leg.sendall(frame(2, sent))
            self.assertEqual(self.closed_with(leg), 4005, what)
            self.assertEqual(decoy.data, b"")
        for program in self.common.programs:
            self.assertNotIn("Traceback", program.log, program.name)

    def test_flood(self) -> None:
        """Channels that are opened and ended without end cost nobody else what they would notice, and no memory."""
        decoy = self.decoy()
        leg = self.carrying(decoy)
        leg.settimeout(WAIT)

        def read() -> None:
            with contextlib.suppress(OSError):
                while leg.recv(1 << 20):
                    pass

        threading.Thread(target=read, daemon=True).start()
        number, end = 1, time.monotonic() + FLOOD
        with self.memory(self.common.relay, self.common.agent, most=BOUND), contextlib.suppress(OSError):
            while time.monotonic() < end:
                pairs = []
                for number in range(number + 1, number + 513):  # noqa: B020
                    pairs.append(frames.header(frames.OPEN, number) + frames.end(number, FINISHED))
                leg.sendall(frame(2, b"".join(pairs)))
        print(f"figure: {number} channels for nothing in {FLOOD:g} s; connections: {decoy.connections}")
        self.assertGreater(number, 512)
        leg.close()
