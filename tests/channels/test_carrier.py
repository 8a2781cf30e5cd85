"""carrier.py, channel_end.py: many channels on one leg."""

import tracemalloc
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.channels import frames
from streamrelay.channels.carrier import BURST, LATER, MOST_UNSENT
from streamrelay.protocol.close import FINISHED, CloseCode, Outcome, outcome
from tests.channels.pair import RESET, Pair, heard
from tests.documented import CHANNEL_TIME, CHANNEL_WINDOW

READ = 192 * 1024


class Case(SynchronousTestCase):
    """A pair of carriers."""

    def setUp(self) -> None:
        self.pair = Pair()


class Lives(Case):
    """Channels from their opening to their end."""

    def test_first(self) -> None:
        """Channel 1 is open at both ends from the beginning; bytes pass both ways."""
        near, far = heard(self.pair.client.first), heard(self.pair.agent.first)
        self.pair.client.first.send([memoryview(b"up")], 2)
        self.pair.agent.first.send([memoryview(b"down")], 4)
        self.pair.settle()
        self.assertEqual((far.data, near.data), (b"up", b"down"))

    def test_one_message(self) -> None:
        """An OPEN and the bytes of the same turn leave as one message, without waiting for an answer."""
        end = self.pair.client.open()
        end.send([memoryview(b"GET /")], 5)
        self.assertEqual(self.pair.near.order, ["bytes"])
        self.pair.turn()
        self.assertEqual(self.pair.near.order, ["bytes"])
        ear = heard(self.pair.opened[0])
        self.assertEqual(ear.data, b"GET /")

    def test_burst(self) -> None:
        """Small frames of a burst leave together; data after a pause leave at once."""
        ends = [self.pair.client.open() for _ in range(5)]
        for end in ends:
            end.send([memoryview(b"x")], 1)
        self.assertEqual(self.pair.near.order, ["bytes"])
        self.pair.turn()
        self.assertEqual(self.pair.near.order, ["bytes"] * 2)
        self.pair.clock.advance(BURST)
        ends[0].send([memoryview(b"x")], 1)
        self.assertEqual(self.pair.near.order, ["bytes"] * 3)

    def test_last_end(self) -> None:
        """An END for which nobody waits, as both directions are through, leaves along with others or a little later."""
        near, far = self.pair.open()
        near.send_eof()
        far.send_eof()
        self.pair.settle()
        before = len(self.pair.near.order)
        near.close(FINISHED)
        self.pair.settle()
        self.assertEqual(len(self.pair.near.order), before)
        self.pair.clock.advance(LATER)
        self.assertEqual(len(self.pair.near.order), before + 1)
        near, far = self.pair.open()
        for end in (near, far):
            end.send_eof()
        self.pair.settle()
        near.close(FINISHED)
        self.pair.client.write(frames.window(1, 1))
        before = len(self.pair.near.order)
        self.pair.turn()
        self.assertEqual(len(self.pair.near.order), before + 1)

    def test_half_close(self) -> None:
        """An end of file goes through, the other direction goes on to its own, and then nothing is left."""
        local, target, over = self.pair.spliced()
        local.receive(b"question")
        local.feed.eof()
        self.pair.settle()
        self.assertEqual((bytes(target.sent), target.order[-1], target.closed), (b"question", "eof", None))
        target.receive(b"answer")
        target.feed.eof()
        self.pair.settle()
        self.assertEqual((bytes(local.sent), local.closed, target.closed), (b"answer", FINISHED, FINISHED))
        local.lose()
        target.lose()
        self.assertEqual([splice.outcome for splice in over], [FINISHED, FINISHED])
        self.assertEqual(set(self.pair.client.ends), {1})

    def test_resets(self) -> None:
        """A local reset and a target's reset reach the other end as such, after the bytes that came before."""
        local, target, _ = self.pair.spliced()
        local.receive(b"torso")
        local.lose(RESET)
        self.pair.settle()
        self.assertEqual((bytes(target.sent), target.closed), (b"torso", RESET))
        local, target, _ = self.pair.spliced()
        target.receive(b"torso")
        target.lose(outcome(CloseCode.TARGET_RESET))
        self.pair.settle()
        self.assertEqual((bytes(local.sent), local.closing.code), (b"torso", CloseCode.TARGET_RESET))

    def test_refused(self) -> None:
        """A channel that the agent ends before it is joined ends alone, with code and words, and is told so at once."""
        near, far = self.pair.open()
        ear = heard(near)
        why = Outcome(4001, "port 5432 on 127.0.0.1: connection refused")
        far.close(why)
        self.pair.settle()
        self.assertEqual(ear.said, [("over", why), ("gone",)])
        self.assertEqual((set(self.pair.client.ends), set(self.pair.agent.ends)), ({1}, {1}))

    def test_left_early(self) -> None:
        """Who opens a channel and resets it is noticed by the other end before that is joined, and when it is."""
        near = self.pair.client.open()
        self.pair.settle()
        far = self.pair.opened.popleft()
        left: list[Outcome] = []
        far.before = left.append
        near.close(RESET)
        self.pair.settle()
        self.assertEqual(left, [RESET])
        self.assertEqual(heard(far).said, [("over", RESET), ("gone",)])

    def test_early(self) -> None:
        """Bytes and an end of file that come before a channel is joined are told when it is, in order."""
        near = self.pair.client.open()
        near.send([memoryview(b"early")], 5)
        near.send_eof()
        self.pair.settle()
        self.assertEqual(heard(self.pair.opened.popleft()).said, [("bytes", b"early"), ("eof",)])

    def test_early_in_pieces(self) -> None:
        """Bytes that come a few at a time before a channel is joined cost little more memory than they are; kept one by
        one they would cost megabytes."""
        far = self.pair.agent.open()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for _ in range(10_000):
            far.take([memoryview(b"xy")], 2)
        self.assertLess(tracemalloc.get_traced_memory()[0], 200_000)  # with whatever else this process does
        self.assertEqual(heard(far).data, b"xy" * 10_000)

    def test_orderly_end(self) -> None:
        """An orderly end comes behind all bytes, also those that had to wait for room."""
        near, far = self.pair.open()
        ear = heard(near)
        near.pause()
        data = bytes(range(256)) * 2048
        far.send([memoryview(data)], len(data))
        far.send_eof()
        far.close(FINISHED)
        for _ in range(50):
            self.pair.settle()
            near.resume()
            near.pause()
        self.assertEqual((ear.data == data, ear.codes), (True, [1000]))
        self.assertEqual([event[0] for event in ear.said[-3:]], ["eof", "over", "gone"])

    def test_not_taken(self) -> None:
        """A channel that ends while its bytes aren't taken is cut after 60 s, and says so."""
        near, far = self.pair.open()
        ear, own = heard(near), heard(far)
        near.pause()
        far.send([memoryview(bytes(CHANNEL_WINDOW + 1))], CHANNEL_WINDOW + 1)
        far.close(FINISHED)
        self.pair.settle()
        self.pair.clock.advance(CHANNEL_TIME - 1)
        self.assertEqual(own.codes, [])
        self.pair.clock.advance(1)
        self.pair.settle()
        self.assertEqual((own.codes, ear.codes, own.said[-1]), ([1000], [CloseCode.LEG_LOST], ("gone",)))

    def test_carrier_lost(self) -> None:
        """A carrier that is lost ends all its channels with 4005; one that reached a limit ends them with that."""
        for how, code in ((FINISHED, 4005), (outcome(CloseCode.LEG_LOST), 4005), (outcome(CloseCode.IDLE), 4008)):
            pair = Pair()
            ends: list[Outcome] = []
            pair.client.on_over = ends.append
            ears = [heard(pair.client.first), heard(pair.open()[0])]
            pair.near.lose(how)
            self.assertEqual([ear.codes for ear in ears], [[code], [code]])
            self.assertEqual((ends, pair.client.ends, pair.client.has_room), ([how], {}, False))

    def test_ended(self) -> None:
        """Who ends a carrier closes its leg and all channels for that reason."""
        ear = heard(self.pair.agent.first)
        self.pair.agent.end(outcome(CloseCode.OPERATOR))
        self.assertEqual((ear.codes, self.pair.far.closing.code), ([4006], 4006))


