"""The programs of the fleet, on a bus with the users that `streamrelay host add` and `relay add` write."""

import json
import signal
from collections.abc import Sequence
from pathlib import Path

from tests.live.bus.secured_bus import LockedChain
from tests.live.bus.test_cluster import SERVERS, routes
from tests.live.support.http import ask
from tests.live.support.nats import nats_command
from tests.live.support.ports import answers, free_port
from tests.live.support.processes import Program, twistd
from tests.live.support.waiting import until

HOSTS = ("host-1", "host-2", "host-3")
RELAYS = ("fra-1", "fra-2", "nyc-1")
PLATFORMS = ("platform-1", "platform-2")
TARGETS = 100
"""Those of each host."""
CONNECTED = "connected to NATS at nats://127.0.0.1:"
BASE = "ws://127.0.0.1"
PLATFORM = f"""\
relays = ["{BASE}:*"]
nats = NATS
nats_nkey = "{{folder}}/platform.nkey"
key = "{{folder}}/platform.key"
keys = "{{folder}}/keys.toml"
"""
SERVER = """\
listen: "127.0.0.1:{port}"
http: "127.0.0.1:{monitor}"
cluster {{ name: "fleet", listen: "{own}", routes: {among}, no_advertise: true }}
include "nats-users.conf"
"""
TARGET = """
[targets.{name}]
kind = "tcp"
address = "127.0.0.1:{port}"
"""


def target_name(number: int) -> str:
    """The name of a target, by its number among those of all hosts."""
    return f"t-{number % TARGETS:03}"


class FleetChain(LockedChain):
    """Three relays, two platforms, three NATS servers, three agents; `targets` are the ports of all targets in turn."""

    enrolled = HOSTS
    scheme = "nats"

    def __init__(self, folder: Path, targets: Sequence[int]) -> None:
        self.target_ports = targets
        self.servers_at = tuple(free_port() for _ in range(SERVERS))
        self.ports = {name: free_port() for name in (*RELAYS, *PLATFORMS)}
        self.named: dict[str, Program] = {}
        super().__init__(folder)

    @property
    def settings(self) -> str:  # type: ignore[override]
        return PLATFORM.replace("NATS", json.dumps([f"nats://127.0.0.1:{port}" for port in self.servers_at]))

    def write_files(self) -> None:
        super().write_files()
        for relay in RELAYS:
            self.enrol_relay(relay, f"{BASE}:{self.ports[relay]}")

    def agent_file(self, host: str = "") -> Path:
        path, first = self.home(host) / "agent.toml", HOSTS.index(host) * TARGETS
        with path.open("a") as file:
            file.write(f'state = "{self.home(host)}/state"\n')
            for number, port in enumerate(self.target_ports[first : first + TARGETS], first):
                file.write(TARGET.format(name=target_name(number), port=port))
        return path

    # -- processes -------------------------------------------------------------------------------------------

    def start(self) -> None:
        self.start_nats()
        for relay in RELAYS:
            self.start_one(relay)
        for host in HOSTS:
            self.named[host] = self.start_agent(host)
        for name in PLATFORMS:
            listen = f"--listen=tcp:{self.ports[name]}:interface=127.0.0.1"
            settings = f"--config={self.folder}/platform.toml"
            self.named[name] = self.add(name, *twistd(), "streamplatform", settings, listen)
        self.wait()

    def start_nats(self) -> None:
        self.monitors = tuple(free_port() for _ in self.servers_at)
        among = [f"nats://127.0.0.1:{free_port()}" for _ in self.servers_at]
        self.servers = []
        for port, monitor, own in zip(self.servers_at, self.monitors, among, strict=True):
            path = self.folder / f"nats-{port}.conf"
            path.write_text(
                SERVER.format(port=port, monitor=monitor, own=own.removeprefix("nats://"), among=json.dumps(among))
            )
            self.servers.append(self.add(path.stem, nats_command(0)[0], "-c", str(path)))
        self.wait_for_cluster()

    def start_one(self, relay: str) -> None:
        """Start a relay, for the first time or again."""
        if relay in self.named:
            self.named[relay].start()
            return
        settings = f"--config={self.folder}/relays/{relay}/relay.toml"
        listen = f"--listen=tcp:{self.ports[relay]}:interface=127.0.0.1"
        self.named[relay] = self.add(relay, *twistd(), "streamrelay", settings, listen, "--drain=60")

    def wait(self) -> None:
        for name, port in self.ports.items():
            until(lambda port=port: answers(port), what=name)
        until(lambda: all(self.knows_all(name) for name in PLATFORMS), what="all hosts and relays at both platforms")

    def wait_for_cluster(self) -> None:
        """Until each server has routes to all others."""
        for monitor in self.monitors:
            until(lambda monitor=monitor: len(routes(monitor)) == SERVERS - 1, what="the routes of a NATS server")

    # -- what platforms tell ---------------------------------------------------------------------------------

    def told(self, platform: str, path: str) -> list[dict[str, object]]:
        """A list of one platform's, as it stands under the last part of its path."""
        answer = ask(self.ports[platform], "GET", path, headers={"Authorization": f"Bearer {self.key}"})
        return list(answer.json[path.rpartition("/")[2]]) if answer.status == 200 else []

    def knows_all(self, platform: str) -> bool:
        hosts = self.told(platform, "/v1/hosts")
        whole = [host["host"] for host in hosts if len(host["targets"]) == TARGETS]  # type: ignore[arg-type]
        return set(whole) == set(HOSTS) and all(self.says(platform, relay, "ready") for relay in RELAYS)

    def says(self, platform: str, relay: str, state: str) -> bool:
        """Whether a platform has it that a relay is in this state."""
        return any((one["relay"], one["state"]) == (relay, state) for one in self.told(platform, "/v1/relays"))

    def until_all_say(self, relay: str, state: str) -> None:
        until(lambda: all(self.says(name, relay, state) for name in PLATFORMS), what=f"{relay}: {state}")

    # -- faults ----------------------------------------------------------------------------------------------

    def drain(self, relay: str) -> None:
        """Tell a relay to stop, until both platforms know."""
        self.named[relay].process.send_signal(signal.SIGTERM)
        self.until_all_say(relay, "draining")

    def has_ended(self, relay: str) -> None:
        until(lambda: not self.named[relay].alive, what=f"the end of {relay}, whose streams have ended")

    def bring_back(self, relay: str) -> None:
        self.start_one(relay)
        self.until_all_say(relay, "ready")

    def server_of(self, name: str) -> Program:
        """The server at which a program is."""
        port = self.named[name].log.rpartition(CONNECTED)[2].split()[0]
        return self.servers[self.servers_at.index(int(port))]

    def bring_server_back(self, server: Program) -> None:
        server.start()
        self.wait_for_cluster()
