"""One leg that the relay has admitted: its claims, its connection, and the log lines of its wait."""

from typing import Protocol

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from streamrelay.logs import Logger
from streamrelay.protocol.close import CloseCode, Outcome
from streamrelay.protocol.tokens import LegClaims
from streamrelay.relay.leg import Leg, LegCore, make_leg
from streamrelay.relay.rendezvous import Rendezvous
from streamrelay.relay.tally import RelayTally
from streamrelay.websocket.admission import Admission
from streamrelay.websocket.connection import FramedConnection

log = Logger()


class Home(Protocol):
    """The relay, as a leg that it has admitted knows it."""

    clock: IReactorTime
    rendezvous: Rendezvous["AdmittedLeg"]
    tally: RelayTally

    @property
    def stopping(self) -> bool: ...

    def patience(self, role: str) -> float: ...

    def leg_opened(self, admitted: "AdmittedLeg") -> None:
        """Pair a leg that has just opened, or let it wait."""

    def gone(self, admitted: "AdmittedLeg") -> None:
        """Forget a leg that holds nothing any more."""


@define(eq=False)
class AdmittedLeg:
    """One admitted leg: its claims, and the machine that lives its life."""

    relay: Home
    claims: LegClaims
    name: str
    """The stream's name in logs: its id, or an opaque token's fingerprint."""
    peer: str
    leg: Leg = field(init=False)
    connection: FramedConnection = field(init=False)
    since: float = 0.0
    """Seconds of the relay's clock when the leg opened."""

    def __attrs_post_init__(self) -> None:
        core = LegCore(self.relay.clock, self.relay.patience(self.claims.role), self._withdraw, self._lost, self._gone)
        self.leg = make_leg(core)

    def opened(self, connection: FramedConnection) -> None:
        self.connection, self.since = connection, self.relay.clock.seconds()
        connection.on_early_loss = self.leg.connection_lost
        self.leg.open(connection)
        self.relay.leg_opened(self)

    def left(self) -> None:
        self.leg.connection_lost()

    def _withdraw(self, why: Outcome) -> None:
        if why.code == CloseCode.LEG_LOST:
            log.info("stream {name}: the {role} {peer} came when the other side had been lost", **self._about)
        elif self.relay.stopping:
            log.info("stream {name}: the {role} {peer} was still waiting when the relay stopped", **self._about)
        else:
            log.info("stream {name}: the {role} {peer} timed out waiting for the other side", **self._about)
            self.relay.tally.unmet[self.claims.role] += 1
        self.relay.rendezvous.withdraw(self.claims.stream, self.claims.role, self)

    def _lost(self) -> None:
        log.info("stream {name}: the {role} {peer} was lost while it waited for the other side", **self._about)
        self.relay.rendezvous.lose(self.claims.stream, self.claims.role, self)

    @property
    def _about(self) -> dict[str, str]:
        """Words of it in log lines."""
        return {"name": self.name, "role": self.claims.role, "peer": self.peer}

    def _gone(self) -> None:
        self.relay.gone(self)


_admission: type[Admission] = AdmittedLeg
