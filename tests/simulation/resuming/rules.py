"""What must hold of one stream that resumes: after each step, and once it is over."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from attrs import define
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from zope.interface import implementer

from streamrelay.protocol.close import CloseCode
from tests.simulation.invariants import is_unhandled
from tests.simulation.resuming.ends import End
from tests.simulation.resuming.plan import Script
from tests.simulation.wiretap import Wrong

if TYPE_CHECKING:
    from tests.simulation.resuming.world import World

LAST: int = 2
"""Control messages that an end says beside those of its program: fin and end."""


@implementer(ILogObserver)
@define(eq=False)
class Rules:
    """The rules, for one world."""

    world: "World"
    client: Any = None
    """The client's `ResumableConnection`, once there is one."""
    agent: Any = None

    def after_step(self) -> None:
        """Look at what both ends hold; raise `Wrong` if it is too much, or if anything failed."""
        self.world.scheduler.touched.clear()
        if self.world.problems:
            raise Wrong(self.world.problems[0])
        plan, user, target = self.world.plan, self.world.client.user, self.world.host.target
        if self.client is not None:
            self._look("client", self.client, self.agent, plan.user, plan.sizes.window[0], target)
        if self.agent is not None:
            self._look("agent", self.agent, self.client, plan.target, plan.sizes.window[1], user)

    def _look(self, who: str, connection: Any, other: Any, script: Script, window: int, end: End | None) -> None:
        """Hold an end to its window: of what it has sent, and of what the other one holds of that."""
        outgoing, controls = connection.outgoing, script.controls + LAST
        most = window + script.largest + controls
        if outgoing.end - outgoing.taken > most:
            raise Wrong(f"{who} has {outgoing.end - outgoing.taken} under way that nobody has taken, over {most}")
        heavy = window + self.world.heaviest(script.largest) + controls * self.world.heaviest_control
        if outgoing.weight > heavy:
            raise Wrong(f"{who} keeps {outgoing.weight} bytes, over {heavy}")
        if other is not None and other.incoming._behind > most:
            raise Wrong(f"the other end of {who} holds {other.incoming._behind}, over {most}")
        if other is not None and end is not None and other.outcome is connection.outcome is None:
            taken = end.taken + self.world.plan.sizes.high + end.script.room
            if outgoing.taken > taken:
                raise Wrong(f"{outgoing.taken} are confirmed to {who}, and {taken} were taken at most")

    def __call__(self, event: LogEvent) -> None:
        """Look at a log line (ILogObserver): it is no error of ours."""
        if is_unhandled(event):
            return
        if self.world.kept:
            self.world.say(event.get("log_namespace", "").rpartition(".")[2][:10], f"log: {formatEvent(event)}")
        if event.get("log_level") in (LogLevel.critical, LogLevel.error):
            failure = event.get("log_failure")
            trace = f"\n{failure.getTraceback()}" if failure is not None else ""
            self.world.problems.append(f"an error is logged: {formatEvent(event)}{trace}")
            self.world.scheduler.touched.append(None)

    # -- once it should be over ------------------------------------------------------------------------------

    def living(self) -> Iterator[str]:
        """Tell what still lives of the stream."""
        client, target = self.world.client, self.world.host.target
        if client.process.alive and not client.refused and client.ended is None:
            yield client.user.progress
        if target is not None and target.process.alive and not target.is_gone:
            yield target.progress

    def delivered(self) -> Iterator[str]:
        """Tell what wasn't delivered although nothing has ended the stream, and its hold was long enough."""
        user, target = self.world.client.user, self.world.host.target
        if not self.world.plan.is_mild or self.agent is None or target is None:
            return
        for end, other in ((user, target), (target, user)):
            if {end.script.finish, other.script.finish} <= {"eof", "wait"}:
                if not end.got_end:
                    yield f"{end.name} was not told the end of file: {end.how}"
            elif other.script.finish == "over" and end.script.finish in ("eof", "wait") and not self._is_whole(end):
                yield f"{end.name} was not told all before it ended: {end.how}"
        yield from self._reset(user, target)

    def _is_whole(self, end: End) -> bool:
        return end.got == len(end.other.said) and end.how is not None and end.how.clean

    def _reset(self, user: End, target: End) -> Iterator[str]:
        """Tell of an end that wasn't told how the other one has ended, though it was left alone."""
        for end, other in ((user, target), (target, user)):
            if other.script.finish == "reset" and end.how is not None and end.how.clean and end.script.finish == "eof":
                yield f"{end.name} is told that all is well, of an end that was reset"

    def held(self) -> Iterator[str]:
        """Tell what is held of a stream that is over, and what may still ask for a leg of it."""
        world = self.world
        if world.scheduler.now <= world.post.summoned:
            yield "a summons is still on its way"
        if world.client.process.alive and world.post.asked:
            yield "the platform is still asked"
        for pair in world.pairs:
            for leg in pair.legs:
                if leg.is_left:
                    yield f"{leg.name} is left"
        if world.host.process.alive:
            streams = world.host.streams
            for name, table in (("streams", streams.summoned_streams), ("held", streams.resuming.held)):
                if table:
                    yield f"the agent's {name} are {len(table)}, not 0"
            if streams.resuming.memory.kept:
                yield f"the agent's memory has {streams.resuming.memory.kept} bytes, not 0"
        if self.client is not None and world.client.process.alive and self.client.outgoing.weight:
            yield f"the client keeps {self.client.outgoing.weight} bytes"
        for process in (world.client.process, world.host.process):
            if process.alive:
                for call in process.timers:
                    yield f"{process.name}: a delayed call is left: {call.func.__qualname__}"

    def ended(self) -> Iterator[str]:
        """Tell of an outcome that the client's stream can't have."""
        how = self.world.client.ended
        if how is not None and how.code in (CloseCode.PROTOCOL, CloseCode.OUR_FAULT):
            yield f"the stream has ended by {how}"
        user, target = self.world.client.user, self.world.host.target
        if how is None or not how.clean or target is None:
            return
        left = target.finished and target.script.finish == "over"
        if not left and target.got < len(user.said):
            yield f"the client is told that all is well, and the target got {target.got} of {len(user.said)}"
