"""Echo: small messages there and back."""

from functools import partial

from bench.echoes import Echo
from bench.relay import Relay
from bench.relays import ALL
from bench.sampling import Plan, Row, Sample, interleave
from bench.works.work import Plot, Table, Target, Work

SECONDS = 1.2
CASES = {
    "1 pair, flat out": (1, 0.0),
    "50 pairs, flat out": (50, 0.0),
    "500 pairs, flat out": (500, 0.0),
    "50 pairs, 4,000 a second": (50, 4000.0),
    "500 pairs, 4,000 a second": (500, 4000.0),
}
_FLAT_OUT = (
    "Flat out, Go relays on both cores while this relay is one thread, which with 50 and 500 pairs needs some more CPU "
    "for each round trip, too: some two microseconds of Python for each message, beside the system calls."
)
_PACED = (
    "At 4,000 round trips a second this relay needs less CPU than Go. Its median latency is some tens of microseconds "
    "longer: messages that come together are served one after the other by one thread, where Go has two cores."
)


def _measure(relay: Relay, plan: Plan, pairs: int, rate: float) -> Sample:
    opened = [relay.pair() for _ in range(pairs)]
    try:
        got = Echo(relay, opened, rate=rate).run(plan.seconds(SECONDS))
    finally:
        for pair in opened:
            pair.close()
    figures = {
        "cpu": got.relay / got.trips * 1e6,
        "p50": got.percentile(0.5) * 1e6,
        "p99": got.percentile(0.99) * 1e6,
        "trips": got.trips / got.wall,
        "load": got.load / got.trips * 1e6,
    }
    return Sample(figures, got.others / got.wall)


def run(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    relays = plan.started(ALL)
    for case, (pairs, rate) in CASES.items():
        # websockify has a process for each connection.
        able = [relay for relay in relays if pairs <= 50 or relay.name != "websockify"]
        rows += interleave(plan, case, able, partial(_measure, plan=plan, pairs=pairs, rate=rate))
    for relay in relays:
        relay.stop()
    return rows


ECHO = Work(
    "echo",
    "Echo",
    "64 bytes from the client to the agent's end and back. *Flat out*: each pair has one message under way at all "
    "times, so the machine is saturated, latency is the number of pairs divided by the throughput, and a relay with "
    "threads has the advantage of the core that the load leaves. *4,000 a second*: that many round trips are begun in "
    "all, spread evenly over the pairs (8 a second for each of 500), so nothing is saturated.",
    run,
    (
        Table("cpu", "CPU microseconds of the relay per round trip", 1, better="least"),
        Table("p50", "Median latency, microseconds", 0, better="least"),
        Table("p99", "99th percentile of latency, microseconds", 0),
        Table("trips", "Round trips a second", 0, False),
        Table("load", "CPU microseconds of the load itself per round trip", 1, False),
    ),
    (
        Plot("cpu", "Relay CPU microseconds per round trip"),
        Plot("p50", "Median latency, microseconds", logarithmic=True),
        Plot("p99", "99th percentile of latency, microseconds", logarithmic=True),
    ),
    tuple(
        Target(f"{case}: {words} against go", figure, case, 1.1, "go", why=_FLAT_OUT if "flat out" in case else _PACED)
        for case in CASES
        for figure, words in (("cpu", "CPU per round trip"), ("p50", "median latency"), ("p99", "99th percentile"))
    ),
)
