"""The streams of a host: what a summons asks for is connected, sent to the relay, met, spliced, and ended."""

from collections.abc import Callable
from typing import Any, Final

from attrs import define, field
from twisted.internet.defer import Deferred

from streamrelay import wire
from streamrelay.config import AgentConfig
from streamrelay.dial import DialError, Dialler
from streamrelay.endings import FINISHED, Close, ending
from streamrelay.errors import TargetError
from streamrelay.framed import FramedConnection
from streamrelay.limits import Bounds
from streamrelay.logs import Logger
from streamrelay.pulse import Pulse
from streamrelay.splice import Connection, Splice
from streamrelay.targets.catalogue import Catalogue, Target
from streamrelay.targets.view import check_view, view_only
from streamrelay.vigil import Unmet, Vigil
from streamrelay.wire import Answer, Met, Refusal, StreamInfo, Summons

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

    @property
    def links(self) -> int:
        """Legs that this stream needs."""
        return self.summons.links or (wire.SPICE_LINKS if self.target.viewer == "spice" else 1)

    async def connect(self, reactor: Any) -> Connection:
        """A connection to the target, or `TargetError`; what only this host's log may say is said there."""
        summons, viewer = self.summons, self.target.viewer
        try:
            if summons.view:
                check_view(viewer)
            connection = await self.target.connect(reactor, summons.terms)
            return view_only(connection, viewer, self.bounds.clock) if summons.view else connection
        except TargetError as error:
            if error.detail:
                log.warn("stream {name}: {detail}", name=self.summons.stream, detail=error.detail)
            raise


@define(eq=False)
class Streams:
    """All of them. `publish` tells the bus of an event: its kind, and the event."""

    config: AgentConfig
    catalogue: Catalogue
    reactor: Any
    publish: Callable[[str, object], None]
    dialler: Dialler = field(init=False)
    live: set[LiveStream] = field(factory=set)
    pulse: Pulse = field(init=False)
    _opening: int = 0

    def __attrs_post_init__(self) -> None:
        config = self.config
        self.pulse = Pulse(self.reactor)
        always = config.mask == "always"
        self.dialler = Dialler(self.reactor, self.pulse, config.ca or None, always, config.insecure, config.certificate)

    async def open(self, summons: Summons, nobody_asks: bool) -> Answer:
        """Begin what a summons asks for, and answer it. If `nobody_asks` the client is told at the relay why not."""
        self._opening += 1
        try:
            answer = await self._open(summons, nobody_asks)
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
        return answer

    def infos(self) -> list[StreamInfo]:
        """Those that live."""
        now = self.reactor.seconds()
        return [stream.info(self.config.host, now) for stream in self.live]

    def end(self, stream: str) -> bool:
        """End all splices of a stream; whether there were any."""
        ended = [each for each in self.live if each.summons.stream == stream]
        for each in ended:
            each.splice.end(ending(Close.OPERATOR))
        return bool(ended)

    async def stop(self) -> None:
        """End all streams, in order if they take no longer than `GOODBYE`."""
        for stream in tuple(self.live):
            stream.splice.end(ending(Close.LEG_LOST, "the agent is going away"))
        end = self.reactor.seconds() + GOODBYE
        while self.live and self.reactor.seconds() < end:
            await _sleep(self.reactor, 0.05)
        for stream in tuple(self.live):
            stream.splice.abort()

    async def _open(self, summons: Summons, nobody_asks: bool) -> Answer:
        """Connect the target, send a leg to the relay, and answer; the stream itself goes on by itself."""
        try:
            if not self._may_dial(summons.relay):
                return Answer(refused=Refusal.DIAL_FAILED, reason=f"{summons.relay} is not in this agent's relays")
            if len(self.live) + self._opening > self.config.max_streams:
                return Answer(refused=Refusal.BUSY, reason="too many streams on this host")
            target = self.catalogue.find(summons.target)
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
        self._attend(errand, leg, connection, errand.links)
        return Answer(ready=True, kind=target.kind, viewer=target.viewer, links=errand.links)

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
                errand.target = self.catalogue.find(errand.summons.target)
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
        self.live.add(stream)
        log.info(
            "stream {name} to {target} opened for {user} from {client} ({mode}{only})",
            only=", to look at" if summons.view else "",
            name=summons.stream,
            target=summons.target,
            user=summons.user or "somebody",
            client=met.from_,
            mode=met.mode,
        )
        event = {"stream": summons.stream, "target": summons.target, "user": summons.user}
        self.publish("opened", event)
        splice.start()
        vigil.hand_over(splice.outward)

    def _ended(self, stream: LiveStream) -> None:
        self.live.discard(stream)
        summons, info = stream.summons, stream.info(self.config.host, self.reactor.seconds())
        how = stream.splice.ending or FINISHED
        log.info(
            "stream {name} to {target} ended: {how} after {seconds:.1f} s, {up} bytes up, {down} down",
            name=summons.stream,
            target=summons.target,
            how=str(how),
            seconds=info.seconds,
            up=info.up,
            down=info.down,
        )
        self.publish(
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


def _sleep(reactor: Any, seconds: float) -> "Deferred[None]":
    done: Deferred[None] = Deferred()
    reactor.callLater(seconds, done.callback, None)
    return done
