"""Runs schedules, or one of them with its history; see tests.simulation."""

import argparse
import sys

from tests.simulation.campaign import alone, campaign, tell
from tests.simulation.plan import plan

COMMAND = "python -m tests.simulation"
MOST_TOLD = 5
"""Failed schedules that are told in full."""


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--schedules", type=int, default=0, help="how many, from --seed on; else that one, in full")
    parser.add_argument("--seed", type=int, default=0, help="the first one's (0)")
    parser.add_argument("--only", help="of one schedule only these of its steps: 0,2,3")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    chosen = options(arguments)
    if chosen.schedules:
        return several(chosen.seed, chosen.schedules)
    schedule = plan(chosen.seed)
    if chosen.only is not None:
        schedule = schedule.only({int(place) for place in chosen.only.split(",")})
    verdict = alone(schedule, kept=True)
    print(verdict.history, end="")
    return 1 if verdict.problem else 0


def several(first: int, count: int) -> int:
    tally = campaign(range(first, first + count))
    print(f"figure: simulation: {tally}")
    for seed, verdict in tally.failed[:MOST_TOLD]:
        for line in tell(seed, verdict, COMMAND):
            print(line)
    if tally.failed[MOST_TOLD:]:
        print("further seeds that failed:", *(seed for seed, _ in tally.failed[MOST_TOLD:]))
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
