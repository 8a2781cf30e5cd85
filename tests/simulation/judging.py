"""What each simulation does with a schedule that is under way: its surroundings are the world's, and it is judged."""

import asyncio
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from twisted.logger import ILogObserver, globalLogPublisher

from tests.simulation.scheduler import Endless, Scheduler
from tests.simulation.wiretap import Wrong

Change = tuple[Any, str, Any]
"""A thing, the name of an attribute of it, and its value."""


class Judged(Protocol):
    """A world, as much of it as is needed here."""

    @property
    def rules(self) -> ILogObserver:
        """The rules, which see what is logged, too."""

    def say(self, who: str, what: str) -> None: ...


@contextmanager
def changed(changes: Iterable[Change]) -> Iterator[None]:
    """Let attributes be others for a while. The loop that is said to run is the same one again behind it."""
    changes = tuple(changes)
    before = [(thing, name, getattr(thing, name)) for thing, name, _ in changes]
    loop = asyncio._get_running_loop()
    for thing, name, value in changes:
        setattr(thing, name, value)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)
        for thing, name, value in before:
            setattr(thing, name, value)


def problem_of(world: Judged, surroundings: AbstractContextManager[None], judge: Callable[[], None]) -> str:
    """Let a schedule happen, and return what is wrong with it; empty if nothing is."""
    problem = ""
    globalLogPublisher.addObserver(world.rules)
    try:
        with surroundings:
            judge()
    except (Wrong, Endless) as wrong:
        problem = str(wrong)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
    finally:
        globalLogPublisher.removeObserver(world.rules)
    world.say("verdict", problem or "all is well")
    return problem


def until(scheduler: Scheduler, end: float, wanted: Callable[[], Iterable[str]]) -> None:
    """Go on until nothing is wanted any more; `Wrong` if that takes too long."""
    while next(iter(wanted()), None) is not None and scheduler.now < end:
        scheduler.run(min(end, max(scheduler.now + 0.5, scheduler.next)))
    require(wanted())


def require(problems: Iterable[str]) -> None:
    """Raise `Wrong` with the first problem, if there is one."""
    found = next(iter(problems), None)
    if found is not None:
        raise Wrong(found)
