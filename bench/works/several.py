"""What a second relay process on one machine adds: arrivals behind one public port, as in the sample for HAProxy."""

import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from attrs import define, field

from bench.legs import Pair, close_frame, dial, upgrade
from bench.processes import Bench, Program, Unusable, free_port, machine_busy, program
from bench.sampling import Plan, Row, Sample, interleave, say
from bench.versions import output_of
from bench.works.work import Table, Target, Work
from streamrelay.bus.message import Message
from streamrelay.platform.relays import RelayChoice
from streamrelay.protocol import codec
from streamrelay.protocol.relay_state import STATE, RelayState
from streamrelay.protocol.subjects import relay_subject
from streamrelay.protocol.tokens import Signer, generate, new_id

SAMPLE = Path(__file__).parents[2] / "etc" / "haproxy-many.cfg"
RELAYS = ("r1", "r2")
AT_ONCE = 8
"""Pairs that are under way at a time for each relay process, so that it has always something to do."""
LEAST = 1.7
"""How many times the arrivals of one process two must carry."""


@define(eq=False)
class Site:
    """HAProxy as in the sample, but for its ports and without TLS, and the relays behind it."""

    bench: Bench
    port: int = field(factory=free_port)
    relays: dict[str, Program] = field(factory=dict)
    haproxy: Program = field(init=False)
    signer: Signer = field(init=False)

    def start(self) -> None:
        """Start all of it, or raise `Unusable`."""
        server, folder = program("haproxy"), self.bench.folder
        generate(folder / "platform.key", folder / "platform.pub")
        self.signer = Signer.load(str(folder / "platform.key"))
        ports = {relay: free_port() for relay in RELAYS}
        for relay, port in ports.items():
            self.relays[relay] = self._relay(relay, port)
        for relay, port in ports.items():
            self.relays[relay].wait_until_listening(port)
        settings = folder / "haproxy.cfg"
        settings.write_text(self._settings(*ports.values()))
        self.haproxy = self.bench.start("haproxy", [server, "-db", "-f", str(settings)])
        self.haproxy.wait_until_listening(self.port)

    def _relay(self, name: str, port: int) -> Program:
        twistd = str(Path(sys.executable).with_name("twistd"))
        key = f"--platform-key={self.bench.folder}/platform.pub"
        behind = ("--proxy=127.0.0.1", "--proxy-protocol")
        listen = f"--listen=tcp:{port}:interface=127.0.0.1"
        command = [sys.executable, twistd, "-n", "--pidfile=", "streamrelay", "--drain=0", f"--id={name}", key, listen]
        return self.bench.start(name, [*command, *behind])

    def _settings(self, first: int, second: int) -> str:
        text = SAMPLE.read_text()
        for old, new in (
            ("bind :443 ssl crt /etc/streamrelay/haproxy/ alpn http/1.1", f"bind 127.0.0.1:{self.port}"),
            ("127.0.0.1:8781", f"127.0.0.1:{first}"),
            ("127.0.0.1:8782", f"127.0.0.1:{second}"),
            ("maxconn 50000", "maxconn 2000"),
            ("server platform1 127.0.0.1:8801", "server platform1 127.0.0.1:8801 disabled"),
            ("server platform2 127.0.0.1:8802", "server platform2 127.0.0.1:8802 disabled"),
        ):
            if old not in text:
                raise Unusable(f"{SAMPLE} has no {old!r} any more")
            text = text.replace(old, new)
        return text

    def pair(self, relay: str) -> Pair:
        """Both legs of a new stream by a relay, with signed tokens."""
        about: dict[str, Any] = {"sub": new_id(), "host": "bench-host", "target": "source", "user": "bench"}
        agent, client = (
            upgrade(dial(self.port), f"/{relay}/{role}/{self.signer.mint(relay, role=role, **about)}")
            for role in ("agent", "client")
        )
        return Pair(agent, client)

    def come_and_go(self, relay: str) -> None:
        pair = self.pair(relay)
        with suppress(ConnectionError):
            pair.client.socket.sendall(close_frame())
            pair.agent.socket.recv(256)
        pair.close()

    def stop(self) -> None:
        for running in (self.haproxy, *self.relays.values()):
            running.stop()


