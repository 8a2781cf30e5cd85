"""Small messages through whole chains: echo, and answers in two pieces."""

import select
import time
from functools import partial

from bench.chain import Chain
from bench.chains import CHAINS
from bench.echoes import Echo
from bench.legs import Pair
from bench.processes import Others
from bench.pump import beside
from bench.sampling import Plan, Row, Sample, interleave
from bench.works.work import Plot, Table, Target, Work

SECONDS = 1.5
PAIRS = {"1 connection": 1, "50 connections": 50}
GAP = 0.001
"""Seconds between the two pieces of an answer."""
COUNT = 200


def _trips(chain: Chain, plan: Plan, pairs: int) -> Sample:
    opened = [chain.pair() for _ in range(pairs)]
    before = chain.shares()
    try:
        got = Echo(chain, opened).run(plan.seconds(SECONDS))
        used = {name: cpu - before[name] for name, cpu in chain.shares().items()}
    finally:
        for pair in opened:
            pair.close()
    each = got.relay / got.trips * 1e6
    figures = {
        **{name: each * cpu / sum(used.values()) for name, cpu in used.items()},
        "cpu": each,
        "p50": got.percentile(0.5) * 1e3,
        "p99": got.percentile(0.99) * 1e3,
        "trips": got.trips / got.wall,
        "load": got.load / got.trips * 1e6,
    }
    return Sample(figures, got.others / got.wall)


def beside_bulk(chain: Chain, plan: Plan) -> Sample:
    """Round trips of one connection while another one carries what it can."""
    others, bulk, seconds = Others(), chain.pair(), plan.seconds(SECONDS)
    try:
        with beside([bulk], 4 * seconds + 4):
            pair = chain.pair()
            try:
                got = Echo(chain, [pair]).run(seconds)
            finally:
                pair.close()
    finally:
        bulk.close()
    figures = {"p50": got.percentile(0.5) * 1e3, "p99": got.percentile(0.99) * 1e3, "trips": got.trips / got.wall}
    return Sample(figures, others.cores())


def run_trips(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    chains = plan.started(CHAINS)
    for case, pairs in PAIRS.items():
        rows += interleave(plan, case, chains, partial(_trips, plan=plan, pairs=pairs))
    rows += interleave(plan, "1 connection beside a bulk one", chains, partial(beside_bulk, plan=plan))
    for chain in chains:
        chain.stop()
    return rows


def _answers(chain: Chain, count: int) -> Sample:
    pair = chain.pair()
    others, before = Others(), chain.cpu()
    try:
        times = sorted(answer(pair) for _ in range(count))
    finally:
        pair.close()
    cpu = (chain.cpu() - before) / count
    figures = {"p50": times[count // 2] * 1e3, "p99": times[int(count * 0.99)] * 1e3, "cpu": cpu * 1e6}
    return Sample(figures, others.cores())


def answer(pair: Pair) -> float:
    """Seconds from a question to the second piece of its answer."""
    user, target = pair.client.socket, pair.agent.socket
    began = time.perf_counter()
    user.sendall(b"?")
    if not target.recv(16):
        raise ConnectionError("the stream was cut")
    target.sendall(b"!")
    _pause(GAP)
    target.sendall(b"!")
    came = 0
    while came < 2:
        piece = user.recv(16)
        if not piece:
            raise ConnectionError("the stream was cut")
        came += len(piece)
    return time.perf_counter() - began


def _pause(seconds: float) -> None:
    """To the tenth of a millisecond, which a sleep isn't on every machine."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        select.select([], [], [], 0.0001)


def run_answers(plan: Plan) -> list[Row]:
    chains = plan.started(CHAINS)
    rows = interleave(plan, "1 ms apart", chains, partial(_answers, count=COUNT // (4 if plan.quick else 1)))
    for chain in chains:
        chain.stop()
    return rows


TRIPS = Work(
    "trips",
    "Echo through whole chains",
    "64 bytes from the user's port to the target and back, one message under way in each connection at all times. "
    "*Beside a bulk one*: another connection through the same port carries from the host what it can meanwhile. "
    "Of the CPU of each of our programs about half is Python's interpreter, a quarter to a third the kernel, 6 to 14 % "
    "OpenSSL; the agent can't use uvloop, as it starts programs.",
    run_trips,
    (
        Table("cpu", "CPU microseconds of all programs per round trip", 0, better="least"),
        Table("host", "of these: the host's", 0, False),
        Table("public", "of these: the public process", 0, False),
        Table("user", "of these: the user's", 0, False),
        Table("trips", "Round trips a second", 0, better="most"),
        Table("p50", "Median latency, milliseconds", better="least"),
        Table("p99", "99th percentile of latency, milliseconds"),
        Table("load", "CPU microseconds of the load itself per round trip", 1, False),
    ),
    (Plot("cpu", "CPU microseconds of all programs per round trip"),),
)

ANSWERS = Work(
    "answers",
    "Answers in two pieces",
    "Through whole chains: from a question of one byte to the second byte of its answer, which the target sends "
    "a millisecond after the first one. A program that leaves Nagle's delay on anywhere on the way shows it here.",
    run_answers,
    (
        Table("p50", "Median, milliseconds", better="least"),
        Table("p99", "99th percentile, milliseconds"),
        Table("cpu", "CPU microseconds of all programs per answer", 0),
    ),
    (),
    (Target("1 ms apart: median, ms", "p50", "1 ms apart", 2.0),),
)
