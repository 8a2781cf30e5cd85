"""Restarts of everything in turn, and how long each takes until new streams succeed."""

import signal
import time
from collections.abc import Iterator
from itertools import cycle

from attrs import define

from tests.live.support.waiting import WAIT, until
from tests.soak.background import Background
from tests.soak.chain import HOSTS, SoakChain
from tests.soak.load import Failed, Load
from tests.soak.tally import Break

ORDER = ("platform", "relay", "agent-1", "nats", "agent-2")


@define(eq=False)
class Breaks(Background):
    """A thread that kills a program every so many seconds, and stops one by SIGTERM every so many; 0: never."""

    load: Load
    kill_every: float
    stop_every: float

    def run(self) -> None:
        begun = time.monotonic()
        due = {way: begun + every for way, every in self._every() if every}
        order: dict[str, Iterator[str]] = {way: cycle(ORDER) for way in due}
        while due:
            way = min(due, key=lambda each: due[each])
            if self.stopped.wait(max(0.0, due[way] - time.monotonic())):
                return
            due[way] = max(time.monotonic(), due[way] + dict(self._every())[way])
            try:
                self._one(next(order[way]), way)
            except Exception as error:
                self.load.tally.fault(f"a restart failed: {error!r}")

    def _every(self) -> tuple[tuple[str, float], ...]:
        return (("kill", self.kill_every), ("stop", self.stop_every))

    def _one(self, name: str, way: str) -> None:
        chain, now = self.load.chain, self.load.now
        drains = way == "stop" and name in ("relay", "agent-1", "agent-2")
        each = Break(name, way, now(), now() + (chain.drain - 0.2 if drains else 0.0))
        self.load.tally.breaks.append(each)
        if way == "kill":
            chain.by_name[name].kill()
        else:
            self._terminate(chain, name)
        chain.by_name[name].start()
        until(lambda: chain.has_returned(name), what=f"the return of {name}")
        each.returned = now()
        for host in HOSTS:
            until(lambda host=host: self._succeeds(host), what=f"a new stream to {host} after the return of {name}")
        each.recovered = now()

    def _terminate(self, chain: SoakChain, name: str) -> None:
        program = chain.by_name[name]
        program.process.send_signal(signal.SIGTERM)
        status = program.process.wait(chain.drain + WAIT)
        if status and name != "nats":
            self.load.tally.fault(f"{name} ended with status {status} after SIGTERM")

    def _succeeds(self, host: str) -> bool:
        try:
            self.load.probe(host)
        except Failed:
            return False
        return True
