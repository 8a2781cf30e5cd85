"""The agent: hears summonses, connects targets, dials relays, splices. It only ever dials out."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred

from streamrelay import __version__, wire
from streamrelay.bus import Bus, Message, as_deferred
from streamrelay.config import AgentConfig
from streamrelay.dial import DialError, Dialler
from streamrelay.discovery import Discovery
from streamrelay.errors import TargetError
from streamrelay.framed import FramedConnection
from streamrelay.limits import Bounds
from streamrelay.logs import Logger
from streamrelay.pulse import Pulse
from streamrelay.splice import Connection, Splice
from streamrelay.summonses import MEMORY, Pending, Summonses
from streamrelay.targets.catalogue import Catalogue, Target
from streamrelay.tokens import Verifier
from streamrelay.vigil import Unmet, Vigil
from streamrelay.wire import Answer, Close, Met, Refusal, StreamInfo, Summons, ending

log = Logger()

GOODBYE: Final = 2.0
"""Seconds that streams get at a stop to end."""

_CLOSES: Final = {
    Refusal.TARGET_REFUSED: Close.TARGET_REFUSED,
    Refusal.TARGET_UNREACHABLE: Close.TARGET_UNREACHABLE,
}


@define(eq=False)
class LiveStream:
    """A stream of this host."""

    summons: Summons
    splice: Splice
    began: float

    def info(self, host: str, now: float) -> StreamInfo:
        outward, inward = self.splice.outward.count, self.splice.inward.count
        summons = self.summons
        return StreamInfo(summons.stream, host, summons.target, summons.user, now - self.began, outward, inward)


@define(eq=False)
class Errand:
    """What one summons asks for: a target of the list, within bounds that all legs of the stream share."""

    summons: Summons
    target: Target
    bounds: Bounds

    async def connect(self, reactor: Any) -> Connection:
        """A connection to the target, or `TargetError`; what only this host's log may say is said there."""
        try:
            return await self.target.connect(reactor)
        except TargetError as error:
            if error.detail:
                log.warn("stream {name}: {detail}", name=self.summons.stream, detail=error.detail)
            raise


