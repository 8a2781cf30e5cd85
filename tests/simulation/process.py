"""A process of the simulated world: its reactor and asyncio loop, its sockets, and its end."""

import asyncio
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import Any, TypeVarTuple, Unpack, cast

from attrs import define, field
from twisted.internet import tcp
from twisted.internet.base import DelayedCall
from twisted.internet.interfaces import IReactorTime
from twisted.internet.posixbase import _DisconnectSelectableMixin
from zope.interface import implementer

from tests.simulation.kernel import Kernel
from tests.simulation.scheduler import Event, Scheduler
from tests.simulation.sockets import Socket

Args = TypeVarTuple("Args")


class Loop(asyncio.AbstractEventLoop):
    """asyncio's loop of one process, as far as the programs use it."""

    def __init__(self, process: "Process") -> None:
        self.process = process
        self._scheduler = process.scheduler
        self.failed: Callable[[dict[str, Any]], None] = lambda context: None

    def time(self) -> float:
        return self._scheduler.now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_soon(
        self, callback: Callable[[Unpack[Args]], object], *args: *Args, context: Context | None = None
    ) -> Any:
        if context is None:
            return self._scheduler.at(self._scheduler.now, self.process, callback, *args)
        return self._scheduler.at(self._scheduler.now, self.process, context.run, callback, *args)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Args]], object],
        *args: *Args,
        context: Context | None = None,
    ) -> Any:
        """Return an event, which is as good as a handle; what it raises ends the schedule."""
        if context is None:
            return self._scheduler.at(when, self.process, callback, *args)
        return self._scheduler.at(when, self.process, context.run, callback, *args)

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Args]], object],
        *args: *Args,
        context: Context | None = None,
    ) -> Any:
        return self.call_at(self._scheduler.now + delay, callback, *args, context=context)

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **named: Any) -> "asyncio.Task[Any]":
        return asyncio.Task(coro, loop=self, **named)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.failed(context)

    def add_reader(self, fd: Any, callback: Callable[[Unpack[Args]], Any], *args: *Args) -> None:
        self.process.sockets[fd].watch(reader=_bound(callback, args))

    def add_writer(self, fd: Any, callback: Callable[[Unpack[Args]], Any], *args: *Args) -> None:
        self.process.sockets[fd].watch(writer=_bound(callback, args))

    def remove_reader(self, fd: Any) -> bool:
        return self.process.sockets[fd].forget_reader()

    def remove_writer(self, fd: Any) -> bool:
        return self.process.sockets[fd].forget_writer()


def _bound(callback: Callable[..., Any], args: tuple[Any, ...]) -> Callable[[], Any]:
    return (lambda: callback(*args)) if args else callback


class Client(tcp.Client):
    """Twisted's own TCP client, on a simulated socket."""

    def createInternetSocket(self) -> Any:
        return self.connector.reactor.process.kernel.socket(self.connector.reactor.process)


class Connector(tcp.Connector):
    """Twisted's own connector, of such clients."""

    def _makeTransport(self) -> Client:
        return Client(self.host, self.port, self.bindAddress, self, self.reactor)


