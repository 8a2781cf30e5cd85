"""Nobody who stops reading costs memory: backpressure from end to end, with figures."""

import hashlib
import socket
import time

from tests.live.support.case import LiveTest
from tests.live.support.chain import shared
from tests.live.support.pace import timed
from tests.live.support.promise import in_time, kept
from tests.live.support.sockets import MIB, in_kernel, seeded, take
from tests.live.support.waiting import Work
from tests.live.support.websockets import RAW, PlainLeg, read_exactly

STILL = 20.0
"""Seconds for which nobody reads."""
GROWTH = 2.0
"""MiB by which a program may grow meanwhile."""
SIZE = in_kernel() + 16 * MIB
PIECE = seeded(MIB, 8)


def piece(number: int) -> bytes:
    """The sequence's MiB of this number: each differs from every other."""
    return number.to_bytes(8, "big") + PIECE[8:]


def hashed() -> str:
    """Of the whole sequence."""
    sum_ = hashlib.sha256()
    for number in range(SIZE // MIB):
        sum_.update(piece(number))
    return sum_.hexdigest()


class Backpressure(LiveTest):
    """One end floods, the other doesn't read, then reads on."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared()
        self.neighbour(*self.stream(self.common))
        leg, target = self.stream(self.common, RAW)  # both programs get warm
        for _ in range(8):
            sending = Work(target.sendall, PIECE * 2)
            read_exactly(leg, 2 * MIB)
            sending.result()
            leg.send(PIECE)
            take(target, MIB)
        leg.close()
        time.sleep(0.2)
        self.before = (self.common.relay.rss(), self.common.agent.rss())

    def watch(self, what: str) -> None:
        """Look at the memory of both programs while nobody reads."""
        most = [0.0, 0.0]
        end = time.monotonic() + STILL
        while time.monotonic() < end:
            time.sleep(0.5)
            now = (self.common.relay.rss(), self.common.agent.rss())
            most = [max(old, new - before) for old, new, before in zip(most, now, self.before, strict=True)]
        relay, agent = most
        print(f"figure: {what} for {STILL:.0f} s: relay RSS +{relay:.1f} MiB, agent +{agent:.1f} MiB")
        self.assertLess(relay, GROWTH)
        self.assertLess(agent, GROWTH)
        self.grown = f"relay {relay:+.1f} MiB, agent {agent:+.1f} MiB in {STILL:.0f} s"

    def open_plain(self) -> tuple[PlainLeg, socket.socket]:
        listener = self.listen()
        leg = PlainLeg(self.open(self.common, listener.target))
        self.addCleanup(leg.socket.close)
        return leg, listener.accept()

    def test_client_stops(self) -> None:
        """A viewer stops reading while its target floods: neither program grows, and nothing is lost after."""
        leg, target = self.open_plain()
        sent = [0]

        def flood() -> None:
            for number in range(SIZE // MIB):
                target.sendall(piece(number))
                sent[0] += 1

        target.settimeout(STILL + 30)
        flooding = Work(flood)
        self.watch("a viewer doesn't read a flood")
        self.assertLess(sent[0] * MIB, in_kernel() + 2 * GROWTH * MIB, "the target wasn't held back")
        sum_, count = hashlib.sha256(), 0
        for message in leg.messages():
            sum_.update(message)
            count += len(message)
            if count >= SIZE:
                break
        flooding.result()
        self.assertEqual(count, SIZE)
        self.assertEqual(sum_.hexdigest(), hashed())
        kept("client deaf", self.grown)

    def test_target_stops(self) -> None:
        """A target stops reading while its client floods: neither program grows, and nothing is lost after."""
        leg, target = self.open_plain()
        sent = [0]

        def flood() -> None:
            for number in range(SIZE // MIB):
                data = piece(number)
                for begin in range(0, MIB, 65536):
                    leg.send(data[begin : begin + 65536])
                sent[0] += 1

        leg.socket.settimeout(STILL + 30)
        flooding = Work(flood)
        self.watch("a target doesn't read a flood")
        self.assertLess(sent[0] * MIB, in_kernel() + 2 * GROWTH * MIB, "the client wasn't held back")
        sum_ = hashlib.sha256()
        for _ in range(SIZE // MIB):
            sum_.update(take(target, MIB))
        flooding.result()
        self.assertEqual(sum_.hexdigest(), hashed())
        kept("target deaf", self.grown)

    def test_others_go_on(self) -> None:
        """While one viewer doesn't read, the streams of others answer as before."""
        _, target = self.open_plain()
        target.settimeout(0.5)
        try:
            while True:
                target.sendall(PIECE)
        except TimeoutError:
            pass
        leg, other = self.stream(self.common, RAW)
        times = []
        with timed() as passed:
            for _ in range(200):
                began = time.perf_counter()
                leg.send(b"ping")
                other.sendall(take(other, 4))
                read_exactly(leg, 4)
                times.append(time.perf_counter() - began)
        times.sort()
        print(
            f"figure: round trip beside a stuck stream: {times[100] * 1000:.2f} ms median, {times[198] * 1000:.2f} p99"
        )
        in_time("beside the deaf", times[100], passed.fairly(times[100]))
