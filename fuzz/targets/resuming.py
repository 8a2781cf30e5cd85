"""A `ResumableConnection` between a peer that says anything, by legs that come and go, and an owner that does anything.

What goes out by a leg is what the owner has said, from the leg's position on; what the owner hears is what has come, in
order, one end, and nothing after it; nothing is confirmed that hasn't come; what is held is bounded; and in the end
nothing is left.
"""

from collections.abc import Sequence
from typing import Final

from attrs import define, field

from fuzz.choices import Choices
from streamrelay.errors import PeerError
from streamrelay.protocol import codec
from streamrelay.protocol.close import FINISHED, CloseCode, Outcome, outcome
from streamrelay.protocol.control import FIN_MESSAGE, StreamEnd, Word, decode_word
from streamrelay.resume.connection import ResumableConnection
from streamrelay.resume.outgoing import OVERHEAD, OutOfReach
from streamrelay.resume.presence import Presence
from tests.fakes.connections import Ear, FakeConnection, Turns

LONGEST: Final = 600
"""Bytes of an input: as much as says something new in little time."""
WINDOW: Final = 1000

SEEDS: Final = [
    b"\0\0\1\5hello\2\0\6\3abc\3\1\1\4\0\1\2hi\2\0\7\1\x08\0",
    b"\1\1\1\1a\2\1\2\2\2\3\2\4\2\5\6\4wxyz\5\4\1\0\7\2\7\3",
    b"\0\1\2\7\2\4\1\1x\3\0\4\2\4\1\7\4\x08\1\x08\2",
    b"\1\0\6\xff\6\xff\6\xff\6\xff\7\3\2\6\5\5\7\2\2\7",
]
WORDS: Final = [b'{"ack":1}', b'{"fin":true}', b'{"end":{"code":1000}}', b'{"ping":7}', b'{"pong":7}', b'{"exit":3}']

_SAID: Final = (
    *('{"ack":AT}', '{"ack":3}', '{"fin":true}', '{"end":{"code":1000}}', '{"end":{"code":4006,"reason":"x"}}', "{}"),
    *('{"ping":7}', '{"pong":1}', '{"exit":3}', '{"eof":true}', '{"hold":true}', '{"ack":-1}', '{"end":{"code":1}}'),
)
_MINE: Final = (b'{"exit":3}', b'{"resize":[80,24]}', b'{"hold":true}', b"{}")
_ENDS: Final = (FINISHED, outcome(CloseCode.OPERATOR), outcome(CloseCode.LEG_LOST))
_LOST: Final = (outcome(CloseCode.LEG_LOST), outcome(CloseCode.MOVED), outcome(CloseCode.QUOTA), FINISHED)
_TIMES: Final = (0, 0.002, 1, 10, 60)

Tape = list[int | bytes]
"""What was said, one item for each position: a byte, or a control message."""


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    Play(choices.flag(), choices.flag()).play(choices)


@define(eq=False)
class Leg(FakeConnection):
    """A leg, and what it has brought to the other end."""

    begin: int = 0
    """Position at which it goes on."""
    tape: Tape = field(factory=list)

    def send(self, data: Sequence[bytes | memoryview], size: int) -> None:
        super().send(data, size)
        self.tape.extend(b"".join(data))

    def send_control(self, message: bytes) -> None:
        super().send_control(message)
        if decode_word(message).counts:
            self.tape.append(bytes(message))


