"""The streams of a host: their targets are connected, their legs sent to the relay, met, spliced, and ended."""

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from streamrelay.agent.carried import CLOSES, carry, most_channels
from streamrelay.agent.catalogue import Catalogue
from streamrelay.agent.config import AgentConfig
from streamrelay.agent.goodbye import SHUTTING_DOWN, Goodbye
from streamrelay.agent.opening import Dialling, open_both, open_leg_first, withdraw
from streamrelay.agent.record import Record
from streamrelay.agent.stream_quota import StreamQuota
from streamrelay.agent.summoned_stream import SummonedStream, let_go
from streamrelay.agent.targets.kind import Target
from streamrelay.agent.waiting_leg import NotMet, WaitingLeg
from streamrelay.datapath.connection import Connection, Feed
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.datapath.limits import Bounds
from streamrelay.datapath.splice import Splice
from streamrelay.errors import TargetError
from streamrelay.logs import Logger
from streamrelay.net.outbound import Outbound
from streamrelay.program.relay_urls import fits
from streamrelay.protocol.close import CloseCode, Outcome, outcome
from streamrelay.protocol.control import SUBPROTOCOL, Met
from streamrelay.protocol.limits import CONNECT_TIME, strictest
from streamrelay.protocol.summons import SPICE_LINKS, Answer, Refusal, StreamInfo, Summons
from streamrelay.websocket.client import Dialler
from streamrelay.websocket.connection import FramedConnection
from streamrelay.websocket.dial_errors import DialError, OutOfDescriptors, RelayBusy, failure

log = Logger()


def _why(summoned: SummonedStream, error: TargetError) -> Outcome:
    return summoned.outcome or outcome(CLOSES.get(error.code, CloseCode.TARGET_REFUSED), error.reason)


def _undialled(error: DialError) -> str:
    """Return the code of a dial's failure: a relay that takes no more isn't one that can't be reached."""
    if isinstance(error, OutOfDescriptors):
        return Refusal.BUSY
    return Refusal.RELAY_BUSY if isinstance(error, RelayBusy) else Refusal.DIAL_FAILED


