"""Simulated agents, as a program of its own: real connections to NATS, with all that an agent at rest says and hears.

``python agents.py NATS_PORT CONTROL_PORT COUNT``. Each subscribes to what an agent does, tells of itself by its event
``up``, answers looks, pings its server, and connects anew as `streamrelay.bus` has nats-py do it: at once, then after
0.5 to 1.5 s each. It has no streams, no NKEY and no TLS. A line on the control port is a command, answered by one of
JSON: ``count``, ``abort N``, ``stop N``, ``come N``.
"""

import asyncio
import random
import sys
from collections import Counter
from typing import Final

import msgspec

from streamrelay.bus.micro_service import service_subjects
from streamrelay.bus.nats_client import soon
from streamrelay.bus.pulse import REST
from streamrelay.protocol import codec
from streamrelay.protocol.subjects import (
    AGENT_NAME,
    ALL_STREAMS,
    ALL_TARGETS,
    SERVICE,
    end_subject,
    event_subject,
    open_subject,
    streams_subject,
)
from streamrelay.protocol.summons import HostAnswer, HostQuestion, TargetInfo

SITES: Final = ("fra", "ams", "lon")
TARGETS: Final = (
    TargetInfo("log/nginx", "log", "log"),
    TargetInfo("log/system", "log", "log"),
    TargetInfo("shell", "pty", "terminal"),
    TargetInfo("ssh", "tcp", "raw"),
    TargetInfo("db/postgres", "unix", "raw"),
)
_CONNECT: Final = {"verbose": False, "pedantic": False, "lang": "python3", "version": "2.15.0", "protocol": 1}


def host_name(number: int) -> str:
    return f"host-{number:05}"


def subjects(host: str) -> list[str]:
    """Return all that the agent of a host subscribes to."""
    own = [open_subject(host), end_subject(host), streams_subject(host)]
    return [ALL_TARGETS, ALL_STREAMS, *own, *service_subjects(SERVICE, host)]


def answer(number: int, targets: bool) -> bytes:
    """Return what the agent of a host tells of it, with its targets or without."""
    agent = f"vm-{number:05}, process 4711, since 2026-11-29T12:00:00.000000Z"
    told = HostAnswer((), "0.1.0.dev0", agent)
    if targets:
        labels, address = {"site": SITES[number % len(SITES)]}, f"10.0.{number >> 8 & 255}.{number & 255}"
        told = HostAnswer(TARGETS, told.version, agent, labels=labels, address=address)
    return codec.encode(told)


def opening(number: int) -> bytes:
    """Return what the agent of a host sends a server first: its name, its subscriptions, and its event ``up``."""
    host = host_name(number)
    about = {**_CONNECT, "headers": True, "no_responders": True, "name": AGENT_NAME + host}
    heard = [f"SUB {subject}  {sid}\r\n" for sid, subject in enumerate(subjects(host), 1)]
    up = published(event_subject(host, "up"), answer(number, True))
    return b"".join([b"CONNECT ", codec.encode(about), b"\r\nPING\r\n", *map(str.encode, heard), up])


def published(subject: str, body: bytes) -> bytes:
    return f"PUB {subject} {len(body)}\r\n".encode() + body + b"\r\n"


class Agent(asyncio.Protocol):
    """One agent and its connection, which is made again when it is lost."""

    transport: asyncio.Transport

    def __init__(self, number: int, port: int, counts: Counter[str]) -> None:
        self.number, self.host, self._port, self._counts = number, host_name(number), port, counts
        self._rest = b""
        self._stays = True
        self._wait = soon()

    async def connect(self) -> None:
        """Connect, however often that needs to be tried."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.create_connection(lambda: self, "127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(self._wait)
            else:
                return

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self._rest, self._wait = transport, b"", soon()
        self._counts["here"] += 1
        self._write(opening(self.number))
        self._pinging = asyncio.get_running_loop().call_later(REST * random.random(), self._ping)

    def _write(self, data: bytes) -> None:
        self._counts["sent"] += len(data)
        self.transport.write(data)

    def _ping(self) -> None:
        self._write(b"PING\r\n")
        self._pinging = asyncio.get_running_loop().call_later(REST, self._ping)

    def data_received(self, data: bytes) -> None:
        self._counts["received"] += len(data)
        self._rest += data
        while (end := self._rest.find(b"\r\n")) >= 0:
            words = self._rest[:end].split(b" ")
            end += 2
            if words[0] == b"MSG":
                size = int(words[-1])
                if len(self._rest) < end + size + 2:
                    return
                self._heard(words, self._rest[end : end + size])
                end += size + 2
            elif words[0] == b"PING":
                self._write(b"PONG\r\n")
            self._rest = self._rest[end:]

    def _heard(self, words: list[bytes], body: bytes) -> None:
        subject = words[1].decode()
        self._counts["messages"] += 1
        if subject not in (ALL_TARGETS, ALL_STREAMS):
            return  # a knock, which is not answered
        inbox = f"{words[3].decode()}.{self.host}"
        if subject == ALL_STREAMS:
            self._write(published(inbox, b"[]"))
            return
        question = msgspec.json.decode(body, type=HostQuestion)
        told = published(inbox, answer(self.number, question.targets))
        asyncio.get_running_loop().call_later(question.spread * random.random(), self._tell, told)

    def _tell(self, told: bytes) -> None:
        if not self.transport.is_closing():
            self._write(told)

    def connection_lost(self, exc: Exception | None) -> None:
        self._counts["here"] -= 1
        self._pinging.cancel()
        if self._stays:
            self._again = asyncio.get_running_loop().create_task(self.connect())

    def abort(self) -> None:
        """Be gone without a word."""
        self._stays = False
        self.transport.abort()

    def stop(self) -> None:
        """Be gone in order."""
        self._stays = False
        self._write(published(event_subject(self.host, "down"), b"{}"))
        self.transport.close()


class Agents:
    """All agents of this process, and who commands them."""

    def __init__(self, port: int) -> None:
        self.counts: Counter[str] = Counter()
        self._port = port
        self._agents: dict[int, Agent] = {}

    async def come(self, number: int) -> None:
        self._agents[number] = Agent(number, self._port, self.counts)
        await self._agents[number].connect()

    async def commanded(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while words := (await reader.readline()).decode().split():
            match words:
                case ["abort", number]:
                    self._agents[int(number)].abort()
                case ["stop", number]:
                    self._agents[int(number)].stop()
                case ["come", number]:
                    await self.come(int(number))
            writer.write(msgspec.json.encode(self.counts) + b"\n")
        writer.close()


async def main(nats: int, control: int, count: int) -> None:
    agents = Agents(nats)
    for number in range(count):
        await agents.come(number)
    server = await asyncio.start_server(agents.commanded, "127.0.0.1", control)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
