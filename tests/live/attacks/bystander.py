"""An echo stream in a process of its own, whose round trips are timed while others are attacked.

Run as `python -m tests.live.attacks.bystander DESCRIPTOR`: the listening socket of its target. It says "ready"; the
first line of standard input is the stream's URL (a secret, so it isn't an argument). Then ``begin`` starts a window,
and ``end N`` ends it once it has N round trips; the answer is a line of JSON. Between windows there are few of them.
Each round trip is a message of its own number, compared byte by byte at both ends: an exception ends the process.
Beside each, a bystander is timed: a round trip to a process that does nothing but echo, through no program of ours. It
tells what the machine takes, and what the attack.
"""

import gc
import json
import os
import select
import socket
import sys
import time

from tests.live.support.sockets import take
from tests.live.support.waiting import WAIT
from tests.live.support.websockets import PlainLeg

SIZE = 64
"""Bytes of a message."""
PAUSE = 0.001
"""Seconds between two round trips."""
REST = 0.2
"""The same between windows: a thousand a second would take a third of a core from all other tests."""


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
        self.bystander = bystander()
        self.number = 0

    def bystander_trip(self) -> float:
        """Seconds to a process that only echoes, and back."""
        began = time.perf_counter()
        self.bystander.sendall(bytes(SIZE))
        take(self.bystander, SIZE)
        return time.perf_counter() - began

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


def bystander() -> socket.socket:
    """The near end of a child that sends back what it reads, until there is no more."""
    near, far = socket.socketpair()
    if os.fork():
        far.close()
        return near
    near.close()
    while data := far.recv(SIZE):
        far.sendall(data)
    os._exit(0)


def p99(times: list[float]) -> float:
    """The 99th of a hundred, in order."""
    return times[int(len(times) * 0.99)]


def main() -> None:
    listening = socket.socket(fileno=int(sys.argv[1]))
    lines = os.fdopen(0, "rb", buffering=0)
    print("ready", flush=True)
    echo = Echo(lines.readline().decode().strip(), listening)
    gc.disable()
    times: list[float] = []
    beside: list[float] = []
    wanted, rests = 0, True
    while True:
        if select.select([lines], [], [], REST if rests else 0)[0]:
            words = lines.readline().split()
            if not words:
                return
            if words[0] == b"begin":
                times, beside, rests = [], [], False
            else:
                wanted = int(words[1])
        times.append(echo.round_trip())
        beside.append(echo.bystander_trip())
        if wanted and len(times) >= wanted:
            every = spread(times)
            window = {"count": len(times), "median": every[len(every) // 2], "p99": p99(every), "worst": every[-1]}
            print(json.dumps({**window, "bystander": p99(spread(beside))}), flush=True)
            wanted, rests = 0, True
        if len(times) > 1_000_000:
            times, beside = [], []
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
