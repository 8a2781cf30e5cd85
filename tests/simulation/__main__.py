"""Runs schedules, or one of them with its history; see tests.simulation."""

import argparse
import sys
from pathlib import Path

from tests.simulation.campaign import NONE, Tally, alone, tell
from tests.simulation.models import COMMAND, ONE_STREAM, WHOLE, Model
from tests.simulation.record import Record, code
from tests.simulation.workers import quiet, shared

MOST_TOLD = 5
"""Failed schedules that are told in full."""


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--resume", action="store_true", help="of one stream that resumes, and nothing else")
    parser.add_argument("--schedules", type=int, default=0, help="how many, from --seed on; else that one, in full")
    parser.add_argument("--seed", type=int, default=0, help="the first one's (0)")
    parser.add_argument("--workers", type=int, default=1, help="processes that share them (1)")
    parser.add_argument("--only", help=f"of one schedule only these of its steps: 0,2,3, or {NONE}")
    parser.add_argument("--record", type=Path, help="a file of what is done, so that it isn't done again")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    chosen = options(arguments)
    model = ONE_STREAM if chosen.resume else WHOLE
    if chosen.schedules:
        seeds = range(chosen.seed, chosen.seed + chosen.schedules)
        return several(seeds, chosen.workers, model, Record(chosen.record, code()))
    schedule = model.plan(chosen.seed)
    if chosen.only is not None:
        places = [] if chosen.only == NONE else chosen.only.split(",")
        schedule = schedule.only({int(place) for place in places})
    verdict = alone(schedule, True, model)
    print(verdict.history, end="")
    return 1 if verdict.problem else 0


def several(seeds: range, workers: int, model: Model, record: Record) -> int:
    tally = shared(seeds, workers, say, model=model, record=record)
    print(f"figure: simulation: {tally}")
    for seed, verdict in tally.failed[:MOST_TOLD]:
        for line in tell(seed, verdict, model):
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