class Play:
    """One stream's life at one end."""

    def __init__(self, asks: bool, begun: bool) -> None:
        self.clock, self.ear, self.legs = Turns(), Ear(), list[Leg]()
        self.said: Tape = []
        self.came: Tape = []
        presence = Presence(self.clock) if asks else None
        self.connection = ResumableConnection(self.clock, lambda why: None, WINDOW, presence=presence)
        if begun:
            self.legs.append(Leg())
            self.connection.first = self.legs[0]
        self.connection.join(self.ear, self.ear)

    def play(self, choices: Choices) -> None:
        moves = self.attach, self.hear, self.hear, self.lose, self.say, self.act, self.say, self.go_on
        while choices:
            moves[choices.number(8)](choices)
            self.look()
        self.connection.give_up(outcome(CloseCode.LEG_LOST))
        for leg in self.legs:
            leg.lose(outcome(CloseCode.LEG_LOST))
        self.look()
        assert not [call for call in self.clock.getDelayedCalls() if call.active()]
        assert self.connection.memory.kept == 0, self.connection.memory
        told = [event[0] for event in self.ear.said if event[0] != "drained"]
        assert told[-2:] == ["over", "gone"] and len(self.ear.codes) == 1, told

    # -- what happens ------------------------------------------------------------------------------------------------

    def attach(self, choices: Choices) -> None:
        outgoing = self.connection.outgoing
        place = choices.pick((outgoing.confirmed, outgoing.reached, outgoing.sent, choices.number(WINDOW)))
        leg = Leg(begin=place, slow=choices.flag())
        try:
            self.connection.attach(leg, place)
        except OutOfReach:
            return
        self.legs.append(leg)

    def hear(self, choices: Choices) -> None:
        """Something comes by a leg, the last one or an older one, which a leg that is gone or paused doesn't read."""
        if (leg := self.leg(choices)) is None or leg.paused or leg.over:
            return
        counts = self.connection.attached is not None and self.connection.attached.leg is leg
        data = choices.block()
        try:
            if choices.flag():
                said = choices.pick(_SAID).replace("AT", str(self.connection.outgoing.sent)).encode()
                self.said_to(leg, data if choices.number(8) == 7 else said, counts)
            else:
                self.came.extend(data if counts else b"")
                leg.receive(data)
        except PeerError as error:
            leg.end(outcome(CloseCode.LEG_LOST, error.reason))

    def said_to(self, leg: Leg, message: bytes, counts: bool) -> None:
        try:
            if counts and decode_word(message).counts:
                self.came.append(message)
        finally:
            leg.feed.control(message)

    def lose(self, choices: Choices) -> None:
        if (leg := self.leg(choices)) is not None:
            (leg.end if choices.flag() else leg.lose)(choices.pick(_LOST))

    def say(self, choices: Choices) -> None:
        is_open = self.connection.outcome is None
        if choices.flag():
            message = choices.pick(_MINE)
            self.said.extend([message] if is_open and decode_word(message).counts else [])
            self.connection.send_control(message)
        else:
            data = choices.block()
            self.said.extend(data if is_open else b"")
            self.connection.send([memoryview(bytearray(data))], len(data))

    def act(self, choices: Choices) -> None:
        connection, what = self.connection, choices.number(6)
        if what < 2:
            (connection.pause, connection.resume)[what]()
        elif what == 2:
            self.said.extend([FIN_MESSAGE] if connection.outcome is None else [])
            connection.send_eof()
        elif what == 3:
            connection.detach()
        elif what == 4:
            self.close(choices.pick(_ENDS))
        else:
            connection.abort()

    def close(self, how: Outcome) -> None:
        """End it; that is said to the other end, unless it is over, or at once."""
        position = self.connection.outgoing.end
        self.connection.close(how)
        if self.connection.outgoing.end > position:
            self.said.append(codec.encode(Word(end=StreamEnd(how.code, how.reason))))

    def go_on(self, choices: Choices) -> None:
        """Time passes, and legs have room."""
        for leg in self.legs:
            if leg.joined is not None:
                leg.drain()
        self.clock.advance(choices.pick(_TIMES))

    def leg(self, choices: Choices) -> Leg | None:
        """One that is there, most often the last one."""
        legs = [leg for leg in self.legs if leg.joined is not None]
        return legs[-1 - choices.pick((0, 0, 0, 1, 2)) % len(legs)] if legs else None

    # -- what must hold ----------------------------------------------------------------------------------------------

    def look(self) -> None:
        for leg in self.legs:
            end = leg.begin + len(leg.tape)
            assert leg.tape == self.said[leg.begin : end], (leg.begin, leg.tape, self.said)
            for message in leg.controls:
                assert type(ack := decode_word(message).ack) is not int or ack <= len(self.came), (ack, self.came)
        heard = self.heard()
        assert heard == self.came[: len(heard)], (heard, self.came)
        assert self.connection.incoming._weight <= 2 * WINDOW + 255 + OVERHEAD
        told = [event[0] for event in self.ear.said if event[0] != "drained"]
        assert not set(told[told.index("over") + 1 :]) - {"gone"} if "over" in told else True, told

    def heard(self) -> Tape:
        """What the owner was told, and in it what it can't tell apart."""
        heard: Tape = []
        for name, *about in self.ear.said:
            if name == "bytes":
                heard.extend(about[0])
            elif name in ("control", "eof"):
                heard.append(about[0] if about else FIN_MESSAGE)
        return heard
