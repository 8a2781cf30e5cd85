"""A cluster of three NATS servers, of which one dies or freezes."""

import http.client

from tests.live.support.case import LiveTest
from tests.live.support.chain import Chain
from tests.live.support.http import ask
from tests.live.support.nats import nats_command
from tests.live.support.ports import free_port
from tests.live.support.promise import promised
from tests.live.support.waiting import until

SERVERS = 3


class ClusteredChain(Chain):
    """A chain whose agent and platform know three servers, each of which knows the others."""

    ports: tuple[int, ...] = ()

    def nats_urls(self) -> list[str]:
        self.ports = self.ports or tuple(free_port() for _ in range(SERVERS))
        return [f"nats://127.0.0.1:{port}" for port in self.ports]

    def start_nats(self) -> None:
        among = [f"nats://127.0.0.1:{free_port()}" for _ in self.ports]
        self.monitors = [free_port() for _ in self.ports]
        self.servers = [
            self.add(f"nats-{port}", *nats_command(port), "-m", str(monitor), *self.routed(own, among))
            for port, monitor, own in zip(self.ports, self.monitors, among, strict=True)
        ]
        self.wait_for_cluster()

    def routed(self, own: str, among: list[str]) -> tuple[str, ...]:
        return ("-cluster_name", "test", "-cluster", own, "-routes", ",".join(among))

    def wait_for_cluster(self) -> None:
        """Until each server has routes to all others."""
        for monitor in self.monitors:
            until(lambda monitor=monitor: len(routes(monitor)) == SERVERS - 1, what="the routes of a NATS server")


def routes(monitor: int) -> set[str]:
    """The servers that one has routes to, by its own word; none while it doesn't answer."""
    try:
        return {route["remote_id"] for route in ask(monitor, "GET", "/routez").json["routes"]}
    except (OSError, http.client.HTTPException):
        return set()


class Cluster(LiveTest):
    """Agent and platform on whichever of the servers."""

    def setUp(self) -> None:
        super().setUp()
        self.own = self.start_chain(ClusteredChain(self.folder))
        self.beside = self.neighbour(*self.stream(self.own))

    def opens(self) -> bool:
        """Whether a stream can be opened now."""
        return self.own.opens(self.listen().target)

    def test_killed(self) -> None:
        """Each is killed in turn: new streams open by the others, a live one goes on, and it is taken back."""
        for server in self.own.servers:
            server.kill()
            with promised("server of a cluster killed"):
                until(self.opens, what="a new stream")
            self.beside.goes_on()
            server.start()
            self.own.wait_for_cluster()

    def test_frozen(self) -> None:
        """The agent's freezes: it takes another once the silence is noticed, though nobody waits for an answer."""
        at = self.own.agent.log.rpartition("connected to NATS at nats://127.0.0.1:")[2].split()[0]
        server = self.own.servers[self.own.ports.index(int(at))]
        connected = self.own.agent.log.count("connected to NATS at")
        server.freeze()
        self.addCleanup(server.thaw)
        with promised("server of a cluster frozen"):
            self.own.agent.wait_for("connected to NATS at", count=connected + 1)
        until(self.opens, what="a new stream")
        self.beside.goes_on()
