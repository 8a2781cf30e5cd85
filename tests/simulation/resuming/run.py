"""One schedule of one stream that resumes, from its plan to its verdict."""

import asyncio
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeVar

from twisted.logger import globalLogPublisher

from streamrelay.agent import resuming as of_agent
from streamrelay.agent.held_connection import HeldConnection
from streamrelay.client import resuming as of_client
from streamrelay.datapath import splice
from streamrelay.resume import buffers, connection, incoming, outgoing
from streamrelay.resume.connection import ResumableConnection
from tests.simulation.resuming.plan import Plan
from tests.simulation.resuming.world import World
from tests.simulation.scheduler import Endless
from tests.simulation.verdict import Verdict
from tests.simulation.wiretap import Wrong

LIVENESS: Final = 4000.0
"""Seconds in which a stream must end; of windows of a few bytes one is confirmed in each second."""
End = TypeVar("End", bound=ResumableConnection)

HELD: Final = 600.0
"""Seconds in which nothing must be left of a stream that is over: its hold, and the patience of legs."""


@contextmanager
def surrounded(world: World) -> Iterator[None]:
    """Let the bounds of production classes be a plan's, and what they take for random be a world's."""
    sizes = world.plan.sizes
    pools = (2 * sizes.pooled or 2, 1 + 4 * (sizes.pooled or 2))
    changes: list[tuple[Any, str, Any]] = [
        (splice, "HIGH", sizes.high),
        (connection, "HIGH", sizes.high),
        (incoming, "LEAST", sizes.least),
        (incoming, "MUCH", 4 * sizes.least),
        (incoming, "TOGETHER", sizes.least),
        (incoming, "OVERHEAD", sizes.overhead),
        (outgoing, "OVERHEAD", sizes.overhead),
        (outgoing, "SPARE", 2 * sizes.least),
        (buffers, "SMALL", sizes.pooled),
        (buffers, "SIZES", pools),
        (buffers, "_spare", {size: [] for size in pools}),
        (of_client, "ResumableConnection", partial(_client, world)),
        (of_agent, "HeldConnection", partial(_agent, world)),
        (of_client, "ResumingStream", partial(of_client.ResumingStream, jitter=world.dice.random)),
    ]
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


def _client(world: World, clock: Any, lost: Any, **more: Any) -> ResumableConnection:
    world.rules.client = found = ResumableConnection(clock, lost, world.plan.sizes.window[0], **more)
    return _bounded(world, found)


def _agent(world: World, clock: Any, lost: Any, **more: Any) -> HeldConnection:
    world.rules.agent = found = HeldConnection(clock, lost, world.plan.sizes.window[1], **more)
    return _bounded(world, found)


def _bounded(world: World, found: End) -> End:
    """Let an end hold what the other one may send, whose window may be larger."""
    found.incoming.most = world.most_held
    return found


def run(plan: Plan, kept: bool = False) -> Verdict:
    """Let a schedule happen; `kept`: with its history."""
    world = World(plan, kept)
    problem = ""
    globalLogPublisher.addObserver(world.rules)
    try:
        with surrounded(world):
            _judge(world)
    except (Wrong, Endless) as wrong:
        problem = str(wrong)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
    finally:
        globalLogPublisher.removeObserver(world.rules)
    world.say("verdict", problem or "all is well")
    return Verdict(problem, world.history.text, world.scheduler.steps, world.scheduler.now, world.legs_met)


def _judge(world: World) -> None:
    world.begin()
    rules = world.rules
    _until(world, LIVENESS, rules.living)
    _require(rules.ended())
    _require(rules.delivered())
    _until(world, HELD, rules.held)


def _until(world: World, seconds: float, wanted: Callable[[], Iterable[str]]) -> None:
    """Go on until nothing is wanted any more; `Wrong` if that takes too long, or nothing happens any more."""
    scheduler = world.scheduler
    end = scheduler.now + seconds
    while next(iter(wanted()), None) is not None and scheduler.next <= end:
        scheduler.run(min(end, max(scheduler.now + 0.5, scheduler.next)))
    _require(wanted())


def _require(problems: Iterable[str]) -> None:
    found = next(iter(problems), None)
    if found is not None:
        raise Wrong(found)