@define(eq=False)
class Processes:
    """So many of the relays, of which the platform's own choice draws one for each arrival."""

    site: Site
    relays: tuple[str, ...]
    choice: RelayChoice = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.choice = RelayChoice(lambda: 0.0, allowed=("wss://localhost/r1", "wss://localhost/r2"))
        for relay in self.relays:
            state = codec.encode(RelayState(f"wss://localhost/{relay}"))
            self.choice.hear(Message(state, "", relay_subject(relay, STATE)))

    @property
    def name(self) -> str:
        return f"{len(self.relays)} process{'es' if len(self.relays) > 1 else ''}"

    def measure(self, count: int) -> Sample:
        """Have so many arrivals for each process, and look what they cost whom."""
        count *= len(self.relays)
        site, drawn = self.site, Counter[str]()
        for relay in self.relays * 5:
            site.come_and_go(relay)
        before = self._used()
        busy, began, mine = machine_busy(), time.monotonic(), time.process_time()
        picks = [picked.id for _ in range(count) if (picked := self.choice.pick("bench-host", "")) is not None]
        with ThreadPoolExecutor(AT_ONCE * len(self.relays)) as pool:
            drawn.update(picks)
            list(pool.map(site.come_and_go, picks))
        load, wall = time.process_time() - mine, time.monotonic() - began
        time.sleep(0.1)  # for what a relay does once a pair is gone
        used, whole = self._used(), time.monotonic() - began
        spent = {name: used[name] - before[name] for name in used}
        others = max(0.0, machine_busy() - busy - sum(spent.values()) - load) / whole
        return Sample(figures(spent, drawn, count) | {"wall": wall / count * 1e3}, others)

    def _used(self) -> dict[str, float]:
        parts = {"haproxy": self.site.haproxy, **{relay: self.site.relays[relay] for relay in self.relays}}
        return {name: running.cpu() for name, running in parts.items()}


def figures(spent: dict[str, float], drawn: dict[str, int], count: int) -> dict[str, float]:
    """Return what `count` arrivals cost, by the CPU seconds of HAProxy and of each relay, and the arrivals of each."""
    relays = [cpu for name, cpu in spent.items() if name != "haproxy"]
    return {
        "busiest": max(relays) / count * 1e3,
        "rate": count / max(relays),
        "share": max(relays) / sum(relays) * 100,
        "drawn": max(drawn.values()) / count * 100,
        "cpu": sum(relays) / count * 1e3,
        "haproxy": spent["haproxy"] / count * 1e3,
    }


def run(plan: Plan) -> list[Row]:
    with ExitStack() as stack:
        site = Site(plan.bench)
        try:
            site.start()
        except Unusable as reason:
            plan.skipped["several"] = str(reason)
            say(f"several is left out: {reason}")
            return []
        stack.callback(site.stop)
        plan.versions["haproxy"] = output_of("haproxy", "-v").splitlines()[0].split(" - ")[0]
        count = 300 if plan.quick else 600
        subjects = [Processes(site, RELAYS[:1]), Processes(site, RELAYS)]
        return interleave(plan, "behind HAProxy", subjects, lambda subject: subject.measure(count))


SEVERAL = Work(
    "several",
    "Several processes on one machine",
    "Pairs that come and go, eight at a time for each relay process, through ``etc/haproxy-many.cfg`` (with the PROXY "
    "protocol behind it, and without TLS, which is HAProxy's matter and would be most of the work): by one relay "
    "process, and by two, of which the platform's own choice draws one for each pair, as it does among relays of "
    "equal load. A relay uses one core, so its process carries as many arrivals a second as one second of its CPU "
    "time is enough for; several processes carry so many that the busiest of them has used up its core. So the "
    "arrivals a second of the table are those of a repetition, divided by the CPU seconds that the busiest process "
    "used for its part of them. They are what the relays can do with a core for each, not what this machine, with two "
    "cores for them, HAProxy and the load, has done. HAProxy itself uses as many cores as it needs.",
    run,
    (
        Table("rate", "Arrivals a second, by the CPU time of the busiest relay process", 0),
        Table("busiest", "CPU milliseconds of the busiest relay process per arrival of all", 3),
        Table("share", "Its share of the CPU time of all relay processes, per cent", 1),
        Table("drawn", "Share of the arrivals of the one that was drawn most often, per cent", 1),
        Table("cpu", "CPU milliseconds of all relay processes per arrival", 3),
        Table("haproxy", "CPU milliseconds of HAProxy per arrival", 3, False),
        Table("wall", "Milliseconds per arrival (wall time)", 3, False),
    ),
    (),
    (
        Target(
            f"two processes carry {LEAST} times the arrivals of one: CPU of the busiest per arrival of all",
            "busiest",
            "behind HAProxy",
            round(1 / LEAST, 3),
            "1 process",
            relay="2 processes",
        ),
    ),
)
