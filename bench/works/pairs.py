"""What a pair costs: to come and go, and to be there."""

import socket
import time
from contextlib import suppress

from bench.legs import close_frame
from bench.processes import machine_busy
from bench.relay import Relay
from bench.relays import ALL, Gorilla, Haproxy, Streamrelay, TransitRelay
from bench.sampling import Plan, Row, Sample, interleave
from bench.signed import OpaqueStreamrelay, SignedStreamrelay
from bench.works.work import Plot, Table, Target, Work

PER_ADDRESS = 2500
"""Pairs from one source address, so that ports suffice."""
SETTLE = 2.0
"""Seconds before memory is read."""
_ARRIVALS = (
    "An arrival is Python from end to end: reactor and sockets, the request and its answer, the log's line, the leg's "
    "machine. Of the rest the signatures (Ed25519) are the largest piece, 0.05 ms a leg, where the other relays check "
    "nothing; the column with opaque tokens is without these."
)


def come_and_go(relay: Relay, tls: bool) -> None:
    pair = relay.pair(tls, tls)
    with suppress(ConnectionError):
        if pair.client.framed:
            pair.client.socket.sendall(close_frame())
        else:
            pair.client.socket.shutdown(socket.SHUT_WR)
        pair.agent.socket.recv(256)
    pair.close()


def _arrivals(relay: Relay, count: int, tls: bool) -> Sample:
    for _ in range(10):
        come_and_go(relay, tls)
    before, busy, began, mine = relay.cpu(), machine_busy(), time.monotonic(), time.process_time()
    for _ in range(count):
        come_and_go(relay, tls)
    load, wall = time.process_time() - mine, time.monotonic() - began
    time.sleep(0.1)  # for what a relay does once a pair is gone
    cpu, all_wall = relay.cpu() - before, time.monotonic() - began
    others = max(0.0, machine_busy() - busy - cpu - load) / all_wall
    return Sample({"cpu": cpu / count * 1e3, "load": load / count * 1e3, "wall": wall / count * 1e3}, others)


def run_arrivals(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    kinds: list[type[Relay]] = [SignedStreamrelay, OpaqueStreamrelay]
    kinds += [kind for kind in ALL if kind.name not in ("streamrelay", "no relay", "go, tuned")]
    relays = plan.started(kinds)
    count = 100 if plan.quick else 300
    rows += interleave(plan, "plain", relays, lambda relay: _arrivals(relay, count, False))
    secure = [relay for relay in relays if relay.speaks_tls]
    rows += interleave(plan, "TLS on both legs", secure, lambda relay: _arrivals(relay, count, True))
    for relay in relays:
        relay.stop()
    return rows


def run_idle(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    plain, secure = (500, 200) if plan.quick else (5000, 1000)
    kinds = (Streamrelay, Gorilla, Haproxy, TransitRelay)
    rows += interleave(plan, f"{plain:,} pairs, plain", kinds, lambda kind: _idle(plan, kind, plain, False), 2)
    tls = [kind for kind in kinds if kind.speaks_tls]
    rows += interleave(
        plan, f"{secure:,} pairs, TLS on both legs", tls, lambda kind: _idle(plan, kind, secure, True), 2
    )
    return rows


def _idle(plan: Plan, kind: type[Relay], count: int, tls: bool) -> Sample:
    started = plan.started([kind])
    if not started:
        return Sample({})
    (relay,) = started
    opened = []
    try:
        for _ in range(50):  # what it loads with its first pairs is not a pair's
            come_and_go(relay, tls)
        time.sleep(0.5)
        before = relay.resident()
        for number in range(count):
            opened.append(relay.pair(tls, tls, "" if tls else f"127.0.0.{2 + number // PER_ADDRESS}"))
        time.sleep(SETTLE)
        each = (relay.resident() - before) / count / 1024
        return Sample({"rss": each, "base": before / 2**20})
    finally:
        for pair in opened:
            pair.close()
        relay.stop()


ARRIVALS = Work(
    "arrivals",
    "Arrivals",
    "Pairs that come and go one after the other: the agent's leg, the client's leg, the client's close, the end of "
    "both. This relay is shown with signed tokens, as production has them, and with opaque ones; the others check "
    "none. websockify and HAProxy dial the agent's end themselves, and take one handshake in place of two.",
    run_arrivals,
    (
        Table("cpu", "CPU milliseconds of the relay per pair", 3, better="least"),
        Table("wall", "Milliseconds per pair (wall time)", 3, False),
        Table("load", "CPU milliseconds of the load itself per pair", 3, False),
    ),
    (Plot("cpu", "Relay CPU milliseconds per pair"),),
    (Target("plain: CPU per pair against go", "cpu", "plain", 1.5, "go", why=_ARRIVALS),),
)

IDLE = Work(
    "idle",
    "Idle pairs",
    "Pairs that are open and silent. Resident memory of the process (VmRSS) with all of them, less that after 50 that "
    "came and went, by their number; what the kernel holds for sockets is not in it. Two repetitions, each "
    "with a process of its own. websockify is left out: it has a "
    "process for each connection.",
    run_idle,
    (
        Table("rss", "KiB of resident memory per idle pair", 1, better="least"),
        Table("base", "MiB of resident memory without any", 1, False),
    ),
    (Plot("rss", "KiB of resident memory per idle pair"),),
    (Target("5,000 pairs, plain: memory per pair against go", "rss", "5,000 pairs, plain", 0.4, "go"),),
)
