"""What breaks in the simulated world of one stream, but for what is cut at a byte, which its legs do."""

from typing import TYPE_CHECKING, Final

from attrs import define, field

from streamrelay.protocol.close import CloseCode, outcome
from tests.simulation.resuming.plan import Fault

if TYPE_CHECKING:
    from tests.simulation.resuming.world import World

WORDS: Final = (CloseCode.OPERATOR, CloseCode.IDLE, CloseCode.LIFETIME, CloseCode.QUOTA)
"""Closes by a relay that are the end of the stream."""


@define(eq=False)
class Faults:
    """The faults of a plan. All of them have an end."""

    world: "World"
    cuts: tuple[Fault, ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.cuts = tuple(fault for fault in self.world.plan.faults if fault.kind == "byte")

    def begin(self) -> None:
        for fault in self.world.plan.faults:
            if fault.kind != "byte":
                self.world.scheduler.at(fault.begin, None, self._break, fault)

    def _break(self, fault: Fault) -> None:
        self.world.say("fault", str(fault))
        getattr(self, f"_{fault.kind.replace('-', '_')}")(fault)

    def _later(self, seconds: float, name: str, value: object) -> None:
        self.world.scheduler.at(self.world.scheduler.now + seconds, None, setattr, self.world, name, value)

    # -- legs ------------------------------------------------------------------------------------------------

    def _cut(self, fault: Fault) -> None:
        if self.world.live is not None:
            self.world.live.break_off(fault.told, "at a time")

    _silence = _cut

    def _half(self, fault: Fault) -> None:
        """Let nothing arrive in one direction; who hears nothing finds that its leg is dead."""
        pair = self.world.live
        if pair is not None:
            (pair.client if fault.up else pair.agent).mute = True
            when = self.world.scheduler.now + 50 * fault.told[0]
            self.world.scheduler.at(min(when, 40.0), None, pair.break_off, (0.0, fault.told[1]), "as one is mute")

    def _dials(self, fault: Fault) -> None:
        self.world.dials_fail = True
        self._later(fault.seconds, "dials_fail", False)

    def _hang(self, fault: Fault) -> None:
        self.world.hangs = True
        self._later(fault.seconds, "hangs", False)

    # -- relays ----------------------------------------------------------------------------------------------

    def _relay(self, fault: Fault) -> None:
        """Kill a relay, which is back after a while."""
        relay = fault.number % 2
        self.world.relays_away[relay] = "dead"
        for pair in self.world.pairs:
            if pair.relay == relay:
                pair.break_off(fault.told, "with their relay")
        self.world.scheduler.at(self.world.scheduler.now + fault.seconds, None, self._is_back, relay)

    def _drain(self, fault: Fault) -> None:
        """Stop a relay in order: it sends streams that resume elsewhere."""
        relay = fault.number % 2
        self.world.relays_away[relay] = "drains"
        for pair in self.world.pairs:
            if pair.relay == relay and pair.is_met and not pair.is_broken:
                pair.close(outcome(CloseCode.MOVED))
        self.world.scheduler.at(self.world.scheduler.now + fault.seconds, None, self._is_back, relay)

    def _is_back(self, relay: int) -> None:
        self.world.relays_away[relay] = ""

    def _word(self, fault: Fault) -> None:
        pair = self.world.live
        if pair is not None and not pair.is_broken:
            pair.close(outcome(WORDS[fault.number % len(WORDS)]))

    # -- programs --------------------------------------------------------------------------------------------

    def _operator(self, fault: Fault) -> None:
        self.world.host.process.enter()
        self.world.host.end()

    def _leave(self, fault: Fault) -> None:
        """Stop the client in order, or let the user's program reset."""
        client = self.world.client
        if not client.process.alive or client.stream is None:
            return
        client.process.enter()
        if fault.up:
            client.user.leave()
        else:
            client.leaving.leave()

    def _kill_client(self, fault: Fault) -> None:
        self._kill("client", fault)

    def _kill_agent(self, fault: Fault) -> None:
        self._kill("agent", fault)

    def _kill(self, whom: str, fault: Fault) -> None:
        process = self.world.client.process if whom == "client" else self.world.host.process
        if not process.alive:
            return
        process.end()
        for pair in self.world.pairs:
            if pair.client.is_open if whom == "client" else pair.agent.is_open:
                pair.break_off(fault.told, f"with the {whom}")
        if whom == "agent":
            self.world.scheduler.at(self.world.scheduler.now + fault.seconds, None, self.world.restart)

    def _stop_agent(self, fault: Fault) -> None:
        """Stop the agent in order."""
        host = self.world.host
        if host.process.alive:
            host.process.enter()
            host.stop().addErrback(self.world.failed)
