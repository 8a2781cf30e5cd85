"""Many streams of the native client in one process, each of which says and hears a number again and again.

Run as a program: ``python -m tests.live.support.many_streams PLATFORM KIND:TARGET:COUNT …``, the key in the
environment. Those of kind vnc ask a machine for a piece of its screen instead. It prints "open" when all are open, and
at the end of its standard input, for each stream, its kind, how many numbers came in order, the longest times without
one, and how it ended, as JSON.
"""

import json
import os
import struct
import sys
from collections.abc import Sequence
from itertools import pairwise
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
    _rest: bytes = b""
    _last: int | None = None
    _said: int = 0

    def say(self) -> None:
        """Send a number, where nobody else says any."""
        if self.kind != "log" and self.connection is not None and not self.ended:
            line = b"%d\n" % self._said
            self._said += 1
            self.connection.send([memoryview(line)], len(line))

    def received(self, data: Sequence[memoryview], size: int) -> None:
        *lines, self._rest = (self._rest + b"".join(data)).split(b"\n")
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
        }


GREETED = 12 + 2 + 4 + 24
"""Bytes of a server without a password, up to the length of its name."""


@define(eq=False)
class Looking(Counting):
    """A stream of VNC, of which all that comes must be updates of the screen."""

    _greeting: int = 0  # bytes of it, with the name
    _heard: bytes = b""
    _steps: int = 0

    def say(self) -> None:
        if self._greeting and len(self._heard) >= self._greeting and not self.ended:
            self._send(struct.pack(">BBHHHH", 3, 0, 0, 0, 16, 1))

    def received(self, data: Sequence[memoryview], size: int) -> None:
        self._heard += b"".join(data)
        for at, answer in enumerate(((12, b"RFB 003.008\n"), (14, b"\1"), (18, b"\1"), (GREETED, RAW))):
            if at == self._steps and len(self._heard) >= answer[0]:
                self._steps += 1
                self._send(answer[1])
        if self._steps < 4:
            return
        self._greeting = GREETED + struct.unpack_from(">I", self._heard, GREETED - 4)[0]
        while size := self._update(self._heard[self._greeting :]):
            self._heard = self._heard[: self._greeting] + self._heard[self._greeting + size :]
            self.came += 1
            self.times.append(self.clock.seconds())

    def _update(self, heard: bytes) -> int:
        """Bytes of the update that begins there (RFC 6143, 7.6.1), in the raw encoding; 0: not all is there."""
        if len(heard) < 4:
            return 0
        kind, rectangles = struct.unpack_from(">BxH", heard)
        at = 4
        for _ in range(rectangles):
            if len(heard) < at + 12:
                return 0
            _, _, width, height, encoding = struct.unpack_from(">HHHHi", heard, at)
            if encoding:
                kind = encoding
            at += 12 + 4 * width * height
        if kind:
            self.wrong = self.wrong or f"{heard[:40]!r} of a screen"
        return at if len(heard) >= at else 0

    def _send(self, message: bytes) -> None:
        assert self.connection is not None
        self.connection.send([memoryview(message)], len(message))


RAW = struct.pack(">BBHi", 2, 0, 1, 0)
"""That the raw encoding alone is taken."""


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

    def begin() -> None:
        works = [
            Deferred.fromCoroutine(opened(api, dialler, kind, target))
            for kind, target, count in wanted
            for _ in range(int(count))
        ]
        gatherResults(works, consumeErrors=True).addCallbacks(all_open, failed)

    def all_open(found: list[Counting]) -> None:
        streams.extend(found)
        LoopingCall(say).start(PAUSE)
        print("open", flush=True)
        reactor.callInThread(wait)

    def say() -> None:
        for each in streams:
            each.say()

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
