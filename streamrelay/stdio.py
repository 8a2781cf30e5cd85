"""Standard input and output as a connection to splice.

Two threads do the reading and writing: files, pipes and terminals all work, and a terminal that is shared with a
shell isn't switched to non-blocking under it.
"""

import os
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from attrs import define, field

from streamrelay.endings import FINISHED, Close, Ending, ending
from streamrelay.splice import Connection, Drain, Feed

CHUNK: Final = 65536


@define(eq=False)
class StdioConnection:
    """The process' own ends; `reactor` is where its callbacks run."""

    reactor: Any
    source: int = 0
    destination: int = 1
    unsent: int = 0
    _feed: Feed | None = None
    _drain: Drain | None = None
    _may_read: threading.Event = field(factory=threading.Event)
    _queue: deque[bytes | None] = field(factory=deque)
    _work: threading.Semaphore = field(factory=lambda: threading.Semaphore(0))
    _closed: bool = False
    _ending: bool = False  # the writer was told to end
    _ended: bool = False  # and has

    def join(self, feed: Feed, drain: Drain) -> None:
        self._feed, self._drain = feed, drain
        self._may_read.set()
        for loop in (self._read, self._write):
            threading.Thread(target=loop, daemon=True).start()

    def send(self, data: Sequence[memoryview], size: int) -> None:
        self.unsent += size
        self._put(b"".join(data))

    def send_control(self, message: bytes) -> None:
        """There is nobody to take it."""

    def send_eof(self) -> None:
        if not self._ending:
            self._ending = True
            self._put(None)

    def pause(self) -> None:
        self._may_read.clear()

    def resume(self) -> None:
        self._may_read.set()

    def close(self, ending: Ending) -> None:
        self._closed = True
        self.send_eof()
        if self._ended:
            self._over(FINISHED)

    def abort(self) -> None:
        self._closed = True
        self._over(FINISHED)

    def _put(self, data: bytes | None) -> None:
        self._queue.append(data)
        self._work.release()

    # -- in threads ------------------------------------------------------------------------------------------

    def _read(self) -> None:
        step = threading.Semaphore(0)
        while True:
            self._may_read.wait()
            try:
                data = os.read(self.source, CHUNK)
            except OSError:
                data = b""
            self.reactor.callFromThread(self._received, data, step)
            if not data:
                return
            step.acquire()

    def _write(self) -> None:
        while True:
            self._work.acquire()
            data = self._queue.popleft()
            if data is None:
                self._close_destination()
                self.reactor.callFromThread(self._written_all)
                return
            rest = memoryview(data)
            try:
                while rest:
                    rest = rest[os.write(self.destination, rest) :]
            except OSError as error:
                why = ending(Close.LEG_LOST, f"standard output: {error.strerror}")
                self.reactor.callFromThread(self._over, why)
                return
            self.reactor.callFromThread(self._written, len(data))

    def _close_destination(self) -> None:
        """Tell the reader of our output that this was all; the number itself stays taken."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.destination)
        os.close(nowhere)

    # -- in the reactor --------------------------------------------------------------------------------------

    def _received(self, data: bytes, step: threading.Semaphore) -> None:
        step.release()
        if self._feed is None:
            return
        if data:
            self._feed.received([memoryview(data)], len(data))
        else:
            self._feed.eof()

    def _written(self, size: int) -> None:
        self.unsent -= size
        if not self.unsent and self._drain is not None:
            self._drain.drained()

    def _written_all(self) -> None:
        self._ended = True
        if self._closed:
            self._over(FINISHED)

    def _over(self, why: Ending) -> None:
        feed, self._feed, self._drain = self._feed, None, None
        if feed is not None:
            feed.over(why)
            feed.gone()


_check: type[Connection] = StdioConnection