@implementer(IReactorTime)
class Reactor(_DisconnectSelectableMixin):
    """Twisted's reactor of one process, as far as the programs use it."""

    nameResolver: Any = None

    def __init__(self, process: "Process") -> None:
        self.process = process
        self._scheduler = process.scheduler
        self.stopped: Callable[[], None] = lambda: None
        self._calls: dict[DelayedCall, Event] = {}
        self._readers: dict[Any, int] = {}
        self._writers: dict[Any, int] = {}

    def stop(self) -> None:
        """Do what its process does at its end in order, as a reactor does: in its next turn."""
        self.process.later(0.0, self.stopped)

    def seconds(self) -> float:
        return self._scheduler.now

    def callLater(self, delay: float, callable: Callable[..., Any], *args: object, **kw: object) -> DelayedCall:
        when = self._scheduler.now + delay
        call = DelayedCall(when, callable, args, kw, self._forget, self._set, self.seconds)
        self._calls[call] = self._scheduler.at(when, self.process, self._due, call)
        return call

    def getDelayedCalls(self) -> list[DelayedCall]:
        return list(self._calls)

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: Any = None
    ) -> tcp.Connector:
        connector = Connector(host, port, factory, timeout, bindAddress, self)
        connector.connect()
        return connector

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> None:
        """Accept connections at an address from now on; there is no port object, as nothing stops to listen but a
        process that ends."""
        self.process.kernel.listen(
            self.process, (interface, port), lambda sock, peer: self._accept(factory, sock, peer)
        )

    def _accept(self, factory: Any, sock: Socket, peer: tuple[str, int]) -> None:
        protocol = factory.buildProtocol(peer)
        transport = tcp.Server(sock, protocol, peer, None, 0, self)  # type: ignore[arg-type]  # there is no port
        protocol.makeConnection(transport)

    # -- delayed calls ---------------------------------------------------------------------------------------

    def _set(self, call: DelayedCall) -> None:
        self._forget(call)
        self._calls[call] = self._scheduler.at(call.time, self.process, self._due, call)

    def _forget(self, call: DelayedCall) -> None:
        event = self._calls.pop(call, None)
        if event is not None:
            event.cancel()

    def _due(self, call: DelayedCall) -> None:
        if call.delayed_time > 0:
            call.activate_delay()
            self._set(call)
            return
        del self._calls[call]
        call.called = 1
        call.func(*call.args, **call.kw)

    # -- descriptors, as on Twisted's reactor for asyncio ----------------------------------------------------

    def addReader(self, reader: Any) -> None:
        if reader not in self._readers:
            self._readers[reader] = fd = reader.fileno()
            self.process.loop.add_reader(fd, self._ready, reader, True)

    def addWriter(self, writer: Any) -> None:
        if writer not in self._writers:
            self._writers[writer] = fd = writer.fileno()
            self.process.loop.add_writer(fd, self._ready, writer, False)

    def removeReader(self, reader: Any) -> None:
        fd = self._readers.pop(reader, None)
        if fd is not None:
            self.process.loop.remove_reader(fd)

    def removeWriter(self, writer: Any) -> None:
        fd = self._writers.pop(writer, None)
        if fd is not None:
            self.process.loop.remove_writer(fd)

    def _ready(self, selectable: Any, read: bool) -> None:
        why = selectable.doRead() if read else selectable.doWrite()
        if why:
            self._disconnectSelectable(selectable, why, read)


@define(eq=False)
class Process:
    """One process. What it was about to do doesn't happen once it has ended."""

    name: str
    host: str
    """Address of its machine."""
    scheduler: Scheduler
    kernel: Kernel
    skew: float = 0.0
    """Seconds by which its machine's clock is ahead."""
    alive: bool = True
    stopping: bool = False
    """True once it was told to stop."""
    sockets: dict[int, Socket] = field(factory=dict)
    loop: Loop = field(init=False)
    reactor: Any = field(init=False)
    ports: int = 0
    """Connections that it has made."""

    def __attrs_post_init__(self) -> None:
        self.loop, self.reactor = cast(Any, Loop)(self), Reactor(self)  # only what the programs use is there
        self.kernel.up.add(self.host)

    def enter(self) -> None:
        if self.scheduler.running is not self:
            self.scheduler.running = self
            asyncio._set_running_loop(self.loop)

    def later(self, seconds: float, work: Callable[..., Any], *args: Any) -> Event:
        """Let this process do something."""
        return self.scheduler.at(self.scheduler.now + seconds, self, work, *args)

    def end(self, silently: bool = False) -> None:
        """End it, as by SIGKILL: its kernel closes what is open; `silently`: with its machine, which says nothing."""
        self.alive = False
        self.kernel.up.discard(self.host)
        self.kernel.deafen(self)
        for sock in list(self.sockets.values()):
            if silently:
                sock.vanish()
            else:
                sock.close()

    @property
    def timers(self) -> Iterator[DelayedCall]:
        """Delayed calls that are still to come."""
        return iter(self.reactor.getDelayedCalls())
