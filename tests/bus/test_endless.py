"""nats_client.py: what a server that means harm can make a client hold."""

import asyncio
import json
from typing import Final

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.bus.nats_client import NatsClient
from tests.bus.test_nats_client import INFO
from tests.documented import BUS_LINE, BUS_MESSAGE
from tests.fakes.reactors import awaited

FLOOD: Final = 32 << 20
"""Bytes after which the server has had its way."""


class Server:
    """A server that logs everybody in, and then sends this, and bytes without end."""

    def __init__(self, first: bytes, more: bytes = bytes(65536)) -> None:
        self.first, self.more = first, more
        self.errors: list[str] = []

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"INFO {json.dumps(INFO)}\r\n".encode())
        while await reader.readline() != b"PING\r\n":
            pass
        writer.write(b"PONG\r\n" + self.first)
        try:
            for _ in range(FLOOD // len(self.more) if self.more else 0):
                writer.write(self.more)
                await writer.drain()
        except OSError:
            pass
        writer.close()

    async def held(self) -> int:
        """The most that a client's parser held until it had cut the connection, or all had come."""
        server = await asyncio.start_server(self.meet, "127.0.0.1", 0)
        place = ("127.0.0.1", server.sockets[0].getsockname()[1])
        client, gone, most = NatsClient(frozenset([place]), lambda: None), asyncio.Event(), 0
        parser = client._ps
        parse = parser.parse

        async def watched(data: bytes = b"") -> None:
            nonlocal most
            try:
                await parse(data)
            finally:
                most = max(most, len(parser.buf))

        async def failed(error: Exception) -> None:
            self.errors.append(str(error))

        async def lost() -> None:
            gone.set()

        parser.parse = watched  # type: ignore[method-assign]
        await client.connect(
            f"nats://127.0.0.1:{place[1]}", error_cb=failed, closed_cb=lost, allow_reconnect=False, connect_timeout=5
        )
        await asyncio.wait_for(gone.wait(), 60)
        await client.close()
        server.close()
        return most


class Endless(SynchronousTestCase):
    """Messages and lines that are longer than any that we need."""

    def test_message(self) -> None:
        """A message of 8 MiB and a byte is refused at its header, and who waits for the bus is told."""
        server = Server(b"MSG a 1 %d\r\n" % (BUS_MESSAGE + 1))
        self.assertLess(awaited(server.held()), 1 << 20)
        self.assertIn("the server sent a message of 8388609 bytes, over 8388608; the connection is cut", server.errors)

    def test_headers(self) -> None:
        """So is one with headers."""
        server = Server(b"HMSG a 1 12 999999999\r\n")
        self.assertLess(awaited(server.held()), 1 << 20)
        self.assertIn("999999999", " ".join(server.errors))

    def test_line(self) -> None:
        """A line of over 64 KiB is refused."""
        for first in (b"MSG ", b"INFO ", b""):
            server = Server(first, b"x" * BUS_LINE)
            self.assertLess(awaited(server.held()), 1 << 20, first)
            self.assertIn("a line of over 65536 bytes", " ".join(server.errors))

    def test_longest(self) -> None:
        """A message of 8 MiB is taken."""
        server = Server(b"MSG a 1 %d\r\n" % BUS_MESSAGE + bytes(BUS_MESSAGE) + b"\r\n", b"")
        awaited(server.held())
        self.assertNotIn("the server sent", " ".join(server.errors))
