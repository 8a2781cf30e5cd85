"""Runs the tests of the fault table, or those of some of its modules, and writes what they measured into the page."""

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from tests.live.support.promise import MARK
from tests.reliability.faults import FAULTS, ROWS
from tests.reliability.page import MEASURED, PAGE, ROOT, measured, page
from tests.suite.__main__ import main as run

FULL = {"STREAMRELAY_CLOSES": "1000", "STREAMRELAY_CUT_MIB": "1024", "STREAMRELAY_UPGRADED": "200"}
"""The full form of tests that do less in ./check."""


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("--folder", default=str(ROOT / ".check" / "reliability"), help="where tests write")
    parser.add_argument("--workers", default="1", help="processes at a time; here 1, as they are timed")
    parser.add_argument(
        "--written", action="store_true", help="write the page of what was measured before, run nothing"
    )
    parser.add_argument("begins", nargs="*", metavar="NAME", help="how names begin, below tests.live; else all")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    chosen = options(arguments)
    status = 0
    if not chosen.written:
        tests = {fault.test: None for fault in ROWS if fault.test.startswith(tuple(chosen.begins) or "")}
        names = [f"tests.live.{test}" for test in tests]
        for name, value in FULL.items():
            os.environ.setdefault(name, value)
        status = run(["--folder", chosen.folder, "--workers", chosen.workers, *names])
        if not status:
            seen = longest(Path(chosen.folder))
            MEASURED.write_text(json.dumps({**measured(), **seen}, indent=1, sort_keys=True) + "\n")
            print(f"{len(seen)} of {len(FAULTS)} promises measured")
    if not status:
        PAGE.write_text(page(measured()))
    return status


def longest(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what a run's tests recorded; of several times the longest."""
    found: dict[str, dict[str, Any]] = {}
    texts = [path.read_text(errors="replace") for path in sorted(folder.glob("worker-*.out"))]
    for text in texts:
        for line in re.findall(rf"{MARK}({{.*}})$", text, re.MULTILINE):
            one = json.loads(line)
            name = one.pop("name")
            if name not in found or one.get("seconds", 0.0) >= found[name].get("seconds", 0.0):
                found[name] = one
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
