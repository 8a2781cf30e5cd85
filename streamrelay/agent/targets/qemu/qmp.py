"""QMP, QEMU's own protocol for its management: one command after another on the unix socket of one VM.

The messages are lines of JSON (QEMU's "QMP protocol specification"); events are let pass. QEMU serves one client of
such a socket at a time: whoever else connects is accepted by the kernel and hears nothing.
"""

import errno
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

import msgspec
from attrs import define
from msgspec import Raw, Struct
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from streamrelay.agent.targets.sockets.local import adopt, connect_socket
from streamrelay.errors import TargetError, printable
from streamrelay.protocol.summons import Refusal

GREETING_TIME: Final = 2.0
"""Seconds in which QEMU must greet us, as it does at once unless it serves somebody else."""
MAX_LINE: Final = 1 << 16
"""Bytes of one message of QEMU's at most."""
HELD: Final = "QEMU does not answer; another program (libvirt?) may hold this QMP socket, which serves one at a time"

Kind = TypeVar("Kind")

_turns: "WeakValueDictionary[str, DeferredLock]" = WeakValueDictionary()
"""Locks of the sockets in use, by path: several legs of one stream ask at the same time."""


class Fault(Struct, frozen=True):
    """QEMU's words when it can't do what a command asks."""

    kind: str = msgspec.field(name="class", default="")
    desc: str = ""


class Message(Struct, frozen=True):
    """A message of QEMU's, whichever it may be."""

    greeting: Raw = msgspec.field(name="QMP", default=Raw())
    returned: Raw = msgspec.field(name="return", default=Raw())
    error: Fault | None = None
    event: str = ""


_message = msgspec.json.Decoder(Message)


class QmpError(Exception):
    """Refusal of a command by QEMU; the text is its own, in one line."""


@define(frozen=True)
class Owner:
    """The process that listens at a unix socket, as the kernel knows it (SO_PEERCRED, unix(7))."""

    pid: int
    uid: int

    @classmethod
    def of(cls, sock: socket.socket) -> "Owner":
        size = struct.calcsize("3i")
        pid, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        return cls(pid, uid)


class QmpProtocol(LineOnlyReceiver):
    """Twisted's protocol of a QMP socket: each answer goes to whoever waits for it."""

    delimiter = b"\n"
    MAX_LENGTH = MAX_LINE

    def __init__(self) -> None:
        self.lost = ""
        self._heard: list[Message] = []
        self._waiting: Deferred[Message] | None = None

    def next_message(self) -> "Deferred[Message]":
        """Wait for QEMU's next message, but for events; or fail with `TargetError`."""
        waiting = self._waiting = Deferred()
        if self._heard:
            self._tell(self._heard.pop())
        elif self.lost:
            self.fail(self.lost)
        return waiting

    def lineReceived(self, line: bytes) -> None:
        try:
            message = _message.decode(line)
        except (msgspec.DecodeError, RecursionError):
            self.fail("QEMU sent an invalid QMP message")
            return
        if message.event:
            return
        if self._waiting is not None:
            self._tell(message)
        elif self._heard:
            self.fail("QEMU sent more than it was asked for")
        else:
            self._heard.append(message)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.fail(f"QEMU sent more than {MAX_LINE} bytes in one message")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.fail("QEMU has closed the connection")

    def fail(self, why: str) -> None:
        """Say and hear nothing more, and tell whoever waits why."""
        self.lost = self.lost or why
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.errback(TargetError(Refusal.TARGET_REFUSED, why))
        transport: Any = self.transport
        transport.abortConnection()

    def _tell(self, message: Message) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(message)


@define(eq=False)
class Qmp:
    """A VM's QMP socket, for as long as it is ours."""

    protocol: QmpProtocol

    @property
    def owner(self) -> Owner:
        """Process that listens at the socket: QEMU, or whoever started it."""
        return Owner.of(self.protocol.transport.getHandle())  # type: ignore[union-attr]

    async def execute(self, command: str, kind: type[Kind], descriptor: int = -1, **arguments: object) -> Kind:
        """Return QEMU's answer to a command; `QmpError` if it refuses, `TargetError` if it is no proper answer.

        A `descriptor` goes with it (SCM_RIGHTS); it is the caller's to close when the answer is there.
        """
        transport: Any = self.protocol.transport
        if descriptor >= 0:
            transport.sendFileDescriptor(descriptor)
        transport.write(msgspec.json.encode({"execute": command, "arguments": arguments}) + b"\n")
        message = await self.protocol.next_message()
        if message.error is not None:
            raise QmpError(f"{command}: {printable(message.error.desc)}")
        try:
            return msgspec.json.decode(message.returned, type=kind)
        except (msgspec.DecodeError, RecursionError):
            raise TargetError(Refusal.TARGET_REFUSED, f"QEMU gave an invalid answer to {command}") from None


@asynccontextmanager
async def conversation(reactor: Any, path: str, within: str) -> AsyncIterator[Qmp]:
    """Open a VM's QMP socket, ready for commands, and close it behind them; `TargetError` if it can't be had."""
    lock = _turns.setdefault(path, DeferredLock())
    async with lock:
        protocol = await _connect(reactor, path, within)
        try:
            qmp = Qmp(protocol)
            await _greet(reactor, protocol, path)
            await qmp.execute("qmp_capabilities", dict[str, Raw])
            yield qmp
        finally:
            protocol.fail("the QMP connection is closed")


async def _connect(reactor: Any, path: str, within: str) -> QmpProtocol:
    try:
        sock = await connect_socket(reactor, path, within, GREETING_TIME)
    except OSError as failure:
        raise TargetError(Refusal.TARGET_REFUSED, f"{path}: {_why_not(failure)}") from None
    protocol = QmpProtocol()
    with sock:
        adopt(reactor, sock, protocol)
    return protocol


def _why_not(failure: OSError) -> str:
    if failure.errno in (errno.ENOENT, errno.ECONNREFUSED):
        return "no QEMU listens there; is the VM running?"
    if failure.errno == errno.EACCES:
        return "permission denied; the agent's user must be allowed to write to the QMP socket"
    if failure.errno == errno.EAGAIN:
        return HELD
    return failure.strerror or str(failure)


async def _greet(reactor: Any, protocol: QmpProtocol, path: str) -> None:
    """Wait for QEMU's greeting, `GREETING_TIME` at most, or raise `TargetError`."""
    waiting = protocol.next_message()
    timeout = reactor.callLater(GREETING_TIME, protocol.fail, HELD)
    try:
        message = await waiting
    except TargetError as failure:
        raise TargetError(failure.code, f"{path}: {failure.reason}") from None
    finally:
        if timeout.active():
            timeout.cancel()
    if not message.greeting:
        raise TargetError(Refusal.TARGET_REFUSED, f"{path}: this is not a QMP socket")
