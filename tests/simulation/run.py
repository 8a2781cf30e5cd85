"""One schedule from its plan to its verdict."""

from typing import Final

from streamrelay.protocol.limits import CHANNELS_TAKEN
from tests.simulation.invariants import REMEMBERED, Invariants
from tests.simulation.judging import problem_of, require, until
from tests.simulation.plan import Plan
from tests.simulation.surroundings import surrounded
from tests.simulation.verdict import Verdict
from tests.simulation.world import World

LIVENESS: Final = 300.0
"""Seconds after the last fault in which all that waits must end or go on."""
HELD: Final = 130.0
"""Seconds after the last end in which programs must have let go of what they held for it: a leg may wait for a minute,
and a close take another one."""
HOLD: Final = 120.0
"""Seconds for which agents hold a stream that resumes, for who doesn't come back."""
MEMORY: Final = 80.0
"""Seconds after which nothing of it must be remembered: an agent's memory of summonses is the longest one."""
STOPPING: Final = 30.0
NAMESAKE_TIMERS: Final = ("Namesakes._ended",)
"""Delayed calls of an agent that takes itself, as it was before it was started anew, for a second one: an answer to an
earlier look that the bus brought late said so."""


def run(plan: Plan, kept: bool = False) -> Verdict:
    """Let a schedule happen; `kept`: with its history."""
    world = World(plan, kept)
    problem = problem_of(world, surrounded(world), lambda: _judge(world, world.rules))
    steps, seconds = world.scheduler.steps, world.scheduler.now
    return Verdict(problem, world.history.text, steps, seconds, sum(world.pairs.values()) // 2)


def _judge(world: World, rules: Invariants) -> None:
    """Do all that a schedule has, and hold each of its stages to its rules."""
    scheduler = world.scheduler
    scheduler.after_step = rules.after_step
    world.begin()
    scheduler.run(world.plan.faults_end)
    until(scheduler, scheduler.now + LIVENESS, rules.living)
    if world.plan.is_calm:
        require(rules.delivered())
    longer = CHANNELS_TAKEN if world.plan.shares else HOLD if world.plan.resumes else 0
    until(scheduler, scheduler.now + HELD + longer, rules.held)
    scheduler.run(scheduler.now + 0.1)
    lasting = {"LoopingCall", *(NAMESAKE_TIMERS if world.plan.post.late else ())}
    require(rules.timers(REMEMBERED | lasting))
    scheduler.run(scheduler.now + MEMORY)
    require(rules.held())
    asked_on = HOLD if world.plan.resumes else 0.0  # by clients
    until(scheduler, scheduler.now + asked_on, rules.remembered)
    require(rules.listed())
    require(rules.timers(lasting))
    world.stop()
    scheduler.run(scheduler.now + STOPPING)
    require(rules.timers(set()))
    require(rules.problems)
