"""`FramedConnection` between a peer that sends anything and an owner that does anything, at any time.

What it sends is good frames by wsproto's reading, the close the last of them; what its owner hears is one end and
nothing after it; answers are no more than what was asked; and nothing is left once the connection is lost.
"""

from typing import Final

from twisted.internet.task import Clock
from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed

from fuzz.choices import Choices
from fuzz.targets.frames import build
from streamrelay.datapath.heartbeat import BEAT, Heartbeat
from streamrelay.protocol import codec
from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.protocol.control import CONTROL_BURST, CONTROL_RATE, MAX_CONTROL, Control, decode_control, decode_ping
from streamrelay.websocket.connection import FramedConnection
from streamrelay.websocket.frame_writer import Masking
from streamrelay.websocket.watched import WatchedConnection
from tests.fakes.channels import FakeChannel
from tests.fakes.connections import Ear
from tests.fakes.frames import frame

LONGEST: Final = 600
"""Bytes of an input: as much as says something new in little time."""

SEEDS: Final = [
    b"\0\1\0\x0b\x82\x85\1\2\3\4hello\1\x0b\x89\x85\1\2\3\4hello\x09",
    b'\1\1\2\3\1\0\x13\x81\x8c\0\0\0\0{"eof":true}\x04\x05abcde\x07\x08\x0a',
    b"\2\1\4\4\3\2hi\2\5\6\7\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a",
    b"\0\0\1\x0d\2\1\5\1\2\3\4hello\x08\3\x0b\2\1\2\3\4\x03\xe8\x0a",
    b"\0\1\3\x89\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a",
    b"\2\1\x0c\x05\x0d",
    b"\2\1\x0c\x56\x0d\x0a\x0c\x10",
    b"\3\1\1\x0c\x05\5\x0c\x09\5\3\4hello\x07\x0a\x0b\x0a",
]
WORDS: Final = [
    *(b"\x82\x80\0\0\0\0", b"\x89\x80\0\0\0\0", b"\x88\x82\0\0\0\0\x03\xe8", b"\x81\x8c\0\0\0\0", b'{"eof":true}'),
    *(b'{"met":{"mode":"raw"}}', b'{"resize":[80,24]}', b"\x88\x00", b"\x89\x00", b"\x82\x00"),
    b'{"ping":7}',
]

_KINDS: Final = (
    *((FramedConnection, masking) for masking in (Masking.NONE, Masking.ZERO, Masking.RANDOM)),
    (WatchedConnection, Masking.NONE),
)
_CONTROLS: Final = (b'{"met":{"mode":"raw"}}', b'{"resize":[80,24]}', b"{}", b'{"exit":3}', b'{"eof":1}', b'{"ping":7}')


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    Play(*choices.pick(_KINDS), choices.flag()).play(choices)


class Play:
    """One connection's life."""

    def __init__(self, kind: type[FramedConnection], masking: str, control: bool) -> None:
        self.watched = kind is WatchedConnection
        control = control or self.watched
        self.clock, self.channel, self.ear = Clock(), FakeChannel(), Ear()
        self.heartbeat = Heartbeat(self.clock)
        self.connection = kind(self.channel, self.clock, self.heartbeat, masking, control)
        self.served = masking == Masking.NONE
        self.control = control
        self.received = self.beats = 0

    def play(self, choices: Choices) -> None:
        steps = (
            lambda: self.receive(choices.block()),
            lambda: self.receive(b"".join(build(Choices(choices.block()), self.served))),
            lambda: self.receive(frame(9, choices.take(4), b"\1\2\3\4" if self.served else b"")),
            self.fill,
            lambda: self.send(choices.block()),
            lambda: self.connection.send_control(codec.encode(Control(resize=(80, 24)))),
            self.connection.send_eof,
            self.connection.pause,
            self.connection.resume,
            lambda: self.connection.close(outcome(choices.pick(list(CloseCode)), choices.text())),
            self.beat,
            self.drain,
            lambda: self.talk(choices.number(100), choices.pick(_CONTROLS)),
            self.connection.abort,
        )
        for _ in range(choices.number(3)):  # before anybody has joined it
            self.beat()
        self.connection.join(self.ear, self.ear)
        while choices:
            choices.pick(steps)()
        self.connection.connection_lost("reset")
        self.check()

    def receive(self, sent: bytes) -> None:
        if not (self.channel.paused or self.channel.closed or self.channel.aborted):
            self.received += len(sent)
            self.channel.receive(sent)

    def talk(self, times: int, message: bytes) -> None:
        """Many control messages at once."""
        self.receive(frame(1, message, b"\0\0\0\0" if self.served else b"") * times)

    def fill(self) -> None:
        self.channel.full = True

    def drain(self) -> None:
        self.channel.drain()

    def beat(self) -> None:
        self.beats += 1
        self.clock.advance(BEAT)

    def send(self, content: bytes) -> None:
        if content:
            self.connection.send([memoryview(content)], len(content))

    def check(self) -> None:
        self.check_sent()
        said = [event[0] for event in self.ear.said]
        assert said.count("over") == 1 and said.count("gone") == 1 and said[-1] == "gone", said
        after = set(said[said.index("over") + 1 :])
        assert after <= {"drained", "gone"}, said
        for _, why in self.ear.named("over"):
            assert why.reason.isprintable() and len(why.reason) <= 300, why
        assert said.count("eof") <= 1 and (self.control or "eof" not in said), said
        if "eof" in said:
            assert "bytes" not in said[said.index("eof") :], said
        assert len(self.ear.data) <= self.received
        messages = self.ear.named("control")
        assert len(messages) <= CONTROL_BURST + self.beats * BEAT * CONTROL_RATE, "a flood came through"
        for _, message in messages:
            assert self.control and len(message) <= MAX_CONTROL
            assert not self.served or decode_control(message).met is None, "a client has met itself"
            assert not self.watched or decode_ping(message) is None, "a ping went further than to the relay"
        left = (self.heartbeat.members, self.clock.getDelayedCalls())
        assert not any(left), f"something is left: {left}"

    def check_sent(self) -> None:
        """By the reading of another."""
        sent = bytes(self.channel.sent)
        reader = FrameProtocol(client=self.served, extensions=[])
        reader.receive_bytes(sent)
        try:
            opcodes = [event.opcode for event in reader.received_frames() if event.frame_finished]
        except ParseFailed as failed:  # the peer's own 1014, which is registered, but wsproto doesn't know it
            assert "unknown reserved code" in str(failed)
            return
        assert not reader._frame_decoder.buffer, "something stands behind the close"
        assert opcodes.count(Opcode.PONG) * (6 if self.served else 2) <= self.received, "a pong that nobody asked for"
        assert opcodes.count(Opcode.PING) <= self.beats
        assert Opcode.TEXT not in opcodes or self.control
