"""The relay: lets legs in by their token, pairs them, splices their bytes."""

import time
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from streamrelay import __version__
from streamrelay.datapath.limits import Bounds
from streamrelay.datapath.splice import Splice
from streamrelay.errors import Refused
from streamrelay.logs import Logger, Seldom, Several, steadily
from streamrelay.net.proxies import Proxies
from streamrelay.net.quotas import turned_away
from streamrelay.program.platform_keys import PlatformKeys
from streamrelay.protocol import codec
from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.protocol.control import Control, Met
from streamrelay.protocol.limits import CLOCK_SKEW, strictest
from streamrelay.protocol.tokens import LegClaims, Verifier, fingerprint
from streamrelay.relay.admitted_leg import AdmittedLeg, Home
from streamrelay.relay.agent_certificate import check_certificate
from streamrelay.relay.claims import claims_of
from streamrelay.relay.config import RelayConfig
from streamrelay.relay.goodbye import Goodbye
from streamrelay.relay.handshakes import Handshakes
from streamrelay.relay.moving import Moving
from streamrelay.relay.rendezvous import Rendezvous
from streamrelay.relay.stall import StallLimit
from streamrelay.relay.tally import RelayTally
from streamrelay.relay.waiting_room import Crowded, WaitingRoom
from streamrelay.websocket.admission import Admitter, Handshake, LegRequest

log = Logger()

AGENT_PATIENCE = 30.0
"""Seconds that an agent's leg waits when a client's waits none."""


