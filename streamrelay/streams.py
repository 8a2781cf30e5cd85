"""The streams of a host: what a summons asks for is connected, sent to the relay, met, spliced, and ended."""

from collections.abc import Callable
from typing import Any, Final

from attrs import define, field
from twisted.internet.defer import Deferred

from streamrelay import wire
from streamrelay.config import AgentConfig
from streamrelay.dial import DialError, Dialler
from streamrelay.endings import FINISHED, Close, ending
from streamrelay.errand import Errand, let_go
from streamrelay.errors import TargetError
from streamrelay.framed import FramedConnection
from streamrelay.limits import Bounds
from streamrelay.logs import Logger, Seldom
from streamrelay.pulse import Pulse
from streamrelay.splice import Connection, Splice
from streamrelay.targets.catalogue import Catalogue
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
class Streams:
    """All of them. `publish` tells the bus of an event: its kind, and the event."""

    config: AgentConfig
    catalogue: Catalogue
    reactor: Any
    publish: Callable[[str, object], None]
    dialler: Dialler = field(init=False)
    errands: set[Errand] = field(factory=set)
    """Every stream that is being opened, waits for its client, lives, or still holds something."""
    pulse: Pulse = field(init=False)
    _stopping: bool = False
    _full: Seldom = field(init=False)

    def __attrs_post_init__(self) -> None:
        config = self.config
        self.pulse, self._full = Pulse(self.reactor), Seldom(self.reactor)
        always = config.mask == "always"
        self.dialler = Dialler(self.reactor, self.pulse, config.ca or None, always, config.insecure, config.certificate)

    async def open(self, summons: Summons, nobody_asks: bool) -> Answer:
        """Begin what a summons asks for, and answer it. If `nobody_asks` the client is told at the relay why not."""
        try:
            answer = await self._begin(summons, nobody_asks)
        except Exception:
            log.failure("stream {stream} could not be opened", stream=summons.stream)
            answer = Answer(refused=Refusal.BUSY, reason="an error in the agent; see its log")
        if answer.refused:
            log.info(
                "stream {stream} to {target} refused: {reason}",
                stream=summons.stream,
                target=summons.target,
                reason=answer.reason,
            )
        return answer

    def infos(self) -> list[StreamInfo]:
        """All of them."""
        return [errand.info(self.config.host) for errand in self.errands]

    def end(self, stream: str) -> bool:
        """End a stream, whatever it is at; whether there was one."""
        named = [errand for errand in self.errands if errand.summons.stream == stream]
        for errand in named:
            errand.end(ending(Close.OPERATOR))
        return bool(named)

    async def stop(self) -> None:
        """End all streams, in order if they take no longer than `GOODBYE`."""
        self._stopping = True
        for errand in tuple(self.errands):
            errand.end(ending(Close.LEG_LOST, "the agent is going away"))
        end = self.reactor.seconds() + GOODBYE
        while self.errands and self.reactor.seconds() < end:
            await _sleep(self.reactor, 0.05)
        for errand in tuple(self.errands):
            errand.abort()

    async def _begin(self, summons: Summons, nobody_asks: bool) -> Answer:
        if self._stopping:
            return Answer(refused=Refusal.BUSY, reason="the agent is going away")
        if not self._may_dial(summons.relay):
            return Answer(refused=Refusal.DIAL_FAILED, reason=f"{summons.relay} is not in this agent's relays")
        if len(self.errands) >= self.config.max_streams:
            self._say_full()
            return Answer(refused=Refusal.BUSY, reason="too many streams on this host")
        bounds = Bounds(wire.strictest(summons, self.config), self.reactor, self.pulse)
        errand = Errand(summons, self.reactor, bounds, self.errands.discard)
        self.errands.add(errand)
        return await errand.hold(self._open(errand, nobody_asks))

    def _say_full(self) -> None:
        if count := self._full.count():
            log.warn(
                "{here} streams are open, or wait for their clients: max_streams = {most} allows no more; "
                "summonses refused as busy since this was last said: {count}",
                here=len(self.errands),
                most=self.config.max_streams,
                count=count,
            )

    async def _open(self, errand: Errand, nobody_asks: bool) -> Answer:
        """Connect the target, send a leg to the relay, and answer; the stream itself goes on by itself."""
        try:
            target = self.catalogue.find(errand.summons.target)
            connection = await errand.connect(target)
        except TargetError as error:
            if nobody_asks:  # then the client, who may wait at the relay, is to be told there
                errand.begin(self._excuse(errand, error))
            return Answer(refused=error.code, reason=error.reason)
        try:
            leg = await self._dial(errand.summons)
        except BaseException as error:
            errand.begin(let_go(connection))
            if not isinstance(error, DialError):
                raise
            return Answer(refused=Refusal.DIAL_FAILED, reason=f"the relay can't be reached: {error}")
        links = errand.summons.links or (wire.SPICE_LINKS if target.viewer == "spice" else 1)
        errand.begin(self._link(errand, leg, connection, links))
        return Answer(ready=True, kind=target.kind, viewer=target.viewer, links=links)

    def _may_dial(self, relay: str) -> bool:
        return not self.config.relays or relay.rstrip("/") in {url.rstrip("/") for url in self.config.relays}

    async def _dial(self, summons: Summons) -> FramedConnection:
        leg = await self.dialler.dial(summons.relay.rstrip("/") + "/agent", summons.token)
        if not leg.control:
            leg.abort()
            raise DialError(f"the relay does not speak {wire.SUBPROTOCOL}")
        return leg

    async def _excuse(self, errand: Errand, error: TargetError) -> None:
        try:
            vigil = Vigil(await self._dial(errand.summons))
            await self._meet(errand, vigil)
        except (DialError, Unmet) as failure:
            log.info("nobody could be told: {failure}", failure=failure)
            return
        await self._dismiss(errand, vigil, error)

    async def _dismiss(self, errand: Errand, vigil: Vigil, error: TargetError) -> None:
        """Tell a client who has come that the target can't be had."""
        vigil.leg.close(errand.ending or ending(_CLOSES.get(error.code, Close.TARGET_REFUSED), error.reason))
        await vigil.left
        errand.vigils.discard(vigil)

    async def _meet(self, errand: Errand, vigil: Vigil) -> Met:
        """Wait for the client at the relay, or `Unmet`, once the leg is gone."""
        timeout = self.reactor.callLater(self.config.patience, vigil.leave, ending(Close.NOBODY_CAME))
        met = vigil.begin()
        errand.watch(vigil)
        try:
            return await met
        except Unmet:
            errand.vigils.discard(vigil)
            raise
        finally:
            if timeout.active():
                timeout.cancel()

    async def _link(self, errand: Errand, leg: FramedConnection, connection: Connection | None, links: int) -> None:
        """One leg, and its connection to the target, from now until both hold nothing any more."""
        try:
            await self._attend(errand, Vigil(leg), connection, links)
        except Exception:
            leg.abort()
            if connection is not None:
                connection.abort()
            raise

    async def _attend(self, errand: Errand, vigil: Vigil, connection: Connection | None, links: int) -> None:
        """Wait for the client, then splice; a stream of several links sends its next leg as soon as this is met."""
        try:
            met = await self._meet(errand, vigil)
        except Unmet as unmet:
            log.info("stream {name} was not met: {why}", name=errand.summons.stream, why=unmet)
            if connection is not None:
                await let_go(connection)
            await vigil.left
            return
        if links > 1:
            errand.begin(self._next_link(errand, links - 1))
        if connection is None:
            try:  # by its name again, as the list may have changed since the summons
                connection = await errand.connect(self.catalogue.find(errand.summons.target))
            except TargetError as error:
                await self._dismiss(errand, vigil, error)
                return
        await self._splice(errand, met, vigil, connection)

    async def _next_link(self, errand: Errand, links: int) -> None:
        try:
            leg = await self._dial(errand.summons)
        except DialError as error:
            log.info("stream {name}: no further leg: {error}", name=errand.summons.stream, error=error)
            return
        await self._link(errand, leg, None, links)

    async def _splice(self, errand: Errand, met: Met, vigil: Vigil, connection: Connection) -> None:
        """Join both; until both hold nothing any more."""
        over: Deferred[Splice] = Deferred()
        began = self.reactor.seconds()
        splice = Splice(vigil.leg, connection, over.callback)
        errand.bounds.hold(splice)
        errand.spliced(vigil, splice)
        self._say_opened(errand.summons, met)
        splice.start()
        vigil.hand_over(splice.outward)
        await over
        errand.parted(splice)
        self._say_ended(errand.summons, splice, self.reactor.seconds() - began)

    def _say_opened(self, summons: Summons, met: Met) -> None:
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

    def _say_ended(self, summons: Summons, splice: Splice, seconds: float) -> None:
        how, up, down = splice.ending or FINISHED, splice.outward.count, splice.inward.count
        log.info(
            "stream {name} to {target} ended: {how} after {seconds:.1f} s, {up} bytes up, {down} down",
            name=summons.stream,
            target=summons.target,
            how=str(how),
            seconds=seconds,
            up=up,
            down=down,
        )
        self.publish(
            "ended",
            wire.Ended(summons.stream, summons.target, summons.user, how.code, how.reason, round(seconds, 3), up, down),
        )


def _sleep(reactor: Any, seconds: float) -> "Deferred[None]":
    done: Deferred[None] = Deferred()
    reactor.callLater(seconds, done.callback, None)
    return done
