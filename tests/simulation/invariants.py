"""What must hold in the simulated world: after each step, once all is over, and once all is stopped."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field
from twisted.internet.task import LoopingCall
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from zope.interface import implementer

from streamrelay.channels.window import MOST as WINDOW
from streamrelay.datapath.channel import DEAD, READ
from streamrelay.datapath.connection import HIGH
from streamrelay.datapath.socket_channel import SocketChannel
from streamrelay.resume.outgoing import WINDOW as RESUMING
from tests.simulation.plan import Fault
from tests.simulation.sockets import Socket
from tests.simulation.users import StreamState
from tests.simulation.wiretap import Wrong

if TYPE_CHECKING:
    from tests.simulation.world import World

BOUND: Final = HIGH + READ + 4096
"""Unsent bytes of one direction at most: with what one read brings, and some frames' headers."""
NAMESAKE: Final = "agents answer as"
"""What stands in the log where a host has a second agent."""
PAUSE: Final = "Deferred.callback"
"""The delayed call of a client that has lost its leg, in the pause before it asks again, or finds that it needn't."""
REMEMBERED: Final = {"Summonses.forget", "Deadlines._ring", "Seldom._minute_ended", "WaitingRoom._look", PAUSE}
"""Delayed calls that may outlive what they were made for: they forget, or tell, for many at once."""


@implementer(ILogObserver)
@define(eq=False)
class Invariants:
    """The rules, for one world."""

    world: "World"
    problems: list[str] = field(factory=list)
    """What was found where nobody could be told of it by an exception."""

    def after_step(self) -> None:
        """Look at what this step has touched; raise `Wrong` if it broke a rule."""
        touched = self.world.scheduler.touched
        for sock in touched:
            if sock is None:
                raise Wrong(self.problems[0])
            if sock.channel is not None and not sock.closed:
                self._look(sock, sock.channel)
        touched.clear()

    def found(self, problem: str) -> None:
        """Note what is wrong where nobody can be told of it by an exception, so that it ends the schedule."""
        self.problems.append(problem)
        self.world.scheduler.touched.append(None)

    def _look(self, sock: Socket, channel: SocketChannel) -> None:
        unsent = channel.unsent
        if not unsent:
            return
        bound = BOUND
        if sock.tap is None and (self.world.plan.shares or self.world.plan.resumes):
            bound += max(WINDOW, RESUMING)  # what was held is given away at an end that waits for nobody
        if unsent > bound:
            raise Wrong(f"{unsent} bytes are unsent at {sock.name}, over {bound}")
        if sock.writer is None and channel._phase != DEAD:
            raise Wrong(f"{unsent} bytes are unsent at {sock.name}, and nobody waits for room there")

    def __call__(self, event: LogEvent) -> None:
        """Look at a log line (ILogObserver): it is no error of ours, holds no token, and tells of no second agent, as
        there is none of the same name; but an answer that is late may be one's that was there before."""
        if is_unhandled(event):
            return  # of whatever schedule: the collector may come at any time, and campaign.py looks for them
        text = _text(event)
        running = self.world.scheduler.running
        self.world.say(running.name if running is not None else "world", f"log: {text}")
        if event.get("log_level") in (LogLevel.critical, LogLevel.error):
            failure = event.get("log_failure")
            trace = f"\n{failure.getTraceback()}" if failure is not None else ""
            self.found(f"an error is logged: {text}{trace}")
        if any(token in text for token in self.world.tokens):
            self.found(f"a token is logged: {text}")
        if NAMESAKE in text and not self.world.plan.post.late:
            self.found(f"a second agent is told of where there is none: {text}")

    # -- while a program drains ------------------------------------------------------------------------------

    def spared(self, drain: Fault) -> list[StreamState]:
        """Return the streams that live, and that must live on while a program drains, as nothing else ends them, not
        even an answer to a summons that is lost."""
        plan, streams = self.world.plan, self.world.streams.values()
        if plan.faults != (drain,) or plan.post.lost or plan.post.late or plan.limits.claims():
            return []
        ended = [state.port for state in streams if state.plan.ended is not None]
        return [state for state in streams if state.port.paired and state.port not in ended and _is_well(state)]

    def check_spared(self, states: Iterable[StreamState]) -> None:
        """Raise `Wrong` if one of these was cut."""
        for state in states:
            for end in (state.user, state.target):
                if end is not None and end.over not in ("", "in order"):
                    raise Wrong(f"{end.name} was cut while a program drained: {end.over}")

    # -- once all is over ------------------------------------------------------------------------------------

    def living(self) -> Iterator[str]:
        """Tell what still lives of the streams."""
        for state in self.world.streams.values():
            if state.user is None and not state.unheard:
                yield f"user {state.plan.number} isn't connected"
            if state.twin_comes:
                yield f"the twin of {state.plan.number} isn't there"
        for end in self.world.ends:
            if not end.over and not end.is_torn:
                yield end.progress

    def held(self) -> Iterator[str]:
        """Tell what programs hold of streams that are over, and what may still begin one that nobody waits for."""
        world = self.world
        if world.scheduler.now <= world.server.summoned:
            yield "a summons is still on its way"
        if world.users.asked:
            yield "the platform is still asked for a stream"
        for process in world.processes:
            if process.alive and process.sockets:
                yield f"{process.name}: open sockets: {list(process.sockets.values())}"
        for relay in world.relays.values():
            table = relay.relay
            yield from _filled(relay.name, legs=table.legs, streams=table.streams, handshakes=table.handshakes.count)
            yield from _filled(relay.name, waiting=table.rendezvous.waiting, members=relay.heartbeat.members)
        for agent in world.agents.values():
            streams = agent.agent.streams
            yield from _filled(agent.name, streams=streams.summoned_streams, members=streams.heartbeat.members)
            yield from _filled(agent.name, turns=streams.legs.dialler._turns._queues)
        for client in world.clients.values():
            yield from _filled(client.name, waiting=client.waiting._waiting, members=client.heartbeat.members)
            yield from _filled(client.name, carried=client.carried)
            yield from _filled(client.name, turns=client.dialler._turns._queues)
            for ports in client.ports.values():
                yield from _filled(client.name, carrying=ports.carrying, waiting=ports._waiting)

    def timers(self, allowed: set[str]) -> Iterator[str]:
        """Tell which delayed calls are left, but for those that may be, and a relay's sweep."""
        for process in self.world.processes:
            if not process.alive:
                continue
            for call in process.timers:
                name = _name(call.func)
                if name not in allowed:
                    left = call.getTime() - self.world.scheduler.now
                    yield f"{process.name}: a delayed call is left: {name} in {left:.3f} s"

    def remembered(self) -> Iterator[str]:
        """Tell what programs remember once they should have forgotten it."""
        for relay in self.world.relays.values():
            yield from _filled(relay.name, meetings=relay.relay.rendezvous.meetings, bounds=relay.relay.bounds)
            yield from _filled(relay.name, buckets=relay.relay.room._buckets)
        for agent in self.world.agents.values():
            yield from _filled(agent.name, summonses=agent.agent.summonses.heard)

    def listed(self) -> Iterator[str]:
        """Tell what is wrong in the platform's list of hosts, once all runs again and it had time to look, where the
        bus loses nothing and brings all at once."""
        post = self.world.plan.post
        if post.lost or post.late:
            return
        for number, platform in self.world.platform.platforms.items():
            states = {host: info.state for host, info in platform.inventory.hosts.items()}
            wanted = {agent.name: "up" for agent in self.world.agents.values()}
            if not platform.inventory.complete or states != wanted:
                yield f"the list of hosts of platform {number} has {states}, and not {wanted}"

    def delivered(self) -> Iterator[str]:
        """Tell what wasn't delivered although nothing was broken."""
        ended = [state.port for state in self.world.streams.values() if state.plan.ended is not None]
        for state in self.world.streams.values():
            plan, user, target = state.plan, state.user, state.target
            if state.port in ended or plan.twin is not None or plan.target_is != "there" or plan.leaves is not None:
                continue
            if not (plan.user.is_patient and plan.target.is_patient):
                continue
            if user is None or target is None:
                yield f"stream {plan.number} was never connected"
            elif user.over != "in order" or target.over != "in order":
                yield f"stream {plan.number} ended otherwise than in order: {user.over}, {target.over}"


