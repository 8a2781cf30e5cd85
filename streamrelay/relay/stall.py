"""The stall limit: the end of a client that takes nothing, for so long, of what waits for it at the relay.

What its kernel acknowledges has been taken, as ours, which holds megabytes, lets more in only now and then; so whoever
reads slowly but steadily isn't ended. Where nothing waits nobody is.
"""

from math import ceil

from attrs import define

from streamrelay.datapath.heartbeat import BEAT
from streamrelay.datapath.splice import Splice
from streamrelay.logs import Logger
from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.relay.tally import RelayTally
from streamrelay.websocket.connection import FramedConnection

log = Logger()


@define(eq=False)
class StallLimit:
    """One client, the near end of a splice, held to the limit; of 0 seconds is none."""

    seconds: float
    splice: Splice
    client: FramedConnection
    tally: RelayTally
    name: str
    """The stream's name in logs."""
    peer: str
    _taken: int | None = None  # at the last beat, if something waited
    _quiet: int = 0  # beats since that changed

    def start(self) -> None:
        if self.seconds:
            self.client.heartbeat.add(self)

    def stop(self) -> None:
        self.client.heartbeat.discard(self)

    def beat(self) -> None:
        """Count the beats in which nothing was taken."""
        taken = self._taken_now() if self.client.channel.unsent else None
        if taken is None or taken != self._taken:
            self._taken, self._quiet = taken, 0
            return
        self._quiet += 1
        if self._quiet >= ceil(self.seconds / BEAT):
            self.stop()
            self._end()

    def _taken_now(self) -> int:
        acknowledged = self.client.channel.acknowledged()
        return self.splice.inward.count - self.client.channel.unsent if acknowledged is None else acknowledged

    def _end(self) -> None:
        if self.splice.outcome is not None:
            return
        self.tally.stalled += 1
        log.info(
            "stream {name}: the client {peer} took nothing for {seconds:g} s while {bytes} bytes waited for it "
            "(stall_limit); it is ended",
            name=self.name,
            peer=self.peer,
            seconds=self.seconds,
            bytes=self.client.channel.unsent,
        )
        self.splice.end(outcome(CloseCode.IDLE, f"the client took nothing for {self.seconds:g} s"))
