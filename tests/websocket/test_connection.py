"""connection.py: a websocket as a connection to splice."""

import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.datapath.connection import HIGH
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.datapath.splice import Splice
from streamrelay.protocol import codec
from streamrelay.protocol.close import EXPLAIN, FINISHED, CloseCode, Outcome, outcome
from streamrelay.protocol.control import EOF_MESSAGE, Control
from streamrelay.websocket.connection import FramedConnection
from streamrelay.websocket.flood import MOST_HEADERS
from streamrelay.websocket.frame_writer import Masking
from streamrelay.websocket.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, FrameReader
from tests.documented import BEAT, CLOSE_TIME, FAILED_TIME, FIRST_READ, READ, SERVER_CLOSES, SLOWEST
from tests.examples import examples
from tests.fakes.channels import FakeChannel, Link
from tests.fakes.connections import Ear, FakeConnection
from tests.fakes.frames import frame

KEY = b"\x01\x02\x03\x04"


def close_frame(code: int, reason: bytes = b"", key: bytes = KEY) -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason, key)


class Case(SynchronousTestCase):
    """A connection over a fake channel."""

    masking = Masking.NONE
    control = True

    def setUp(self) -> None:
        self.clock, self.channel, self.ear = Clock(), FakeChannel(), Ear()
        self.connection = FramedConnection(self.channel, self.clock, Heartbeat(self.clock), self.masking, self.control)
        self.connection.join(self.ear, self.ear)
        self.key = KEY if self.masking == Masking.NONE else b""

    def receive(self, opcode: int, payload: bytes = b"", final: bool = True, reserved: int = 0) -> None:
        self.channel.receive(frame(opcode, payload, self.key, final, reserved))

    def sent(self) -> list[tuple[int, bytes]]:
        """The frames that were sent since the last time."""
        reader = FrameReader(masked=self.masking != Masking.NONE, text_is_bytes=False)
        return [
            (opcode, b"".join(payload) if isinstance(payload, list) else payload)
            for opcode, payload in reader.feed(memoryview(self.channel.take()))
        ]

    def sent_codes(self) -> list[int]:
        return [struct.unpack_from("!H", payload)[0] for opcode, payload in self.sent() if opcode == CLOSE]

    def beats(self, count: int) -> None:
        self.clock.pump([BEAT] * count)

    def lose(self) -> None:
        self.connection.connection_lost("")

    def no_timers(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Server(Case):
    """The relay's side."""

    def test_in(self) -> None:
        """Binary messages are bytes and text messages are control messages, in their order."""
        self.receive(BINARY, b"a")
        self.receive(TEXT, b'{"exit": 0}')
        self.receive(BINARY, b"b")
        self.assertEqual(self.ear.said, [("bytes", b"a"), ("control", b'{"exit": 0}'), ("bytes", b"b")])

    def test_out(self) -> None:
        """Bytes go out as one unmasked binary frame, control messages as text, an end of file as its message."""
        self.connection.send([memoryview(b"a"), memoryview(b"b")], 2)
        self.connection.send_control(b"{}")
        self.connection.send_eof()
        self.assertEqual(self.channel.take(), frame(BINARY, b"ab") + frame(TEXT, b"{}") + frame(TEXT, EOF_MESSAGE))

    def test_reset_while_it_waits(self) -> None:
        """One that nobody has joined isn't read; if its peer has reset it, it is given up at the next beat, and not
        before."""
        waiting = FramedConnection(FakeChannel(), self.clock, self.connection.heartbeat, self.masking, True)
        channel = waiting.channel
        assert isinstance(channel, FakeChannel)
        self.beats(2)
        channel.gone = True
        self.assertFalse(channel.aborted)
        self.beats(1)
        self.assertEqual((channel.aborted, self.channel.aborted), (True, False))

    def test_unmasked(self) -> None:
        """A client's frame without a mask is answered 1002, and its leg is lost."""
        self.channel.receive(frame(BINARY, b"x"))
        self.assertEqual(self.sent_codes(), [1002])
        self.assertEqual(self.ear.codes, [CloseCode.LEG_LOST])

    def test_eof(self) -> None:
        """The end-of-file message ends one direction; the other goes on."""
        self.receive(TEXT, EOF_MESSAGE)
        self.connection.send([memoryview(b"x")], 1)
        self.assertEqual(self.ear.said, [("eof",)])
        self.assertEqual(self.sent(), [(BINARY, b"x")])

    def test_bytes_after_eof(self) -> None:
        """Bytes after an end of file are answered 1002."""
        self.receive(TEXT, EOF_MESSAGE)
        self.receive(BINARY, b"x")
        self.assertEqual(self.sent_codes(), [1002])
        self.assertEqual(self.ear.data, b"")

    def test_ping(self) -> None:
        """A ping is answered at once with its own payload, and not passed on."""
        self.receive(PING, b"hello")
        self.assertEqual(self.sent(), [(PONG, b"hello")])
        self.assertEqual(self.ear.said, [])

    def test_pong_is_not_passed(self) -> None:
        """A pong that nobody asked for is ignored."""
        self.receive(PONG, b"x")
        self.assertEqual((self.sent(), self.ear.said), ([], []))

    def test_pings_while_unsent(self) -> None:
        """While others are unsent only the last ping is answered, once there is room: so no more than one is held."""
        self.channel.full = True
        self.connection.send([memoryview(b"x")], 1)
        for number in range(80):
            self.receive(PING, b"%d" % number)
        self.assertEqual(self.sent(), [(BINARY, b"x")])
        self.channel.drain()
        self.assertEqual(self.sent(), [(PONG, b"79")])
        self.assertEqual(self.ear.named("drained"), [("drained",)])

    def test_met_of_a_stranger(self) -> None:
        """What only a relay may say is not passed on when a leg says it to a relay."""
        self.receive(TEXT, b'{"met": {"mode": "v1", "from": "x"}}')
        self.assertEqual(self.ear.said, [])

    def test_flood_of_pings(self) -> None:
        """Pings and pongs count like control messages: one over the burst of 80 is answered 1008."""
        for opcode in (PING, PONG) * 40:
            self.receive(opcode)
        self.assertEqual(len(self.sent()), 40)
        self.receive(PONG)
        self.assertEqual(self.sent_codes(), [1008])

    def test_read_size(self) -> None:
        """Reads grow with a peer that sends bytes; one that sends little but headers is read in small pieces."""
        self.assertEqual(self.channel.read_size, FIRST_READ)
        for _ in range(6):
            self.receive(BINARY, bytes(self.channel.read_size))
        self.assertEqual(self.channel.read_size, READ)
        self.channel.receive(frame(BINARY, b"x", KEY) * 1000)
        self.assertEqual(self.channel.read_size, MOST_HEADERS * 7 // 6)
        self.receive(BINARY, bytes(READ))
        self.assertLess(self.channel.read_size, 2500)
        self.beats(1)
        self.receive(BINARY, bytes(READ))
        self.assertGreater(self.channel.read_size, 4000)
        self.receive(9, bytes(126))
        self.assertEqual((self.sent_codes(), self.channel.read_size), ([1002], MOST_HEADERS))

    def test_flood_of_control(self) -> None:
        """A burst of 80 control messages is taken, more than 16 a second on average is answered 1008."""
        for _ in range(80):
            self.receive(TEXT, b"{}")
        self.assertEqual(len(self.ear.named("control")), 80)
        self.assertEqual(self.sent_codes(), [])
        self.receive(TEXT, b"{}")
        self.assertEqual(self.sent_codes(), [1008])
        self.assertEqual(self.ear.codes, [CloseCode.LEG_LOST])

    def test_control_in_time(self) -> None:
        """After a burst, control messages are taken again at their rate."""
        for _ in range(64):
            self.receive(TEXT, b"{}")
        self.beats(1)
        for _ in range(64):
            self.receive(TEXT, b"{}")
        self.assertEqual(self.sent_codes(), [])
        self.assertEqual(len(self.ear.named("control")), 128)

    def test_failures(self) -> None:
        """Each break of the protocol is answered by its code, ends the leg, and nothing is read after it."""
        for data, code in (
            (frame(BINARY, b"", KEY, reserved=4), 1002),
            (frame(3, b"", KEY), 1002),
            (frame(CONTINUATION, b"", KEY), 1002),
            (b"\x82\xff" + struct.pack("!Q", 1 << 63) + KEY, 1002),
            (b"\x82\xff" + struct.pack("!Q", 1 << 40) + KEY, 1009),
            (b"\x81\xfe" + struct.pack("!H", 4097) + KEY, 1009),
            (frame(TEXT, b"no JSON", KEY), 1002),
            (frame(TEXT, b"\xff", KEY), 1007),
            (close_frame(1005), 1002),
            (frame(CLOSE, b"\x03", KEY), 1002),
            (close_frame(1000, b"\xff"), 1007),
        ):
            self.setUp()
            self.channel.receive(data)
            self.channel.receive(frame(BINARY, b"more", KEY))
            self.assertEqual(self.sent_codes(), [code], data)
            self.assertEqual(self.ear.codes, [CloseCode.LEG_LOST])
            self.assertEqual(self.ear.data, b"")
            self.clock.advance(FAILED_TIME)
            self.assertTrue(self.channel.aborted)
            self.lose()
            self.no_timers()

    def test_lost(self) -> None:
        """A transport that is lost tells the end once, with its reason, and leaves no timer."""
        self.connection.connection_lost("reset")
        self.assertEqual(self.ear.said, [("over", outcome(CloseCode.LEG_LOST, "reset")), ("gone",)])
        self.no_timers()

    def test_lost_before_joined(self) -> None:
        """A connection that is lost before it is joined says so when it is, and doesn't beat."""
        connection = FramedConnection(FakeChannel(), self.clock, Heartbeat(self.clock), Masking.NONE, True)
        connection.connection_lost("reset")
        late = Ear()
        connection.join(late, late)
        self.assertEqual([event[0] for event in late.said], ["over", "gone"])
        self.lose()
        self.no_timers()

    def test_joined_again(self) -> None:
        """Who joins a connection later is told everything from then on, and reading goes on."""
        self.connection.pause()
        late = Ear()
        self.connection.join(late, late)
        self.assertFalse(self.channel.paused)
        self.receive(BINARY, b"x")
        self.assertEqual((self.ear.data, late.data), (b"", b"x"))


class Closing(Case):
    """The closing handshake at the relay."""

    def test_ours(self) -> None:
        """Our close frame follows all bytes; the client's answer ends the connection once it is out."""
        self.connection.send([memoryview(b"last")], 4)
        self.connection.close(outcome(CloseCode.TARGET_REFUSED))
        self.connection.send([memoryview(b"too late")], 8)
        self.connection.send_control(b"{}")
        self.connection.close(FINISHED)
        text = EXPLAIN[CloseCode.TARGET_REFUSED].encode()
        self.assertEqual(self.sent(), [(BINARY, b"last"), (CLOSE, struct.pack("!H", 4001) + text)])
        self.assertFalse(self.channel.closed)
        self.channel.receive(close_frame(4001))
        self.assertTrue(self.channel.closed)
        self.assertEqual(self.sent(), [])
        self.lose()
        self.no_timers()

    def test_no_answer(self) -> None:
        """A client that doesn't answer our close within sixty seconds is aborted."""
        self.connection.close(FINISHED)
        for _ in range(int(CLOSE_TIME / BEAT) - 1):
            self.receive(PONG)
            self.beats(1)
        self.assertFalse(self.channel.aborted)
        self.receive(PONG)
        self.beats(1)
        self.assertTrue(self.channel.aborted)

    def test_slow_reader(self) -> None:
        """A client that was sent much has the time to read it before its answer to our close is due."""
        self.connection.send([memoryview(bytes(20 * SLOWEST))], 20 * SLOWEST)
        self.connection.close(FINISHED)
        self.clock.advance(CLOSE_TIME + 19)
        self.assertFalse(self.channel.aborted)
        self.clock.advance(1)
        self.assertTrue(self.channel.aborted)

    def test_bytes_still_come(self) -> None:
        """What the client sent before it read our close is still told; it is read though it was paused."""
        self.connection.pause()
        self.connection.close(FINISHED)
        self.assertFalse(self.channel.paused)
        self.connection.pause()
        self.assertFalse(self.channel.paused)
        self.receive(BINARY, b"x")
        self.assertEqual(self.ear.data, b"x")

    def test_theirs(self) -> None:
        """A client's close is answered by its own payload, is a clean ending, and closes the transport."""
        self.channel.receive(close_frame(1000, b"bye"))
        self.assertEqual(self.sent(), [(CLOSE, b"\x03\xe8bye")])
        self.assertTrue(self.channel.closed)
        self.assertEqual(self.ear.codes, [CloseCode.FINISHED])
        self.lose()
        self.assertEqual([event[0] for event in self.ear.said], ["over", "gone"])
        self.no_timers()

    def test_theirs_while_unsent(self) -> None:
        """A client that closes and takes nothing more is aborted after sixty seconds."""
        self.channel.full = True
        self.connection.send([memoryview(b"x")], 1)
        self.channel.receive(close_frame(1000))
        self.clock.advance(CLOSE_TIME)
        self.assertTrue(self.channel.aborted)

    def test_meaning(self) -> None:
        """What a client's code means to the other leg: its own from 4000, an end in order, or that the leg was lost."""
        for code, meant in (
            (1000, 1000),
            (1001, 1000),
            (3000, 1000),
            (4999, 1000),
            (1002, 4005),
            (1003, 4005),
            (1011, 4005),
            (4001, 4001),
            (4003, 4003),
            (4006, 4006),
        ):
            self.setUp()
            self.channel.receive(close_frame(code, b"why"))
            self.assertEqual(self.ear.codes, [meant], code)

    def test_without_a_code(self) -> None:
        """A close without a code is an end in order, answered without one."""
        self.receive(CLOSE)
        self.assertEqual(self.sent(), [(CLOSE, b"")])
        self.assertEqual(self.ear.codes, [CloseCode.FINISHED])

    def test_nothing_after_a_close(self) -> None:
        """Frames behind a client's close are not read."""
        self.channel.receive(close_frame(1000) + frame(BINARY, b"x", KEY) + frame(PING, b"", KEY))
        self.assertEqual(self.ear.data, b"")
        self.assertEqual([opcode for opcode, _ in self.sent()], [CLOSE])

    def test_no_pong_after_our_close(self) -> None:
        """After our close a ping isn't answered, as nothing may follow it."""
        self.connection.close(FINISHED)
        self.sent()
        self.receive(PING, b"x")
        self.assertEqual(self.sent(), [])


class Client(Case):
    """The side that dialled: agent and native client."""

    masking = Masking.RANDOM

    def test_masked(self) -> None:
        """Every frame is masked, by a key that isn't told in advance, and the caller's buffer stays as it was."""
        buffer = bytearray(b"hello")
        keys = set()
        for _ in range(8):
            self.connection.send([memoryview(buffer)], 5)
            data = self.channel.take()
            self.assertEqual(data[1], 0x80 | 5)
            keys.add(data[2:6])
            self.assertEqual(bytes(byte ^ data[2 + index % 4] for index, byte in enumerate(data[6:])), b"hello")
        self.assertGreater(len(keys), 6)
        self.assertEqual(buffer, b"hello")

    def test_met(self) -> None:
        """The relay's news that the client has come is passed on."""
        message = b'{"met": {"mode": "v1", "from": "x"}}'
        self.receive(TEXT, message)
        self.assertEqual(self.ear.said, [("control", message)])

    def test_hold(self) -> None:
        """A peer that has no room counts as one to which too much is unsent, until it has room again."""
        self.receive(TEXT, b'{"hold":true}')
        self.assertGreater(self.connection.unsent, HIGH)
        self.connection.drained()
        self.assertEqual(self.ear.named("drained"), [])
        self.receive(TEXT, b'{"hold":false,"resize":[80,24]}')
        self.assertEqual((self.connection.unsent, self.ear.named("drained")), (0, [("drained",)]))
        self.assertEqual(len(self.ear.named("control")), 2)

    def test_relay_closes(self) -> None:
        """After the closing handshake the relay has five seconds to close TCP, which the client leaves to it."""
        self.channel.receive(close_frame(1001, b"", b""))
        self.assertEqual([opcode for opcode, _ in self.sent()], [CLOSE])
        self.assertFalse(self.channel.closed)
        self.clock.advance(SERVER_CLOSES)
        self.assertTrue(self.channel.aborted)

    def test_relays_own_codes(self) -> None:
        """The relay's codes about ourselves are told as they are."""
        for code, meant in ((1002, 1002), (1011, 1011), (1013, 1013), (1001, 1001), (4004, 4004), (4005, 4005)):
            self.setUp()
            self.channel.receive(close_frame(code, b"why", b""))
            self.assertEqual(self.ear.codes, [meant], code)

    def test_server_that_masks(self) -> None:
        """A masked frame of a server is answered 1002."""
        self.channel.receive(frame(BINARY, b"x", KEY))
        self.assertEqual(self.sent_codes(), [1002])


class ClientOverTls(Case):
    """The side that dialled over TLS."""

    masking = Masking.ZERO

    def test_zero_key(self) -> None:
        """Over TLS frames have a mask of zero: the bit is set and the bytes are as they are."""
        self.connection.send([memoryview(b"hello")], 5)
        self.assertEqual(self.channel.take(), b"\x82\x85\0\0\0\0hello")


class Raw(Case):
    """Raw mode at the relay."""

    control = False

    def test_text_is_bytes(self) -> None:
        """Text messages are bytes of the stream like binary ones."""
        self.receive(TEXT, b'{"eof": true}')
        self.receive(BINARY, b"x")
        self.assertEqual(self.ear.said, [("bytes", b'{"eof": true}x')])

    def test_control_stops(self) -> None:
        """Control messages of the other leg stop here."""
        self.connection.send_control(b"{}")
        self.assertEqual(self.sent(), [])

    def test_eof_closes(self) -> None:
        """An end of file closes the leg with 1000 behind all bytes."""
        self.connection.send([memoryview(b"x")], 1)
        self.connection.send_eof()
        self.assertEqual(self.sent(), [(BINARY, b"x"), (CLOSE, b"\x03\xe8")])

    def test_bad_text(self) -> None:
        """Text that is not UTF-8 is answered 1007."""
        self.receive(TEXT, b"\xff")
        self.assertEqual(self.sent_codes(), [1007])


class Liveness(Case):
    """Pings, and dead peers, at the relay."""

    def pings(self) -> int:
        return [opcode for opcode, _ in self.sent()].count(PING)

    def quiet(self) -> None:
        """Up to the first beat a new connection counts as heard."""
        self.beats(1)
        self.assertEqual(self.pings(), 0)

    def test_ping_after_twenty_seconds(self) -> None:
        """A peer that is quiet for twenty seconds is pinged, and again after forty."""
        self.quiet()
        self.beats(3)
        self.assertEqual(self.pings(), 0)
        self.beats(1)
        self.assertEqual(self.pings(), 1)
        self.beats(4)
        self.assertEqual(self.pings(), 1)

    def test_dead_after_forty_five(self) -> None:
        """A peer that is quiet for forty-five seconds is lost and aborted."""
        self.quiet()
        self.beats(8)
        self.assertEqual(self.ear.said, [])
        self.beats(1)
        self.assertEqual(self.ear.codes, [CloseCode.LEG_LOST])
        self.assertTrue(self.channel.aborted)

    def test_any_bytes_count(self) -> None:
        """Whatever is heard, a pong or a part of a frame, begins the count anew."""
        self.quiet()
        self.beats(8)
        self.channel.receive(frame(PONG, b"", KEY)[:1])
        self.beats(9)
        self.assertEqual(self.ear.said, [])
        self.beats(1)
        self.assertEqual(self.ear.codes, [CloseCode.LEG_LOST])

    def test_stands_still_while_paused(self) -> None:
        """While we don't read the peer nothing is counted, but each beat pings, as its kernel must answer; then the
        count goes on."""
        self.quiet()
        self.connection.pause()
        self.beats(100)
        self.assertEqual((self.ear.said, self.pings()), ([], 100))
        self.connection.resume()
        self.beats(8)
        self.assertEqual(self.ear.said, [])
        self.beats(1)
        self.assertEqual(self.ear.codes, [CloseCode.LEG_LOST])

    def test_stands_still_while_unsent(self) -> None:
        """While bytes for the peer are unsent nothing is counted, and no ping is added to them."""
        self.quiet()
        self.channel.full = True
        self.connection.send([memoryview(b"x")], 1)
        self.beats(100)
        self.assertEqual((self.ear.said, self.pings()), ([], 0))
        self.channel.drain()
        self.beats(9)
        self.assertEqual(self.ear.codes, [CloseCode.LEG_LOST])

    def test_silent_kernel(self) -> None:
        """A peer that holds our bytes back and whose kernel is silent for forty-five seconds is dead all the same."""
        self.quiet()
        self.channel.full = True
        self.connection.send([memoryview(b"x")], 1)
        self.channel.silent_for = 44.0
        self.beats(2)
        self.assertEqual(self.ear.said, [])
        self.channel.silent_for = 45.0
        self.beats(1)
        self.assertEqual(self.ear.codes, [CloseCode.LEG_LOST])
        self.assertTrue(self.channel.aborted)

    def test_vanished_while_paused(self) -> None:
        """A peer that we don't read, and to whom nothing is unsent, is dead once its kernel has left our pings
        unanswered for forty-five seconds."""
        self.quiet()
        self.connection.pause()
        pinged = False
        for _ in range(9):
            self.beats(1)
            pinged = pinged or bool(self.pings())
            self.channel.silent_for += BEAT if pinged else 0  # as nobody acknowledges it
        self.assertEqual(self.ear.codes, [])
        self.beats(1)
        self.assertEqual(self.ear.codes, [CloseCode.LEG_LOST])
        self.assertTrue(self.channel.aborted)

    def test_answers_while_paused(self) -> None:
        """The pongs that gather while a peer isn't read, and its own pings, are no flood once it is; more are."""
        self.connection.pause()
        self.beats(1000)
        self.connection.resume()
        for _ in range(1000):
            self.receive(PONG)
            self.receive(PING)
        self.assertEqual(self.sent_codes(), [])
        for _ in range(81):
            self.receive(PONG)
        self.assertEqual(self.sent_codes(), [1008])

    def test_stuck(self) -> None:
        """A peer that has taken nothing for forty-five seconds when its stream breaks is cut at once: nobody reads why;
        one that takes a little, or whose stream ends in order, has its time."""
        for taken, why, cut in (
            (0, outcome(CloseCode.LEG_LOST), True),
            (1, outcome(CloseCode.LEG_LOST), False),
            (0, FINISHED, False),
        ):
            self.setUp()
            self.channel.full = True
            self.connection.send([memoryview(b"x" * 100)], 100)
            for _ in range(10):
                self.channel.unsent -= taken
                self.beats(1)
            self.connection.close(why)
            self.assertEqual(self.channel.aborted, cut, (taken, why))

    def test_no_ping_after_close(self) -> None:
        """After our close frame no ping follows."""
        self.connection.close(FINISHED)
        self.sent()
        self.beats(6)
        self.assertEqual(self.sent(), [])


class ClientLiveness(Case):
    """Pings of the side that dialled."""

    masking = Masking.RANDOM

    def test_pings_whatever_it_hears(self) -> None:
        """A client pings every twenty seconds, also while it is sent bytes: its relay may hear nothing else."""
        pings = 0
        for _ in range(8):
            self.receive(BINARY, b"x")
            self.beats(1)
            pings += [opcode for opcode, _ in self.sent()].count(PING)
        self.assertEqual(pings, 2)


class Pairs(SynchronousTestCase):
    """A client and a server joined in memory."""

    masking = Masking.RANDOM

    actions = st.lists(
        st.tuples(
            st.integers(0, 1),
            st.one_of(
                st.tuples(st.just("bytes"), st.binary(min_size=1, max_size=300)),
                st.tuples(
                    st.just("bytes"), st.sampled_from([65535, 65536, 70_001]).map(lambda size: b"abc" * (size // 3))
                ),
                st.tuples(st.just("control"), st.integers(0, 255)),
                st.tuples(st.just("carry"), st.integers(1, 400)),
            ),
        ),
        max_size=30,
    )

    @examples(120)
    @given(actions, st.sampled_from([Masking.RANDOM, Masking.ZERO]), st.integers(0, 1))
    def test_in_order(self, actions: list[tuple[int, tuple[str, Any]]], masking: str, closes: int) -> None:
        """Bytes and control messages arrive in order however they are cut, and a close arrives behind all of them."""
        link = Link(masking=masking)
        expected = [Ear(), Ear()]
        for side, (what, value) in actions:
            end, other = link.ends[side], expected[1 - side]
            if what == "bytes":
                end.send([memoryview(value)], len(value))
                other.received([value], len(value))
            elif what == "control":
                message = codec.encode(Control(exit=value))
                end.send_control(message)
                other.control(message)
            else:
                link.carry(side, value)
        link.ends[closes].close(FINISHED)
        link.settle()
        for side in (0, 1):
            told = [event for event in link.ears[side].said if event[0] in ("bytes", "control")]
            merged = Ear()
            for event in told:
                merged.received([event[1]], len(event[1])) if event[0] == "bytes" else merged.control(event[1])
            self.assertEqual(merged.said, expected[side].said)
            self.assertEqual(link.ears[side].codes, [CloseCode.FINISHED])
        self.assertTrue(link.gone)
        self.assertEqual(link.clock.getDelayedCalls(), [])

    @examples(60)
    @given(st.lists(st.binary(min_size=1, max_size=50), max_size=10), st.integers(1, 7))
    def test_raw(self, messages: list[bytes], step: int) -> None:
        """In raw mode all bytes arrive, a few at a time, and the end of file closes with 1000 behind them."""
        link = Link(control=False)
        for message in messages:
            link.ends[1].send([memoryview(message)], len(message))
        link.ends[1].send_eof()
        while link.channels[1].outbox:
            link.carry(1, step)
        self.assertEqual(link.ears[0].data, b"".join(messages))
        link.settle()
        self.assertEqual([ear.codes for ear in link.ears], [[CloseCode.FINISHED], [CloseCode.FINISHED]])

    def test_reason_arrives(self) -> None:
        """An ending with a code of the protocol arrives with its code and reason."""
        link = Link()
        why = Outcome(CloseCode.TARGET_REFUSED, "nothing listens there")
        link.ends[0].close(why)
        link.settle()
        self.assertEqual(link.ears[1].named("over"), [("over", why)])

    def test_both_close(self) -> None:
        """Two closes that cross end both ends once, with no timer left."""
        link = Link()
        link.ends[0].close(FINISHED)
        link.ends[1].close(FINISHED)
        link.settle()
        self.assertEqual([len(ear.named("over")) for ear in link.ears], [1, 1])
        self.assertTrue(link.gone)
        self.assertEqual(link.clock.getDelayedCalls(), [])


class AtTheEdges(Case):
    """What crosses a close, a loss or a failure."""

    def test_no_kept_pong_after_our_close(self) -> None:
        """The answer to a ping that had to wait is dropped when our close has gone out before it."""
        self.channel.full = True
        self.connection.send([memoryview(b"x")], 1)
        self.receive(PING, b"p")
        self.connection.close(FINISHED)
        self.channel.drain()
        self.assertEqual([opcode for opcode, _ in self.sent()], [BINARY, CLOSE])

    def test_nothing_after_death(self) -> None:
        """A connection that was found dead sends nothing more, leaves no timer, and tells its end once."""
        self.beats(10)
        self.sent()
        self.connection.send([memoryview(b"x")], 1)
        self.connection.send_control(b"{}")
        self.connection.close(FINISHED)
        self.beats(4)
        self.assertEqual((self.sent(), len(self.ear.named("over"))), ([], 1))
        self.lose()
        self.assertEqual([event[0] for event in self.ear.said], ["over", "gone"])
        self.no_timers()

    def test_closed_when_lost(self) -> None:
        """A connection that is closed after it was lost sends nothing and leaves no timer behind."""
        self.lose()
        self.connection.close(FINISHED)
        self.assertEqual(self.sent(), [])
        self.no_timers()

    def test_spliced_with_a_sudden_one(self) -> None:
        """A leg that is lost while spliced with a target which ends at once leaves no timer behind."""
        target = FakeConnection(sudden=True)
        ends: list[Splice] = []
        Splice(self.connection, target, ends.append).start()
        self.lose()
        self.assertEqual(len(ends), 1)
        self.no_timers()

    def test_broken_protocol_while_closing(self) -> None:
        """A peer that breaks the protocol after our close is cut after two seconds, not sixty."""
        self.connection.close(FINISHED)
        self.channel.receive(frame(BINARY, b"x"))
        self.assertEqual(self.ear.codes, [CloseCode.LEG_LOST])
        self.clock.advance(FAILED_TIME)
        self.assertTrue(self.channel.aborted)

    def test_good_bytes_before_bad(self) -> None:
        """What came whole before a broken frame is told, whether both came in one read or in two."""
        self.channel.receive(frame(BINARY, b"good", KEY) + frame(3, b"", KEY))
        self.assertEqual(self.ear.data, b"good")
        self.assertEqual(self.sent_codes(), [1002])
