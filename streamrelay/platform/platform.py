"""A platform for any asyncio program: it mints tokens, summons agents, and asks them what lives.

Its coroutines are asyncio's; a Twisted program on the asyncio reactor wraps them in `as_deferred`.
"""

import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from attrs import define, field
from msgspec import structs

from streamrelay.bus.connection import Bus
from streamrelay.errors import ConfigError, Refused
from streamrelay.net.outbound import Outbound
from streamrelay.platform.asking import Asking
from streamrelay.platform.fleet.inventory import Inventory
from streamrelay.platform.fleet.lookout import Lookout
from streamrelay.platform.live_streams import Listing as Listing
from streamrelay.platform.live_streams import LiveStreams
from streamrelay.platform.namesakes import Namesakes
from streamrelay.platform.new_stream import Early
from streamrelay.platform.new_stream import Opened as Opened
from streamrelay.platform.opening import Opening, is_settled
from streamrelay.platform.refusals import StreamOver, no_bus
from streamrelay.platform.relay_drain import RelayDrain
from streamrelay.platform.relays import HeardRelay, PickedRelay, RelayChoice
from streamrelay.platform.resumption import Resumption as Resumption
from streamrelay.platform.terminals import Terminals
from streamrelay.protocol import tokens
from streamrelay.protocol.limits import Limits
from streamrelay.protocol.names import is_host, is_target
from streamrelay.protocol.subjects import PLATFORM_INBOX, end_subject, open_subject, relay_subject
from streamrelay.protocol.summons import Answer, HostInfo, StreamInfo, Terms
from streamrelay.protocol.terminals import TerminalInfo
from streamrelay.protocol.tokens import Signer

KNOWN_TIME: Final = 5.0
"""Seconds for which a list of hosts waits until all are known."""

TERMS: Final = Terms()
"""Terms of a stream for which nothing else is said: the whole of its target, and of a log the last lines."""


