"""The record of streams that live and have lived: a line of the log and an event for each opening and each end."""

from collections.abc import Callable
from typing import Final

from attrs import define, field
from msgspec import UNSET
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.agent.waiting_leg import NotMet
from streamrelay.datapath.splice import Splice
from streamrelay.datapath.tally import Tally
from streamrelay.logs import Logger, Several
from streamrelay.protocol.close import FINISHED, outcome_word
from streamrelay.protocol.control import Met
from streamrelay.protocol.names import is_channel
from streamrelay.protocol.summons import Ended, Summons

log = Logger()


GATHERED: Final = 0.05
"""Seconds in which events of channels are gathered: there may be many, and who leaves alone costs a system call."""


@define(eq=False)
class Record:
    """Tells of streams. `publish` tells the bus of an event: its kind, and the event."""

    publish: Callable[[str, object], None]
    clock: IReactorTime
    tally: Tally = field(factory=Tally)
    _gathered: list[tuple[str, object]] = field(factory=list)
    _timer: IDelayedCall | None = None

    def flush(self) -> None:
        """Publish what was gathered."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        gathered, self._gathered = self._gathered, []
        for event in gathered:
            self.publish(*event)

    def _tell(self, stream: str, kind: str, event: object) -> None:
        if not is_channel(stream):
            self.publish(kind, event)
            return
        self._gathered.append((kind, event))
        if self._timer is None:
            self._timer = self.clock.callLater(GATHERED, self.flush)

    def not_met(self, summons: Summons, why: NotMet, counts: bool) -> None:
        """Tell of a leg whose client didn't come; it `counts` as the stream's end unless another leg was met."""
        log.info("stream {name}: the client did not come: {why}", name=summons.stream, why=why)
        if counts:
            self.tally.ended[outcome_word(why.outcome.code)] += 1

    def opened(self, summons: Summons, met: Met, splice: Splice, terminal: str = "") -> None:
        """Tell of a stream whose client has come; `terminal` is the kept one that it is attached to, if it is."""
        self.tally.begin(splice)
        log.info(
            "stream {name} to {target} opened for {user} from {client} ({mode}{only})",
            only=", view-only" if summons.view else "",
            name=summons.stream,
            target=summons.target,
            user=summons.user or "somebody",
            client=met.from_,
            mode=met.mode,
        )
        event = {"stream": summons.stream, "target": summons.target, "user": summons.user}
        self._tell(summons.stream, "opened", event | ({"terminal": terminal} if terminal else {}))

    def ended(self, summons: Summons, splice: Splice, seconds: float, terminal: str = "") -> None:
        self.tally.end(splice)
        how, up, down = splice.outcome or FINISHED, splice.outward.count, splice.inward.count
        log.info(
            "stream {name} to {target} ended: {how} after {seconds:.1f} s, {up} up, {down} down",
            name=summons.stream,
            target=summons.target,
            how=str(how),
            seconds=seconds,
            up=Several(up, "byte"),
            down=down,
        )
        self._tell(
            summons.stream,
            "ended",
            Ended(
                *(summons.stream, summons.target, summons.user, how.code, how.reason, round(seconds, 3), up, down),
                terminal=terminal or UNSET,
            ),
        )
