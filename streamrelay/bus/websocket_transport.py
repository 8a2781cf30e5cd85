"""NATS by websocket (``wss://``), for networks that let nothing but 443 out.

By wsproto, without I/O and on h11, which is here anyway. nats-py's own way is aiohttp, which nats-py would load with
all that it needs at the start of every agent and platform, used or not.
"""

import asyncio
import ssl
from typing import Any, Final
from urllib.parse import ParseResult

from nats.aio.client import DEFAULT_BUFFER_SIZE
from wsproto import ConnectionType, WSConnection, events
from wsproto.connection import ConnectionState
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from streamrelay.bus.transports import BusTransport
from streamrelay.net.outbound import Outbound
from streamrelay.net.outbound_proxy import bracketed

MOST_LINE: Final = 64 * 1024
"""Bytes of the first lines at most; the parser bounds all others."""


class NoWebsocket(ConnectionError):
    """Lack of a websocket with NATS behind it; the text says why."""


class WebsocketTransport(BusTransport):
    """nats-py's transport by websocket: each write is a binary message, and what comes is one stream of bytes."""

    def __init__(self, outbound: Outbound) -> None:
        super().__init__(outbound)
        self._websocket = WSConnection(ConnectionType.CLIENT)
        self._content = bytearray()
        self._over = self._ponged = False

    async def open(self, uri: ParseResult, tls: ssl.SSLContext | None, name: str | None, seconds: int) -> None:
        """Connect, begin TLS if there is any, and open the websocket; each may take so many seconds."""
        await self.connect(uri, DEFAULT_BUFFER_SIZE, seconds)
        if tls is not None:
            await super().connect_tls(name or uri.hostname or "", tls, DEFAULT_BUFFER_SIZE, seconds)
        try:
            async with asyncio.timeout(seconds):
                await self._shake(uri)
        except BaseException as error:
            super().close()
            if isinstance(error, TimeoutError):
                raise NoWebsocket("no answer to the request for a websocket in time") from None
            raise

    async def _shake(self, uri: ParseResult) -> None:
        host = bracketed(uri.hostname or "") + (f":{uri.port}" if uri.port else "")
        target = (uri.path or "/") + (f"?{uri.query}" if uri.query else "")
        super().write(self._websocket.send(events.Request(host=host, target=target)))
        while self._websocket.state is ConnectionState.CONNECTING:
            await self._hear(DEFAULT_BUFFER_SIZE)
            if self._over:
                raise NoWebsocket("the connection was closed before the websocket was open")

    async def connect_tls(
        self, uri: str | ParseResult, ssl_context: ssl.SSLContext, buffer_size: int, connect_timeout: int
    ) -> None:
        """Do nothing: below a websocket there is TLS already, or none."""

    async def _hear(self, size: int) -> None:
        data = await super().read(size)
        if not data:
            self._over = True
            return
        try:
            self._websocket.receive_data(data)
            for event in self._websocket.events():
                self._take(event)
        except (LocalProtocolError, RemoteProtocolError):
            raise NoWebsocket("what answers there speaks no websocket") from None
        if self._ponged:  # who pings and takes no answer is read no further
            self._ponged = False
            await self.drain()

    def _take(self, event: events.Event) -> None:
        if isinstance(event, events.BytesMessage):
            self._content += event.data
        elif isinstance(event, events.Ping):
            super().write(self._websocket.send(event.response()))
            self._ponged = True
        elif isinstance(event, events.RejectConnection):
            raise NoWebsocket(f"answered {event.status_code} to the request for a websocket; is NATS behind that path?")
        elif isinstance(event, events.CloseConnection):
            self._over = True

    def write(self, payload: Any) -> None:
        try:
            super().write(self._websocket.send(events.BytesMessage(data=bytes(payload))))
        except LocalProtocolError:
            raise NoWebsocket("the websocket is closed") from None

    def writelines(self, payload: list[bytes]) -> None:
        self.write(b"".join(payload))

    async def read(self, buffer_size: int) -> bytes:
        while not self._content and not self._over:
            await self._hear(buffer_size)
        return self._cut(len(self._content))

    async def readline(self) -> bytes:
        while b"\n" not in self._content and not self._over and len(self._content) <= MOST_LINE:
            await self._hear(DEFAULT_BUFFER_SIZE)
        return self._cut(self._content.find(b"\n") + 1 or len(self._content))

    def _cut(self, size: int) -> bytes:
        cut = bytes(self._content[:size])
        del self._content[:size]
        return cut

    def close(self) -> None:
        if self._websocket.state is ConnectionState.OPEN and self._io_writer is not None:
            super().write(self._websocket.send(events.CloseConnection(code=1000)))
        super().close()

    def at_eof(self) -> bool:
        return not self._content and (self._over or bool(super().at_eof()))
