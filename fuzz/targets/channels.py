"""A `Carrier` between a peer that sends anything and owners of channels that do anything.

What it sends is good frames to a reader of our own, and keeps to the windows; each channel hears one end and nothing
after it; what is kept is bounded; however the bytes are split, they mean the same; and nothing is left in the end.
"""

from collections.abc import Iterator
from typing import Final

from fuzz.choices import Choices
from streamrelay.channels import frames
from streamrelay.channels.carrier import Carrier
from streamrelay.channels.channel_end import ChannelEnd
from streamrelay.channels.window import START
from streamrelay.errors import PeerError
from streamrelay.protocol.close import FINISHED, CloseCode, outcome
from tests.fakes.connections import Ear, FakeConnection, Turns

LONGEST: Final = 600
"""Bytes of an input: as much as says something new in little time."""
MOST: Final = 5

SEEDS: Final = [
    b"\1\1\2\2\5hello\2\3\1\0\3\1\5\4\2\1\6",
    b"\0\1\1\1\1\2\3\3\3\4\1\3\2\5\1\2\2\2\7abcdefg\4\5\6",
    b"\1\0\2\0\2\0\2\0\2\0\2\0\2\0\7\7\7\7\5\5\5\5",
    b"\0\6\5\1\2\3\4\5\1\6\4\4\4\4\4\6\6",
]
WORDS: Final = [frames.header(kind, number) for kind in (1, 3) for number in (1, 2)] + [
    frames.window(1, 5),
    frames.window(2, 1 << 31),
    frames.end(1, FINISHED),
    frames.header(frames.DATA, 1, 1) + b"x",
]


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    Play(agent=choices.flag()).play(choices)


class Play:
    """One carrier's life."""

    def __init__(self, agent: bool) -> None:
        self.clock, self.leg, self.ears = Turns(), FakeConnection(), dict[int, Ear]()
        self.ends: list[ChannelEnd] = []
        self.carrier = Carrier(self.leg, self.clock, MOST, self.opened if agent else None)
        self.carrier.join()
        self.opened(self.carrier.first)
        self.opens = 1
        self.reader = frames.ChannelFrameReader()
        self.allowed: dict[int, int] = {}

    def opened(self, end: ChannelEnd) -> None:
        self.ends.append(end)

    def play(self, choices: Choices) -> None:
        while choices and self.carrier.outcome is None:
            what = choices.number(8)
            if what < 4:
                self.hear(b"".join(self.built(choices)) if what else choices.block(), choices)
            else:
                self.act(choices, what)
            self.look()
        self.leg.drain()
        self.leg.lose(outcome(CloseCode.LEG_LOST))
        assert not self.carrier.ends and not [call for call in self.clock.getDelayedCalls() if call.active()]
        for end in self.ends:
            ear = self.joined(end)
            assert [event[0] for event in ear.said][-2:] == ["over", "gone"] and len(ear.codes) == 1, ear.said

    def built(self, choices: Choices) -> Iterator[bytes]:
        """A frame that is nearly good."""
        number = choices.pick((1, 2, 3, self.opens + 1, 0))
        kind = choices.number(7)
        if kind == frames.OPEN:
            self.opens = number = self.opens + 1
            yield frames.header(kind, number)
        elif kind == frames.DATA:
            data = memoryview(choices.block() or b"x" * 40_000)
            self.allowed[number] = self.allowed.get(number, 0)
            yield b"".join(frames.data_frames(number, [data], len(data)))
        elif kind == frames.END:
            yield frames.end(number, outcome(choices.pick((CloseCode.FINISHED, CloseCode.LEG_LOST))))
        elif kind == frames.WINDOW:
            yield frames.window(number, choices.number(65536) + 1)
        else:
            yield frames.header(kind, number)

    def hear(self, data: bytes, choices: Choices) -> None:
        for piece in choices.pieces(data):
            if self.carrier.outcome is not None or not piece:
                return
            try:
                self.leg.receive(piece)
            except PeerError as error:
                self.leg.end(outcome(CloseCode.LEG_LOST, error.reason))

    def act(self, choices: Choices, what: int) -> None:
        end = self.ends[choices.number(len(self.ends))]
        if what == 4:
            self.joined(end)
            data = memoryview(choices.block() * choices.pick((1, 500)))
            end.send([data], len(data))
        elif what == 5:
            choices.pick((end.pause, end.resume, end.send_eof, end.abort))()
        elif what == 6:
            end.close(choices.pick((FINISHED, outcome(CloseCode.OPERATOR))))
        else:
            self.leg.slow = choices.flag()
            if self.carrier.opened is None and self.carrier.has_room:
                self.opened(self.carrier.open())
            self.leg.drain()
            self.clock.advance(0)

    def joined(self, end: ChannelEnd) -> Ear:
        if end.number not in self.ears:
            self.ears[end.number] = Ear()
            end.join(self.ears[end.number], self.ears[end.number])
        return self.ears[end.number]

    def look(self) -> None:
        """Read what was sent, to the letter."""
        sent, self.leg.sent = bytes(self.leg.sent), bytearray()
        for kind, _, payload in self.reader.feed(memoryview(sent)):
            if kind == frames.END:
                frames.outcome_of(payload)
            elif kind == frames.WINDOW:
                frames.credit_of(payload)
        assert len(self.carrier.ends) <= MOST
        assert self.carrier._reader.holds < frames.HEADER + 125
        for end in self.carrier.ends.values():
            assert len(end._early) <= START
