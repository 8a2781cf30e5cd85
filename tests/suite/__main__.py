"""Runs the tests, or those modules that are named; see tests.suite."""

import argparse
import fcntl
import os
import re
import shutil
import sys
from pathlib import Path

from tests.live.support import pace
from tests.suite import guard
from tests.suite.crew import Crew
from tests.suite.deal import LAST, ROOT, modules
from tests.suite.report import Report
from tests.suite.skips import Skips

CORES = len(os.sched_getaffinity(0))
WORKERS = min(8, CORES + 4)
"""Four more than there are cores, as live tests wait for half of their time: with six more all of it takes as long, and
each test longer. `free_port` has ranges for nine."""
QUICK_WORKERS = min(8, CORES + 2)
"""Of the quick tests few wait, and each worker takes two seconds of CPU to load what all of them need."""


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.suite", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the live tests")
    parser.add_argument("--again", action="store_true", help="without those whose outcome no other Python changes")
    parser.add_argument("--strict", action="store_true", help="fail for skips that tests/suite/skips.toml doesn't name")
    workers = f"processes at a time; here {WORKERS}, or {QUICK_WORKERS} with --quick"
    parser.add_argument("--workers", type=int, help=workers)
    parser.add_argument("--coverage", action="store_true", help="measure it, for `coverage combine`")
    parser.add_argument("--folder", type=Path, default=ROOT / ".check" / "trial", help="where tests write")
    parser.add_argument("names", nargs="*", metavar="NAME", help="modules, classes or tests; else all of them")
    chosen = parser.parse_args(arguments)
    chosen.folder = chosen.folder.resolve()  # workers change their directory
    chosen.workers = chosen.workers or (QUICK_WORKERS if chosen.quick else WORKERS)
    return chosen


def main(arguments: list[str]) -> int:
    chosen = options(arguments)
    lock = chosen.folder.with_name(f"{chosen.folder.name}.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"tests.suite: another run writes to {chosen.folder}; give this one a --folder", file=sys.stderr)
        return 2
    shutil.rmtree(chosen.folder, ignore_errors=True)
    chosen.folder.mkdir(parents=True)
    seen = chosen.folder / "seen"
    seen.mkdir(mode=0o700)
    os.environ["STREAMRELAY_SEEN"] = str(seen)
    guard.mark_run()
    names = chosen.names or modules(chosen.quick, chosen.again)
    last = [] if chosen.names or chosen.quick else [LAST]
    report = Report(len(names) + len(last), chosen.folder / "trial.log", Skips.read() if chosen.strict else None)
    command = ("-m", *(("coverage", "run", "--parallel-mode", "-m") if chosen.coverage else ()))
    os.environ[pace.FILE] = str(chosen.folder / "pace")
    with pace.start(chosen.folder / "pace"):
        for step in (names, last):
            Crew(chosen.workers, chosen.folder, command, report).run(step)
    well = report.end(figures(chosen.folder))
    shutil.rmtree(seen)  # secrets of tests, which nobody needs any more
    return 0 if well else 1


def figures(folder: Path) -> list[str]:
    """Return the lines by which tests told what they measured."""
    texts = [path.read_text(errors="replace") for path in sorted(folder.glob("worker-*.out"))]
    return [line for text in texts for line in re.findall(r"figure: .*$", text, re.MULTILINE)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
