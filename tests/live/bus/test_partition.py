"""A network that carries nothing to the bus and back, while every connection stays open."""

from typing import Any

from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain
from tests.live.support.promise import promised
from tests.live.support.pump import Pump
from tests.live.support.waiting import until


class PartedChain(Chain):
    """A chain whose agent and platform reach the bus by a pump, which may stop."""

    def start(self) -> None:
        self.pump = Pump(self.nats_port)
        self.nats_url = f"nats://127.0.0.1:{self.pump.port}"
        self.write_agent(self.targets)
        super().start()

    def stop(self) -> None:
        super().stop()
        self.pump.close()


class Partition(LiveTest):
    """Agent and platform are parted from the bus."""

    def test_both(self) -> None:
        """The API answers 503, at once when it knows; a live stream goes on; all is back soon after the network is."""
        own = self.start_chain(PartedChain(self.folder))
        beside = self.neighbour(*self.stream(own))

        def ask() -> Any:
            return own.ask("POST", "/v1/streams", {"host": HOST, "target": "port/1"})

        own.pump.stop()
        for promise in (promised("bus parted"), promised("bus known parted")):
            with promise:
                answer = ask()
            self.assertEqual((answer.status, answer.json["code"]), (503, "bus_down"))
        beside.goes_on()
        with promised("bus joined"):
            own.pump.go_on()
            until(own.hosts, what="the host")
        until(lambda: own.opens(self.listen().target), what="a new stream")