def is_unhandled(event: LogEvent) -> bool:
    """Tell whether an event tells of a failure in a Deferred that was thrown away."""
    return str(event.get("log_format")).startswith("Unhandled error in Deferred")


def _text(event: LogEvent) -> str:
    """Return what stands in the log, as `formatEvent` does, which takes ten times as long."""
    form = event.get("log_format")
    if not isinstance(form, str) or "()" in form:  # it may call what it names
        return formatEvent(event)
    try:
        return form.format_map(event)
    except Exception:  # of whatever is to be shown
        return formatEvent(event)


def _filled(who: str, **tables: Any) -> Iterator[str]:
    for name, table in tables.items():
        if table:
            yield f"{who}: {name} is {table if isinstance(table, int) else len(table)}, not 0"


def _name(work: Any) -> str:
    if isinstance(work, LoopingCall):
        return "LoopingCall"
    return str(getattr(work, "__qualname__", None) or getattr(getattr(work, "func", None), "__qualname__", work))


def _is_well(state: StreamState) -> bool:
    """Tell whether a stream lives whose ends lose nothing, and don't leave."""
    ends, plan = (state.user, state.target), state.plan
    patient = plan.user.is_patient and plan.target.is_patient and plan.leaves is None and plan.twin is None
    return patient and all(end is not None and not end.over for end in ends)
