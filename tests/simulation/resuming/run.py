"""One schedule of one stream that resumes, from its plan to its verdict."""

from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final, TypeVar

from streamrelay.agent import resuming as of_agent
from streamrelay.agent.held_connection import HeldConnection
from streamrelay.client import resuming as of_client
from streamrelay.datapath import splice
from streamrelay.resume import buffers, connection, incoming, outgoing
from streamrelay.resume.connection import ResumableConnection
from tests.simulation.judging import Change, changed, problem_of, require, until
from tests.simulation.resuming.plan import Plan
from tests.simulation.resuming.world import World
from tests.simulation.verdict import Verdict

End = TypeVar("End", bound=ResumableConnection)

LIVENESS: Final = 4000.0
"""Seconds in which a stream must end; of windows of a few bytes one is confirmed in each second."""
HELD: Final = 600.0
"""Seconds in which nothing must be left of a stream that is over: its hold, and the patience of legs."""


def surrounded(world: World) -> AbstractContextManager[None]:
    """Let the bounds of production classes be a plan's, and what they take for random be a world's."""
    sizes = world.plan.sizes
    pools = (2 * sizes.pooled or 2, 1 + 4 * (sizes.pooled or 2))
    changes: list[Change] = [
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
    return changed(changes)


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
    problem = problem_of(world, surrounded(world), lambda: _judge(world))
    return Verdict(problem, world.history.text, world.scheduler.steps, world.scheduler.now, world.legs_met)


def _judge(world: World) -> None:
    world.begin()
    rules, scheduler = world.rules, world.scheduler
    until(scheduler, scheduler.now + LIVENESS, rules.living)
    require(rules.ended())
    require(rules.delivered())
    until(scheduler, scheduler.now + HELD, rules.held)
