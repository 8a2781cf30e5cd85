"""The relay: lets legs in by their token, pairs them, splices their bytes."""

import time
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from streamrelay import tokens, wire
from streamrelay.arrivals import Arrivals, TurnedAway
from streamrelay.config import RelayConfig
from streamrelay.endings import Close, ending
from streamrelay.errors import Refused
from streamrelay.framed import FramedConnection
from streamrelay.knock import Admission, Door, Knock
from streamrelay.leg import Leg, LegCore, make_leg
from streamrelay.limits import Bounds
from streamrelay.logs import Logger, steadily
from streamrelay.proxies import Proxies
from streamrelay.rendezvous import Rendezvous
from streamrelay.splice import Splice
from streamrelay.tokens import LegClaims, TokenError, Verifier, fingerprint

log = Logger()

OPAQUE_MEMORY = 60.0
"""Seconds that an opaque token, which has no expiry of its own, stays used up after its last leg came."""
AGENT_PATIENCE = 30.0
"""Seconds that an agent's leg waits when a client's waits none."""
GOODBYE = 3.0
"""Seconds that legs get at a stop to take their close."""


@define(eq=False)
class Seat:
    """One admitted leg: its claims, and the machine that lives its life."""

    relay: "Relay"
    claims: LegClaims
    name: str
    """How logs call its stream."""
    peer: str
    leg: Leg = field(init=False)
    connection: FramedConnection = field(init=False)

    def __attrs_post_init__(self) -> None:
        core = LegCore(self.relay.clock, self.relay.patience(self.claims.role), self._withdraw, self._gone)
        self.leg = make_leg(core)

    def opened(self, connection: FramedConnection) -> None:
        self.connection = connection
        self.leg.open(connection)
        self.relay.seated(self)

    def left(self) -> None:
        self.leg.lose()

    def _withdraw(self) -> None:
        log.info(
            "stream {name}: the {role} {peer} waited in vain",
            name=self.name,
            role=self.claims.role,
            peer=self.peer,
        )
        self.relay.rendezvous.withdraw(self.claims.sub, self.claims.role, self)

    def _gone(self) -> None:
        self.relay.gone(self)


_admission: type[Admission] = Seat