@define(eq=False)
class Agent(Service):
    """One host's agent. `now` is wall-clock time, for what is signed."""

    config: AgentConfig
    catalogue: Catalogue
    reactor: Any
    now: Callable[[], float] = time.time
    pulse: Pulse = field(init=False)
    bus: Bus = field(init=False)
    dialler: Dialler = field(init=False)
    summonses: Summonses[Message] = field(init=False)
    streams: set[LiveStream] = field(factory=set)
    _opening: int = 0

    def __attrs_post_init__(self) -> None:
        config = self.config
        self.pulse = Pulse(self.reactor)
        always = config.mask == "always"
        self.dialler = Dialler(self.reactor, self.pulse, config.ca or None, always, config.insecure, config.certificate)
        signed = config.tokens == "signed"
        verifier = Verifier.load(list(config.platform_key), config.host) if signed else None
        self.summonses = Summonses(verifier, self.now)
        self.bus = Bus(
            config.nats,
            f"streamagent {config.host}",
            creds=config.nats_creds,
            nkey=config.nats_nkey,
            ca=config.ca,
            certificate=config.nats_certificate,
            up=self._up,
        )
        self.bus.listen(wire.open_subject(config.host), self._summoned)
        self.bus.listen(wire.end_subject(config.host), self._told_to_end)
        started = datetime.fromtimestamp(self.now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        version = semantic(__version__)
        Discovery(self.bus, config.host, version, started, self.catalogue.infos, self._live).listen()

    def startService(self) -> None:
        super().startService()
        log.info(
            "agent of {host}: {count} targets; {mode} summonses",
            host=self.config.host,
            count=len(self.catalogue.entries),
            mode=self.config.tokens,
        )
        # Not before the loop runs: a task made earlier never runs in a daemon on Python 3.12 (hazard of fork).
        self.reactor.callLater(0, self.bus.start)
        self.reactor.callLater(2, self._watch_targets)

    async def _stop(self) -> None:
        for stream in tuple(self.streams):
            stream.splice.end(ending(Close.LEG_LOST, "the agent is going away"))
        end = self.reactor.seconds() + GOODBYE
        while self.streams and self.reactor.seconds() < end:
            await _sleep(self.reactor, 0.05)
        for stream in tuple(self.streams):
            stream.splice.abort()
        self._publish("down", {})
        await as_deferred(self.bus.stop())

    def stopService(self) -> "Deferred[None]":
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    # -- discovery and events --------------------------------------------------------------------------------

    def _up(self) -> None:
        self._publish("up", {"targets": self.catalogue.infos()})

    def _publish(self, kind: str, event: object) -> None:
        self.bus.publish(wire.event_subject(self.config.host, kind), wire.encode(event))

    def _watch_targets(self) -> None:
        if self.running:
            if self.catalogue.refresh():
                self._up()
            self.reactor.callLater(2, self._watch_targets)

    def _live(self) -> list[StreamInfo]:
        now = self.reactor.seconds()
        return [stream.info(self.config.host, now) for stream in self.streams]

    # -- requests --------------------------------------------------------------------------------------------

    def _summoned(self, message: Message) -> None:
        try:
            summons = self.summonses.read(message.data, "summons", Summons)
        except ValueError as error:
            log.warn("refused a summons: {error}", error=error)
            self._reply([message], Answer(refused=Refusal.BAD_SUMMONS, reason="the summons is not valid here"))
            return
        pending, new = self.summonses.hear(summons.jti, message)
        if pending.answer is not None:
            self._reply([message], pending.answer)
        if not new:
            return
        self.reactor.callLater(MEMORY, self.summonses.forget, summons.jti)
        Deferred.fromCoroutine(self._answer(summons, pending)).addErrback(
            lambda failure: log.failure("a summons could not be answered", failure)
        )

    async def _answer(self, summons: Summons, pending: Pending[Message]) -> None:
        self._opening += 1
        try:
            answer = await self._open(summons, not pending.waiting[0].wants_answer)
        except Exception:
            log.failure("stream {stream} could not be opened", stream=summons.stream)
            answer = Answer(refused=Refusal.BUSY, reason="an error in the agent; see its log")
        finally:
            self._opening -= 1
        if answer.refused:
            log.info(
                "stream {stream} to {target} refused: {reason}",
                stream=summons.stream,
                target=summons.target,
                reason=answer.reason,
            )
        pending.answer = answer
        self._reply(pending.waiting, answer)
        pending.waiting = []

    def _reply(self, messages: list[Message], answer: Answer) -> None:
        for message in messages:
            if message.wants_answer:
                self.bus.publish(message.reply, wire.encode(answer))

    def _told_to_end(self, message: Message) -> None:
        try:
            end = self.summonses.read(message.data, "end", wire.End)
        except ValueError as error:
            log.warn("refused to end a stream: {error}", error=error)
            self._reply([message], Answer(refused=Refusal.BAD_SUMMONS, reason="the request is not valid here"))
            return
        ended = [stream for stream in self.streams if stream.summons.stream == end.stream]
        for stream in ended:
            stream.splice.end(ending(Close.OPERATOR))
        missing = Answer(refused=Refusal.NO_SUCH_STREAM, reason="no such stream on this host")
        self._reply([message], Answer(ready=True) if ended else missing)

    # -- streams ---------------------------------------------------------------------------------------------

    async def _open(self, summons: Summons, nobody_asks: bool) -> Answer:
        """Connect the target, send a leg to the relay, and answer; the stream itself goes on by itself."""
        try:
            if not self._may_dial(summons.relay):
                return Answer(refused=Refusal.DIAL_FAILED, reason=f"{summons.relay} is not in this agent's relays")
            if len(self.streams) + self._opening > self.config.max_streams:
                return Answer(refused=Refusal.BUSY, reason="too many streams on this host")
            target, kind = self.catalogue.find(summons.target)
            bounds = Bounds(wire.strictest(summons, self.config), self.reactor, self.pulse)
            errand = Errand(summons, target, bounds)
            connection = await errand.connect(self.reactor)
        except TargetError as error:
            if nobody_asks:  # then the client, who may wait at the relay, is to be told there
                Deferred.fromCoroutine(self._excuse(summons, error))
            return Answer(refused=error.code, reason=error.reason)
        try:
            leg = await self._dial(summons)
        except DialError as error:
            connection.abort()
            return Answer(refused=Refusal.DIAL_FAILED, reason=f"the relay can't be reached: {error}")
        self._attend(errand, leg, connection, summons.links)
        return Answer(ready=True, kind=kind)

    def _may_dial(self, relay: str) -> bool:
        return not self.config.relays or relay.rstrip("/") in {url.rstrip("/") for url in self.config.relays}

    async def _dial(self, summons: Summons) -> FramedConnection:
        leg = await self.dialler.dial(summons.relay.rstrip("/") + "/agent", summons.token)
        if not leg.control:
            leg.abort()
            raise DialError(f"the relay does not speak {wire.SUBPROTOCOL}")
        return leg

    async def _excuse(self, summons: Summons, error: TargetError) -> None:
        try:
            leg = await self._dial(summons)
            await Vigil(leg).begin()
            leg.close(ending(_CLOSES.get(error.code, Close.TARGET_REFUSED), error.reason))
        except (DialError, Unmet) as failure:
            log.info("nobody could be told: {failure}", failure=failure)

    def _attend(self, errand: Errand, leg: FramedConnection, connection: Connection | None, links: int) -> None:
        Deferred.fromCoroutine(self._stream(errand, leg, connection, links)).addErrback(
            lambda failure: log.failure("stream {stream} failed", failure, stream=errand.summons.stream)
        )

    async def _stream(self, errand: Errand, leg: FramedConnection, connection: Connection | None, links: int) -> None:
        """Wait for the client, then splice; a stream of several links sends its next leg as soon as this is met."""
        vigil = Vigil(leg)
        timeout = self.reactor.callLater(self.config.patience, leg.close, ending(Close.NOBODY_CAME))
        try:
            met = await vigil.begin()
        except Unmet as unmet:
            if connection is not None:
                connection.abort()
            log.info("stream {name} was not met: {why}", name=errand.summons.stream, why=unmet)
            return
        finally:
            if timeout.active():
                timeout.cancel()
        if links > 1:
            Deferred.fromCoroutine(self._next_link(errand, links - 1))
        if connection is None:
            try:  # by its name again, as the list may have changed since the summons
                errand.target, _ = self.catalogue.find(errand.summons.target)
                connection = await errand.connect(self.reactor)
            except TargetError as error:
                leg.close(ending(_CLOSES.get(error.code, Close.TARGET_REFUSED), error.reason))
                return
        self._splice(errand, met, vigil, connection)

    async def _next_link(self, errand: Errand, links: int) -> None:
        try:
            leg = await self._dial(errand.summons)
        except DialError as error:
            log.info("stream {name}: no further leg: {error}", name=errand.summons.stream, error=error)
            return
        self._attend(errand, leg, None, links)

    def _splice(self, errand: Errand, met: Met, vigil: Vigil, connection: Connection) -> None:
        summons = errand.summons
        splice = Splice(vigil.leg, connection, lambda splice: self._ended(stream))
        errand.bounds.hold(splice)
        stream = LiveStream(summons, splice, self.reactor.seconds())
        self.streams.add(stream)
        log.info(
            "stream {name} to {target} opened for {user} from {client} ({mode})",
            name=summons.stream,
            target=summons.target,
            user=summons.user or "somebody",
            client=met.from_,
            mode=met.mode,
        )
        event = {"stream": summons.stream, "target": summons.target, "user": summons.user}
        self._publish("opened", event)
        splice.start()
        vigil.hand_over(splice.outward)

    def _ended(self, stream: LiveStream) -> None:
        self.streams.discard(stream)
        summons, info = stream.summons, stream.info(self.config.host, self.reactor.seconds())
        how = stream.splice.ending or wire.FINISHED
        log.info(
            "stream {name} to {target} ended: {how} after {seconds:.1f} s, {up} bytes up, {down} down",
            name=summons.stream,
            target=summons.target,
            how=str(how),
            seconds=info.seconds,
            up=info.up,
            down=info.down,
        )
        self._publish(
            "ended",
            wire.Ended(
                summons.stream,
                summons.target,
                summons.user,
                how.code,
                how.reason,
                round(info.seconds, 3),
                info.up,
                info.down,
            ),
        )


def semantic(version: str) -> str:
    """A version as NATS' discovery wants it: 1.2.3."""
    return ".".join(version.split(".")[:3])


def _sleep(reactor: Any, seconds: float) -> "Deferred[None]":
    done: Deferred[None] = Deferred()
    reactor.callLater(seconds, done.callback, None)
    return done
