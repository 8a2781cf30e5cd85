"""What users and others do in the simulated world: they connect, say what their scripts say, leave, and end streams."""

from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.internet.defer import Deferred

from streamrelay.client.platform_api import OpenedStream, PlatformApi
from streamrelay.errors import Refused
from streamrelay.websocket.dial_errors import DialError
from tests.simulation.clients import ClientProgram, SimulatedApi
from tests.simulation.ends import End, Script
from tests.simulation.plan import StreamPlan
from tests.simulation.programs import target_address
from tests.simulation.sockets import Socket
from tests.simulation.wiretap import Wrong

if TYPE_CHECKING:
    from tests.simulation.world import World


@define(eq=False)
class Port:
    """A local port of a client."""

    ids: list[str] = field(factory=list)
    """Ids of the streams that were opened for it, as the platform told them."""
    paired: bool = False
    """True once any of them was."""
    targets: int = 0
    """Connections that were made to its target."""


@define(eq=False)
class StreamState:
    """A stream of the plan, as the world sees it."""

    plan: StreamPlan
    port: Port
    user: End | None = None
    target: End | None = None
    twin_comes: bool = False
    """True while somebody else is about to come with its URL."""
    unheard: bool = False
    """True if its user found no local port."""


@define(eq=False)
class Users:
    """All that is done at the ends of streams, and by whoever else knows of them."""

    world: "World"
    asked: "set[Deferred[Any]]" = field(factory=set)
    """Requests for streams that the platform hasn't done with."""

    def open(self, state: StreamState) -> None:
        """Let a user connect to a local port, which opens a stream."""
        plan, client = state.plan, self.world.clients[state.plan.client]
        if client.running is None or not client.running.alive:
            state.unheard = True
            return
        client.running.enter()
        address = client.listen(plan)
        if plan.target_is == "there":
            where = target_address(plan.number if plan.port is None else plan.port)
            self.world.kernel.listen(self.world.outside, where, lambda sock, peer: self._target(state, sock))
        self.world.say("plan", str(plan))
        self.world.outside.enter()
        sock = self.world.kernel.socket(self.world.outside)
        sock.connect_ex(address)
        self.world.outside.loop.add_writer(sock.number, self._user, state, sock)
        if plan.ended is not None:
            self.world.scheduler.at(plan.begin + plan.ended, None, self._end_by_operator, state)
        if plan.leaves is not None:
            self.world.outside.later(plan.leaves, self._leave, state, sock)

    def _user(self, state: StreamState, sock: Socket) -> None:
        self.world.outside.loop.remove_writer(sock.number)
        if sock.peer is None:
            state.unheard = True
            sock.close()
            return
        self._came(state, sock).start()

    def _came(self, state: StreamState, sock: Socket) -> End:
        """Make the user's end of a stream."""
        plan = state.plan
        state.user = user = self._end(plan.number, True, plan.user, sock, state.port)
        user.other = state.target
        if state.target is not None:
            state.target.other = user
        return user

    def _target(self, state: StreamState, sock: Socket) -> None:
        port = state.port
        port.targets += 1
        if port.targets > 1 and state.plan.port is None:  # others ask again where the leg of all is lost
            raise Wrong(f"target {state.plan.number} is connected {port.targets} times")
        if state.plan.port is None:
            target = self._end(state.plan.number, False, state.plan.target, sock, port)
            self._found(target)
        else:
            target = self._end(-1, False, state.plan.target, sock, port)
        target.start()

    def _found(self, target: End) -> None:
        """Bring a target, which knows its stream, together with the other end."""
        state = self.world.streams.get(target.stream)
        if state is None or state.target is not None:
            raise Wrong(f"a target is told that it is stream {target.stream}'s")
        state.target, target.other, target.script = target, state.user, state.plan.target
        if state.user is not None:
            state.user.other = target

    def _end(self, stream: int, is_user: bool, script: Script, sock: Socket, port: Port) -> End:
        end = End(
            stream, is_user, script, self.world.outside, sock, self._say_end, lambda: port.paired, find=self._found
        )
        end.is_limited = bool(self.world.plan.limits.claims())
        self.world.ends.append(end)
        return end

    def _say_end(self, line: str) -> None:
        self.world.say("ends", line)

    def _leave(self, state: StreamState, sock: Socket) -> None:
        if state.user is not None:
            state.user.leave()
        elif not sock.closed:
            state.unheard = True
            self.world.outside.loop.remove_writer(sock.number)
            if sock.peer is None:
                sock.close()
            else:
                self._came(state, sock).leave_early()

    def _end_by_operator(self, state: StreamState) -> None:
        """Let the platform end what was opened for a stream's port."""
        served_by, platform = self.world.platform.running, self.world.platform.platforms[state.plan.relay]
        assert served_by is not None
        served_by.enter()

        async def end(stream: str) -> None:
            try:
                await platform.end(f"web-{state.plan.host}", stream)
            except Refused as refusal:
                self.world.say("operator", f"stream {state.plan.number}: {refusal.reason}")

        for stream in state.port.ids:
            served_by.loop.create_task(end(stream))

    def api(self, client: ClientProgram, plan: StreamPlan) -> PlatformApi:
        assert client.running is not None and self.world.platform.running is not None
        state = self.world.streams[plan.number]
        return SimulatedApi(
            client.running.reactor,
            "http://platform",
            fetch=_no_fetch,
            process=client.running,
            platform=self.world.platform.platforms[plan.relay],
            served_by=self.world.platform.running,
            latency=self.world.plan.weather.latency,
            overheard=lambda opened: self._overheard(state, opened),
            asked=self.asked,
        )

    def _overheard(self, state: StreamState, opened: OpenedStream) -> None:
        """Take note of a stream's URL; who else has it may come with it as well."""
        if opened.stream in state.port.ids:
            return
        state.port.ids.append(opened.stream)
        self.world.tokens.append(opened.url.rpartition("/")[2])
        self.world.say("platform", f"stream {state.plan.number} is told its URL")
        client = self.world.clients[state.plan.client].running
        if state.plan.twin is not None and client is not None:
            state.twin_comes = True
            self.world.scheduler.at(self.world.scheduler.now + state.plan.twin, None, self._twin, state, opened.url)

    def _twin(self, state: StreamState, url: str) -> None:
        """Let somebody else on the client's machine come with a stream's URL, and leave after a second."""
        client, process = self.world.clients[state.plan.client], self.world.clients[state.plan.client].running
        state.twin_comes = False
        if process is None or not process.alive:
            return
        process.enter()

        def came(leg: Any) -> None:
            self.world.say("twin", f"stream {state.plan.number}: it was let in")
            process.later(1.0, leg.abort)

        def refused(failure: Any) -> None:
            failure.trap(DialError)
            self.world.say("twin", f"stream {state.plan.number}: {failure.value}")

        client.dialler.dial(url).addCallbacks(came, refused)


async def _no_fetch(*arguments: Any, **named: Any) -> Any:
    raise Wrong("nobody asks by HTTP")