@define(eq=False)
class Relay(Service):
    """Everything that the legs of one process share. `now` is wall-clock time, for tokens."""

    config: RelayConfig
    clock: IReactorTime
    now: Any = time.time
    verifier: Verifier | None = None
    rendezvous: Rendezvous[Seat] = field(factory=Rendezvous)
    seats: set[Seat] = field(factory=set)
    """Legs that were admitted and are not gone."""
    streams: int = 0
    """Splices that live."""
    arrivals: Arrivals = field(init=False)
    turned_away: dict[str, TurnedAway] = field(init=False)
    """By the setting that does it."""
    proxies: Proxies = field(init=False)
    stopping: bool = False
    bounds: dict[str, Bounds] = field(factory=dict)
    """Of the streams of several links, as long as the rendezvous knows them: what one has used up, all have."""
    _sweep: LoopingCall = field(init=False)
    _empty: "Deferred[None] | None" = None

    def __attrs_post_init__(self) -> None:
        config = self.config
        self.arrivals = Arrivals(config.max_handshakes, config.max_handshakes_per_address)
        self.turned_away = {
            name: TurnedAway(self.clock, f"{name} = {getattr(config, name)}")
            for name in ("max_handshakes_per_address", "max_handshakes", "max_connections")
        }
        self.proxies = Proxies.named(config.proxies, config.proxy_protocol)
        if self.config.tokens == "signed":
            self.verifier = Verifier.load(list(self.config.platform_key), self.config.id)
        self._sweep = LoopingCall(steadily(self._forget))
        self._sweep.clock = self.clock

    def startService(self) -> None:
        super().startService()
        self._sweep.start(5.0, now=False)
        log.info(
            "relay {id} takes {tokens} tokens, patience {patience:g} s, origins: {origins}",
            id=self.config.id,
            tokens=self.config.tokens,
            patience=self.config.patience,
            origins=", ".join(self.config.origin) or "none (no web page may connect)",
        )

    def stopService(self) -> "Deferred[None]":
        """Tell every leg that the relay is going away, and give it a moment to hear it."""
        self.stopping = True
        self._sweep.stop()
        for limit in self.turned_away.values():
            limit.stop()
        for seat in tuple(self.seats):
            seat.leg.dismiss(ending(Close.GOING_AWAY))
        done: Deferred[None] = Deferred()
        if self.seats:
            self._empty = done
            done.addTimeout(GOODBYE, self.clock, onTimeoutCancel=lambda value, _: None)
        else:
            done.callback(None)
        return maybeDeferred(super().stopService).addCallback(lambda _: done)

    def _forget(self) -> None:
        self.rendezvous.forget(self.now())
        for stream in [stream for stream in self.bounds if stream not in self.rendezvous.meetings]:
            del self.bounds[stream]

    def patience(self, role: str) -> float:
        if self.config.patience == 0 and role == "agent":
            return AGENT_PATIENCE
        return self.config.patience

    # -- Door ------------------------------------------------------------------------------------------------

    def greet(self, host: str | None) -> None:
        place = self.proxies.place(host)
        try:
            self.arrivals.enter(place)
        except Refused as refusal:
            self.turned_away["max_handshakes_per_address" if refusal.status == 429 else "max_handshakes"].count(place)
            raise
        if self.stopping:
            raise Refused(503, "going away")
        if len(self.seats) + self.arrivals.count > self.config.max_connections:
            self.turned_away["max_connections"].count(place)
            raise Refused(503, "full")

    def part(self, host: str | None) -> None:
        self.arrivals.leave(self.proxies.place(host))

    def client(self, host: str | None, forwarded: str | None) -> str | None:
        return self.proxies.client(host, forwarded)

    def admit(self, knock: Knock) -> Seat:
        mark = fingerprint(knock.token)
        try:
            if knock.origin is not None and knock.origin not in self.config.origin:
                raise Refused(403, "origin", detail=f"its origin {knock.origin[:100]!r} is not allowed")
            claims, name = self._claims(knock, mark)
            if self.config.agent_ca and claims.role == "agent":
                check_certificate(claims.host, knock.certificate)
            self.rendezvous.admit(claims.sub, claims.role, claims.links, claims.exp + wire.CLOCK_SKEW)
        except Refused as refusal:
            log.info(
                "refused the {role} {peer} with token {mark}: {why}",
                role=knock.role,
                peer=knock.peer,
                mark=mark,
                why=refusal.detail or refusal.reason,
            )
            raise
        seat = Seat(self, claims, name, knock.peer)
        self.seats.add(seat)
        return seat

    def _claims(self, knock: Knock, mark: str) -> tuple[LegClaims, str]:
        """What the token says, and the stream's name in logs: an opaque token shows as its fingerprint."""
        assert knock.role in ("client", "agent")
        role: tokens.Role = "client" if knock.role == "client" else "agent"
        if self.verifier is None:
            if not wire.is_opaque(knock.token):
                raise Refused(401, "token", detail="not 22 to 256 of A-Za-z0-9_-")
            return LegClaims(knock.token, role, self.now() + OPAQUE_MEMORY, "opaque-token"), mark
        try:
            claims = self.verifier.leg(knock.token, role)
        except TokenError as error:
            raise Refused(401, "token", detail=str(error)) from None
        return claims, claims.sub

    # -- pairing ---------------------------------------------------------------------------------------------

    def seated(self, seat: Seat) -> None:
        """A leg is open: pair it, or let it wait."""
        other = self.rendezvous.meet(seat.claims.sub, seat.claims.role, seat)
        if other is not None:
            client, agent = (seat, other) if seat.claims.role == "client" else (other, seat)
            self._pair(client, agent)
        elif self.stopping:
            seat.leg.dismiss(ending(Close.GOING_AWAY))
        elif seat.claims.role == "client" and self.config.patience == 0:
            seat.leg.tire()

    def _pair(self, client: Seat, agent: Seat) -> None:
        began = self.clock.seconds()
        mode = "v1" if client.connection.control else "raw"

        def ended(splice: Splice) -> None:
            self.streams -= 1
            log.info(
                "stream {name} of client {client} ({mode}) and agent {agent} ended: {ending} after {seconds:.1f} s, "
                "{up} bytes up, {down} down",
                name=client.name,
                client=client.peer,
                mode=mode,
                agent=agent.peer,
                ending=str(splice.ending),
                seconds=self.clock.seconds() - began,
                up=splice.outward.count,
                down=splice.inward.count,
            )
            client.leg.lose()
            agent.leg.lose()

        splice = Splice(client.connection, agent.connection, ended)
        self._bounds(client, agent).hold(splice)
        self.streams += 1
        log.debug("stream {name} opened", name=client.name)
        client.leg.meet(splice)
        agent.leg.meet(splice)
        met = wire.Control(met=wire.Met(mode, client.peer))
        agent.connection.send_control(wire.encode(met))
        splice.start()

    def _bounds(self, client: Seat, agent: Seat) -> Bounds:
        """The limits of a pair's stream: the strictest of both tokens and of the relay's own settings."""
        limits = wire.strictest(client.claims, agent.claims, self.config)
        bounds = Bounds(limits, self.clock, client.connection.pulse)
        if min(client.claims.links, agent.claims.links) == 1:
            return bounds
        return self.bounds.setdefault(client.claims.sub, bounds)

    def gone(self, seat: Seat) -> None:
        """A leg holds nothing any more."""
        self.rendezvous.leave(seat.claims.sub)
        self.seats.discard(seat)
        if self._empty is not None and not self.seats:
            done, self._empty = self._empty, None
            done.callback(None)


def check_certificate(host: str, names: tuple[str, ...] | None) -> None:
    """Raise `Refused` unless an agent has shown a certificate, and in the name of its token's host if that has one."""
    if names is None:
        raise Refused(403, "certificate", detail="it has shown no certificate")
    if host and host.lower() not in names:
        raise Refused(403, "certificate", detail=f"its certificate is for {', '.join(names)[:200]}, not for {host}")


_door: type[Door] = Relay
