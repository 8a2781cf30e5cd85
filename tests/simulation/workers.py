"""A campaign by several processes, each of which has its shares of the seeds."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Final

from twisted.logger import globalLogBeginner

from tests.simulation.campaign import MOST_FAILED, Tally, campaign
from tests.simulation.models import WHOLE, Model
from tests.simulation.record import NO_RECORD, Record

SHARE: Final = 500
"""Schedules that a process is given at once."""


def shared(
    seeds: range,
    workers: int,
    say: Callable[[Tally], None] = lambda tally: None,
    share: int = SHARE,
    model: Model = WHOLE,
    record: Record = NO_RECORD,
) -> Tally:
    """Run the schedules of seeds, by so many processes, and say after each share what was done until then. The result
    is the same by one process and by many, but for the time that it takes. What is in the record isn't run again."""
    shares = [seeds[begin : begin + share] for begin in range(0, len(seeds), share)]
    work, left = partial(campaign, model=model), [each for each in shares if record.done(each) is None]

    def brought(tallies: Iterable[Tally]) -> Iterator[Tally]:
        run = iter(tallies)
        for each in shares:
            tally = record.done(each)
            if tally is None:
                tally = next(run)
                record.add(each, tally)
            yield tally

    if workers == 1:
        return together(brought(map(work, left)), say)
    with ProcessPoolExecutor(workers, get_context("spawn"), quiet) as pool:
        tally = together(brought(pool.map(work, left)), say)
        pool.shutdown(cancel_futures=True)
    return tally


def together(tallies: Iterable[Tally], say: Callable[[Tally], None] = lambda tally: None) -> Tally:
    """Return the sum of what comes, in order, until there are failures enough."""
    whole = Tally()
    for tally in tallies:
        whole.add(tally)
        say(whole)
        if len(whole.failed) >= MOST_FAILED:
            break
    return whole


def quiet() -> None:
    """Let nothing be logged but to the rules of a world."""
    globalLogBeginner.beginLoggingTo([], discardBuffer=True, redirectStandardIO=False)
