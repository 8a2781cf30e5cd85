"""Runs schedules, or one of them with its history; see tests.simulation."""

import argparse
import sys

from tests.simulation.campaign import Tally, alone, tell
from tests.simulation.plan import plan
from tests.simulation.workers import quiet, shared

COMMAND = "python -m tests.simulation"
MOST_TOLD = 5
"""Failed schedules that are told in full."""


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--schedules", type=int, default=0, help="how many, from --seed on; else that one, in full")
    parser.add_argument("--seed", type=int, default=0, help="the first one's (0)")
    parser.add_argument("--workers", type=int, default=1, help="processes that share them (1)")
    parser.add_argument("--only", help="of one schedule only these of its steps: 0,2,3")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    chosen = options(arguments)
    if chosen.schedules:
        return several(range(chosen.seed, chosen.seed + chosen.schedules), chosen.workers)
    schedule = plan(chosen.seed)
    if chosen.only is not None:
        schedule = schedule.only({int(place) for place in chosen.only.split(",")})
    verdict = alone(schedule, kept=True)
    print(verdict.history, end="")
    return 1 if verdict.problem else 0


def several(seeds: range, workers: int) -> int:
    tally = shared(seeds, workers, say)
    print(f"figure: simulation: {tally}")
    for seed, verdict in tally.failed[:MOST_TOLD]:
        for line in tell(seed, verdict, COMMAND):
            print(line)
    if tally.failed[MOST_TOLD:]:
        print("further seeds that failed:", *(seed for seed, _ in tally.failed[MOST_TOLD:]))
    return 1 if tally.failed else 0


def say(tally: Tally) -> None:
    """Say how far it is."""
    print(tally, file=sys.stderr, flush=True)


if __name__ == "__main__":
    quiet()
    sys.exit(main(sys.argv[1:]))
