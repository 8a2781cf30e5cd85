"""The agent's end of the launcher: orders out, reports and terminals in."""

import os
import signal
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from attrs import define
from twisted.internet import abstract, fdesc, main
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from streamrelay.agent.launcher.messages import Order, Report
from streamrelay.agent.targets.terminal.process import PtyConnection
from streamrelay.errors import TargetError
from streamrelay.logs import Logger
from streamrelay.protocol import codec
from streamrelay.protocol.summons import Refusal

log = Logger()


class Terminal(abstract.FileDescriptor):
    """A terminal whose process isn't ours, as a transport."""

    def __init__(self, reactor: Any, descriptor: int, received: Callable[[bytes], None], lost: Callable[[], None]):
        super().__init__(reactor)
        self._descriptor, self._received, self._lost = descriptor, received, lost
        fdesc.setNonBlocking(descriptor)
        os.set_inheritable(descriptor, False)
        self.connected = 1

    def fileno(self) -> int:
        return self._descriptor

    def doRead(self) -> Any:
        return fdesc.readFromFD(self._descriptor, self._received)

    def writeSomeData(self, data: bytes) -> Any:
        return fdesc.writeToFD(self._descriptor, data)

    def connectionLost(self, reason: Failure) -> None:
        if self.disconnected:  # a reactor that stops tells all of us, and the line has told us before
            return
        super().connectionLost(reason)
        os.close(self._descriptor)
        self._descriptor = -1
        self._lost()


@define(eq=False)
class Launched:
    """A command that the launcher runs for us. It has ended when it is reaped, and its terminal read to the end."""

    connection: PtyConnection
    kill: Callable[[int], None]
    begun: "Deferred[None]"
    terminal: Terminal | None = None
    _status: int | None = None

    def start(self, reactor: Any, descriptor: int) -> None:
        self.terminal = Terminal(reactor, descriptor, self._received, self._lost)
        self.connection.started(self.terminal, self.kill)
        self.begun.callback(None)

    def end(self, status: int) -> None:
        self._status = status
        if self.terminal is None or self.terminal.disconnected:
            self.connection.ended(status)
        else:
            self.connection.reaped()

    def _received(self, data: bytes) -> None:
        self.connection.channel.dataReceived(data)

    def _lost(self) -> None:
        if self._status is not None:
            self.connection.ended(self._status)


class Line(abstract.FileDescriptor):
    """The socket to the launcher."""

    def __init__(self, reactor: Any, sock: socket.socket) -> None:
        super().__init__(reactor)
        sock.setblocking(False)
        self._socket = sock
        self._orders: deque[Order] = deque()
        self._launched: dict[int, Launched] = {}
        self._last = 0
        self._why = ""
        self._over = False
        self.connected = 1

    async def launch(self, target: str, connection: PtyConnection) -> None:
        """Have the command of this target started, or raise `TargetError`."""
        if self.disconnected:
            raise TargetError(Refusal.TARGET_REFUSED, "the agent's launcher has ended; the agent must be started anew")
        self._last += 1
        number = self._last

        def kill(what: int) -> None:
            if what != signal.SIGCONT:  # which comes with a hang-up anyway
                self._order(Order(number, signal="hangup" if what == signal.SIGHUP else "kill"))

        begun: Deferred[None] = Deferred(lambda _: self._give_up(number))
        self._launched[number] = Launched(connection, kill, begun)
        self._order(Order(number, target))
        await begun

    def finish(self) -> None:
        """Take the launcher's end for what was meant from now on: it hangs up what is left once we are gone."""
        self._over = True

    def _give_up(self, number: int) -> None:
        del self._launched[number]
        self._order(Order(number, signal="kill"))

    def _order(self, order: Order) -> None:
        if not self.disconnected:
            self._orders.append(order)
            self.startWriting()

    def fileno(self) -> int:
        return self._socket.fileno()

    def doWrite(self) -> Any:
        try:
            while self._orders:
                self._socket.send(codec.encode(self._orders[0]))
                self._orders.popleft()
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST
        self.stopWriting()
        return None

    def doRead(self) -> Any:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, 16384, 1)
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST
        if not data:
            return main.CONNECTION_DONE
        self._reported(codec.decode(data, Report), descriptors)
        return None

    def _reported(self, report: Report, descriptors: list[int]) -> None:
        launched = self._launched.get(report.id)
        if report.id == 0:
            self._why = report.refused
        elif launched is None:  # nobody waits for it any more, and its end was ordered
            for descriptor in descriptors:
                os.close(descriptor)
        elif descriptors:
            launched.start(self.reactor, descriptors[0])
        elif report.status is not None:
            del self._launched[report.id]
            launched.end(report.status)
        else:
            del self._launched[report.id]
            if not report.refused:
                self._order(Order(report.id, signal="kill"))
            why = report.refused or "its terminal didn't come: too many open files?"
            full = report.busy or not report.refused
            launched.begun.errback(TargetError(Refusal.BUSY if full else Refusal.TARGET_REFUSED, why))

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        self._socket.close()
        if not self._over:
            log.error(
                "the launcher has ended ({why}): no command runs as another user before the agent is started anew",
                why=self._why or "it was killed",
            )
        left, self._launched = self._launched, {}
        for launched in left.values():
            if launched.terminal is None:
                launched.begun.errback(TargetError(Refusal.TARGET_REFUSED, "the agent's launcher has ended"))
            else:
                launched.end(1)
                if not launched.terminal.disconnected:
                    launched.terminal.connectionLost(reason)
