"""The splice over every path that bytes can take: plain sockets, TLS, Twisted's own transports, and their mixtures."""

import asyncio
import socket
import struct
import tracemalloc
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.datapath.socket_channel import SocketChannel
from streamrelay.datapath.splice import Half, Splice
from streamrelay.protocol.close import CloseCode
from streamrelay.websocket.connection import FramedConnection
from streamrelay.websocket.frame_writer import Masking
from tests.datapath.loopback import PATHS, Descriptor, Peer, StepLoop, connected, drain, masked, unframe
from tests.documented import IN_ONE_DIRECTION
from tests.examples import there

T = TypeVar("T")
Case = TypeVar("Case", bound=SynchronousTestCase)
Paths = tuple[str, str]

MIXTURES: list[Paths] = [(near, far) for near in PATHS for far in PATHS]
STEPS = 20_000
"""Turns of the loop within which anything must be done."""


class Side:
    """Stands for Twisted's protocol: it tells the connection that its transport is gone."""

    connection: "FramedConnection | Gone"
    dataReceived: Callable[[bytes], None]

    def connectionLost(self, reason: Failure) -> None:
        self.connection.connection_lost("" if reason.check(ConnectionDone) else "reset")


class Relay:
    """Two legs at a relay, spliced, and the peers at their other ends."""

    def __init__(self, paths: Paths, control: tuple[bool, bool] = (True, True), small: bool = True) -> None:
        self.loop, self.clock = StepLoop(), Clock()
        heartbeat = Heartbeat(self.clock)
        self.ended: list[Splice] = []
        self.peers: list[Peer] = []
        self.legs: list[FramedConnection] = []
        for path, v1 in zip(paths, control, strict=True):
            side = Side()
            channel, peer = connected(path, self.loop, self.clock, side, small)
            leg = side.connection = FramedConnection(channel, self.clock, heartbeat, Masking.NONE, v1)
            self.legs.append(leg)
            self.peers.append(peer)
        self.client, self.agent = self.peers
        self.splice = Splice(self.legs[0], self.legs[1], self.ended.append)
        self.splice.start()

    def run(self, done: Callable[..., T], reading: tuple[bool, bool] = (True, True)) -> T | bool:
        """Turn the loop until it is done; the peers push, and read if they may."""
        for _ in range(STEPS):
            if done():
                return True
            self.turn(reading)
        return done()

    def turn(self, reading: tuple[bool, bool] = (True, True)) -> None:
        self.loop.step()
        for peer, may in zip(self.peers, reading, strict=True):
            peer.push()
            if may:
                peer.read()

    def got(self, peer: Peer) -> bytes:
        return b"".join(payload for opcode, payload in unframe(peer.received) if opcode == 2)

    def controls(self, peer: Peer) -> list[bytes]:
        return [payload for opcode, payload in unframe(peer.received) if opcode == 1]

    def close_code(self, peer: Peer) -> int | None:
        codes: list[int] = [
            struct.unpack("!H", payload[:2])[0]
            for opcode, payload in unframe(peer.received)
            if opcode == 8 and len(payload) >= 2  # else the frame has come in part
        ]
        return codes[0] if codes else None

    def stop(self) -> None:
        for peer in self.peers:
            if not peer.reset:
                peer.break_off()
        for leg in self.legs:
            leg.abort()
        for _ in range(10):
            self.loop.step()


EOF = masked(1, b'{"eof":true}')
BYE = masked(8, struct.pack("!H", 1000))


