"""The record of streams that live and have lived: a line of the log and an event for each opening and each end."""

from collections.abc import Callable

from attrs import define

from streamrelay.datapath.splice import Splice
from streamrelay.logs import Logger
from streamrelay.protocol.close import FINISHED
from streamrelay.protocol.control import Met
from streamrelay.protocol.summons import Ended, Summons

log = Logger()


@define(eq=False)
class Record:
    """Tells of streams. `publish` tells the bus of an event: its kind, and the event."""

    publish: Callable[[str, object], None]

    def opened(self, summons: Summons, met: Met) -> None:
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
        self.publish("opened", event)

    def ended(self, summons: Summons, splice: Splice, seconds: float) -> None:
        how, up, down = splice.outcome or FINISHED, splice.outward.count, splice.inward.count
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
            Ended(summons.stream, summons.target, summons.user, how.code, how.reason, round(seconds, 3), up, down),
        )