@define(eq=False)
class Platform:
    """One platform. `key` is the file of its private key; without one, tokens are opaque."""

    relay: str = ""
    """URL of the one relay; empty: those of the bus whose URLs `relays` allow."""
    nats: tuple[str, ...] = ("nats://127.0.0.1:4222",)
    key: str = ""
    relay_id: str = "relay"
    nats_creds: str = ""
    ca: str = ""
    nats_nkey: str = ""
    nats_certificate: str = ""
    limits: Limits = field(factory=Limits)
    """Limits of every stream that is opened without limits of its own."""
    now: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    """Monotonic seconds, for the age of answers."""
    nats_handshake_first: bool = False
    """True if the bus begins with TLS (nats-server's ``handshake_first``)."""
    early: bool = True
    """False if the relay lets no client wait for its agent (``patience = 0``)."""
    outbound: Outbound = field(factory=Outbound.chosen)
    """The proxy by which the bus is dialled; unless it is given, that of the environment."""
    relays: tuple[str, ...] = ()
    """Patterns of the URLs that relays of the bus may have (operations.rst, "Many relays")."""
    zone_of: Callable[[str], str] | None = None
    """Tells the zone of a host, where the user has named none (empty: any); None: as the host's label ``zone`` says."""
    choice: RelayChoice = field(init=False)
    bus: Bus = field(init=False)
    up: Callable[[], None] = field(init=False, default=lambda: None)
    """Called whenever there is a connection to the bus."""
    lost: Callable[[], None] = field(init=False, default=lambda: None)
    """Called whenever the connection to the bus is lost."""
    inventory: Inventory = field(init=False)
    lookout: Lookout = field(init=False)
    namesakes: Namesakes = field(init=False)
    asking: Asking = field(init=False)
    live_streams: LiveStreams = field(init=False)
    kept: Terminals = field(init=False)
    _signer: Signer | None = None

    def __attrs_post_init__(self) -> None:
        if self.key:
            self._signer = Signer.load(self.key)
        self.bus = Bus(
            self.nats,
            "streamplatform",
            creds=self.nats_creds,
            nkey=self.nats_nkey,
            ca=self.ca,
            certificate=self.nats_certificate,
            handshake_first=self.nats_handshake_first,
            outbound=self.outbound,
            inbox=PLATFORM_INBOX,
            up=self._connected,
            lost=self._lost,
        )
        if bool(self.relay) == bool(self.relays):
            raise ConfigError("a platform has either a relay, or relays: patterns of the URLs of those on the bus")
        fixed = PickedRelay(self.relay_id, self.relay) if self.relay else None
        self.choice = RelayChoice(self.clock, fixed, self.relays)
        if fixed is None:
            self.bus.listen(relay_subject("*", "*"), self.choice.hear)
        self.inventory, self.namesakes = Inventory(self.now), Namesakes(self._tell_agents)
        self.asking = Asking(self.bus, self.inventory, self._signer, self.now)
        self.lookout = Lookout(self.bus, self.inventory, self._knock, self.namesakes.looked)
        self.lookout.came = lambda host: self.bus.requests.repeat(open_subject(host))
        self.lookout.listen()
        self.live_streams = LiveStreams(self.bus, self.inventory, self.lookout.missed, self.clock, self.now)
        self.kept = Terminals(self.asking, self.clock)

    def start(self) -> None:
        """Connect to the bus in the background; to be called inside the running loop."""
        self.bus.start()
        self.lookout.start()

    async def stop(self) -> None:
        self.lookout.stop()
        await self.bus.stop()

    def _connected(self) -> None:
        self.lookout.connected()
        self.up()

    def _lost(self) -> None:
        self.lookout.lost()
        self.live_streams.forget()
        self.lost()

    async def open(
        self,
        user: str,
        host: str,
        target: str,
        links: int = 0,
        limits: Limits | None = None,
        terms: Terms = TERMS,
        early: Callable[[Early], None] | None = None,
        channels: bool = False,
        zone: str = "",
        resume: bool = False,
        terminal: str = "",
        share: bool = False,
    ) -> Opened:
        """Summon the agent of `host` to `target` for `user`; `Refused` says in HTTP's terms why there is no stream.

        `links` are the websockets that the client may open, 0: as many as the target's viewer needs. `limits` take the
        place of the platform's own; opaque tokens hold none, but the summons does. Opaque tokens serve one websocket.

        `early` is for clients of one websocket: it is called with the URL as the agent is asked, so that the client can
        dial meanwhile. It isn't if the relay lets nobody wait, or the agent has to confirm first that it is view-only.

        With `channels` the one websocket may carry many connections, where the agent can; `Opened` says how many. Each
        is held to the limits by the agent.

        Of the relays of the bus one of `zone` is picked, or else of the host's (`zone_of`), or any if there is none. If
        its agent can't use it, `Opened` may have another URL than `early` was told.

        With `resume` the stream outlives its legs, where tokens are signed and the agent can: `Opened` says how long.

        With `terminal` it attaches to that kept terminal (410 if there is none), which the user must have started
        unless `share` is true; without, a target that keeps terminals starts one, which `Opened` names.
        """
        if not is_host(host) or not is_target(target):
            raise Refused(404, "no such host or target", code="no_such_target")
        await self._have_bus()
        bounds = (self.limits if limits is None else limits).claims()
        about: dict[str, Any] = {"host": host, "target": target, "user": user, **bounds}
        channels = channels and not terms.view
        resume = resume and self._signer is not None
        stream = tokens.new_id() if resume else ""
        if resume:
            about["stream"] = stream
        told = early if self.early and is_settled(bounds, terms, channels) and not terminal else None
        more: dict[str, Any] = {"resume": True} if resume else {}
        if terminal:
            more |= {"terminal": terminal, "share": share}

        async def ask(message: dict[str, Any]) -> Answer:
            answer = await self.asking.ask(open_subject(host), host, "summons", {**message, **more})
            return self.kept.confirmed(host, message["stream"], terminal, answer)

        links, zone = 1 if early or channels else links, zone or self._zone_of(host)
        opening = Opening(
            self._signer, self.choice, ask, self.clock, self.now, about, terms, links, channels, told, zone, stream
        )
        opened = await opening.run()
        self.live_streams.opened(opened.stream, host, target, user)
        self.kept.forget(host)
        return opened

    async def resume(self, again: Resumption, early: Callable[[Early], None] | None = None) -> Opened:
        """Summon the agent of a stream that has lost its legs to bring another one, or raise `Refused`: 410 if the
        stream is over, 409 if a newer request was made, any other status: not now. `early` is as in `open`.

        Whether its user may still have it is the caller's to know, each time.
        """
        if self._signer is None:
            raise StreamOver("streams resume only where tokens are signed")
        await self._have_bus()

        def ask(message: dict[str, Any]) -> Coroutine[Any, Any, Answer]:
            return self.asking.ask(open_subject(again.host), again.host, "resume", again.summons(message))

        bounds = (self.limits if again.limits is None else again.limits).claims()
        zone, told = again.zone or self._zone_of(again.host), again.told(early) if self.early else None
        opening = Opening(
            *(self._signer, self.choice, ask, self.clock, self.now, again.about(bounds)),
            *(Terms(again.view), 1, False, told, zone),
        )
        opened = await opening.run()
        return structs.replace(opened, stream=again.stream)

    def withdraw(self, user: str, host: str, stream: str, reason: str) -> None:
        """End a stream of a user who may have it no longer; of anybody else's nothing happens."""
        self.asking.tell(host, "end", {"stream": stream, "user": user, "reason": reason})

    def _zone_of(self, host: str) -> str:
        """Return the zone of a host, as its labels say; empty: any will do."""
        if self.zone_of is not None:
            return self.zone_of(host)
        known = self.inventory.hosts.get(host)
        return "" if known is None else known.labels.get("zone", "")

    async def hosts(self) -> Listing[HostInfo]:
        """Return the hosts that are up, with their targets; `Refused` 503 if there is no connection to the bus.

        They are known from what agents tell by themselves, so nobody is asked. The list isn't complete where the
        platform has connected just now, and not all have answered within five seconds. Those that are down are in
        `inventory`.
        """
        await self.know_hosts()
        up = Listing(info for _, info in sorted(self.inventory.hosts.items()) if info.state != "down")
        up.complete = self.inventory.complete
        return up

    async def know_hosts(self) -> None:
        """Wait until all hosts are known, though not for long; `Refused` 503 if there is no connection to the bus."""
        await self._have_bus()
        self.lookout.watch()
        if not self.inventory.complete:
            await self.lookout.known(KNOWN_TIME)

    async def streams(self, anew: bool = False) -> Listing[StreamInfo]:
        """Return the streams of all hosts, as their agents tell; none tells of another host's.

        The list may be two seconds old, or more where over 2000 hosts are known, a second for each 1000 of them; but
        not of what was opened and ended here. With `anew` it isn't older than this call. `Refused` 503 if there is no
        connection to the bus.
        """
        await self._have_bus()
        return await self.live_streams.listed(anew)

    async def end(self, host: str, stream: str) -> None:
        """End a stream of `host`, or raise `Refused`: 404 if there is no such stream, 503 if the host is offline."""
        await self._have_bus()
        await self.asking.ask(end_subject(host), host, "end", {"stream": stream})
        self.live_streams.ended(host, stream)

    async def terminals(self, host: str, anew: bool = False) -> list[TerminalInfo]:
        """Return the kept terminals of `host`, or raise `Refused`: 503 if it is offline, 502 if its agent is too old to
        have any. The list may be a second old; with `anew` it isn't older than this call."""
        await self._have_bus()
        return await self.kept.listed(host, anew)

    async def end_terminal(self, host: str, terminal: str) -> None:
        """End a kept terminal of `host` with all that runs in it, or raise `Refused`: 404 if there is none, 503 if the
        host is offline."""
        await self._have_bus()
        await self.kept.end(host, terminal)

    async def drain(self, relay: str, undo: bool = False, user: str = "") -> HeardRelay:
        """Have no stream begin at a relay of the bus until that is undone, or it restarts; those that live go on.

        Return its state as it then tells it, or raise `Refused`: 404 if no such relay is heard, 503 if nobody listens
        there. `user` is a name for the relay's log.
        """
        await self._have_bus()
        return await RelayDrain(self.bus, self.choice, self.asking.envelope).ask(relay, not undo, user)

    async def _have_bus(self) -> None:
        if not await self.bus.is_back():
            raise no_bus()

    def _tell_agents(self, host: str, agents: list[str]) -> None:
        self.asking.tell(host, "agents", {"agents": agents})

    def _knock(self, host: str) -> bytes:
        """Return what an agent neither answers nor tells."""
        return self.asking.envelope(host, "agents", {"agents": []})
