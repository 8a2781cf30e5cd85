"""A relay under comparison, and the two families of them: which pairs websockets, and which connects onwards."""

import ssl
from typing import ClassVar

from bench.certificate import Certificate
from bench.legs import End, Listener, Pair, dial, dial_tls, token, upgrade
from bench.processes import Bench, Program, free_port


class Relay:
    """A relay, once it is started by `start`."""

    name: ClassVar[str]
    settings: ClassVar[str]
    """How it is run, and how a pair goes through it: for the page."""
    speaks_tls: ClassVar[bool] = False
    pairs_websockets: ClassVar[bool] = False

    running: Program

    def start(self, bench: Bench) -> None:
        """Start it, or raise `Unusable`."""
        raise NotImplementedError

    def pair(self, agent_tls: bool = False, client_tls: bool = False, source: str = "") -> Pair:
        """Open the two ends of a stream."""
        raise NotImplementedError

    def version(self) -> str:
        raise NotImplementedError

    def cpu(self) -> float:
        return self.running.cpu()

    def resident(self) -> int:
        return self.running.resident()

    def stop(self) -> None:
        self.running.stop()


class WebsocketRelay(Relay):
    """A relay of websocket legs that presents /agent/<token> and /client/<token>, plain and by TLS."""

    speaks_tls = True
    pairs_websockets = True
    port: int
    tls_port: int
    context: ssl.SSLContext

    def start(self, bench: Bench) -> None:
        certificate = Certificate.make(bench.folder)
        self.context = ssl.create_default_context(cafile=str(certificate.certificate))
        self.port, self.tls_port = free_port(), free_port()
        self.running = bench.start(self.name, self.command(certificate))
        self.running.wait_until_listening(self.port)
        self.running.wait_until_listening(self.tls_port)

    def command(self, certificate: Certificate) -> list[str]:
        raise NotImplementedError

    def leg(self, path: str, tls: bool, source: str = "") -> End:
        connection = dial_tls(self.tls_port, self.context) if tls else dial(self.port, source)
        return upgrade(connection, path)

    def pair(self, agent_tls: bool = False, client_tls: bool = False, source: str = "") -> Pair:
        agent, client = self.paths()
        return Pair(self.leg(agent, agent_tls, source), self.leg(client, client_tls, source))

    def paths(self) -> tuple[str, str]:
        """Those of a new pair."""
        name = token()
        return f"/agent/{name}", f"/client/{name}"


class Forwarder(Relay):
    """One that connects each client onwards by itself; the agent's end is a TCP port of the load."""

    port: int
    far: Listener

    def start(self, bench: Bench) -> None:
        self.far = Listener()
        self.port = free_port()
        self.running = bench.start(self.name, self.command(bench))
        self.running.wait_until_listening(self.port)
        self.far.forget()

    def command(self, bench: Bench) -> list[str]:
        raise NotImplementedError

    def stop(self) -> None:
        super().stop()
        self.far.close()
