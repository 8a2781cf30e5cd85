"""Attacks by streams that resume: positions, numbers and words that are none, streams of others, endless requests."""

import contextlib
import socket
import threading

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.live.attacks.attack import AttackTest, frame
from tests.live.attacks.resuming_stream import ResumingStream
from tests.live.support.sockets import MIB, take
from tests.live.support.waiting import WAIT, Work, until
from tests.live.support.websockets import close_code

ASKED = 200
"""Requests to resume one stream."""
AT_ONCE = 8
FLOOD = 1.0
"""Seconds of a flood."""
BOUND = 24.0
"""MiB by which the agent may grow: 4 MiB each way, twice that of who keeps to nothing, and what Python keeps of it."""

Words = tuple[str | bytes, ...]

FAULTS: dict[str, tuple[Words, int]] = {
    "a position that was never sent": (('{"ack":1}',), 4005),
    "a negative position": (('{"ack":-1}',), 4005),
    "a huge position": (('{"ack":9223372036854775808}',), 4005),
    "half a position": (('{"ack":1.5}',), 4005),
    "a position in words": (('{"ack":"1"}',), 4005),
    "no position": (('{"ack":null}',), 4005),
    "a number beyond numbers": (('{"ack":1e400}',), 4005),
    "an ack with a fault behind": (('{"ack":0,"ack":5}',), 4005),
    "an eof": (('{"eof":true}',), 4005),
    "two fins": (('{"fin":true}', '{"fin":true}'), 4005),
    "bytes behind a fin": (('{"fin":true}', b"x"), 4005),
    "a fin that is none": (('{"fin":1}',), 4005),
    "an end that is none": (('{"end":1}',), 4005),
    "an end of nothing": (('{"end":null}',), 4005),
    "an end without a code": (('{"end":{}}',), 4005),
    "an end with a code that can't be sent": (('{"end":{"code":1006}}',), 4005),
    "an end with a novel": (('{"end":{"code":1000,"reason":"' + 201 * "x" + '"}}',), 4005),
    "a list": (("[]",), 1002),
    "half an object": (("{",), 1002),
    "acks without end": (('{"ack":0}',) * 500, 1008),
    "pings without end": (('{"ping":1}',) * 500, 1008),
}
"""Words, and the code by which the client's leg is closed: 4005 by the agent, which ends the stream; else by the relay,
and then that goes on by another leg."""

HARMLESS: dict[str, Words] = {
    "words of a leg": ('{"pong":1}', '{"met":{"mode":"v1","from":"x"}}', '{"hold":true}', '{"hold":false}'),
    "an ack with other words, which don't count": ('{"ack":0,"fin":true,"end":{"code":1000}}',),
    "pings that are none": ('{"ping":0}', '{"ping":"x"}', '{"ping":1.5}', '{"ping":null}', '{"ping":9007199254740992}'),
    "a hold with other words": ('{"hold":false,"fin":true}',),
}

ENDS: dict[str, Words] = {
    "an end with a code of its own and a reason of two lines": ('{"end":{"code":4999,"reason":"a\\nb\\u001b[31m"}}',),
    "two ends": ('{"end":{"code":1000}}', '{"end":{"code":4000}}', b"late"),
    "a fin and an end in one": ('{"fin":true,"end":{"code":1000}}',),
}

REQUESTS: dict[str, tuple[dict[str, object], int]] = {
    "a negative position": ({"received": -1}, 400),
    "a position beyond numbers": ({"received": 2**63}, 400),
    "half a position": ({"received": 1.5}, 400),
    "no position": ({"received": None}, 400),
    "no number": ({"try": 0}, 400),
    "a number beyond numbers": ({"try": 2**53}, 400),
    "more than is asked": ({"more": 1}, 400),
    "another host": ({"host": "other-1"}, 503),
    "another target": ({"target": "port/1"}, 410),
    "a target that isn't there": ({"target": "none"}, 410),
    "to look only": ({"view": True}, 410),
}
"""What is asked in place of what an honest client asks, and the answer's status. The stream goes on as it was."""


