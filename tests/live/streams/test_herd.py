"""A herd: five hundred streams that come at once, to a relay that has just been started again."""

import selectors
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, shared
from tests.live.support.pace import timed
from tests.live.support.sockets import Listener
from tests.live.support.waiting import WAIT, Work
from tests.live.support.websockets import PlainLeg

HERD = 500
PAUSE = 0.5
"""Seconds between two tries of one of them; ours wait up to 2 s."""


class Echo(threading.Thread):
    """A target that gives everything back."""

    def __init__(self, listener: Listener) -> None:
        super().__init__(daemon=True)
        self.ready = selectors.DefaultSelector()
        self.ready.register(listener.socket, selectors.EVENT_READ)
        self.listener, self.over = listener, threading.Event()
        self.start()

    def run(self) -> None:
        while not self.over.is_set():
            for key, _ in self.ready.select(0.2):
                self.one(key.fileobj)
        for key in list(self.ready.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]

    def one(self, connection: Any) -> None:
        if connection is self.listener.socket:
            self.ready.register(connection.accept()[0], selectors.EVENT_READ)
            return
        try:
            taken = connection.recv(64)
            connection.sendall(taken)
        except ConnectionError:
            taken = b""
        if not taken:
            self.ready.unregister(connection)
            connection.close()


class Herd(LiveTest):
    """Clients that try again where a refusal says that this helps, as ours do."""

    def setUp(self) -> None:
        super().setUp()
        self.common, self.seen = shared(), Counter[str]()
        listener = self.listen()
        listener.socket.listen(2 * HERD)
        self.target, echo = listener.target, Echo(listener)
        self.addCleanup(echo.join)
        self.addCleanup(echo.over.set)

    def open_one(self, number: int, over: threading.Event) -> socket.socket:
        key = (self.common.key, self.common.weak_key)[number % 2]  # a user may have 500 at once
        while not over.is_set():
            answer = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": self.target}, key=key)
            if answer.status == 201 and (leg := self.leg(answer.json["url"], number)) is not None:
                return leg
            code = "leg" if answer.status == 201 else answer.json["code"]
            self.assertIn(code, ("leg", "busy", "relay_busy", "dial_failed", "host_slow"), answer.text)
            self.seen[code] += 1
            over.wait(PAUSE)
        raise AssertionError(f"stream {number} did not open: {dict(self.seen)}")

    def leg(self, url: str, number: int) -> socket.socket | None:
        """A leg that has brought its bytes to the target and back; None if it wasn't taken, or no agent came."""
        try:
            leg = PlainLeg(url)
        except ConnectionError:
            return None
        self.addCleanup(leg.socket.close)
        leg.send(b"%d" % number)
        came = next(leg.messages(), None)
        if came is None:
            return None
        self.assertEqual(came, b"%d" % number)
        return leg.socket

    def test_herd(self) -> None:
        """They all open, each with its own bytes, though the relay is away when they come."""
        over = threading.Event()
        timer = threading.Timer(3 * WAIT, over.set)
        self.addCleanup(timer.cancel)
        timer.start()
        self.common.relay.stop()
        with timed() as passed, ThreadPoolExecutor(HERD) as pool:
            back = Work(self.common.relay.start)
            opened = list(pool.map(lambda number: self.open_one(number, over), range(HERD)))
        back.result()
        print(f"figure: {len(set(opened))} streams were open {passed():.1f} s after the start; refused: {self.seen}")
        self.assertEqual(len(set(opened)), HERD)
