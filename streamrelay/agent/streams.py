"""The streams of a host: their targets are connected, their legs sent to the relay, met, spliced, and ended."""

from collections.abc import Callable
from typing import Any

from attrs import define, field
from msgspec import structs
from twisted.internet.defer import Deferred

from streamrelay.agent.carried import carry, most_channels
from streamrelay.agent.catalogue import Catalogue
from streamrelay.agent.config import AgentConfig
from streamrelay.agent.goodbye import SHUTTING_DOWN, Goodbye
from streamrelay.agent.opening import Dialling, open_both, open_leg_first, withdraw
from streamrelay.agent.record import Record
from streamrelay.agent.relay_legs import RelayLegs, undialled, why_not
from streamrelay.agent.resuming import HeldStream, Resuming
from streamrelay.agent.stream_quota import StreamQuota
from streamrelay.agent.summoned_stream import SummonedStream, let_go
from streamrelay.agent.targets.kind import Target
from streamrelay.agent.terminals.terminals import Terminals
from streamrelay.agent.waiting_leg import NotMet, WaitingLeg
from streamrelay.datapath.connection import Connection, Feed
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.datapath.limits import Bounds
from streamrelay.datapath.splice import Splice
from streamrelay.errors import TargetError
from streamrelay.logs import Logger
from streamrelay.net.outbound import Outbound
from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.protocol.control import Met
from streamrelay.protocol.limits import CONNECT_TIME, strictest
from streamrelay.protocol.summons import SPICE_LINKS, Answer, Refusal, Resume, StreamInfo, Summons
from streamrelay.websocket.client import Dialler
from streamrelay.websocket.connection import FramedConnection
from streamrelay.websocket.dial_errors import DialError

log = Logger()


