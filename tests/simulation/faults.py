"""What breaks in the simulated world, and comes back."""

from collections.abc import Iterable
from signal import SIGTERM
from typing import TYPE_CHECKING, Any

from attrs import define

from streamrelay.program.readiness import Readiness
from streamrelay.program.stopping import Stopping
from tests.simulation.plan import Fault
from tests.simulation.process import Process
from tests.simulation.programs import AgentProgram, Program, RelayProgram
from tests.simulation.wires import Wire

if TYPE_CHECKING:
    from tests.simulation.world import World


@define(eq=False)
class Faults:
    """The faults of a plan, each of which has an end."""

    world: "World"

    def begin(self, faults: Iterable[Fault]) -> None:
        for fault in faults:
            self.world.scheduler.at(fault.begin, None, self._break, fault)

    def _break(self, fault: Fault) -> None:
        self.world.say("fault", str(fault))
        getattr(self, f"_{fault.kind.replace('-', '_')}")(fault)

    # -- the network -----------------------------------------------------------------------------------------

    def _wire(self, fault: Fault) -> Wire | None:
        """Return one of the wires that stand between programs of ours."""
        wires = [wire for wire in self.world.kernel.wires.values() if not wire.is_local]
        return wires[fault.number % len(wires)] if wires else None

    def _cut(self, fault: Fault) -> None:
        if wire := self._wire(fault):
            self.world.say("fault", f"{wire.name} is cut")
            self.world.kernel.cut(wire)

    def _half_open(self, fault: Fault) -> None:
        if wire := self._wire(fault):
            self.world.say("fault", f"{wire.name} is half open")
            self.world.kernel.half_open(wire, fault.number % 2 == 0)

    def _silence(self, fault: Fault) -> None:
        if wire := self._wire(fault):
            self.world.say("fault", f"{wire.name} is silent")
            self.world.kernel.silence(wire, fault.seconds)

    def _isolation(self, fault: Fault) -> None:
        process = self._running(fault.whom)
        if process is not None:
            self.world.kernel.isolate(process.host, fault.seconds)

    # -- programs --------------------------------------------------------------------------------------------

    def _running(self, name: str) -> Process | None:
        program = self.world.programs.get(name)
        return program.running if program is not None and program.running and program.running.alive else None

    def _kill(self, fault: Fault, power: bool = False) -> None:
        process = self._running(fault.whom)
        if process is not None:
            self.world.say("fault", f"{fault.whom} is killed")
            self._end(process, power)
            self.world.scheduler.at(self.world.scheduler.now + fault.seconds, None, self._start, fault.whom)

    def _power(self, fault: Fault) -> None:
        self._kill(fault, power=True)

    def _stop(self, fault: Fault) -> None:
        process = self._running(fault.whom)
        if process is None or process.stopping:
            return
        process.stopping = True
        process.enter()
        self._stop_now(process, fault)

    def _stop_now(self, process: Process, fault: Fault) -> None:
        def stopped(result: Any) -> None:
            if process.alive:
                self.world.say("fault", f"{fault.whom} has stopped")
                self._end(process, False)
                self.world.scheduler.at(self.world.scheduler.now + fault.seconds, None, self._start, fault.whom)

        self.world.programs[fault.whom].stop().addErrback(self.world.failed).addCallback(stopped)

    def _drain(self, fault: Fault) -> None:
        """Stop a program whose streams run on for the fault's time; one of three is told to hurry after half of it."""
        process, program = self._running(fault.whom), self.world.programs.get(fault.whom)
        if process is None or process.stopping or not isinstance(program, RelayProgram | AgentProgram):
            return
        process.stopping = True
        process.enter()
        spared = self.world.rules.spared(fault)

        def over() -> None:
            self.world.say("fault", f"{fault.whom} drains no more")
            self.world.rules.check_spared(spared)
            self._stop_now(process, fault)

        process.reactor.stopped = over
        stopping = Stopping(process.reactor, Readiness(), program.work, fault.seconds)
        stopping.hear(SIGTERM)
        if fault.number % 3 == 0:
            process.later(fault.seconds / 2, stopping.hear, SIGTERM)

    def _end(self, process: Process, power: bool) -> None:
        for client in list(self.world.server.clients):
            if client.process is process:
                del self.world.server.clients[client]
        process.end(power)

    def _start(self, name: str) -> None:
        program: Program = self.world.programs[name]
        if program.running is None or not program.running.alive:
            self.world.say("fault", f"{name} starts again")
            program.start()

    # -- the bus ---------------------------------------------------------------------------------------------

    def _bus(self, fault: Fault) -> None:
        server = self.world.server
        for client in list(server.clients):
            if fault.whom in ("all", client.process.name):
                server.drop(client)
        if fault.whom == "all":
            server.down = True
            self.world.scheduler.at(self.world.scheduler.now + fault.seconds, None, self._bus_is_back)

    def _hang(self, fault: Fault) -> None:
        self.world.server.hangs = True
        self.world.scheduler.at(self.world.scheduler.now + fault.seconds, None, self._bus_is_back)

    def _bus_is_back(self) -> None:
        self.world.say("fault", "the bus is back")
        self.world.server.down = self.world.server.hangs = False
