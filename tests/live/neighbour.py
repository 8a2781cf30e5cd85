"""An echo stream in a process of its own, whose round trips are timed while others are attacked.

Run as `python -m tests.live.neighbour DESCRIPTOR`: the listening socket of its target. The first line of standard
input is the stream's URL (a secret, so it isn't an argument). Then ``begin`` starts a window, and ``end N`` ends it
once it has N round trips; the answer is a line of JSON. Each round trip is a message of its own number, compared byte
by byte at both ends: an exception ends the process.
"""

import gc
import json
import os
import select
import socket
import sys
import time

from tests.live.chain import WAIT, PlainLeg, take

SIZE = 64
"""Bytes of a message."""
PAUSE = 0.001
"""Seconds between two round trips."""


def spread(times: list[float]) -> list[float]:
    """The times in order, with those that were not measured because a long one held them up: one for each pause."""
    every = []
    for seconds in times:
        while seconds > 0:
            every.append(seconds)
            seconds -= 2 * PAUSE
    return sorted(every)


class Echo:
    """Both ends of one stream."""

    def __init__(self, url: str, listening: socket.socket) -> None:
        self.leg = PlainLeg(url)
        self.leg.socket.settimeout(WAIT)
        listening.settimeout(WAIT)
        self.target, _ = listening.accept()
        for end in (self.leg.socket, self.target):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.target.settimeout(WAIT)
        self.messages = self.leg.messages()
        self.number = 0

    def round_trip(self) -> float:
        """Seconds from the client to the target and back."""
        self.number += 1
        message = self.number.to_bytes(8, "big") * (SIZE // 8)
        began = time.perf_counter()
        self.leg.send(message)
        if take(self.target, SIZE) != message:
            raise AssertionError("other bytes reached the target")
        self.target.sendall(message)
        back = b""
        while len(back) < SIZE:
            back += next(self.messages)
        if back != message:
            raise AssertionError("other bytes came back")
        return time.perf_counter() - began


def main() -> None:
    listening = socket.socket(fileno=int(sys.argv[1]))
    lines = os.fdopen(0, "rb", buffering=0)
    echo = Echo(lines.readline().decode().strip(), listening)
    gc.disable()
    times: list[float] = []
    wanted = 0
    while True:
        if select.select([lines], [], [], 0)[0]:
            words = lines.readline().split()
            if not words:
                return
            if words[0] == b"begin":
                times = []
            else:
                wanted = int(words[1])
        times.append(echo.round_trip())
        if wanted and len(times) >= wanted:
            every = spread(times)
            median, p99 = (every[int(len(every) * share)] for share in (0.5, 0.99))
            print(json.dumps({"count": len(times), "median": median, "p99": p99, "worst": every[-1]}), flush=True)
            wanted = 0
        if len(times) > 1_000_000:
            times = []
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
