"""carrier.py, channel_end.py: random lives of channels."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.channels.carrier import LATER
from streamrelay.datapath.splice import Splice
from streamrelay.protocol.close import FINISHED, CloseCode, outcome
from tests.channels.pair import RESET, Pair, heard
from tests.examples import examples
from tests.fakes.connections import FakeConnection

READ = 192 * 1024


steps = st.tuples(
    st.integers(0, 3),
    st.one_of(
        st.tuples(st.sampled_from(["up", "down"]), st.sampled_from([1, 100, 5000, 70_000, READ])),
        st.sampled_from([("slow",), ("drain",), ("eof up",), ("eof down",), ("turn",), ("reset",), ("operator",)]),
    ),
)


class Channel:
    """One channel between two fakes, and what went in."""

    def __init__(self, pair: Pair) -> None:
        self.near = pair.client.open()
        pair.settle()
        self.local, self.target, self.over = FakeConnection(), FakeConnection(), list[Any]()
        self.splices = [Splice(self.local, self.near, self.over.append)]
        self.splices.append(Splice(pair.opened.popleft(), self.target, self.over.append))
        for splice in self.splices:
            splice.start()
        self.given = {"up": bytearray(), "down": bytearray()}
        self.eof = {"up": False, "down": False}

    def ends(self, way: str) -> tuple[FakeConnection, FakeConnection]:
        return (self.local, self.target) if way == "up" else (self.target, self.local)

    def write(self, way: str, size: int) -> None:
        source, _ = self.ends(way)
        if not source.paused and not self.eof[way] and source.closed is None and not source.over:
            data = (bytes(range(251)) * (size // 251 + 2))[len(self.given[way]) % 251 :][:size]
            self.given[way] += data
            source.receive(data)

    def finish(self, way: str) -> None:
        source, _ = self.ends(way)
        if not self.eof[way] and source.closed is None and not source.over:
            self.eof[way] = True
            source.feed.eof()


class Histories(SynchronousTestCase):
    """Random lives of some channels on one leg."""

    @examples(120)
    @given(st.lists(steps, max_size=40), st.sampled_from([50_000, 1 << 20]), st.booleans())
    def test_any(self, history: list[tuple[int, tuple[Any, ...]]], room: int, lost: bool) -> None:
        """Bytes out are a prefix of bytes in, and all where the channel ended in order; nothing is left in the end."""
        pair = Pair(room=room)
        for end in (pair.client.first, pair.agent.first):
            heard(end)
        pair.client.first.close(FINISHED)
        channels = [Channel(pair) for _ in range(4)]
        torn: set[int] = set()
        for index, (step, *size) in history:
            channel = channels[index]
            if step in ("up", "down"):
                channel.write(step, *size)
            elif step == "slow":
                channel.local.slow = channel.target.slow = True
            elif step == "drain":
                channel.local.drain()
                channel.target.drain()
            elif step.startswith("eof"):
                channel.finish(step.removeprefix("eof "))
            elif step == "reset" and channel.local.closed is None and not channel.local.over:
                torn.add(index)
                channel.local.lose(RESET)
            elif step == "operator" and channel.splices[1].outcome is None:
                torn.add(index)
                channel.splices[1].end(outcome(CloseCode.OPERATOR))
            pair.turn(30_000)
            self.check(channels)
        if lost:
            pair.near.lose(outcome(CloseCode.LEG_LOST))
            pair.far.lose(outcome(CloseCode.LEG_LOST))
        for _ in range(200):
            pair.settle()
            pair.clock.advance(LATER)
            for channel in channels:
                channel.finish("up")
                channel.finish("down")
                channel.local.drain()
                channel.target.drain()
        self.check(channels)
        for index, channel in enumerate(channels):
            if index not in torn and not lost:
                self.assertEqual(bytes(channel.target.sent), bytes(channel.given["up"]))
                self.assertEqual(bytes(channel.local.sent), bytes(channel.given["down"]))
            for connection in (channel.local, channel.target):
                if not connection.lost:
                    connection.lose()
            self.assertEqual(len(channel.over), 2)
        self.assertEqual((pair.client.ends, pair.agent.ends), ({}, {}))
        self.assertEqual((pair.near.fault, pair.far.fault), (None, None))
        self.assertEqual(pair.clock.getDelayedCalls(), [])

    def check(self, channels: list[Channel]) -> None:
        for channel in channels:
            for way in ("up", "down"):
                _, sink = channel.ends(way)
                self.assertTrue(bytes(channel.given[way]).startswith(bytes(sink.sent + sink.queue)))
