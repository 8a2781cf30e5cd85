"""Many streams of the native client in one process, each of which says and hears a number again and again.

Run as a program: ``python -m tests.live.support.many_streams PLATFORM KIND:TARGET:COUNT …``, the key in the
environment. Those of kind vnc ask a machine for its keyboard's lights instead. It prints "open" when all are open, and
at the end of its standard input, for each stream, its kind, how many numbers came in order, the longest times without
one, and how it ended, as JSON.
"""

import json
import os
import struct
import sys
from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall

from streamrelay.client.platform_api import PlatformApi
from streamrelay.client.stream import open_stream
from streamrelay.client.stream_request import StreamRequest
from streamrelay.datapath.connection import Connection
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.protocol.close import Outcome
from streamrelay.websocket.client import Dialler
from tests.live.support.chain import HOST

PAUSE = 0.2
"""Seconds between two numbers."""
FIRST = 5
"""Numbers of each stream that have come once all count as open."""
PATIENCE = 120
"""Seconds in which they must."""
LONG = 20
"""Longest silences of a stream that are told."""


@define(eq=False)
class Counting:
    """One stream, whose lines must be the numbers from the first one on."""

    kind: str
    clock: Any
    connection: Connection | None = None
    came: int = 0
    times: list[float] = field(factory=list)
    wrong: str = ""
    ended: str = ""
    rest: bytes = b""
    _last: int | None = None
    _said: int = 0

    def say(self) -> None:
        """Send a number, where nobody else says any."""
        if self.kind != "log" and self.connection is not None and not self.ended:
            line = b"%d\n" % self._said
            self._said += 1
            self.connection.send([memoryview(line)], len(line))

    def received(self, data: Sequence[memoryview], size: int) -> None:
        *lines, self.rest = (self.rest + b"".join(data)).split(b"\n")
        for line in lines:
            number = int(line)
            if self._last is not None and number != self._last + 1:
                self.wrong = self.wrong or f"{number} behind {self._last}"
            self._last = number
            self.came += 1
            self.times.append(self.clock.seconds())

    def control(self, message: bytes) -> None:
        if b'"lost"' in message:
            self.wrong = self.wrong or message.decode()

    def eof(self) -> None:
        self.ended = self.ended or "end of file"

    def over(self, outcome: Outcome) -> None:
        self.ended = str(outcome)

    def gone(self) -> None: ...

    def drained(self) -> None: ...

    def told(self) -> dict[str, Any]:
        silences = sorted((after - before for before, after in pairwise(self.times)), reverse=True)[:LONG]
        return {
            "kind": self.kind,
            "came": self.came,
            "silences": silences,
            "wrong": self.wrong,
            "ended": self.ended,
            "rest": repr(self.rest),
        }


ENCODINGS = struct.pack(">BBHii", 2, 0, 2, 0, -261)
"""That the raw encoding is taken, and how the keyboard's lights are told, which QEMU tells at once each time; updates
of an idle screen may take it three seconds."""
LIGHTS = struct.pack(">BBHHHHHi", 0, 0, 1, 0, 0, 1, 1, -261)
"""What comes before them."""
GREETED = 12 + 2 + 4 + 24
"""Bytes of a server without a password, up to the length of its name."""


@define(eq=False)
class Looking(Counting):
    """A stream of VNC, which is asked for the keyboard's lights; all that comes must be these."""

    _greeting: int = 0  # bytes of it, with the name
    _steps: int = 0

    def say(self) -> None:
        if self._greeting and len(self.rest) >= self._greeting and not self.ended:
            self._send(ENCODINGS)

    def received(self, data: Sequence[memoryview], size: int) -> None:
        self.rest += b"".join(data)
        for at, answer in enumerate(((12, b"RFB 003.008\n"), (14, b"\1"), (18, b"\1"), (GREETED, ENCODINGS))):
            if at == self._steps and len(self.rest) >= answer[0]:
                self._steps += 1
                self._send(answer[1])
        if self._steps < 4:
            return
        self._greeting = GREETED + struct.unpack_from(">I", self.rest, GREETED - 4)[0]
        while len(self.rest) > self._greeting + len(LIGHTS):
            told = self.rest[self._greeting : self._greeting + len(LIGHTS)]
            self.rest = self.rest[: self._greeting] + self.rest[self._greeting + len(LIGHTS) + 1 :]
            self.wrong = self.wrong or ("" if told == LIGHTS else f"{told!r} of a screen")
            self.came += 1
            self.times.append(self.clock.seconds())

    def _send(self, message: bytes) -> None:
        assert self.connection is not None
        self.connection.send([memoryview(message)], len(message))


async def opened(api: PlatformApi, dialler: Dialler, kind: str, target: str) -> Counting:
    counting = (Looking if kind == "vnc" else Counting)(kind, api.reactor)
    told, leg = await open_stream(api, dialler, StreamRequest(HOST, target, resume=True), say=lambda text: None)
    assert told.resume, f"a stream of {kind} doesn't resume"
    counting.connection = leg
    leg.join(counting, counting)
    return counting


def main(platform: str, *kinds: str) -> None:
    from streamrelay.program.reactor import install_reactor

    install_reactor()
    from twisted.internet import reactor as installed

    reactor: Any = installed
    api = PlatformApi(reactor, platform, os.environ["STREAMRELAY_KEY"], "")
    dialler = Dialler(reactor, Heartbeat(reactor), None, False)
    wanted = [one.rsplit(":", 2) for one in kinds]
    streams: list[Counting] = []
    began = reactor.seconds()
    running: list[bool] = []  # once each has brought something

    def begin() -> None:
        works = []
        for kind, target, count in wanted:
            together = 1 if kind == "vnc" else int(count)
            works += [Deferred.fromCoroutine(several(kind, target, int(count) // together)) for _ in range(together)]
        gatherResults(works, consumeErrors=True).addCallbacks(all_open, failed)

    async def several(kind: str, target: str, count: int) -> list[Counting]:
        """Open so many one after the other. QEMU's queue of connections has one place; of more some are never accepted,
        of which neither end is told (SYN cookies)."""
        return [await opened(api, dialler, kind, target) for _ in range(count)]

    def all_open(found: list[list[Counting]]) -> None:
        streams.extend(chain.from_iterable(found))
        LoopingCall(say).start(PAUSE)
        reactor.callInThread(wait)

    def say() -> None:
        for each in streams:
            each.say()
        patient = reactor.seconds() < began + PATIENCE  # then what hasn't come is told at the end
        if not running and not (patient and any(each.came < FIRST and not each.ended for each in streams)):
            running.append(True)
            print("open", flush=True)

    def wait() -> None:
        sys.stdin.read()
        reactor.callFromThread(end)

    def end() -> None:
        print(json.dumps([each.told() for each in streams]), flush=True)
        reactor.stop()

    def failed(failure: Any) -> None:
        print(failure, flush=True)
        reactor.stop()

    reactor.callWhenRunning(begin)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
