"""Word to systemd (sd_notify(3)): that the program is ready, reloads, stops, how it goes, and that its loop runs.

It is a datagram of our own: the package sdnotify isn't maintained, and libsystemd's binding wants a compiler.
"""

import os
import socket
from collections.abc import Callable, MutableMapping
from typing import Any, Final

from attrs import define
from twisted.internet.task import LoopingCall

from streamrelay.logs import Logger
from streamrelay.program.readiness import Readiness

log = Logger()

START_TIME: Final = 10.0
"""Seconds after which a program that still waits for something counts as started all the same: it says what it waits
for, and no boot hangs on it."""
SLACK: Final = 15.0
"""Seconds that a stop may take beside its drain."""


@define(eq=False)
class Notifier:
    """One program's word to who has started it. Without an address it says nothing."""

    reactor: Any
    readiness: Readiness
    drain: Callable[[], float]
    """Returns the seconds for which it drains."""
    address: str = ""
    """Path of systemd's socket; one that begins with @ is abstract."""
    watchdog: float = 0.0
    """Seconds without word after which systemd starts the program anew; 0: it doesn't look."""
    _told: bool = False  # that we are ready
    _stopping: bool = False
    _failed: bool = False
    _looks: LoopingCall | None = None

    def take(self, environment: MutableMapping[str, str]) -> None:
        """Take the address and the watchdog's time out of the environment, so that no program of ours inherits them."""
        self.address = environment.pop("NOTIFY_SOCKET", "")
        seconds = environment.pop("WATCHDOG_USEC", "")
        if environment.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()) and seconds.isdecimal():
            self.watchdog = int(seconds) / 1e6

    def start(self) -> None:
        """Tell of readiness from now on, and that the loop runs."""
        if not self.address:
            return
        self.readiness.watchers.append(self._changed)
        self._changed()
        self.reactor.callLater(START_TIME, self._tell_ready)
        if self.watchdog:
            self._looks = LoopingCall(self._send, "WATCHDOG=1")
            self._looks.clock = self.reactor
            self._looks.start(self.watchdog / 3)

    def reload(self, work: Callable[[], None]) -> None:
        """Read files again, and say so before and after."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={int(self.reactor.seconds() * 1e6)}")
        try:
            work()
        finally:
            self._send("READY=1", self._status)

    @property
    def _status(self) -> str:
        return f"STATUS={self.readiness.reason or 'ready'}"

    def _changed(self) -> None:
        if self.readiness.is_ready:
            self._tell_ready()
        if self.readiness.draining and not self._stopping:
            self._stopping = True
            self._send("STOPPING=1", f"EXTEND_TIMEOUT_USEC={int((self.drain() + SLACK) * 1e6)}")
        self._send(self._status)

    def _tell_ready(self) -> None:
        if not self._told and not self._stopping:
            self._told = True
            self._send("READY=1", self._status)

    def _send(self, *words: str) -> None:
        if not self.address:
            return
        where = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as wire:
                wire.sendto("\n".join(words).encode(), where)
        except OSError as error:
            if not self._failed:
                log.warn("can't tell systemd how it goes, at {address}: {error}", address=self.address, error=error)
            self._failed = True
