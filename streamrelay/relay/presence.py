"""A relay on the bus: it tells platforms its URL, its zone, its load, and whether it takes streams.

It hears NATS' own service discovery, and the platform's signed request to let no stream begin here (`operator_drain`);
nobody else can have it do anything by the bus. What it tells is for platforms that pick a relay for each stream
(protocol.rst, "Relays"). Its legs need no bus.
"""

from typing import Any

from attrs import define, field
from msgspec import structs
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from streamrelay import __version__
from streamrelay.bus.by_settings import bus_by
from streamrelay.bus.connection import Bus, as_deferred
from streamrelay.bus.message import Message
from streamrelay.bus.micro_service import MicroService, moment
from streamrelay.logs import Logger, steadily
from streamrelay.net.outbound import Outbound
from streamrelay.program.readiness import Readiness
from streamrelay.protocol import codec
from streamrelay.protocol.relay_state import DOWN, EACH, STATE, RelayState, State
from streamrelay.protocol.subjects import RELAY_SERVICE, drain_subject, relay_subject
from streamrelay.relay.load import Load
from streamrelay.relay.operator_drain import OperatorDrain
from streamrelay.relay.service import Relay

log = Logger()


@define(eq=False)
class Presence(Service):
    """One relay's presence. `reactor` is the clock of all durations."""

    relay: Relay
    reactor: Any
    readiness: Readiness = field(factory=Readiness)
    load: Load = field(init=False)
    bus: Bus = field(init=False)
    operator_drain: OperatorDrain = field(init=False)
    _said: State = "ready"
    _each: LoopingCall = field(init=False)

    def __attrs_post_init__(self) -> None:
        config = self.relay.config
        self.load = Load(self.relay, self.reactor)
        self._each = LoopingCall(steadily(self._look))
        self._each.clock = self.reactor
        self.bus = bus_by(config, f"streamrelay {config.id}", Outbound.of(config), self._tell)
        about = (f"streamrelay relay {config.id}", __version__, moment(self.relay.now()), self._metadata)
        MicroService(self.bus, RELAY_SERVICE, config.id, *about).listen()
        self.operator_drain = self._operator_drain()
        # Not needed, as users of the bus that were made by an older `relay add` may not hear it.
        self.bus.listen(drain_subject(config.id), self._asked, needed=False)
        self.relay.changed = self._count
        self.readiness.watchers.append(self._changed)

    def _operator_drain(self) -> OperatorDrain:
        relay = self.relay
        running, verifier = (lambda: relay.streams), (lambda: relay.verifier)
        return OperatorDrain(relay.config.id, self.reactor, relay.now, verifier, self.readiness, running)

    def startService(self) -> None:
        super().startService()
        self.bus.outbound.announce()
        self._each.start(EACH, now=False)
        # Not before the loop runs: a task made earlier never runs in a daemon on Python 3.12 (hazard of fork).
        self.reactor.callLater(0, self.bus.start)

    def stopService(self) -> "Deferred[None]":
        super().stopService()
        if self._each.running:
            self._each.stop()
        self.relay.changed = lambda: None
        self.bus.publish(relay_subject(self.relay.config.id, DOWN), codec.encode({}))
        return as_deferred(self.bus.stop())

    @property
    def state(self) -> RelayState:
        """State of the relay now, as it is told."""
        config = self.relay.config
        state = structs.replace(RelayState(config.url, config.zone), version=__version__, state=self._state)
        drained = self.readiness.held and not self.readiness.draining
        return structs.replace(state, load=self.load.share, streams=self.relay.streams, drained=drained)

    @property
    def _state(self) -> State:
        if self.readiness.draining or self.readiness.held or self.relay.stopping:
            return "draining"
        return "full" if self.load.full else "ready"

    def _look(self) -> None:
        self.load.look()
        self.load.count()
        self._tell()

    def _count(self) -> None:
        if self.load.count():
            self._tell_change()

    def _asked(self, message: Message) -> None:
        answer = self.operator_drain.ask(message.data)
        if message.wants_answer:
            self.bus.publish(message.reply, codec.encode(answer))

    def _changed(self) -> None:
        self.relay.drained = self.readiness.held
        self._tell_change()

    def _tell_change(self) -> None:
        if self._state != self._said:
            self._tell()

    def _tell(self) -> None:
        self._said = self._state
        if self.bus.connected:
            self.bus.publish(relay_subject(self.relay.config.id, STATE), codec.encode(self.state))

    def _metadata(self) -> dict[str, str]:
        told = structs.asdict(self.state)
        return {name: str(told[name]) for name in ("url", "zone", "state", "load", "streams")}
