"""A campaign by several processes, each of which has its shares of the seeds."""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final

from twisted.logger import globalLogBeginner

from tests.simulation.campaign import MOST_FAILED, Tally, campaign

SHARE: Final = 500
"""Schedules that a process is given at once."""


def shared(seeds: range, workers: int, say: Callable[[Tally], None] = lambda tally: None, share: int = SHARE) -> Tally:
    """Run the schedules of seeds, by so many processes, and say after each share what was done until then. The result
    is the same by one process and by many, but for the time that it takes."""
    shares = [seeds[begin : begin + share] for begin in range(0, len(seeds), share)]
    if workers == 1:
        return together(map(campaign, shares), say)
    with ProcessPoolExecutor(workers, get_context("spawn"), quiet) as pool:
        tally = together(pool.map(campaign, shares), say)
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
