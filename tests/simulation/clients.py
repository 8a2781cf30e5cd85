"""Native clients of the simulated world, as ``streamrelay connect --listen`` puts them together."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred

from streamrelay.client.platform_api import OpenedStream, PlatformApi, PlatformError, Unwanted
from streamrelay.client.port_streams import PortStreams
from streamrelay.client.stream import ClientStream, LocalPort, WaitingRoom, open_stream
from streamrelay.client.stream_request import ResumeRequest, StreamRequest
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.datapath.plain import PlainConnection
from streamrelay.errors import Refused
from streamrelay.platform.new_stream import Early, Opened
from streamrelay.platform.platform import Platform, Resumption
from streamrelay.websocket.client import Dialler
from streamrelay.websocket.dial_errors import DialError
from tests.simulation.ordered import OrderedSet
from tests.simulation.plan import StreamPlan
from tests.simulation.process import Process

FIRST_PORT: Final = 5000
USER: Final = "alice"


@define(eq=False)
class SimulatedApi(PlatformApi):
    """The platform's API without HTTP: requests and answers only take their time."""

    process: Process = field(kw_only=True)
    platform: Platform = field(kw_only=True)
    served_by: Process = field(kw_only=True)
    latency: float = field(kw_only=True)
    overheard: Callable[[OpenedStream], None] = field(kw_only=True)
    """Told the URL of each stream when its client is."""
    asked: "set[Deferred[Any]]" = field(kw_only=True)
    """Requests of all clients that the platform hasn't done with, whether their clients still wait or not."""
    _hosts: dict[str, str] = field(factory=dict)  # of streams, by their ids

    async def open(self, request: StreamRequest, early: Callable[[OpenedStream], None] | None = None) -> OpenedStream:
        if not request.is_wanted():
            raise Unwanted
        answer: Deferred[OpenedStream] = Deferred(self._left)
        self.asked.add(answer)
        self.served_by.later(self.latency, self._begin, request, early, answer)
        return await answer

    async def resume(self, request: ResumeRequest, early: Callable[[OpenedStream], None] | None = None) -> OpenedStream:
        answer: Deferred[OpenedStream] = Deferred(self._left)
        self.asked.add(answer)
        self.served_by.later(self.latency, self._begin, request, early, answer)
        return await answer

    async def end(self, stream: str) -> None:
        over: Deferred[None] = Deferred()
        self.served_by.later(self.latency, self._begin_end, stream, over)
        await over

    def _begin_end(self, stream: str, over: "Deferred[None]") -> None:
        self.served_by.loop.create_task(self._end(stream, over))

    async def _end(self, stream: str, over: "Deferred[None]") -> None:
        try:
            await self.platform.end(self._hosts[stream], stream)
        except Refused:
            pass
        self._bring(self._ended, over)

    def _ended(self, over: "Deferred[None]") -> None:
        if not over.called:
            over.callback(None)

    def _left(self, answer: "Deferred[OpenedStream]") -> None:
        """Note that nobody waits for an answer any more; the platform finds that when it has one."""

    def _begin(
        self,
        request: StreamRequest | ResumeRequest,
        early: Callable[[OpenedStream], None] | None,
        answer: "Deferred[OpenedStream]",
    ) -> None:
        task = self.served_by.loop.create_task(self._serve(request, early, answer))
        task.add_done_callback(lambda task: self.asked.discard(answer))

    async def _serve(
        self,
        request: StreamRequest | ResumeRequest,
        early: Callable[[OpenedStream], None] | None,
        answer: "Deferred[OpenedStream]",
    ) -> None:
        def told(line: Early) -> None:
            opened = OpenedStream(line.stream, line.url)
            self._hosts[line.stream] = request.host
            self._bring(self._tell, opened, early, answer)

        try:
            opened = await self._opened(request, told if early is not None else None)
        except Refused as refusal:
            self._bring(self._refuse, answer, PlatformError(refusal.status, refusal.reason))
            return
        if answer.called and isinstance(request, ResumeRequest):
            return
        if answer.called:  # as the API does: nobody comes for it
            try:
                await self.platform.end(request.host, opened.stream)
            except Refused:
                pass
            return
        self._hosts[opened.stream] = request.host
        whole = OpenedStream(
            opened.stream,
            opened.url,
            opened.kind,
            channels=opened.channels,
            resume=opened.resume,
            received=opened.received,
        )
        self._bring(self._tell, whole, answer.callback, answer)

    async def _opened(self, request: StreamRequest | ResumeRequest, early: Callable[[Early], None] | None) -> Opened:
        if isinstance(request, StreamRequest):
            return await self.platform.open(
                *(USER, request.host, request.target),
                terms=request.terms,
                early=early,
                channels=request.channels,
                resume=request.resume,
            )
        place = request.stream, request.received, request.attempt
        return await self.platform.resume(Resumption(USER, request.host, request.target, *place), early)

    def _bring(self, work: Callable[..., None], *args: Any) -> None:
        self.process.later(self.latency, work, *args)

    def _tell(
        self, opened: OpenedStream, hear: Callable[[OpenedStream], None] | None, answer: "Deferred[OpenedStream]"
    ) -> None:
        if not answer.called and hear is not None:
            self.overheard(opened)
            hear(opened)

    def _refuse(self, answer: "Deferred[OpenedStream]", error: PlatformError) -> None:
        if not answer.called:
            answer.errback(error)


