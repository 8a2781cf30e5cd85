"""Transports of the bus, as nats-py has them: TCP and TLS, by an outbound proxy where there is one."""

import asyncio
import ssl
from typing import Final
from urllib.parse import ParseResult

from nats.aio.transport import TcpTransport

from streamrelay.net.outbound import Outbound
from streamrelay.net.outbound_proxy import OutboundProxy, ProxyError, wire_name
from streamrelay.net.peer import is_full

PORTS: Final = {"nats": 4222, "tls": 4222, "ws": 80, "wss": 443}
"""Ports of URLs that name none."""
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def reach(outbound: Outbound, host: str, port: int, limit: int) -> Streams:
    """Connect a place, by the proxy if one leads there; `ProxyError` if that can't."""
    proxy = outbound.proxy_for(host, port)
    if proxy is None:
        return await asyncio.open_connection(host, port, limit=limit)
    try:
        streams = await asyncio.open_connection(proxy.host, proxy.port, limit=limit)
    except OSError as error:
        if is_full(error):
            raise
        raise ProxyError(proxy, f"can't be reached: {error.strerror or error}") from None
    try:
        await _open_tunnel(proxy, wire_name(host), port, *streams)
    except BaseException:
        streams[1].transport.abort()
        raise
    return streams


async def _open_tunnel(
    proxy: OutboundProxy, name: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    from streamrelay.net.tunnels import tunnel

    opening = tunnel(proxy, name, port)
    writer.write(opening.begin())
    while not opening.done:
        try:
            data = await reader.read(4096)
        except OSError as error:
            raise ProxyError(proxy, f"closed the connection without an answer: {error.strerror}") from None
        if not data:
            raise ProxyError(proxy, "closed the connection without an answer")
        writer.write(opening.receive(data))
    if reader.at_eof():
        raise ProxyError(proxy, "closed the connection behind its answer")
    if opening.rest:
        reader.feed_data(opening.rest)


class Reader(asyncio.StreamReaderProtocol):
    """asyncio's protocol of a stream over TLS, which can't be half closed.

    nats-py makes it without telling it of TLS, and asyncio complains of that at each end of a connection.
    """

    def eof_received(self) -> bool:
        super().eof_received()
        return False


class BusTransport(TcpTransport):
    """nats-py's transport, whose failed TLS ends. nats-py's own waits for ever for the end of what was under it."""

    _bare_io_writer: asyncio.StreamWriter | None
    _bare_io_reader: asyncio.StreamReader | None
    _io_writer: asyncio.StreamWriter | None
    _io_reader: asyncio.StreamReader | None

    def __init__(self, outbound: Outbound) -> None:
        super().__init__()
        self._outbound = outbound

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        host, port = uri.hostname or "", uri.port or PORTS[uri.scheme]
        try:
            async with asyncio.timeout(connect_timeout):
                reader, writer = await reach(self._outbound, host, port, buffer_size)
        except TimeoutError:
            proxy = self._outbound.proxy_for(host, port)
            if proxy is None:
                raise
            why = "didn't connect us in time; is it a proxy, and can it reach that?"
            raise ProxyError(proxy, why) from None
        self._bare_io_reader = self._io_reader = reader
        self._bare_io_writer = self._io_writer = writer

    async def connect_tls(
        self, uri: str | ParseResult, ssl_context: ssl.SSLContext, buffer_size: int, connect_timeout: int
    ) -> None:
        plain, loop = self._io_writer, asyncio.get_running_loop()
        assert plain is not None
        reader = asyncio.StreamReader()
        protocol, name = Reader(reader), uri if isinstance(uri, str) else uri.hostname
        # Until there is TLS, there is nothing that could be closed in order.
        self._io_reader = self._io_writer = None
        try:
            async with asyncio.timeout(connect_timeout):
                transport = await loop.start_tls(plain.transport, protocol, ssl_context, server_hostname=name)
        except BaseException:
            plain.transport.abort()
            raise
        assert transport is not None
        self._io_reader, self._io_writer = reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    @property
    def own_address(self) -> str:
        """Our own IP address in the connection."""
        name = self._io_writer.get_extra_info("sockname") if self._io_writer is not None else None
        return str(name[0]) if isinstance(name, tuple) else ""

    def abort(self) -> None:
        """Drop the connection at once, with whatever wasn't sent."""
        for writer in (self._io_writer, self._bare_io_writer):
            if writer is not None:
                writer.transport.abort()
