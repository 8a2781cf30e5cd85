"""``python -m bench``"""

import argparse
import resource
import signal
import time
from types import FrameType

from bench import page, results
from bench.machine import Machine
from bench.processes import bench
from bench.relays import Gorilla
from bench.results import Result
from bench.sampling import Plan, say
from bench.works import WORKS
from bench.works.work import Work


def main() -> None:
    arguments = _arguments()
    signal.signal(signal.SIGTERM, _stop)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    kept = results.load()
    try:
        if not arguments.page:
            for work in WORKS:
                if not arguments.only or work.name in arguments.only:
                    kept[work.name] = measure(work, arguments.quick, arguments.repetitions)
                    print(page.show(work, kept[work.name]), flush=True)
                    if arguments.write:
                        results.save(kept)
        if arguments.write or arguments.page:
            page.write(kept)
            say(f"wrote {page.DOCS / 'benchmarks.rst'}")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    finally:
        Gorilla.clean()


def measure(work: Work, quick: bool, repetitions: int) -> Result:
    say(f"{work.title} ({work.name})")
    began = time.monotonic()
    with bench() as place:
        plan = Plan(place, quick, repetitions or (2 if quick else 5))
        rows = work.run(plan)
    say(f"  took {time.monotonic() - began:.0f} s")
    day = time.strftime("%Y-%m-%d")
    return Result(day, quick, plan.repetitions, Machine.this(), rows, plan.versions, plan.skipped)


def _arguments() -> argparse.Namespace:
    names = [work.name for work in WORKS]
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures relays against each other.")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, and shorter ones")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=names, help=f"of {', '.join(names)}")
    parser.add_argument(
        "--write", action="store_true", help="write bench/results.json, docs/benchmarks.rst and its plots"
    )
    parser.add_argument("--page", action="store_true", help="measure nothing; write the page from bench/results.json")
    parser.add_argument("--repetitions", type=int, default=0, metavar="N", help="default: 5, quick: 2")
    return parser.parse_args()


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
