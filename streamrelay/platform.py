"""The platform: mints tokens, summons agents, knows what is up. As a library for any asyncio program, Twisted's too.

::

    from streamrelay.platform import Platform

    platform = Platform(relay="wss://relay.example", nats=("tls://nats.example",), key="platform.key")
    platform.start()                                   # inside the running loop
    opened = await platform.open("alice", "web-1", "log/nginx")
    opened.url                                         # for alice's browser, once, within 30 s

It decides nothing about who may open what; whoever calls it has done that (`streamrelay.api` does it by grants).
Its coroutines are asyncio's; a Twisted program on the asyncio reactor wraps them in `as_deferred`.
"""

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
from attrs import define, field
from msgspec import Struct

from streamrelay import tokens, wire
from streamrelay.bus import Bus, Down, Nobody, TooSlow, as_deferred
from streamrelay.errors import Refused
from streamrelay.tokens import Signer
from streamrelay.wire import Answer, HostInfo, Refusal, StreamInfo

__all__ = ["Opened", "Platform", "Refused", "as_deferred"]

OPEN_TIME: Final = wire.CONNECT_TIME + 0.5
"""Seconds within which an agent must answer a summons: it gives its target ten."""

_STATUS: Final = {
    Refusal.NO_SUCH_TARGET: 404,
    Refusal.TARGET_REFUSED: 502,
    Refusal.TARGET_UNREACHABLE: 504,
    Refusal.DIAL_FAILED: 502,
    Refusal.BAD_SUMMONS: 502,
    Refusal.BUSY: 503,
    Refusal.NO_SUCH_STREAM: 404,
}


class Opened(Struct, frozen=True):
    """A stream whose agent waits at the relay."""

    stream: str
    """Its id; not secret."""
    url: str
    """The websocket for the client: a secret, good once until `expires`."""
    kind: str
    """The target's kind: tcp, unix, log, pty."""
    expires: float
    """Seconds since the epoch."""


@define(eq=False)
class Platform:
    """One platform. `key` is the file of its private key; without one, tokens are opaque."""

    relay: str
    nats: tuple[str, ...] = ("nats://127.0.0.1:4222",)
    key: str = ""
    relay_id: str = "relay"
    nats_creds: str = ""
    ca: str = ""
    now: Callable[[], float] = time.time
    bus: Bus = field(init=False)
    _signer: Signer | None = None

    def __attrs_post_init__(self) -> None:
        if self.key:
            self._signer = Signer.load(self.key)
        self.bus = Bus(self.nats, "streamplatform", self.nats_creds, self.ca)

    def start(self) -> None:
        """Connect to the bus in the background; to be called inside the running loop."""
        self.bus.start()

    async def stop(self) -> None:
        await self.bus.stop()

    async def open(self, user: str, host: str, target: str, links: int = 1) -> Opened:
        """Summon the agent of `host` to `target` for `user`; `Refused` says in HTTP's terms why there is no stream."""
        if not wire.is_host(host) or not wire.is_target(target):
            raise Refused(404, "no such host or target", code="no_such_target")
        expires = self.now() + wire.SUMMONS_LIFE
        if self._signer is None:
            if links != 1:
                raise ValueError("an opaque token serves one pair of legs; links need signed tokens")
            client_token = agent_token = tokens.new_id()
            stream = tokens.opaque_stream(agent_token)
        else:
            stream = tokens.new_id()
            about: dict[str, Any] = {"sub": stream, "host": host, "target": target, "user": user, "links": links}
            agent_token, client_token = (
                self._signer.mint(self.relay_id, role=role, **about) for role in ("agent", "client")
            )
        summons = {
            "stream": stream,
            "target": target,
            "relay": self.relay,
            "token": agent_token,
            "user": user,
            "links": links,
        }
        answer = await self._ask(wire.open_subject(host), host, "summons", summons)
        url = f"{self.relay.rstrip('/')}/client/{client_token}"
        return Opened(stream, url, answer.kind, expires)

    async def hosts(self) -> list[HostInfo]:
        """The hosts that are up, with all their targets."""
        hosts = {}
        for answer in await self._gather("$SRV.INFO.streamagent"):
            try:
                metadata = answer["metadata"]
                listed = wire.decode(metadata["targets"], list[Any])
                info = msgspec.convert({"host": metadata["host"], "targets": listed}, HostInfo)
            except (KeyError, TypeError, ValueError):
                continue
            hosts[info.host] = info
        return sorted(hosts.values(), key=lambda info: info.host)

    async def streams(self) -> list[StreamInfo]:
        """The streams that live, as their agents tell."""
        streams: list[StreamInfo] = []
        for answer in await self._gather("$SRV.STATS.streamagent"):
            try:
                for endpoint in answer["endpoints"]:
                    streams += msgspec.convert(endpoint.get("data") or [], list[StreamInfo])
            except (KeyError, TypeError, AttributeError, msgspec.ValidationError):
                continue
        return sorted(streams, key=lambda info: -info.seconds)

    async def end(self, host: str, stream: str) -> None:
        """End a stream of `host`; `Refused` 404 if there is none."""
        await self._ask(wire.end_subject(host), host, "end", {"stream": stream})

    def _envelope(self, host: str, role: str, message: dict[str, Any]) -> bytes:
        if self._signer is not None:
            return self._signer.mint(host, role=role, **message).encode()
        plain = {**message, "jti": tokens.new_id(), "exp": self.now() + wire.SUMMONS_LIFE}
        return wire.encode(plain)

    async def _ask(self, subject: str, host: str, role: str, message: dict[str, Any]) -> Answer:
        try:
            reply = await self.bus.request(subject, self._envelope(host, role, message), OPEN_TIME)
            answer = wire.decode(reply, Answer)
        except Nobody:
            raise Refused(503, f"host {host} is offline", code="host_offline") from None
        except Down:
            raise Refused(503, "the platform has no connection to its bus", code="bus_down") from None
        except TooSlow:
            raise Refused(504, f"host {host} did not answer in time", code="host_slow") from None
        except ValueError:
            raise Refused(502, f"host {host} gave an answer that is none", code="bad_answer") from None
        if not answer.ready:
            raise Refused(_STATUS.get(answer.refused, 502), answer.reason, code=answer.refused)
        return answer

    async def _gather(self, subject: str) -> list[dict[str, Any]]:
        try:
            answers = await self.bus.gather(subject)
        except Down:
            raise Refused(503, "the platform has no connection to its bus", code="bus_down") from None
        found = []
        for answer in answers:
            try:
                found.append(wire.decode(answer, dict[str, Any]))
            except ValueError:
                continue
        return found