@define(eq=False)
class Streams:
    """All streams of this host. `publish` tells the bus of an event: its kind, and the event."""

    config: AgentConfig
    catalogue: Catalogue
    reactor: Any
    publish: Callable[[str, object], None]
    dialler: Dialler = field(init=False)
    summoned_streams: set[SummonedStream] = field(factory=set)
    """Streams that are being opened, wait for their clients, live, or still hold something."""
    heartbeat: Heartbeat = field(init=False)
    quota: StreamQuota = field(init=False)
    record: Record = field(init=False)
    goodbye: Goodbye = field(init=False)

    def __attrs_post_init__(self) -> None:
        config = self.config
        self.heartbeat = Heartbeat(self.reactor)
        self.goodbye = Goodbye(self.reactor, self.summoned_streams)
        self.quota = StreamQuota(config, self.reactor, self.summoned_streams)
        self.record = Record(lambda kind, event: self.publish(kind, event), self.reactor)
        always = config.mask == "always"
        who, outbound = f"agent {config.host}", Outbound.of(config)
        self.dialler = Dialler(
            self.reactor, self.heartbeat, config.ca or None, always, config.insecure, config.certificate, who, outbound
        )

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

    def end(self, stream: str) -> bool:
        """End a stream, whatever it is at; return False if there is none of this id."""
        named = [summoned for summoned in self.summoned_streams if summoned.summons.stream == stream]
        for summoned in named:
            summoned.end(outcome(CloseCode.OPERATOR))
        return bool(named)

    async def stop(self) -> None:
        """End all streams, and say what wasn't said yet."""
        await self.goodbye.end()
        self.record.flush()
        self.quota.stop()

    async def _begin(self, summons: Summons, nobody_asks: bool) -> Answer:
        if not self._may_dial(summons.relay):
            return Answer(
                refused=Refusal.DIAL_FAILED,
                reason=f"{summons.relay} is not one of this agent's relays (setting relays)",
            )
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
            dials.append(Deferred.fromCoroutine(self._dial(summons, min(CONNECT_TIME, summons.dial or CONNECT_TIME))))
            return dials[0]

        try:
            target = self.catalogue.find(summoned.summons.target)
            if full := self.quota.refuse_target(summoned.summons.target, target.max_streams):
                return Answer(refused=Refusal.BUSY, reason=full)
            programs_wait = summoned.summons.dial and target.viewer == "terminal"
            connection, leg = await (open_leg_first if programs_wait else open_both)(summoned, target, dial)
        except TargetError as error:
            if nobody_asks:  # then the client, who may wait at the relay, is to be told there
                summoned.begin(self._excuse(summoned, dials[0] if dials else dial(), error))
            elif dials:
                summoned.begin(withdraw(summoned, dials[0], _why(summoned, error)))
            return Answer(refused=error.code, reason=error.reason)
        except DialError as error:
            return Answer(refused=_undialled(error), reason=str(error))
        channels = summoned.channels = most_channels(summoned.summons, target)
        several = SPICE_LINKS if target.viewer == "spice" and not channels else 1
        links = summoned.summons.links or several
        summoned.begin(self._link(summoned, leg, connection, links))
        return Answer(ready=True, kind=target.kind, viewer=target.viewer, links=links, channels=channels)

    def _may_dial(self, relay: str) -> bool:
        return not self.config.relays or any(fits(pattern, "", relay) for pattern in self.config.relays)

    async def _dial(self, summons: Summons, seconds: float = CONNECT_TIME) -> FramedConnection:
        url, elsewhere = summons.relay.rstrip("/") + "/agent", summons.dial > 0
        leg = await self.dialler.dial(url, summons.token, seconds=seconds, elsewhere=elsewhere)
        if not leg.control:
            leg.abort()
            raise failure(self.dialler.who, summons.relay, f"it did not agree to the subprotocol {SUBPROTOCOL}")
        return leg

    async def _excuse(self, summoned: SummonedStream, dialling: Dialling, error: TargetError) -> None:
        try:
            waiting_leg = WaitingLeg(await dialling)
            await self._meet(summoned, waiting_leg)
        except (DialError, NotMet) as missed:
            log.info(
                "stream {name}: can't tell the client that the target can't be opened: {failure}",
                name=summoned.summons.stream,
                failure=missed,
            )
            return
        await self._dismiss(summoned, waiting_leg, error)

    async def _dismiss(self, summoned: SummonedStream, waiting_leg: WaitingLeg, error: TargetError) -> None:
        """Tell a client who has come that the target can't be had."""
        waiting_leg.leg.close(_why(summoned, error))
        await waiting_leg.left
        summoned.waiting_legs.discard(waiting_leg)

    async def _meet(self, summoned: SummonedStream, waiting_leg: WaitingLeg) -> Met:
        """Wait for the client at the relay, or raise `NotMet`: the leg ended before, or the agent's patience."""
        timeout = self.reactor.callLater(self.config.patience, waiting_leg.leave, outcome(CloseCode.NOBODY_CAME))
        met = waiting_leg.begin()
        summoned.watch(waiting_leg)
        try:
            return await met
        except NotMet:
            summoned.waiting_legs.discard(waiting_leg)
            raise
        finally:
            if timeout.active():
                timeout.cancel()

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
            met = await self._meet(summoned, waiting_leg)
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
                await self._dismiss(summoned, waiting_leg, error)
                return
        if summoned.channels:
            await carry(self, summoned, met, waiting_leg, connection)
            return
        summoned.came(waiting_leg)
        await self.splice(summoned, met, waiting_leg.leg, connection, waiting_leg.hand_over)

    async def _next_link(self, summoned: SummonedStream, links: int) -> None:
        try:
            leg = await self._dial(summoned.summons)
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
        self.record.opened(summoned.summons, met, splice)
        # In this order: what the waiting leg kept goes through the splice's half, which must be joined before. Bytes
        # that are read anew come in a later turn of the reactor, so they overtake nothing.
        splice.start()
        hand_over(splice.outward)
        await over
        summoned.parted(splice)
        self.record.ended(summoned.summons, splice, self.reactor.seconds() - began)