BLOCK = bytes((at * 7 + at // 251) & 255 for at in range(256 * 251))
"""What a pattern repeats."""


def pattern(size: int, seed: int = 0) -> bytes:
    shifted = bytes((byte + seed) & 255 for byte in range(256))
    return (BLOCK * (size // len(BLOCK) + 1))[:size].translate(shifted)


def on_every_path(
    control: tuple[bool, bool] = (True, True),
) -> Callable[[Callable[[Case, Relay, Paths], None]], Callable[[Case], None]]:
    """Run a test once for each pair of paths, with a relay of its own."""

    def decorate(test: Callable[[Case, Relay, Paths], None]) -> Callable[[Case], None]:
        @wraps(test)
        def run(self: Case) -> None:
            for paths in MIXTURES:
                relay = Relay(paths, control)
                self.addCleanup(relay.stop)
                test(self, relay, paths)

        # trial looks at the signature; the wrapped one has arguments that it doesn't know of.
        del run.__wrapped__
        return run

    return decorate


class EveryPathTests(SynchronousTestCase):
    """Each rule on each pair of paths."""

    @on_every_path()
    def test_both_directions_at_once(self, relay: Relay, paths: Paths) -> None:
        """Half a megabyte each way at the same time arrives whole and in order, and then both legs close with 1000."""
        up, down = pattern(500_000, 1), pattern(500_000, 2)
        relay.client.send(masked(2, up) + EOF)
        for at in range(0, len(down), 1000):
            relay.agent.send(masked(2, down[at : at + 1000]))
        relay.agent.send(EOF)
        self.assertTrue(relay.run(lambda: relay.close_code(relay.client) and relay.close_code(relay.agent)), paths)
        self.assertEqual(relay.got(relay.agent), up, paths)
        self.assertEqual(relay.got(relay.client), down, paths)
        self.assertEqual((relay.close_code(relay.client), relay.close_code(relay.agent)), (1000, 1000), paths)
        self.assertEqual((relay.splice.outward.count, relay.splice.inward.count), (len(up), len(down)))
        relay.client.send(BYE)
        relay.agent.send(BYE)
        self.assertTrue(relay.run(lambda: relay.ended), paths)
        self.assertEqual(relay.loop.watched, 0, paths)

    @on_every_path()
    def test_half_close(self, relay: Relay, paths: Paths) -> None:
        """A client's end of file is passed on behind its bytes, and the other direction goes on to its own end."""
        relay.client.send(masked(2, b"question") + EOF)
        self.assertTrue(relay.run(lambda: relay.controls(relay.agent)), paths)
        relay.agent.send(masked(2, b"answer" * 50_000) + EOF)
        self.assertTrue(relay.run(lambda: relay.close_code(relay.client)), paths)
        self.assertEqual(relay.got(relay.client), b"answer" * 50_000, paths)
        self.assertEqual(relay.controls(relay.client), [b'{"eof":true}'], paths)

    @on_every_path(control=(False, True))
    def test_raw_client(self, relay: Relay, paths: Paths) -> None:
        """A raw client gets all that was sent before the end of file, then 1000, and no control message."""
        relay.agent.send(masked(2, pattern(300_000)) + masked(1, b'{"exit":3}') + EOF)
        self.assertTrue(relay.run(lambda: relay.close_code(relay.client)), paths)
        self.assertEqual(relay.got(relay.client), pattern(300_000), paths)
        self.assertEqual((relay.close_code(relay.client), relay.controls(relay.client)), (1000, []), paths)

    @on_every_path()
    def test_close_with_bytes_in_flight(self, relay: Relay, paths: Paths) -> None:
        """A leg that closes right behind its bytes has them all delivered before the other is closed."""
        relay.agent.send(masked(2, pattern(400_000)) + BYE)
        self.assertTrue(relay.run(lambda: relay.close_code(relay.client)), paths)
        self.assertEqual(relay.got(relay.client), pattern(400_000), paths)
        self.assertEqual(relay.close_code(relay.client), 1000, paths)

    @on_every_path()
    def test_reset_in_mid_frame(self, relay: Relay, paths: Paths) -> None:
        """When a leg is reset within a frame, the other gets what came before it and is closed with 4005."""
        relay.agent.send(masked(2, b"whole") + masked(2, pattern(5000))[:2000])
        self.assertTrue(relay.run(lambda: len(relay.got(relay.client)) > 1900), paths)
        relay.agent.break_off()
        self.assertTrue(relay.run(lambda: relay.close_code(relay.client)), paths)
        self.assertEqual(relay.close_code(relay.client), CloseCode.LEG_LOST, paths)
        whole = b"whole" + pattern(5000)
        self.assertEqual(relay.got(relay.client), whole[: len(relay.got(relay.client))], paths)

    @on_every_path()
    def test_a_reader_that_stops_bounds_what_waits(self, relay: Relay, paths: Paths) -> None:
        """While a client does not read, at most 256 KiB wait for it, and its agent isn't read; then all arrives."""
        sent = pattern(3_000_000)
        relay.agent.send(masked(2, sent) + EOF)
        most = 0
        for _ in range(300):
            relay.turn(reading=(False, True))
            most = max(most, relay.legs[0].unsent)
        self.assertLess(most, IN_ONE_DIRECTION + 8192, paths)
        self.assertLess(relay.splice.inward.count, len(sent), paths)
        self.assertTrue(relay.run(lambda: len(relay.got(relay.client)) == len(sent)), paths)
        self.assertEqual(relay.got(relay.client), sent, paths)

    @on_every_path()
    def test_protocol_error(self, relay: Relay, paths: Paths) -> None:
        """A leg that breaks the protocol is told so by its close code, and the other gets what came before it."""
        relay.agent.send(masked(2, b"fine") + b"\xf2\x80\0\0\0\0")
        self.assertTrue(relay.run(lambda: relay.close_code(relay.client) and relay.close_code(relay.agent)), paths)
        self.assertEqual(relay.got(relay.client), b"fine", paths)
        self.assertEqual(relay.close_code(relay.agent), 1002, paths)
        self.assertEqual(relay.close_code(relay.client), CloseCode.LEG_LOST, paths)


class OurFaultTests(SynchronousTestCase):
    """Errors of ours."""

    @on_every_path()
    def test_only_that_stream_dies(self, relay: Relay, paths: Paths) -> None:
        """An error in what takes the bytes closes that leg with 1011 and the other with 4005, and is logged once."""
        self.patch(Half, "received", lambda *_: 1 / 0)
        relay.agent.send(masked(2, b"x") + masked(2, b"y"))
        self.assertTrue(relay.run(lambda: relay.close_code(relay.client) and relay.close_code(relay.agent)), paths)
        self.assertEqual((relay.close_code(relay.agent), relay.close_code(relay.client)), (1011, 4005), paths)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_of_another_receiver(self) -> None:
        """An error in what takes a channel's bytes ends that channel's connection, and is logged once."""
        for path in ("plain", "tls"):
            loop, clock, side = StepLoop(), Clock(), Side()
            side.connection = Gone()
            channel, peer = connected(path, loop, clock, side)
            self.addCleanup(peer.break_off)
            channel.start(Broken())
            peer.send(b"x")
            for _ in range(5):
                loop.step()
            self.assertTrue(side.connection.gone, path)
            self.assertEqual((len(self.flushLoggedErrors(ZeroDivisionError)), loop.watched), (1, 0), path)


class Broken:
    """A receiver with an error."""

    def data_received(self, data: memoryview) -> None:
        raise ZeroDivisionError

    def drained(self) -> None:
        pass


Actions = list[tuple[str, int, int]]
ACTIONS = st.one_of(
    st.tuples(st.just("send"), st.integers(0, 1), st.integers(1, 70_000)),
    st.tuples(st.just("small"), st.integers(0, 1), st.integers(1, 300)),
    st.tuples(st.just("ping"), st.integers(0, 1), st.integers(0, 125)),
    st.tuples(st.just("reading"), st.integers(0, 3), st.just(0)),
    st.tuples(st.just("turns"), st.integers(1, 30), st.just(0)),
    st.tuples(st.just("eof"), st.integers(0, 1), st.just(0)),
)
LAST = st.sampled_from(["eof", "bye", "reset", "nothing"])


class HistoryTests(SynchronousTestCase):
    """Random histories on random paths: what comes out is a prefix of what went in, all of it in the end."""

    @settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(MIXTURES), st.lists(ACTIONS, max_size=25), LAST, st.integers(0, 1))
    def test_histories(self, paths: Paths, actions: Actions, last: str, who: int) -> None:
        """Whatever is sent, split, held up, pinged, ended or reset, no byte is lost, doubled or out of order."""
        relay = Relay(paths)
        try:
            self.play(relay, actions, last, who)
        finally:
            relay.stop()

    def play(self, relay: Relay, actions: Actions, last: str, who: int) -> None:
        sent, ended, reading = [bytearray(), bytearray()], [False, False], (True, True)
        for action, number, size in actions:
            if action in ("send", "small") and not ended[number]:
                data = pattern(size, len(sent[number]))
                sent[number] += data
                relay.peers[number].send(masked(2, data))
            elif action == "ping":
                relay.peers[number].send(masked(9, bytes(size)))
            elif action == "reading":
                reading = (bool(number & 1), bool(number & 2))
            elif action == "turns":
                for _ in range(number):
                    relay.turn(reading)
            elif action == "eof" and not ended[number]:
                ended[number] = True
                relay.peers[number].send(EOF)
        if last == "reset":
            relay.peers[who].break_off()
        elif last == "bye":
            relay.peers[who].send(BYE)
        elif last == "eof":
            for number in (0, 1):
                if not ended[number]:
                    relay.peers[number].send(EOF)
        relay.run(lambda: self.settled(relay, sent, last, who))
        for number in (0, 1):
            out = relay.got(relay.peers[1 - number])
            self.assertEqual(out, bytes(sent[number][: len(out)]))
            if last in ("eof", "nothing") or (last == "bye" and number == who):
                self.assertEqual(len(out), len(sent[number]))

    def settled(self, relay: Relay, sent: list[bytearray], last: str, who: int) -> bool:
        if last in ("reset", "bye"):
            other = relay.peers[1 - who]
            return relay.close_code(other) is not None or other.reset
        delivered = all(len(relay.got(relay.peers[1 - number])) == len(sent[number]) for number in (0, 1))
        return delivered and (last != "eof" or all(relay.close_code(peer) for peer in relay.peers))


class UnsettledTests(SynchronousTestCase):
    """TLS, while Twisted has still to write what the handshake has left."""

    def setUp(self) -> None:
        self.loop, self.clock, self.side = StepLoop(), Clock(), Side()
        self.channel, self.peer = connected("tls", self.loop, self.clock, self.side, settled=False)
        self.addCleanup(self.peer.break_off)

    def settle(self) -> None:
        self.clock.advance(0)
        for _ in range(5):
            self.loop.step()
            self.peer.read()

    def test_in_order(self) -> None:
        """What is written meanwhile is sealed and sent behind it, as TLS numbers its records."""
        self.channel.write([b"met ", b"and more"])
        self.assertEqual(self.channel.unsent, 12)
        self.peer.read()
        self.assertEqual(bytes(self.peer.received), b"")
        self.settle()
        self.assertEqual(bytes(self.peer.received), b"101met and more")
        self.assertEqual(self.channel.unsent, 0)

    def test_tells_that_it_has_drained(self) -> None:
        """Who was told that bytes were unsent is told when they are out, or a source would be paused for ever."""
        told = Told()
        self.channel.start(told)
        self.channel.write([b"x" * 100_000])
        self.assertEqual(self.channel.unsent, 100_000)
        for _ in range(200):
            self.settle()
        self.assertEqual((told.drains > 0, self.channel.unsent), (True, 0))

    def test_closed(self) -> None:
        """A close meanwhile is done behind it, with or without bytes before it."""
        self.side.connection = Gone()
        self.channel.write([b"bye"])
        self.channel.close()
        self.settle()
        self.assertEqual(bytes(self.peer.received), b"101bye")
        self.assertTrue(self.peer.closed and self.side.connection.gone)

    def test_aborted(self) -> None:
        """What was written meanwhile is dropped by an abort, and nothing counts as unsent."""
        self.side.connection = Gone()
        self.channel.write([b"not this"])
        self.channel.abort()
        self.settle()
        self.assertTrue(self.side.connection.gone)
        self.assertEqual((bytes(self.peer.received), self.channel.unsent), (b"101", 0))

    def test_closed_at_once(self) -> None:
        """The same where nothing was written."""
        self.side.connection = Gone()
        self.channel.close()
        self.settle()
        self.assertEqual(bytes(self.peer.received), b"101")
        self.assertTrue(self.peer.closed and self.side.connection.gone)


class CloseNotifyTests(SynchronousTestCase):
    """TLS' own end (RFC 8446 §6.1), without which anybody on the way could cut a stream short unnoticed."""

    def setUp(self) -> None:
        self.loop, self.side, self.gone = StepLoop(), Side(), Gone()
        self.side.connection = self.gone
        self.channel, self.peer = connected("tls", self.loop, Clock(), self.side)
        self.addCleanup(self.peer.break_off)
        self.tls = there(self.peer.tls)

    def test_sent(self) -> None:
        """A channel that closes says so by TLS, behind its last bytes."""
        self.channel.write([b"last"])
        self.channel.close()
        for _ in range(5):
            self.loop.step()
            self.peer.read()
        self.assertEqual(bytes(self.peer.received), b"last")
        self.assertTrue(self.tls.get_shutdown() & SSL.RECEIVED_SHUTDOWN)

    def test_honoured(self) -> None:
        """A peer that ends TLS has ended the connection, though its socket is still open."""
        told = Told()
        self.channel.start(told)
        self.tls.shutdown()
        self.peer.sock.send(drain(self.tls))
        for _ in range(5):
            self.loop.step()
        self.assertTrue(self.gone.gone)


class LostBeforeTests(SynchronousTestCase):
    """Sockets that were reset before they are a channel's."""

    def test_told(self) -> None:
        """The kernel tells of a reset once; where it does so to the transport, the connection is lost all the same."""
        loop, side = StepLoop(), Side()
        side.connection = gone = Gone()
        near, far = socket.socketpair()
        self.addCleanup(far.close)
        SocketChannel(Reset(near, loop, side), cast(asyncio.AbstractEventLoop, loop))
        loop.step()
        self.assertTrue(gone.gone)
        self.assertEqual(near.fileno(), -1)


class Reset(Descriptor):
    """A transport that hears of the reset when it is to write."""

    def doWrite(self) -> ConnectionLost:
        return ConnectionLost()


class Told:
    """A receiver that counts."""

    drains = 0

    def data_received(self, data: memoryview) -> None:
        pass

    def drained(self) -> None:
        self.drains += 1


class Gone:
    """Notes that it was told the end."""

    gone = False

    def connection_lost(self, reason: str) -> None:
        self.gone = True


class CostTests(SynchronousTestCase):
    """What a chunk costs, counted in calls, so that a slower path is noticed on any machine."""

    def test_a_chunk_changes_no_registration(self) -> None:
        """While both peers keep up, no descriptor is registered or unregistered, whatever flows."""
        for path in ("plain", "tls"):
            relay = Relay((path, path), small=False)
            self.addCleanup(relay.stop)
            before = relay.loop.registrations
            for at in range(50):
                relay.agent.send(masked(2, pattern(8000, at)))
                self.assertTrue(relay.run(lambda at=at, relay=relay: len(relay.got(relay.client)) == 8000 * (at + 1)))
            self.assertEqual(relay.loop.registrations, before, path)

    def test_small_frames_are_merged(self) -> None:
        """Frames that come in one read go out as one frame, in one write."""
        relay = Relay(("plain", "plain"), small=False)
        self.addCleanup(relay.stop)
        relay.agent.send(b"".join(masked(2, b"x" * 100) for _ in range(200)))
        self.assertTrue(relay.run(lambda: len(relay.got(relay.client)) == 20_000))
        frames = [payload for opcode, payload in unframe(relay.client.received) if opcode == 2]
        self.assertLessEqual(len(frames), 3)

    def test_small_writes_that_wait(self) -> None:
        """Bytes that are written one by one to a peer that doesn't read cost little more memory than they are."""
        near, far = socket.socketpair()
        loop, side = StepLoop(), Side()
        self.addCleanup(far.close)
        self.addCleanup(near.close)
        near.setblocking(False)
        far.setblocking(False)
        channel = SocketChannel(Descriptor(near, loop, side), cast(asyncio.AbstractEventLoop, loop))
        while not channel.unsent:
            channel.write([bytes(65536)])
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        sent = pattern(20_000, 0)
        for at in range(len(sent)):
            channel.write([sent[at : at + 1]])
        self.assertLess(tracemalloc.get_traced_memory()[0], 20 * len(sent))  # it was 300 times
        got = b""
        while channel.unsent:
            got += far.recv(1 << 20)
            loop.step()
        self.assertEqual((got + far.recv(1 << 20))[-len(sent) :], sent)

    def test_calls_for_each_megabyte(self) -> None:
        """A megabyte in 16 frames takes 16 reads and 16 writes, over TLS (64 KiB of sealed bytes at once) twice as
        many, give or take some where the kernel cuts; nothing is read from the idle side or written to the other."""
        for path, most in (("plain", 24), ("tls", 44)):
            relay = Relay((path, path), small=False)
            self.addCleanup(relay.stop)
            calls = [Counted(leg.channel) for leg in relay.legs]
            data = pattern(65536)
            for at in range(16):
                relay.agent.send(masked(2, data))
                self.assertTrue(relay.run(lambda at=at, relay=relay: relay.splice.inward.count == 65536 * (at + 1)))
            self.assertTrue(relay.run(lambda relay=relay: len(relay.got(relay.client)) == 1 << 20), path)
            client, agent = calls
            self.assertLessEqual(agent.reads, most, path)
            self.assertLessEqual(client.writes, most, path)
            self.assertEqual((client.reads, agent.writes), (0, 0), path)


class Counted:
    """A channel's socket, with its calls counted."""

    def __init__(self, channel: Any) -> None:
        self.reads = self.writes = 0
        self._socket: socket.socket = channel._socket
        channel._socket = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def recv_into(self, buffer: bytearray, most: int) -> int:
        self.reads += 1
        return self._socket.recv_into(buffer, most)

    def sendmsg(self, buffers: Sequence[memoryview]) -> int:
        self.writes += 1
        return self._socket.sendmsg(buffers)
