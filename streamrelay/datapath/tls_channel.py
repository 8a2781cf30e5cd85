"""The fast path over TLS: pyOpenSSL between one read and one write of the plain socket below.

Twisted makes the connection, shakes hands and verifies; then its `OpenSSL.SSL.Connection` is used here with large
buffers, so that a chunk costs one system call each way and a record one call into OpenSSL.
"""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any, Final

from attrs import define, field
from OpenSSL import SSL
from twisted.internet.interfaces import IReactorTime

from streamrelay.datapath.channel import DEAD, OPEN, READ, Channel, TransportChannel
from streamrelay.datapath.socket_channel import SocketChannel
from streamrelay.protocol.tls_records import TOO_MANY, Records, words

RECORD: Final = 16384
"""Bytes of the longest TLS record's content (RFC 8446 §5.1)."""
SEALED: Final = 64 * 1024
"""Sealed bytes that are read from the socket at once."""
TAKE: Final = 72 * 1024
"""Sealed bytes that are taken from OpenSSL at once: 64 KiB of content and its records' overhead. A buffer is made for
each, and a larger one costs more than it saves."""

_sealed = bytearray(SEALED)
_sealed_view = memoryview(_sealed)
_opened = bytearray(READ)
_opened_view = memoryview(_opened)
_NOTHING: Final = memoryview(b"")


@define(eq=False)
class TlsChannel(SocketChannel):
    """A TLS connection that Twisted has made; `transport` is the one below it, which has the descriptor."""

    tls: SSL.Connection = field(kw_only=True)
    clock: IReactorTime = field(kw_only=True)
    records: Records = field(factory=Records, kw_only=True)
    written: bool = field(default=True, kw_only=True)
    """False if Twisted was given nothing to write; then what is written here needn't wait for it."""
    _waiting: memoryview = field(default=_NOTHING, kw_only=True)  # more records than are opened in one turn
    _plain: list[bytes] = field(factory=list, kw_only=True)  # what may not be sealed yet

    def __attrs_post_init__(self) -> None:
        self.records.shaken()
        super().__attrs_post_init__()

    def _flush_transport(self) -> None:
        if self.written:  # Twisted gathers small writes over TLS until the reactor's next turn
            self.clock.callLater(0, super()._flush_transport)
        else:
            super()._flush_transport()

    def resume(self) -> None:
        super().resume()
        if self._waiting:
            self.loop.call_soon(self._go_on_reading)

    def _go_on_reading(self) -> None:
        if self._waiting and self._reading:
            self._readable()

    def _readable(self) -> None:
        if self._large and not self._turns.grants(self):
            return
        sealed = self._waiting
        if not sealed:
            sealed = _sealed_view[: self._read_into(_sealed, min(self.read_size, SEALED))]
            if not sealed:
                return
        turn = self.records.turn(sealed)
        if turn < len(sealed):
            self._waiting, self._large = memoryview(bytes(sealed[turn:])), True
            self.loop.call_soon(self._go_on_reading)
        else:
            self._waiting = _NOTHING
        self._open(sealed[:turn])

    def _open(self, sealed: memoryview) -> None:
        self.tls.bio_write(sealed)
        filled, pieces, ended = 0, 0, False
        try:
            while pieces < max(1, self.records.count):  # asking once more costs as much as a small record
                filled += self.tls.recv_into(_opened_view[filled:], RECORD)
                pieces += 1
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            ended = True
        except SSL.Error as error:
            self._lose(OSError(0, words(error)))
            return
        if not self.records.settle(filled, pieces, renew=not self.unsent):
            self._lose(OSError(0, TOO_MANY))
            return
        if self.records.count > pieces:
            self._answer()
        if filled:  # first: the peer's last bytes and its close may come in one read
            self._deliver(_opened_view[:filled])
        if ended and self._phase != DEAD:
            self._end_of_file()

    def _answer(self) -> None:
        """Send what OpenSSL has to say to records without content, such as a key of our own for the peer's new one."""
        if self._phase == OPEN and self._flushed and (sealed := self._sealed()):  # else it goes with what comes next
            self._send([sealed])

    def write(self, buffers: Sequence[bytes | memoryview]) -> None:
        if self._phase != OPEN:
            return
        if self._flushed:
            self._seal(b"".join(buffers))
        else:  # what Twisted has gathered must be sealed first, as TLS numbers its records
            self._plain.append(b"".join(buffers))
            self.unsent += len(self._plain[-1])

    def _go_on(self) -> None:
        plain, self._plain = b"".join(self._plain), []
        self.unsent -= len(plain)
        if plain:
            self._seal(plain)
        super()._go_on()
        if plain and not self.unsent and self._phase != DEAD and self._receiver is not None:
            self._receiver.drained()  # whoever waits for that was told that it was unsent

    def _seal(self, data: bytes) -> None:
        plain = memoryview(data)
        try:
            while plain:
                plain = plain[self.tls.send(plain[:RECORD]) :]
        except SSL.Error as error:
            self._phase = DEAD
            self.loop.call_soon(self._lose, OSError(0, words(error)))
            return
        self._send([self._sealed()])

    def _sealed(self) -> bytes:
        """Take from OpenSSL what it wants to send."""
        pieces: list[bytes] = []
        try:
            while not pieces or len(pieces[-1]) == TAKE:
                pieces.append(self.tls.bio_read(TAKE))
        except SSL.WantReadError:
            pass
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _last(self) -> None:
        """Tell the peer by TLS, too, that this was all, so that nobody can cut the stream short unnoticed."""
        try:
            self.tls.shutdown()
            self._socket.send(self._sealed())
        except (SSL.Error, OSError):
            pass  # it is closed all the same
        super()._last()


_check: type[Channel] = TlsChannel


def open_channel(transport: Any, clock: IReactorTime, written: bool = True) -> "SocketChannel | TransportChannel":
    """Make the fastest channel for a transport: of its own socket on asyncio's loop, else one by Twisted.

    `written`: False if nothing was written to the transport.
    """
    handle = getattr(transport, "getHandle", lambda: None)()
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # another reactor, or none
        return TransportChannel(transport)
    if isinstance(handle, socket.socket) and not hasattr(transport, "wrappedProtocol"):
        return SocketChannel(transport, loop)
    below: Any = getattr(transport, "transport", None)
    if isinstance(handle, SSL.Connection) and isinstance(below.getHandle(), socket.socket):
        return TlsChannel(below, loop, tls=handle, clock=clock, records=transport.records, written=written)
    return TransportChannel(transport)
