"""Fairness: a terminal beside streams that take what they get, through one relay or one agent, and the loop's lag."""

import http.client
import json
import ssl
import urllib.request
from contextlib import ExitStack
from functools import partial
from typing import ClassVar
from urllib.parse import urlsplit

from bench.certificate import Certificate
from bench.echoes import Echo, Echoes
from bench.fleet import HOST, Fleet
from bench.lag import buckets, late
from bench.legs import End, Listener, Pair, dial_tls, upgrade
from bench.processes import Bench, Others, free_port
from bench.pump import beside
from bench.relay import Relay
from bench.relays import ALL, Streamrelay
from bench.sampling import Plan, Row, Sample, interleave
from bench.works.work import Plot, Table, Target, Work

SECONDS = 1.5
MANY = 10
RATE = 100.0
"""Keys a second: more than anybody types, so that there are enough of them for a 99th percentile."""
SIZES = {"64 KiB": 65536, "1 KiB": 1024}
MOST = 20.0
"""Milliseconds that were aimed at."""


class WatchedRelay(Streamrelay):
    """This relay with its admin listener."""

    def command(self, certificate: Certificate) -> list[str]:
        self.admin = free_port()
        return [*super().command(certificate), f"--admin=tcp:{self.admin}:interface=127.0.0.1"]

    def lags(self) -> dict[float, float]:
        """How many looks at the loop were late by no more than so many seconds, since it was started."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=20) as answer:
            return buckets(answer.read().decode())


class Summoned(Relay):
    """Streams that an agent opens when it is summoned, all of them through it and one relay, over TLS."""

    name: ClassVar[str] = "streamrelay"

    def start(self, bench: Bench) -> None:
        self.far = Listener()
        self._fleet = Fleet(bench, self.far.port, tls=True)
        self._context = ssl.create_default_context(cafile=str(self._fleet.certificate.certificate))

    def pair(self, agent_tls: bool = False, client_tls: bool = False, source: str = "") -> Pair:
        port = self._fleet.platform_port
        api = http.client.HTTPSConnection("localhost", port, timeout=20, context=self._context)
        body = json.dumps({"host": HOST, "target": "source"})
        api.request("POST", "/v1/streams", body, {"Content-Type": "application/json"})
        answer = json.load(api.getresponse())
        api.close()
        path = urlsplit(answer["url"]).path
        client = upgrade(dial_tls(self._fleet.relay_port, self._context), path)
        return Pair(End(self.far.accept(), False), client)

    def cpu(self) -> float:
        return self._fleet.cpu()

    def version(self) -> str:
        return ""

    def stop(self) -> None:
        self._fleet.stop()
        self.far.close()


def measure(relay: Relay, plan: Plan, size: int = 65536, tls: bool = False) -> Sample:
    """The keys of one terminal: alone, then beside ten streams that are as fast as they can."""
    others, seconds = Others(), plan.seconds(SECONDS)
    alone = _type(relay, seconds, tls)
    with ExitStack() as stack:
        busy = [relay.pair(tls, tls) for _ in range(MANY)]
        for pair in busy:
            stack.callback(pair.close)
        stack.enter_context(beside(busy, 4 * seconds + 8, size))
        lags = relay.lags() if isinstance(relay, WatchedRelay) else {}
        got = _type(relay, seconds, tls)
        figures: dict[str, float] = {
            "alone": alone.percentile(0.99) * 1e3,
            "p50": got.percentile(0.5) * 1e3,
            "p99": got.percentile(0.99) * 1e3,
            "more": (got.percentile(0.99) - alone.percentile(0.99)) * 1e3,
        }
        if isinstance(relay, WatchedRelay) and (lag := late(lags, relay.lags(), 0.99)) is not None:
            figures["lag"] = lag
    return Sample(figures, others.cores())


def _type(relay: Relay, seconds: float, tls: bool) -> Echoes:
    pair = relay.pair(tls, tls)
    try:
        return Echo(relay, [pair], rate=RATE).run(seconds)
    finally:
        pair.close()


def run(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    others = (kind for kind in ALL if kind.name not in ("streamrelay", "websockify"))
    kinds: list[type[Relay]] = [WatchedRelay, *others]
    relays = plan.started(kinds)
    secure = [relay for relay in relays if relay.speaks_tls]
    for words, size in SIZES.items():
        rows += interleave(plan, f"relay, {words}", relays, partial(measure, plan=plan, size=size))
    rows += interleave(plan, "relay, 64 KiB, TLS on both legs", secure, partial(measure, plan=plan, tls=True))
    for relay in relays:
        relay.stop()
    agents = plan.started([Summoned])
    rows += interleave(plan, "agent and relay, TLS", agents, partial(measure, plan=plan))
    for agent in agents:
        agent.stop()
    return rows


_CASES = (*(f"relay, {words}" for words in SIZES), "relay, 64 KiB, TLS on both legs", "agent and relay, TLS")

FAIRNESS = Work(
    "fairness",
    "A terminal beside ten flat out",
    "64 bytes there and back, 100 a second as of someone who types fast, through a pair of its own: first alone, then "
    "beside ten other pairs whose agents send frames of so many bytes as fast as they are taken. *Agent and relay*: "
    "all eleven are streams that one agent opens to TCP targets, through one relay. *Lag*: how late a timer of the "
    "relay was called meanwhile, as its admin listener tells it: the least bound of the histogram that holds 99 of "
    "100.",
    run,
    (
        Table("alone", "99th percentile alone, milliseconds"),
        Table("p50", "Median beside ten, milliseconds", better="least"),
        Table("p99", "99th percentile beside ten, milliseconds", better="least"),
        Table("more", "99th percentile, how much more than alone, milliseconds"),
        Table("lag", "Lag of the relay's loop, 99 of 100 under so many milliseconds", 1),
    ),
    (Plot("p99", "99th percentile beside ten, milliseconds"),),
    (
        *(Target(f"{case}: 99th percentile more than alone, ms", "more", case, MOST) for case in _CASES),
        *(Target(f"{case}: lag of the loop, ms", "lag", case, MOST) for case in _CASES[:-1]),
    ),
)