@define(eq=False)
class Relay(Service):
    """State that the legs of one process share. `now` is wall-clock time, for tokens; `clock` is monotonic."""

    config: RelayConfig
    clock: IReactorTime
    now: Any = time.time
    verifier: Verifier | None = None
    rendezvous: Rendezvous[AdmittedLeg] = field(factory=Rendezvous)
    legs: set[AdmittedLeg] = field(factory=set)
    """Legs that were admitted and are not gone."""
    greeted: set[AdmittedLeg] = field(factory=set)
    """Legs that were admitted and whose 101 is still to go out."""
    tally: RelayTally = field(factory=RelayTally)
    handshakes: Handshakes = field(init=False)
    room: WaitingRoom = field(init=False)
    keys: PlatformKeys = field(init=False)
    crowded: Seldom = field(init=False)
    proxies: Proxies = field(init=False)
    goodbye: Goodbye = field(init=False)
    moving: Moving = field(init=False)
    bounds: dict[str, Bounds] = field(factory=dict)
    """Limits of the streams of several links, as long as the rendezvous knows them: what one link has used up, all
    have."""
    drained: bool = False
    """True while an operator wants no stream to begin here."""
    changed: Callable[[], None] = lambda: None
    """Called after a leg was let in or has gone."""
    _sweep: LoopingCall = field(init=False)
    kind: str = "stream"

    def __attrs_post_init__(self) -> None:
        config = self.config
        self.proxies = Proxies.named(config.proxies, config.proxy_protocol)
        self.goodbye = Goodbye(self.clock, self.legs, self.rendezvous.lone_legs, self._is_busy)
        self.moving = Moving(self.clock, self.legs, self.rendezvous.lone_legs)
        self.handshakes = Handshakes(config, self.clock, self.proxies, lambda: len(self.legs))
        most = config.max_waiting_per_address
        self.crowded = turned_away(self.clock, f"max_waiting_per_address = {most}")
        self.room = WaitingRoom(most, self.crowded)
        paths = config.platform_key if config.tokens == "signed" else ()
        self.keys = PlatformKeys(paths, config.id, self._use)
        self._sweep = LoopingCall(steadily(self._forget))
        self._sweep.clock = self.clock

    def _use(self, verifier: Verifier) -> None:
        self.verifier = verifier

    def take(self, config: RelayConfig) -> None:
        """Let other settings count from now on, those of `LIVE`; or raise `ConfigError`, and nothing has changed."""
        self.keys.take(config.platform_key)
        self.config = config

    def startService(self) -> None:
        super().startService()
        self._sweep.start(5.0, now=False)
        log.info(
            "streamrelay {version}: relay {id}, {tokens} tokens, patience {patience:g} s, origins: {origins}",
            version=__version__,
            id=self.config.id,
            tokens=self.config.tokens,
            patience=self.config.patience,
            origins=", ".join(self.config.origin) or "none (no web page may connect)",
        )

    def _is_busy(self) -> bool:
        return bool(self.streams or self.rendezvous.waiting or self.greeted or self.handshakes.count)

    @property
    def still_running(self) -> int:
        """Number of splices that live."""
        return self.streams

    @property
    def stopping(self) -> bool:
        """True once no stream is let in any more, while those that there are may still run."""
        return self.goodbye.begun

    @property
    def ready(self) -> bool:
        """True as long as streams may begin here."""
        return not (self.stopping or self.drained)

    def drain(self) -> "Deferred[None]":
        """Let no stream in any more; those that there are run on, or go on elsewhere, and legs that wait may meet for a
        while."""
        done = self.goodbye.begin()
        self.moving.begin(self.config.drain if self.config.nats else 0)
        return done

    def cut(self) -> "Deferred[None]":
        """End all streams now; each has its line in the log before the answer comes."""
        return self.goodbye.cut(self.tally.live)

    def stopService(self) -> "Deferred[None]":
        """Tell every leg that the relay is shutting down, clients behind what their agents had sent."""
        self._sweep.stop()
        self.moving.stop()
        self.handshakes.stop()
        self.crowded.stop()
        done = self.goodbye.end()
        return maybeDeferred(super().stopService).addCallback(lambda _: done)

    def _forget(self) -> None:
        self.rendezvous.forget(self.now())
        for stream in [stream for stream in self.bounds if stream not in self.rendezvous.meetings]:
            del self.bounds[stream]

    @property
    def streams(self) -> int:
        """Number of splices that live."""
        return len(self.tally.live)

    def patience(self, role: str) -> float:
        if self.config.patience == 0 and role == "agent":
            return AGENT_PATIENCE
        return self.config.patience

    # -- Admitter ------------------------------------------------------------------------------------------------

    def handshake_began(self, handshake: Handshake) -> bool:
        # While we stop, too: an answer that goes out before the request is read may be lost in a reset.
        return self.handshakes.begin(handshake)

    def handshake_ended(self, handshake: Handshake, late: bool = False) -> None:
        self.handshakes.end(handshake, late)
        self.goodbye.look()

    def client(self, address: str | None, forwarded: str | None) -> str | None:
        return self.proxies.client(address, forwarded)

    def admit(self, request: LegRequest) -> AdmittedLeg:
        mark = fingerprint(request.token)
        try:
            if self.goodbye.parted:
                raise Refused(503, "shutting down")
            self.handshakes.check_room(request.address)
            if request.origin is not None and request.origin not in self.config.origin:
                raise Refused(403, "origin", detail=f"its origin {request.origin[:100]!r} is not allowed")
            claims, name = claims_of(request, mark, self.verifier, self.now())
            if self.config.agent_ca and claims.role == "agent":
                check_certificate(claims.host, request.certificate)
            if self.stopping and not self.rendezvous.is_expected(claims.stream, claims.role):
                raise Refused(503, "shutting down")
            if self.drained and claims.stream not in self.rendezvous.meetings:
                raise Refused(503, "draining", detail="an operator has drained this relay")
            bucket = self._room_for(claims, request.address)
            # Last, as it uses the token up: whoever is refused for anything else may come again with it.
            self.rendezvous.admit(claims.stream, claims.role, claims.links, claims.exp + CLOCK_SKEW)
        except Crowded:
            raise
        except Refused as refusal:
            log.info(
                "refused the {role} {peer} with token {mark}: {why}",
                role=request.role,
                peer=request.peer,
                mark=mark,
                why=refusal.detail or refusal.reason,
            )
            raise
        admitted = AdmittedLeg(self, claims, name, request.peer)
        self.room.enter(admitted, bucket)
        self.legs.add(admitted)
        self.greeted.add(admitted)
        self.changed()
        return admitted

    def _room_for(self, claims: LegClaims, address: str | None) -> str:
        """Return the bucket under which a leg waits (empty if it needn't, or a platform has sent it) or raise."""
        waits = self.verifier is None and not self.rendezvous.is_awaited(claims.stream, claims.role)
        return self.room.look(self.proxies.bucket(address) if waits else "")

    # -- pairing ---------------------------------------------------------------------------------------------

    def leg_opened(self, admitted: AdmittedLeg) -> None:
        """Pair a leg that has just opened, or let it wait."""
        self.greeted.discard(admitted)
        other = self.rendezvous.meet(admitted.claims.stream, admitted.claims.role, admitted)
        if other is not None:
            client, agent = (admitted, other) if admitted.claims.role == "client" else (other, admitted)
            self._pair(client, agent)
        elif self.goodbye.parted:  # its 101 was still to go out when all others were ended
            admitted.leg.end(outcome(CloseCode.GOING_AWAY))
        elif self.rendezvous.is_late(admitted.claims.stream, admitted.claims.role):
            admitted.leg.end(outcome(CloseCode.LEG_LOST))
        elif admitted.claims.role == "client" and self.config.patience == 0:
            admitted.leg.time_out()

    def _pair(self, client: AdmittedLeg, agent: AdmittedLeg) -> None:
        began = self.clock.seconds()
        mode = "v1" if client.connection.control else "raw"

        def ended(splice: Splice) -> None:
            self.tally.end(splice)
            stall.stop()
            log.info(
                "stream {name} of client {client} ({mode}) and agent {agent} ended: {outcome} after {seconds:.1f} s, "
                "{up} up, {down} down",
                name=client.name,
                client=client.peer,
                mode=mode,
                agent=agent.peer,
                outcome=str(splice.outcome),
                seconds=self.clock.seconds() - began,
                up=Several(splice.outward.count, "byte"),
                down=splice.inward.count,
            )
            client.leg.connection_lost()
            agent.leg.connection_lost()
            self.goodbye.look()

        splice = self._bounds(client, agent).splice(client.connection, agent.connection, ended)
        stall = StallLimit(self.config.stall_limit, splice, client.connection, self.tally, client.name, client.peer)
        self.tally.begin(splice)
        self.tally.pairing.observe(began - min(client.since, agent.since))
        log.debug("stream {name} opened", name=client.name)
        # Both legs know their splice before it starts, as it may end at once; and "met" goes out before any byte of the
        # client, as the agent takes bytes before it for a protocol error.
        for admitted in (client, agent):
            admitted.leg.pair(splice)
            self.room.leave(admitted)
        met = Control(met=Met(mode, client.peer))
        agent.connection.send_control(codec.encode(met))
        stall.start()
        splice.start()

    def _bounds(self, client: AdmittedLeg, agent: AdmittedLeg) -> Bounds:
        """Return the limits of a pair's stream: the strictest of both tokens and of the relay's own settings."""
        limits = strictest(client.claims, agent.claims, self.config)
        bounds = Bounds(limits, self.clock, client.connection.heartbeat)
        if min(client.claims.links, agent.claims.links) == 1:
            return bounds
        return self.bounds.setdefault(client.claims.stream, bounds)

    def gone(self, admitted: AdmittedLeg) -> None:
        """Forget a leg that holds nothing any more."""
        self.rendezvous.leave(admitted.claims.stream)
        self.room.leave(admitted)
        self.legs.discard(admitted)
        self.greeted.discard(admitted)
        self.goodbye.look()
        self.moving.look()
        self.changed()


_admitter: type[Admitter] = Relay
_home: type[Home] = Relay
