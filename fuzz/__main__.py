"""``python -m fuzz TARGET [--runs N] [--seconds S] [--found DIR]``, ``python -m fuzz TARGET --keep DIR``"""

import argparse

from fuzz.keeping import keep
from fuzz.running import run
from fuzz.target import TARGETS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Fuzz one target until it fails or is done.")
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--runs", type=int, default=0, metavar="N", help="executions; without end by default")
    parser.add_argument("--seconds", type=float, default=0, metavar="S", help="at most so long")
    parser.add_argument("--found", metavar="DIR", help="where inputs that reach something new are written")
    parser.add_argument("--keep", metavar="DIR", help="add to the corpus what is worth it of the inputs found there")
    arguments = parser.parse_args()
    if arguments.keep:
        keep(arguments.target, arguments.keep)
    else:
        run(arguments.target, arguments.runs, arguments.seconds, arguments.found)


if __name__ == "__main__":
    main()
