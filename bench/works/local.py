"""New connections through a chain's port beside the user: one after the other, eight at a time, 200 at once."""

from functools import partial

from bench.chain import Chain
from bench.chains import CHAINS
from bench.fleet import USERS
from bench.openings import LIMIT, Openings
from bench.sampling import Plan, Row, Sample, interleave
from bench.works.work import NEAR_AND_FAR, Plot, Table, Target, Work

CASES = {
    "one after the other": (1, 100, False),
    "the target speaks first": (1, 100, True),
    "eight at a time": (8, 160, False),
}
"""How many at a time, how many in all (a tenth of them far away), and who speaks first."""
MANY = 200


def _measure(chain: Chain, count: int, at_once: int, greets: bool = False) -> Sample:
    got = Openings(chain, count, at_once, greets).run()
    return Sample(got.figures(), got.others)


def run_local(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    for where, trip in NEAR_AND_FAR.items():
        chains = plan.started(partial(kind, trip) for kind in CHAINS)
        for name, (at_once, count, greets) in CASES.items():
            count = max(2 * at_once, count // (10 if trip else 1) // (4 if plan.quick else 1))
            measure = partial(_measure, count=count, at_once=at_once, greets=greets)
            rows += interleave(plan, f"{name}, {where}", chains, measure)
        for chain in chains:
            chain.stop()
    return rows


def run_crowd(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    for where, trip in NEAR_AND_FAR.items():
        chains = plan.started(partial(kind, trip) for kind in CHAINS)
        rows += interleave(plan, f"{MANY} at once, {where}", chains, partial(_measure, count=MANY, at_once=MANY))
        able = [chain for chain in chains if chain.has_user]
        users = {chain.name: chain.join(plan.bench, USERS) for chain in able}
        rows += interleave(plan, f"of {USERS} users, {where}", able, partial(_crowd, users=users))
        for chain in chains:
            chain.stop()
    return rows


def _crowd(chain: Chain, users: dict[str, list[int]]) -> Sample:
    got = Openings(chain, MANY, MANY, ports=users[chain.name]).run()
    return Sample(got.figures(), got.others)


LOCAL = Work(
    "local",
    "Connections through a local port",
    "New connections through the port beside the user, from the user's ``connect()`` to the first byte of an answer: "
    "the user's end asks with a byte at once, as HTTP does, or *the target speaks first*, as ssh's does. Then the "
    "user's end closes, and the target's after it. One after the other, or eight at a time. The whole chains, over "
    "TLS; *100 ms away* is a round trip from the host, and one from the user, to what is public (bench/delay.py: "
    "it delays, and loses nothing).",
    run_local,
    (
        Table("p50", "Median, milliseconds", better="least"),
        Table("p90", "90th percentile, milliseconds"),
        Table("cpu", "CPU milliseconds of all programs per connection", better="least"),
        Table("rate", "Connections a second", 0, better="most"),
        Table("worked", "Per cent of the connections that worked", 1, False),
    ),
    (
        Plot("cpu", "CPU milliseconds of all programs per connection"),
        Plot("p50", "Milliseconds to the first byte of a connection", logarithmic=True),
    ),
    (
        Target("one after the other, near: median, ms", "p50", "one after the other, near", 5.0),
        Target("one after the other, near: CPU against chisel", "cpu", "one after the other, near", 2.0, "chisel"),
        Target("one after the other, 100 ms away: median, ms", "p50", "one after the other, 100 ms away", 320.0),
        *(Target(f"{case}, near: failed", "failed", f"{case}, near", 0.0) for case in CASES),
    ),
)

CROWD = Work(
    "crowd",
    f"{MANY} connections at once",
    f"As in *connections through a local port*, but {MANY} in the same moment; the time of the last one's first byte "
    f"counts, up to {LIMIT:.0f} seconds. *Of {USERS} users*: through as many programs beside the user, all of one "
    "address, of ours each with a key of its own.",
    run_crowd,
    (
        Table("worked", "Per cent of the connections that worked", 1, better="most"),
        Table("wall", "Milliseconds until the last one had its first byte", 0, better="least"),
        Table("p50", "Median, milliseconds", 0),
        Table("cpu", "CPU milliseconds of all programs per connection that worked", better="least"),
    ),
    (),
    (
        *(
            Target(f"{case}, {where}: failed", "failed", f"{case}, {where}", 0.0)
            for case in (f"{MANY} at once", f"of {USERS} users")
            for where in NEAR_AND_FAR
        ),
        Target("near: CPU against chisel", "cpu", f"{MANY} at once, near", 2.0, "chisel"),
    ),
)