class Resuming(AttackTest):
    """Who may open a stream is its other end, and may ask for it again and again."""

    def tearDown(self) -> None:
        for program in self.common.programs:
            self.assertNotIn("Traceback", program.log, program.name)
        super().tearDown()

    def said(self, stream: ResumingStream, words: Words) -> ClientConnection:
        leg = stream.begin()
        with contextlib.suppress(ConnectionClosed):
            for each in words:
                leg.send(each)
        return leg

    def test_words(self) -> None:
        """Each fault closes that leg with words of it, and ends the stream if its other end is told of it."""
        for what, (words, code) in FAULTS.items():
            stream = ResumingStream(self)
            leg = self.said(stream, words)
            self.assertEqual(close_code(leg, WAIT), code, what)
            self.assertTrue(leg.close_reason, what)
            if code == 4005:
                stream.over()
            else:
                stream.lives()

    def test_harmless(self) -> None:
        """What stands beside a word that counts nothing has no effect."""
        for words in HARMLESS.values():
            stream = ResumingStream(self)
            leg = self.said(stream, words)
            leg.send(b"up")
            self.assertEqual(take(stream.target, 2), b"up")
            stream.down(leg)

    def test_ends(self) -> None:
        """An end is the end, once, and in one line whatever is in it."""
        for words in ENDS.values():
            stream = ResumingStream(self)
            self.assertEqual(close_code(self.said(stream, words), WAIT), 1000)
            stream.over()
        self.assertNotIn("\x1b[31m", self.common.agent.log)

    def test_requests(self) -> None:
        """Each request that isn't for this very stream is refused, and does nothing to it."""
        stream = ResumingStream(self)
        leg = stream.begin()
        for what, (instead, status) in REQUESTS.items():
            self.assertEqual(stream.ask(instead=instead).status, status, what)
        self.assertEqual(stream.ask(key=self.common.weak_key).status, 410)  # of another user, who may open this target
        for name, status in (("x", 404), ("x" * 22, 410), (f"{stream.stream}.1", 404), ("a" * 300, 404)):
            path = f"/v1/streams/{name}/resume"
            self.assertEqual(self.common.ask("POST", path, {**stream.about, "received": 0, "try": 1}).status, status)
        leg.send(b"up")
        self.assertEqual(take(stream.target, 2), b"up")
        stream.attempt = 100
        stream.lives()
        self.assertEqual(stream.ask(instead={"try": 50}).status, 409)
        self.assertEqual(stream.ask(5000).status, 410)
        stream.over()

    def test_without_end(self) -> None:
        """However often one stream is asked for, its host and the relay have one leg of it."""
        stream = ResumingStream(self)
        stream.begin()
        programs = (self.common.agent, self.common.relay)
        before = [len(program.descriptors()) for program in programs]
        counted, lock = iter(range(1, ASKED + 1)), threading.Lock()
        statuses: set[int] = set()

        def ask() -> None:
            while True:
                with lock:
                    attempt = next(counted, None)
                if attempt is None:
                    return
                statuses.add(stream.ask(instead={"try": attempt}).status)

        for work in [Work(ask) for _ in range(AT_ONCE)]:
            work.result(4 * WAIT)
        self.assertLessEqual(statuses, {201, 409})
        for program, old in zip(programs, before, strict=True):
            until(lambda p=program, o=old: len(p.descriptors()) < o + AT_ONCE, what=f"legs closed by {program.name}")
        stream.attempt = ASKED
        stream.lives()

    def test_deaf(self) -> None:
        """A client that reads and confirms nothing, and comes back for all of it again and again, is kept a window."""
        with self.memory(self.common.agent, most=BOUND):
            stream = ResumingStream(self)
            leg = stream.begin()
            flood = threading.Thread(target=self.pour, args=(stream.target,), daemon=True)
            flood.start()
            for _ in range(20):
                leg.socket.close()
                leg = stream.again()
            flood.join(FLOOD)
            self.assertTrue(flood.is_alive())
            stream.target.close()

    def test_unread(self) -> None:
        """A client that sends without end what no target takes is read no more."""
        with self.memory(self.common.agent, most=BOUND):
            stream = ResumingStream(self)
            path = stream.url.removeprefix(self.common.relay_url)
            leg = self.leg(path)
            stream.target = stream.listener.accept()
            leg.settimeout(FLOOD)
            with contextlib.suppress(TimeoutError):
                while True:
                    leg.sendall(frame(2, bytes(65000)))

    def pour(self, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            target.settimeout(None)
            while True:
                target.sendall(bytes(MIB))
