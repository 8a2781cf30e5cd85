"""Clients of three independent websocket libraries under one interface: websockets, websocket-client, wsproto."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

import websocket
import websockets.asyncio.client
import wsproto
import wsproto.events
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.live.support.waiting import WAIT


class Closed(Exception):
    """The other end has closed, with this code and reason."""

    def __init__(self, code: int | None, reason: str | None) -> None:
        super().__init__(f"{code} {reason}")
        self.code, self.reason = code, reason or ""


class Foreign(Protocol):
    """One websocket."""

    name: str

    async def open(self, url: str, protocols: Sequence[str]) -> str | None:
        """Open it, and give the subprotocol that was chosen."""

    async def send(self, message: str | bytes) -> None: ...

    async def send_pieces(self, pieces: Sequence[bytes]) -> None:
        """Send one message in fragments, where the library can."""

    async def receive(self) -> str | bytes:
        """The next message, or `Closed`."""

    async def ping(self, payload: bytes) -> None:
        """Send a ping and wait for its pong."""

    async def close(self, code: int, reason: str) -> None:
        """Close, and wait for the answer."""


class Websockets:
    name = "websockets"

    async def open(self, url: str, protocols: Sequence[str]) -> str | None:
        self.leg = await websockets.asyncio.client.connect(
            url,
            subprotocols=[Subprotocol(name) for name in protocols] or None,
            compression=None,
            max_size=None,
            proxy=None,
            ping_interval=None,
            open_timeout=WAIT,
            close_timeout=WAIT,
        )
        return self.leg.subprotocol

    async def send(self, message: str | bytes) -> None:
        await self.leg.send(message)

    async def send_pieces(self, pieces: Sequence[bytes]) -> None:
        await self.leg.send(pieces)

    async def receive(self) -> str | bytes:
        try:
            return await self.leg.recv()
        except ConnectionClosed as closed:
            how = closed.rcvd
            raise Closed(how.code if how else None, how.reason if how else None) from None

    async def ping(self, payload: bytes) -> None:
        await asyncio.wait_for(await self.leg.ping(payload), WAIT)

    async def close(self, code: int, reason: str) -> None:
        await self.leg.close(code, reason)


class WebsocketClient:
    """The one that blocks: what waits runs in threads."""

    name = "websocket-client"

    async def open(self, url: str, protocols: Sequence[str]) -> str | None:
        connect = partial(
            websocket.create_connection, url, WAIT, subprotocols=list(protocols) or None, suppress_origin=True
        )
        self.leg: websocket.WebSocket = await asyncio.to_thread(connect)
        chosen: str | None = self.leg.subprotocol
        return chosen

    async def send(self, message: str | bytes) -> None:
        kind = websocket.ABNF.OPCODE_TEXT if isinstance(message, str) else websocket.ABNF.OPCODE_BINARY
        await asyncio.to_thread(self.leg.send, message, kind)

    async def send_pieces(self, pieces: Sequence[bytes]) -> None:
        for number, piece in enumerate(pieces, 1):
            kind = websocket.ABNF.OPCODE_CONT if number > 1 else websocket.ABNF.OPCODE_BINARY
            frame = websocket.ABNF.create_frame(piece, kind, fin=number == len(pieces))
            await asyncio.to_thread(self.leg.send_frame, frame)

    async def receive(self) -> str | bytes:
        kind, data = await asyncio.to_thread(self.leg.recv_data)  # pings are answered within
        if kind == websocket.ABNF.OPCODE_CLOSE:  # which is, too
            self.leg.shutdown()
            raise Closed(int.from_bytes(data[:2]) if data else None, data[2:].decode())
        return data.decode() if kind == websocket.ABNF.OPCODE_TEXT else bytes(data)

    async def ping(self, payload: bytes) -> None:
        await asyncio.to_thread(self.leg.ping, payload)
        kind, frame = await asyncio.to_thread(self.leg.recv_data_frame, control_frame=True)
        assert (kind, bytes(frame.data)) == (websocket.ABNF.OPCODE_PONG, payload), frame

    async def close(self, code: int, reason: str) -> None:
        await asyncio.to_thread(self.leg.send_close, code, reason.encode())
        kind, data = await asyncio.to_thread(self.leg.recv_data)
        assert kind == websocket.ABNF.OPCODE_CLOSE and int.from_bytes(data[:2]) == code, (kind, data)
        self.leg.shutdown()


class Wsproto:
    name = "wsproto"

    async def open(self, url: str, protocols: Sequence[str]) -> str | None:
        parts = urlsplit(url)
        self.reader, self.writer = await asyncio.open_connection(parts.hostname, parts.port)
        self.leg = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        self.events: list[Any] = []
        await self._say(wsproto.events.Request(host=parts.netloc, target=parts.path, subprotocols=list(protocols)))
        accepted = await self._event()
        assert isinstance(accepted, wsproto.events.AcceptConnection), accepted
        assert accepted.extensions == []
        return accepted.subprotocol

    async def _say(self, event: Any) -> None:
        self.writer.write(self.leg.send(event))
        await self.writer.drain()

    async def _event(self) -> Any:
        """The next event that isn't a ping, which is answered."""
        while True:
            while not self.events:
                data = await self.reader.read(1 << 16)
                self.leg.receive_data(data or None)
                self.events = list(self.leg.events())
            event = self.events.pop(0)
            if not isinstance(event, wsproto.events.Ping):
                return event
            await self._say(event.response())

    async def send(self, message: str | bytes) -> None:
        if isinstance(message, str):
            await self._say(wsproto.events.TextMessage(message))
        else:
            await self._say(wsproto.events.BytesMessage(message))

    async def send_pieces(self, pieces: Sequence[bytes]) -> None:
        for number, piece in enumerate(pieces, 1):
            await self._say(wsproto.events.BytesMessage(piece, message_finished=number == len(pieces)))

    async def receive(self) -> str | bytes:
        event = await self._event()
        if isinstance(event, wsproto.events.CloseConnection):
            if self.leg.state is wsproto.connection.ConnectionState.REMOTE_CLOSING:
                await self._say(event.response())
            self.writer.close()
            raise Closed(event.code, event.reason)
        text: str | bytes = event.data
        while not event.message_finished:
            event = await self._event()
            text += event.data
        return text if isinstance(text, str) else bytes(text)

    async def ping(self, payload: bytes) -> None:
        await self._say(wsproto.events.Ping(payload))
        event = await self._event()
        assert isinstance(event, wsproto.events.Pong) and bytes(event.payload) == payload, event

    async def close(self, code: int, reason: str) -> None:
        await self._say(wsproto.events.CloseConnection(code, reason))
        event = await self._event()
        assert isinstance(event, wsproto.events.CloseConnection) and event.code == code, event
        assert await self.reader.read() == b"", "a server closes TCP after the closing handshake"
        self.writer.close()


LIBRARIES: tuple[type[Foreign], ...] = (Websockets, WebsocketClient, Wsproto)
