"""The legs of a host at its relays: dialled, and met by their clients, or told why there is no stream."""

from typing import Any

from attrs import define

from streamrelay.agent.carried import CLOSES
from streamrelay.agent.config import AgentConfig
from streamrelay.agent.opening import Dialling
from streamrelay.agent.summoned_stream import SummonedStream
from streamrelay.agent.waiting_leg import NotMet, WaitingLeg
from streamrelay.errors import TargetError
from streamrelay.logs import Logger
from streamrelay.program.relay_urls import fits
from streamrelay.protocol.close import CloseCode, Outcome, outcome
from streamrelay.protocol.control import SUBPROTOCOL, Met
from streamrelay.protocol.limits import CONNECT_TIME
from streamrelay.protocol.summons import Answer, Refusal, Resume, Summons
from streamrelay.websocket.client import Dialler
from streamrelay.websocket.connection import FramedConnection
from streamrelay.websocket.dial_errors import DialError, OutOfDescriptors, RelayBusy, failure

log = Logger()


def why_not(summoned: SummonedStream, error: TargetError) -> Outcome:
    """Return the outcome of a stream whose target can't be had."""
    return summoned.outcome or outcome(CLOSES.get(error.code, CloseCode.TARGET_REFUSED), error.reason)


def undialled(error: DialError) -> Answer:
    """Return the answer to a summons whose leg can't be had: a relay that takes no more isn't one that can't be
    reached."""
    if isinstance(error, OutOfDescriptors):
        return Answer(refused=Refusal.BUSY, reason=str(error))
    code = Refusal.RELAY_BUSY if isinstance(error, RelayBusy) else Refusal.DIAL_FAILED
    return Answer(refused=code, reason=str(error))


@define(eq=False)
class RelayLegs:
    """All dials of one host."""

    config: AgentConfig
    reactor: Any
    dialler: Dialler

    def refuse(self, relay: str) -> Answer | None:
        """Return the answer to a summons to a relay that isn't one of this agent's; None if it may be dialled."""
        if not self.config.relays or any(fits(pattern, "", relay) for pattern in self.config.relays):
            return None
        reason = f"{relay} is not one of this agent's relays (setting relays)"
        return Answer(refused=Refusal.DIAL_FAILED, reason=reason)

    async def dial(self, summons: Summons | Resume, seconds: float = 0) -> FramedConnection:
        """Return a leg that is open at its relay, or raise `DialError`; it has so many seconds, 0: those of the
        summons."""
        seconds = seconds or min(CONNECT_TIME, summons.dial or CONNECT_TIME)
        url, elsewhere = summons.relay.rstrip("/") + "/agent", summons.dial > 0
        leg = await self.dialler.dial(url, summons.token, seconds=seconds, elsewhere=elsewhere)
        if not leg.control:
            leg.abort()
            raise failure(self.dialler.who, summons.relay, f"it did not agree to the subprotocol {SUBPROTOCOL}")
        return leg

    async def meet(self, summoned: SummonedStream, waiting_leg: WaitingLeg) -> Met:
        """Wait for the client at the relay, or raise `NotMet`: the leg ended before, or the agent's patience."""
        timeout = self.reactor.callLater(self.config.patience, waiting_leg.leave, outcome(CloseCode.NOBODY_CAME))
        met = waiting_leg.begin()
        summoned.watch(waiting_leg)
        try:
            return await met
        except NotMet:
            summoned.waiting_legs.discard(waiting_leg)
            raise
        finally:
            if timeout.active():
                timeout.cancel()

    async def excuse(self, summoned: SummonedStream, dialling: Dialling, error: TargetError) -> None:
        """Tell the client at the relay, who may wait there, that the target can't be had."""
        try:
            waiting_leg = WaitingLeg(await dialling)
            await self.meet(summoned, waiting_leg)
        except (DialError, NotMet) as missed:
            log.info(
                "stream {name}: can't tell the client that the target can't be opened: {failure}",
                name=summoned.summons.stream,
                failure=missed,
            )
            return
        await self.dismiss(summoned, waiting_leg, error)

    async def dismiss(self, summoned: SummonedStream, waiting_leg: WaitingLeg, error: TargetError) -> None:
        """Tell a client who has come that the target can't be had."""
        waiting_leg.leg.close(why_not(summoned, error))
        await waiting_leg.left
        summoned.waiting_legs.discard(waiting_leg)
