"""A far network, as a program of its own: ports of this machine by which others of it are reached with a delay.

``python delay.py ROUND_TRIP FROM:TO …``, the round trip in seconds. A new connection needs what it does on such a link:
a round trip and a half until the far program sees it and what was sent meanwhile (SYN, its answer, the first bytes);
each further piece, and the end, half a one. Nothing is lost, and nothing limits the speed.
"""

import asyncio
import socket
import sys
from asyncio import Queue, StreamReader, StreamWriter
from contextlib import suppress

PIECE = 1 << 18
PIECES = 64
"""How many are under way at most, each way of a connection."""
BACKLOG = 4096

Way = Queue[tuple[float, bytes]]
"""Pieces and when they are due; the last one is empty."""


class Delay:
    """One port that leads to another."""

    def __init__(self, trip: float, near: int, far: int) -> None:
        self._trip, self._near, self._far = trip, near, far

    async def serve(self) -> None:
        server = await asyncio.start_server(self._connect, "127.0.0.1", self._near, backlog=BACKLOG)
        await server.serve_forever()

    async def _connect(self, reader: StreamReader, writer: StreamWriter) -> None:
        there = asyncio.get_running_loop().time() + 1.5 * self._trip
        forth: Way = Queue(PIECES)
        back: Way = Queue(PIECES)
        reading = asyncio.create_task(self._take(reader, forth, there))
        await _until(there)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._far)
        except OSError:
            reading.cancel()
            writer.close()
            return
        for end in (writer, far_writer):
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(reading, _give(forth, far_writer), self._take(far_reader, back, 0), _give(back, writer))
        writer.close()
        far_writer.close()

    async def _take(self, reader: StreamReader, way: Way, earliest: float) -> None:
        now, piece = asyncio.get_running_loop().time, b"-"
        while piece:
            try:
                piece = await reader.read(PIECE)
            except OSError:
                piece = b""
            await way.put((max(earliest, now() + self._trip / 2), piece))


async def _give(way: Way, writer: StreamWriter) -> None:
    """Pass pieces on as they are due. What a broken end no longer takes is dropped."""
    while True:
        due, piece = await way.get()
        await _until(due)
        with suppress(OSError):
            if not piece:
                writer.write_eof()
                return
            writer.write(piece)
            await writer.drain()
        if not piece:
            return


async def _until(due: float) -> None:
    if (left := due - asyncio.get_running_loop().time()) > 0:
        await asyncio.sleep(left)


async def main(trip: str, *pairs: str) -> None:
    ports = (tuple(map(int, pair.split(":"))) for pair in pairs)
    await asyncio.gather(*(Delay(float(trip), near, far).serve() for near, far in ports))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
