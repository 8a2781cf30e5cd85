"""Opens streams through a fleet of which one program after the other breaks, and fails if that is seen by others."""

import argparse
import asyncio
import os
import resource
import shlex
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.fleet import page
from tests.fleet.chain import FleetChain
from tests.fleet.run import RATE, Run, listening, ports_of, whole

MOST = 1.0
"""Seconds in which each stream opens, on a machine that is free."""


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fleet", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="of the 2,000 streams; here 1")
    parser.add_argument("--rate", type=float, default=RATE, help=f"streams a second; here {RATE:g}")
    parser.add_argument("--logs", type=Path, help="a folder for the programs' logs; else they go")
    parser.add_argument("--docs", action="store_true", help="write docs/scaling.rst, too")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    chosen = options(arguments)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # both ends of all streams are here
    folder = Path(tempfile.mkdtemp(prefix="streamrelay-fleet-"))
    sockets = listening()
    chain = FleetChain(folder, ports_of(sockets))
    run = Run(chain, sockets, whole(chosen.scale), lambda words: print(words, file=sys.stderr, flush=True), chosen.rate)
    try:
        chain.start()
        tally = asyncio.run(run.run())
    finally:
        chain.stop()
        if chosen.logs:
            chosen.logs.mkdir(parents=True, exist_ok=True)
            for path in folder.glob("*.out"):
                shutil.copy(path, chosen.logs)
        shutil.rmtree(folder, ignore_errors=True)
    command = shlex.join(("python", "-m", "tests.fleet", *arguments))
    found = page.measured(tally, run.even, command, time.strftime("%Y-%m-%d"), os.getloadavg()[1])
    print(page.table(found))
    faults = tally.judge(run.even)
    late = [kept.longest for kept in found.phases if kept.longest / max(1.0, tally.slowness) > MOST]
    faults += [f"a stream took {seconds:.2f} s to open" for seconds in late]
    print(*(f"FAULT: {words}" for words in faults), sep="\n", end="\n" if faults else "")
    if chosen.docs and not faults:
        page.write(found)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