@define(eq=False)
class ClientProgram:
    """The native client on one user's machine, with a local port for each stream."""

    number: int
    begin: Callable[[str, str], Process]
    api: Callable[["ClientProgram", StreamPlan], PlatformApi]
    say: Callable[[str, str], None]
    running: Process | None = None
    ports: dict[int, PortStreams] = field(factory=dict)
    """Streams of local ports that several share."""
    carried: OrderedSet[ClientStream] = field(factory=OrderedSet)
    """Streams that aren't over, some of them between two of their legs."""
    dialler: Dialler = field(init=False)
    waiting: WaitingRoom = field(init=False)
    heartbeat: Heartbeat = field(init=False)

    @property
    def name(self) -> str:
        return f"client-{self.number}"

    def start(self) -> None:
        self.ports, self.carried = {}, OrderedSet()
        self.running = process = self.begin(self.name, f"10.0.4.{self.number + 1}")
        self.heartbeat = Heartbeat(process.reactor)
        self.dialler = Dialler(process.reactor, self.heartbeat, insecure=True)
        self.waiting = WaitingRoom(process.reactor, OrderedSet())

    def stop(self) -> "Deferred[Any]":
        over: Deferred[Any] = Deferred()
        over.callback(None)
        return over

    def listen(self, plan: StreamPlan) -> tuple[str, int]:
        """Open a stream's local port, and return its address."""
        assert self.running is not None
        api = self.api(self, plan)

        def opened(local: PlainConnection) -> object:
            return Deferred.fromCoroutine(self._serve(plan, api, local))

        reactor = self.running.reactor
        port = FIRST_PORT + (plan.number if plan.port is None else plan.port)
        if plan.port is not None and plan.port not in self.ports:
            self.ports[plan.port] = PortStreams(reactor, partial(self._ask, plan, api))
        reactor.listenTCP(port, LocalPort(reactor, opened), interface=self.running.host)
        return self.running.host, port

    async def _ask(
        self, plan: StreamPlan, api: PlatformApi, channels: bool, wanted: Callable[[], bool]
    ) -> tuple[OpenedStream, Any]:
        target = f"target-{plan.number if plan.port is None else plan.port}"
        request = StreamRequest(
            f"web-{plan.host}", target, channels=channels, is_wanted=wanted, resume=plan.resumes and not channels
        )
        return await open_stream(api, self.dialler, request, say=partial(self.say, self.name))

    async def _serve(self, plan: StreamPlan, api: PlatformApi, local: PlainConnection) -> None:
        ports = self.ports.get(plan.port) if plan.port is not None else None
        opening = self._ask(plan, api, False, local.is_there) if ports is None else ports.connect(local)
        try:
            _, leg = await self.waiting.hold(local, opening)
        except (PlatformError, DialError, Unwanted, CancelledError) as error:
            self.say(self.name, f"stream {plan.number}: no stream: {error}")
            local.abort()
            return
        stream = ClientStream(leg, local)
        self.carried.add(stream)
        how = await stream.start()
        self.carried.discard(stream)
        self.say(self.name, f"stream {plan.number}: ended: {how}")
