"""The agent, which hears summonses, connects targets, dials relays, and splices. It only ever dials out."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from attrs import define, field
from msgspec import structs
from twisted.application.service import Service
from twisted.internet.defer import Deferred

from streamrelay import __version__
from streamrelay.agent.catalogue import Catalogue
from streamrelay.agent.config import AgentConfig
from streamrelay.agent.followed import Memory, NothingKept
from streamrelay.agent.namesakes import Namesakes
from streamrelay.agent.state import take_up
from streamrelay.agent.streams import Streams
from streamrelay.agent.summonses import Pending, Summonses
from streamrelay.agent.terminals.requests import answer_terminals
from streamrelay.bus.by_settings import bus_by
from streamrelay.bus.connection import Bus, as_deferred
from streamrelay.bus.discovery import Discovery
from streamrelay.bus.message import Message
from streamrelay.bus.micro_service import moment
from streamrelay.logs import Logger, Several
from streamrelay.program.histogram import Histogram
from streamrelay.program.platform_keys import PlatformKeys
from streamrelay.program.readiness import Readiness
from streamrelay.protocol import codec
from streamrelay.protocol.requests import MEMORY, AnotherRole, ClocksDiffer
from streamrelay.protocol.subjects import AGENT_NAME, end_subject, event_subject, open_subject
from streamrelay.protocol.summons import Agents, Answer, End, HostAnswer, Refusal, Resume, Summons
from streamrelay.protocol.terminals import TerminalsAnswer
from streamrelay.protocol.tokens import Verifier

log = Logger()


@define(eq=False)
class Agent(Service):
    """The agent of one host. `now` is wall-clock time, for what is signed; `reactor` is the clock of all durations."""

    config: AgentConfig
    catalogue: Catalogue
    reactor: Any
    now: Callable[[], float] = time.time
    readiness: Readiness = field(factory=Readiness)
    bus: Bus = field(init=False)
    summonses: Summonses[Message] = field(init=False)
    streams: Streams = field(init=False)
    memory: Memory = field(init=False)
    namesakes: Namesakes = field(init=False)
    discovery: Discovery = field(init=False)
    keys: PlatformKeys = field(init=False)
    kind: str = "stream"
    answers: Counter[str] = field(factory=Counter)
    """Summonses by the word of their answer: ready, or one of `Refusal`."""
    opening: Histogram = field(factory=Histogram)
    """Seconds from a summons to the answer that its stream is ready."""

    def __attrs_post_init__(self) -> None:
        config = self.config
        self.catalogue.changed = self._targets_changed
        self.streams = Streams(config, self.catalogue, self.reactor, self._publish)
        self.summonses, self.memory = Summonses(None, self.now), NothingKept(self.reactor, self.now)
        paths = config.platform_key if config.tokens == "signed" else ()
        self.keys = PlatformKeys(paths, config.host, self._use)
        name, outbound = f"{AGENT_NAME}{config.host}", self.streams.legs.dialler.outbound
        self.bus = bus_by(config, name, outbound, self._connected, self._lost)
        self.bus.listen(open_subject(config.host), self._summoned)
        self.bus.listen(end_subject(config.host), self._told_to_end)
        started = moment(self.now())
        self.namesakes = Namesakes(self.reactor, config.host, started, self._read_agents)
        told = (self._listed, self.streams.infos, lambda: self.namesakes.own)
        self.discovery = Discovery(self.bus, config.host, __version__, started, *told, clock=self.reactor)
        self.discovery.listen()

    def _use(self, verifier: Verifier) -> None:
        self.summonses.verifier = verifier

    def take(self, config: AgentConfig) -> None:
        """Let other settings count from now on, those of `LIVE`; or raise `ConfigError`, and nothing has changed."""
        self.keys.take(config.platform_key)
        self.config = config
        self.streams.take(config)

    def startService(self) -> None:
        super().startService()
        self._lost()
        self.namesakes.start()
        log.info(
            "streamrelay {version}: agent of {host}, {count}, {mode} summonses",
            version=__version__,
            host=self.config.host,
            count=Several(len(self.catalogue.entries), "target"),
            mode=self.config.tokens,
        )
        self.streams.legs.dialler.outbound.announce()
        # Not before, as it must belong to the user who we have become by now.
        self.memory = take_up(self.config.state, self.config.host, self.reactor, self.now)
        # Not before the loop runs: a task made earlier never runs in a daemon on Python 3.12 (hazard of fork).
        self.reactor.callLater(0, self.bus.start)

    @property
    def still_running(self) -> int:
        """Number of streams that live, or wait for their clients."""
        return len(self.streams.summoned_streams)

    def drain(self) -> "Deferred[None]":
        """Hear no summons any more, but for those on their way, which are refused; streams run on."""
        self.namesakes.stop()
        self.bus.ignore(open_subject(self.config.host))
        done = self.streams.goodbye.begin()
        self._up()  # without targets
        return done

    def cut(self) -> "Deferred[None]":
        """End all streams now; each has its line in the log before the answer comes."""
        return self.streams.goodbye.cut()

    async def _stop(self) -> None:
        # In this order: the streams' "ended" come before "down", and the bus closes once both are out.
        await self.streams.stop()
        self._publish("down", {})
        await as_deferred(self.bus.stop())
        self.memory.close()

    def stopService(self) -> "Deferred[None]":
        super().stopService()
        self.namesakes.stop()
        return Deferred.fromCoroutine(self._stop())

    # -- discovery and events --------------------------------------------------------------------------------

    def _connected(self) -> None:
        self.readiness.ready()
        self._up()

    def _lost(self) -> None:
        self.readiness.wait("no connection to NATS")

    def _listed(self) -> HostAnswer:
        """Return the targets as discovery tells of them: an agent that stops has none, so nobody is shown any."""
        if self.streams.goodbye.begun:
            return HostAnswer(())
        return structs.replace(self.catalogue.listed(), labels=self.config.labels, address=self.bus.address)

    def _targets_changed(self) -> None:
        self.streams.terminals.look()
        self._up()

    def _up(self) -> None:
        self._publish("up", self.discovery.about())

    def _publish(self, kind: str, event: object) -> None:
        self.bus.publish(event_subject(self.config.host, kind), codec.encode(event))

    # -- requests --------------------------------------------------------------------------------------------

    def _summoned(self, message: Message) -> None:
        try:
            summons = self._read_summons(message.data)
        except ValueError as error:
            log.warn("refused a summons: {error}", error=error)
            self.answers[Refusal.BAD_SUMMONS] += 1
            self._reply([message], self._invalid(error, "summons"))
            return
        # A copy of a summons opens nothing: whoever sent it gets the first one's answer, now or once it is there.
        pending, new = self.summonses.hear(summons.jti, message)
        if pending.answer is not None:
            self._reply([message], pending.answer)
        if not new:
            return
        self.reactor.callLater(MEMORY, self.summonses.forget, summons.jti)
        Deferred.fromCoroutine(self._answer(summons, pending)).addErrback(
            lambda failure: log.failure("an error while a summons was answered", failure)
        )

    def _read_summons(self, data: bytes) -> Summons | Resume:
        try:
            return self.summonses.read(data, "summons", Summons)
        except AnotherRole:
            return self.summonses.read(data, "resume", Resume)

    async def _answer(self, summons: Summons | Resume, pending: Pending[Message]) -> None:
        began, answer = self.reactor.seconds(), self.memory.refusal(summons)
        if answer is not None:
            log.warn("refused a summons: {error}", error=answer.reason)
        elif isinstance(summons, Resume):
            answer = await self.streams.resume(summons)
        else:
            answer = await self.streams.open(summons, not pending.waiting[0].wants_answer)
        self.answers[answer.refused or "ready"] += 1
        if answer.ready:
            self.opening.observe(self.reactor.seconds() - began)
        pending.answer = answer
        self._reply(pending.waiting, answer)
        pending.waiting = []

    def _reply(self, messages: list[Message], answer: Answer | TerminalsAnswer) -> None:
        for message in messages:
            if message.wants_answer:
                self.bus.publish(message.reply, codec.encode(answer))

    def _read_agents(self, data: bytes) -> Agents:
        return self.summonses.read(data, "agents", Agents)

    def _invalid(self, error: ValueError, what: str) -> Answer:
        """Return the answer to what is refused: only our own log says why, unless it is the clocks."""
        why = str(error) if isinstance(error, ClocksDiffer) else f"the {what} is invalid here; the agent's log says why"
        return Answer(refused=Refusal.BAD_SUMMONS, reason=f"host {self.config.host}: {why}")

    def _told_to_end(self, message: Message) -> None:
        if self.namesakes.told(message.data):
            return
        if answer_terminals(message, self.summonses, self.streams.terminals, self._reply):
            return
        try:
            end = self.summonses.read(message.data, "end", End)
        except ValueError as error:
            log.warn("refused a request to end a stream: {error}", error=error)
            self._reply([message], self._invalid(error, "request"))
            return
        ended = self.streams.end(end.stream, end.user, end.reason)
        missing = Answer(refused=Refusal.NO_SUCH_STREAM, reason="no such stream on this host")
        self._reply([message], Answer(ready=True) if ended else missing)