@define(eq=False)
class Streams:
    """All streams of this host. `publish` tells the bus of an event: its kind, and the event."""

    config: AgentConfig
    catalogue: Catalogue
    reactor: Any
    publish: Callable[[str, object], None]
    legs: RelayLegs = field(init=False)
    summoned_streams: set[SummonedStream] = field(factory=set)
    """Streams that are being opened, wait for their clients, live, or still hold something."""
    heartbeat: Heartbeat = field(init=False)
    quota: StreamQuota = field(init=False)
    record: Record = field(init=False)
    goodbye: Goodbye = field(init=False)
    resuming: Resuming = field(init=False)
    terminals: Terminals = field(init=False)

    def __attrs_post_init__(self) -> None:
        config = self.config
        self.heartbeat = Heartbeat(self.reactor)
        self.goodbye = Goodbye(self.reactor, self.summoned_streams)
        self.quota = StreamQuota(config, self.reactor, self.summoned_streams)
        self.record = Record(lambda kind, event: self.publish(kind, event), self.reactor)
        self.terminals = Terminals(config, self.reactor, self.catalogue.find)
        always = config.mask == "always"
        who, outbound = f"agent {config.host}", Outbound.of(config)
        dialler = Dialler(
            self.reactor, self.heartbeat, config.ca or None, always, config.insecure, config.certificate, who, outbound
        )
        self.legs = RelayLegs(config, self.reactor, dialler)
        self.resuming = Resuming(config, self.reactor, self.legs, lambda: self.goodbye.begun)

    def take(self, config: AgentConfig) -> None:
        """Let other settings count from now on."""
        self.config = self.legs.config = self.resuming.config = self.terminals.config = config
        self.quota.take(config)

    async def open(self, summons: Summons, nobody_asks: bool) -> Answer:
        """Begin what a summons asks for, and answer it; nothing is raised, an error of ours is answered as busy.

        If `nobody_asks`, the client is told at the relay why there is no stream.
        """
        try:
            answer = await self._begin(summons, nobody_asks)
        except Exception:
            log.failure("an error while stream {stream} was opened", stream=summons.stream)
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
        """Return all streams as discovery tells of them."""
        return [summoned.info(self.config.host) for summoned in self.summoned_streams]

    def end(self, stream: str, user: str | None = None, reason: str = "") -> bool:
        """End a stream, whatever it is at; return False if there is none of this id, or it is another user's."""
        named = [
            summoned
            for summoned in self.summoned_streams
            if summoned.summons.stream == stream and user in (None, summoned.summons.user)
        ]
        for summoned in named:
            summoned.end(outcome(CloseCode.OPERATOR, reason))
        return bool(named)

    async def stop(self) -> None:
        """End all streams and terminals, and say what wasn't said yet."""
        self.terminals.stopping = True  # first, so that none is kept whose last stream ends now
        await self.goodbye.end()
        await self.terminals.stop()
        self.record.flush()
        self.quota.stop()

    async def _begin(self, summons: Summons, nobody_asks: bool) -> Answer:
        if other := self.legs.refuse(summons.relay):
            return other
        try:
            summoned = self.admit(summons)
        except TargetError as error:
            return Answer(refused=error.code, reason=error.reason)
        return await summoned.hold(self._open(summoned, nobody_asks))

    def admit(self, summons: Summons, over: Callable[[], None] = lambda: None) -> SummonedStream:
        """Let one more stream in, or raise `TargetError`; `over` is called when nothing of it is left."""
        if self.goodbye.begun:
            raise TargetError(Refusal.BUSY, SHUTTING_DOWN)
        if full := self.quota.refuse(summons):
            raise TargetError(Refusal.BUSY, full)

        def done(summoned: SummonedStream) -> None:
            self.summoned_streams.discard(summoned)
            over()
            self.goodbye.look()

        bounds = Bounds(strictest(summons, self.config), self.reactor, self.heartbeat)
        summoned = SummonedStream(summons, self.reactor, bounds, done)
        self.summoned_streams.add(summoned)
        return summoned

    def find(self, summons: Summons) -> Target:
        """Return the target of a stream that was let in, or raise `TargetError`."""
        target = self.catalogue.find(summons.target)
        if full := self.quota.refuse_target(summons.target, target.max_streams):
            raise TargetError(Refusal.BUSY, full)
        return target

    async def _open(self, summoned: SummonedStream, nobody_asks: bool) -> Answer:
        """Connect the target and send a leg to the relay, and answer; the stream itself goes on by itself."""
        dials: list[Dialling] = []

        def dial() -> Dialling:
            summons = summoned.summons
            dials.append(Deferred.fromCoroutine(self.legs.dial(summons)))
            return dials[0]

        try:
            target = self.terminals.kept(summoned, self.catalogue.find(summoned.summons.target))
            if full := self.quota.refuse_target(summoned.summons.target, target.max_streams):
                return Answer(refused=Refusal.BUSY, reason=full)
            programs_wait = summoned.summons.dial and target.viewer == "terminal"
            connection, leg = await (open_leg_first if programs_wait else open_both)(summoned, target, dial)
        except TargetError as error:
            if nobody_asks:  # then the client, who may wait at the relay, is to be told there
                summoned.begin(self.legs.excuse(summoned, dials[0] if dials else dial(), error))
            elif dials:
                summoned.begin(withdraw(summoned, dials[0], why_not(summoned, error)))
            return Answer(refused=error.code, reason=error.reason)
        except DialError as error:
            return undialled(error)
        channels = summoned.channels = most_channels(summoned.summons, target)
        summoned.apart = target.viewer != "spice"
        several = SPICE_LINKS if target.viewer == "spice" and not channels else 1
        links = summoned.summons.links or several
        hold = summoned.hold_time = self.resuming.hold_time(summoned.summons, target, links)
        told = Answer(ready=True, kind=target.kind, viewer=target.viewer, links=links, channels=channels, resume=hold)
        told = summoned.answer = structs.replace(told, terminal=summoned.terminal)
        summoned.begin(self._link(summoned, leg, connection, links))
        return told

    async def resume(self, asked: Resume) -> Answer:
        """Give a stream that has lost its leg another one, and answer the summons that asks for it."""
        if other := self.legs.refuse(asked.relay):
            return other
        # The relay's word that its client has come may be on its way.
        if asked.stream not in self.resuming.held and self._awaits(asked):
            return Answer(refused=Refusal.BUSY, reason="its client is still waited for")
        try:
            return await self.resuming.resume(asked)
        except Exception:
            log.failure("an error while stream {stream} was resumed", stream=asked.stream)
            return Answer(refused=Refusal.BUSY, reason="an error in the agent; see its log")

    def _awaits(self, asked: Resume) -> bool:
        """Tell whether a stream is to be resumed whose client hasn't come by its first leg, as far as is known."""
        who = asked.stream, asked.user
        return any(
            each.hold_time > 0 and not each.met and (each.summons.stream, each.summons.user) == who
            for each in self.summoned_streams
        )

    async def _link(
        self, summoned: SummonedStream, leg: FramedConnection, connection: Connection | None, links: int
    ) -> None:
        """See one leg, and its connection to the target, through until both hold nothing any more."""
        try:
            await self._attend(summoned, WaitingLeg(leg), connection, links)
        except Exception:
            leg.abort()
            if connection is not None:
                connection.abort()
            raise

    async def _attend(
        self, summoned: SummonedStream, waiting_leg: WaitingLeg, connection: Connection | None, links: int
    ) -> None:
        """Wait for the client, then splice; a stream of several links sends its next leg as soon as this is met."""
        try:
            met = await self.legs.meet(summoned, waiting_leg)
        except NotMet as not_met:
            self.record.not_met(summoned.summons, not_met, not summoned.met)
            if connection is not None:
                await let_go(connection)
            await waiting_leg.left
            return
        if links > 1:
            summoned.begin(self._next_link(summoned, links - 1))
        if connection is None:
            try:  # by its name again, as the list may have changed since the summons
                connection = await summoned.connect(self.catalogue.find(summoned.summons.target))
            except TargetError as error:
                await self.legs.dismiss(summoned, waiting_leg, error)
                return
        held = self.resuming.begin(summoned, waiting_leg) if summoned.hold_time and met.mode == "v1" else None
        try:
            await self._join(summoned, met, waiting_leg, held or waiting_leg, connection)
        finally:
            if held is not None:
                held.over()

    async def _join(
        self,
        summoned: SummonedStream,
        met: Met,
        waiting_leg: WaitingLeg,
        leg: HeldStream | WaitingLeg,
        connection: Connection,
    ) -> None:
        summoned.came(waiting_leg)
        if summoned.channels:
            await carry(self, summoned, met, leg, connection)
        else:
            await self.splice(summoned, met, leg.leg, connection, leg.hand_over)

    async def _next_link(self, summoned: SummonedStream, links: int) -> None:
        try:
            leg = await self.legs.dial(summoned.summons, CONNECT_TIME)
        except DialError as error:
            log.info(
                "stream {name}: can't open another websocket at the relay: {error}",
                name=summoned.summons.stream,
                error=error,
            )
            return
        await self._link(summoned, leg, None, links)

    async def splice(
        self,
        summoned: SummonedStream,
        met: Met,
        leg: Connection,
        connection: Connection,
        hand_over: Callable[[Feed], None],
    ) -> None:
        """Join both, and return when both hold nothing any more."""
        over: Deferred[Splice] = Deferred()
        began = self.reactor.seconds()
        summoned.came()
        splice = summoned.bounds.splice(leg, connection, over.callback)
        summoned.splices.add(splice)
        self.record.opened(summoned.summons, met, splice, summoned.terminal)
        # In this order: what the waiting leg kept goes through the splice's half, which must be joined before. Bytes
        # that are read anew come in a later turn of the reactor, so they overtake nothing.
        splice.start()
        hand_over(splice.outward)
        await over
        summoned.parted(splice)
        self.record.ended(summoned.summons, splice, self.reactor.seconds() - began, summoned.terminal)
