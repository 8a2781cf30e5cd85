"""Runs the whole chain under mixed load, and fails if anything was lost, doubled, leaked or didn't recover."""

import argparse
import shlex
import sys
import time
from pathlib import Path

import msgspec

from tests.soak import page
from tests.soak.plot import svg
from tests.soak.run import Options, Run
from tests.soak.summary import words


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, required=True, help="how long the load runs")
    parser.add_argument("--seed", type=int, default=1, help="of sizes, places and bytes; here 1")
    parser.add_argument(
        "--out", type=Path, help="a new folder for the summary, the plot, samples and logs; else soak-DATE-TIME"
    )
    parser.add_argument("--docs", action="store_true", help="write docs/soak.rst, too")
    parser.add_argument("--kill-every", type=float, default=0.0, metavar="SECONDS", help="kill -9 one program in turn")
    parser.add_argument("--stop-every", type=float, default=0.0, metavar="SECONDS", help="SIGTERM to one in turn")
    parser.add_argument(
        "--within", type=float, default=2.0, metavar="SECONDS", help="from a return until new streams succeed; here 2"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    chosen = options(arguments)
    folder = (chosen.out or Path(f"soak-{time.strftime('%Y%m%d-%H%M%S')}")).resolve()
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        print(f"tests.soak: {folder} is there already; give a new --out", file=sys.stderr)
        return 2
    asked = Options(60 * chosen.minutes, chosen.seed, chosen.kill_every, chosen.stop_every, chosen.within)
    run = Run(asked, folder)
    told = run.run(lambda text: print(text, file=sys.stderr, flush=True))
    (folder / "summary.json").write_bytes(msgspec.json.format(msgspec.json.encode(told)))
    (folder / "summary.txt").write_text(words(told))
    picture = svg(run.watch.samples, run.tally.breaks)
    (folder / "soak.svg").write_text(picture)
    if chosen.docs:
        page.write(told, shlex.join(("python", "-m", "tests.soak", *arguments)), picture)
    print(words(told), end="")
    print(f"samples, plot and logs: {folder}", file=sys.stderr)
    return 1 if told.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