class Faults(Case):
    """What breaks the protocol ends the stream with 1002 and words."""

    def assert_fault(self, data: bytes, words: str, code: int = CloseCode.PROTOCOL) -> None:
        pair = self.pair
        pair.near.waiting += data
        pair.settle()
        fault = pair.far.fault
        assert fault is not None, "it was taken"
        self.assertEqual(fault.code, code)
        self.assertIn(words, fault.reason)

    def test_never_open(self) -> None:
        """A frame of a channel that was never opened, or is over, is a fault."""
        self.assert_fault(frames.header(frames.EOF, 2), "channel 2, which isn't open")
        self.pair = Pair()
        _, far = self.pair.open()
        far.close(FINISHED)
        self.pair.settle()
        self.assert_fault(frames.header(frames.EOF, 2), "channel 2, which isn't open")

    def test_numbers(self) -> None:
        """Numbers grow by one, and only the client opens."""
        for number in (0, 1, 3):
            self.pair = Pair()
            self.assert_fault(frames.header(frames.OPEN, number), f"channel {number} was opened after channel 1")
        pair = Pair()
        pair.far.waiting += frames.header(frames.OPEN, 2)
        pair.settle()
        assert pair.near.fault is not None
        self.assertIn("only the client", pair.near.fault.reason)

    def test_too_many(self) -> None:
        """One channel more than may be open at once is a fault; those count that have ended one way only."""
        self.pair = Pair(most=3)
        self.pair.open()
        self.pair.open()
        self.assertFalse(self.pair.client.has_room)
        self.assert_fault(frames.header(frames.OPEN, 4), "more than 3")

    def test_window(self) -> None:
        """A byte over a channel's window is a fault, whether it is joined or not."""
        for joined in (True, False):
            self.pair = Pair()
            if joined:
                heard(self.pair.agent.first)
                self.pair.agent.first.pause()
            data = memoryview(bytes(CHANNEL_WINDOW + 1))
            self.assert_fault(b"".join(frames.data_frames(1, [data], len(data))), "than its window")

    def test_after_the_end(self) -> None:
        """Bytes after an end of file or an END, second ends and windows after one are faults."""
        eof, end = frames.header(frames.EOF, 1), frames.end(1, FINISHED)
        data, window = frames.header(frames.DATA, 1, 1) + b"x", frames.window(1, 5)
        for first, then in ((eof, data), (eof, eof), (end, data), (end, eof), (end, end), (end, window)):
            self.pair = Pair()
            self.pair.agent.first.join(FakeFeed, FakeFeed)
            self.assert_fault(first + then, "channel 1")

    def test_too_much_credit(self) -> None:
        """A window of over 2 GiB is a fault."""
        self.assert_fault(frames.window(1, 2**31), "window")

    def test_flood(self) -> None:
        """Who has us answer again and again and reads no answer is cut off with 1008, before that takes memory."""
        pair = self.pair
        pair.far.room = 0
        number = 2
        while pair.far.fault is None and number < 100_000:
            for number in range(number, number + 500):  # noqa: B020
                pair.near.waiting += frames.header(frames.OPEN, number) + frames.end(number, FINISHED)
            number += 1
            pair.settle()
            pair.opened.clear()
        assert pair.far.fault is not None, "it was never cut off"
        self.assertEqual(pair.far.fault.code, CloseCode.FLOODING)
        self.assertLess(pair.far.most, MOST_UNSENT + READ)

    def test_tiny_frames(self) -> None:
        """Headers are told to the leg, which reads less at once of who sends little else."""
        heard(self.pair.agent.first)
        self.pair.near.waiting += (frames.header(frames.DATA, 1, 1) + b"x") * 1000
        self.pair.settle()
        self.assertEqual(self.pair.far.headers, 8000)


class FakeFeedClass:
    """A feed and a drain that ignore everything."""

    def __getattr__(self, name: str) -> Any:
        return lambda *values: None


FakeFeed: Any = FakeFeedClass()
