"""Attacks by those who have come in: frames that are none, frames without end, frames without sense."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.live.attacks.attack import AttackTest, Decoy, frame
from tests.live.support.sockets import MIB, in_kernel
from tests.live.support.waiting import WAIT, until
from tests.live.support.websockets import RAW

FLOOD = 1.0
"""Seconds of a flood."""
BOUND = 4.0
"""MiB by which a program may grow meanwhile."""

MALFORMED: dict[str, tuple[bytes, int]] = {
    "reserved bit 1": (frame(2, b"x", 0xC0), 1002),
    "reserved bit 2": (frame(2, b"x", 0xA0), 1002),
    "reserved bit 3": (frame(2, b"x", 0x90), 1002),
    "opcode 3": (frame(3, b"x"), 1002),
    "opcode 11": (frame(11, b"x"), 1002),
    "unmasked": (frame(2, b"x", masked=False), 1002),
    "a length of 2 bytes that fits into one": (frame(2, b"x", length=b"\x7e\x00\x01"), 1002),
    "a length of 8 bytes that fits into two": (frame(2, b"x", length=b"\x7f" + (1).to_bytes(8, "big")), 1002),
    "a length of 2^63": (frame(2, b"x", length=b"\x7f" + (1 << 63).to_bytes(8, "big")), 1002),
    "a length of 2^64 - 1": (frame(2, b"x", length=b"\x7f" + b"\xff" * 8), 1002),
    "a length of 2^63 - 1": (frame(2, b"x", length=b"\x7f" + ((1 << 63) - 1).to_bytes(8, "big")), 1009),
    "a length of 1 GiB and a byte": (frame(2, b"x", length=b"\x7f" + ((1 << 30) + 1).to_bytes(8, "big")), 1009),
    "a ping of 126 bytes": (frame(9, b"x" * 126), 1002),
    "a fragmented ping": (frame(9, b"x", 0), 1002),
    "a fragmented close": (frame(8, b"\x03\xe8", 0), 1002),
    "a continuation of nothing": (frame(0, b"x"), 1002),
    "a message within a message": (frame(2, b"", 0) + frame(2, b"x"), 1002),
    "half a close code": (frame(8, b"\x03"), 1002),
    "close code 1005": (frame(8, b"\x03\xed"), 1002),
    "a control message of 5000 bytes": (frame(1, b"x" * 5000), 1009),
    "a control message that is no JSON": (frame(1, b"x"), 1002),
    "a control message nested without end": (frame(1, b'{"a":' + b"[" * 4000), 1002),
    "text that is not UTF-8": (frame(1, b"\xff"), 1007),
    "bytes after the end": (frame(1, b'{"eof":true}') + frame(2, b"x"), 1002),
    "a hundred control messages": (frame(1, b"{}") * 100, 1008),
}


class Malformed(AttackTest):
    """A few frames of each kind that breaks the protocol; tests.live.test_conformance has all of them."""

    def test_malformed(self) -> None:
        """Each is told its code at the header, reaches no target, and ends its own stream alone."""
        for what, (frames, code) in MALFORMED.items():
            decoy = self.decoy()
            leg = self.leg(self.opened(decoy))
            leg.sendall(frames)
            self.assertEqual(self.closed_with(leg), code, what)
            self.assert_reached(decoy, 1)
        for program in self.common.programs:
            self.assertNotIn("Traceback", program.log, program.name)


class Floods(AttackTest):
    """Who floods has a stream of their own; what they do costs others nothing that they would notice."""

    @contextmanager
    def reading(self, leg: socket.socket) -> Iterator[bytearray]:
        """The last bytes that come, read in a thread so that nothing is held back by what the attacker doesn't read;
        it goes on, as the relay may come to it later."""
        last = bytearray()

        def read() -> None:
            with contextlib.suppress(OSError):
                while data := leg.recv(1 << 20):
                    last[:] = (last + data)[-200:]

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        yield last
        reader.join(0.5)

    def flood(self, data: bytes, decoy: Decoy, first: bytes = b"") -> tuple[int, bytearray]:
        """Send the same again and again, as fast as it goes; how many bytes went, and the last that came back."""
        leg = self.leg(self.opened(decoy))
        leg.settimeout(WAIT)
        sent = 0
        with self.memory(self.common.relay, self.common.agent, most=BOUND), self.reading(leg) as last:
            with contextlib.suppress(OSError):
                leg.sendall(first)
                end = time.monotonic() + FLOOD
                while not sent or time.monotonic() < end:
                    sent += leg.send(data)
            return sent, last

    def assert_shut(self, last: bytearray) -> None:
        """The flood is told 1008."""
        until(lambda: b"\x03\xf0" in last[-60:], what="the close frame")

    def assert_letters(self, decoy: Decoy, letter: bytes) -> None:
        """Some have reached the target, and nothing else has."""
        until(lambda: decoy.data, what="the flood's first byte")
        self.assertEqual(set(decoy.data), set(letter))

    def figure(self, what: str, sent: int, size: int) -> None:
        print(f"figure: {sent // size} {what} in {FLOOD:g} s")

    def test_pings(self) -> None:
        """Pings without end close the leg with 1008; nothing of them reaches the target."""
        decoy = self.decoy()
        _, last = self.flood(frame(9, b"p") * 8192, decoy)
        self.assert_shut(last)
        self.assert_reached(decoy, 1)

    def test_pongs(self) -> None:
        """So do pongs that nobody asked for."""
        decoy = self.decoy()
        _, last = self.flood(frame(10) * 8192, decoy)
        self.assert_shut(last)
        self.assert_reached(decoy, 1)

    def test_tiny_frames(self) -> None:
        """Messages of one byte get through, and nobody else has to wait for them."""
        decoy = self.decoy()
        piece = frame(2, b"t") * 4096
        sent, _ = self.flood(piece, decoy)
        self.figure("messages of 1 byte", sent, 7)
        self.assert_letters(decoy, b"t")

    def test_masked_tiny_frames(self) -> None:
        """The same with a mask that has to be taken off."""
        decoy = self.decoy()
        sent, _ = self.flood((b"\x82\x81abcd" + bytes([ord("t") ^ ord("a")])) * 4096, decoy)
        self.figure("masked messages of 1 byte", sent, 7)
        self.assert_letters(decoy, b"t")

    def test_empty_frames(self) -> None:
        """Messages of no byte at all bring nothing, and cost others nothing."""
        decoy = self.decoy()
        sent, _ = self.flood(frame(2) * 4096, decoy)
        self.figure("empty messages", sent, 6)
        self.assert_reached(decoy, 1)

    def test_fragments(self) -> None:
        """A message of endless fragments is passed on as it comes; empty ones among them bring nothing."""
        decoy = self.decoy()
        sent, _ = self.flood((frame(0, b"", 0) + frame(0, b"f", 0)) * 4096, decoy, first=frame(2, b"f", 0))
        self.figure("fragments", sent, 13)
        self.assert_letters(decoy, b"f")

    def test_big_frame(self) -> None:
        """A frame of 400 MB to a target that doesn't read is held back; no program holds more than its bound."""
        listener = self.listen()
        leg = self.leg(self.open(self.common, listener.target).removeprefix(self.common.relay_url))
        listener.accept()
        leg.settimeout(1)
        with self.memory(self.common.relay, self.common.agent, most=BOUND):
            leg.sendall(b"\x82\xff" + (400 << 20).to_bytes(8, "big") + bytes(4))
            sent = 0
            with contextlib.suppress(TimeoutError):
                while sent < 400 << 20:
                    sent += leg.send(bytes(65536))
        self.assertLess(sent, in_kernel() + 2 * BOUND * MIB)

    def test_never_reads(self) -> None:
        """A client that never reads holds its target back, and costs no more than its bound."""
        listener = self.listen()
        url = self.open(self.common, listener.target)
        leg = self.websocket(url, RAW)
        leg.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck = self.leg(self.open(self.common, listener.target).removeprefix(self.common.relay_url))
        target = (listener.accept(), listener.accept())[1]
        target.settimeout(1)
        sent = 0
        with self.memory(self.common.relay, self.common.agent, most=BOUND), contextlib.suppress(TimeoutError):
            while sent < 400 << 20:
                sent += target.send(bytes(65536))
        self.assertLess(sent, in_kernel() + 2 * BOUND * MIB)
        stuck.close()
