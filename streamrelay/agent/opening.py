"""The opening of one stream at its host: its target is connected and its leg dialled at the same time."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, FirstError, gatherResults

from streamrelay.agent.summoned_stream import SummonedStream, let_go
from streamrelay.agent.targets.kind import Target
from streamrelay.agent.waiting_leg import WaitingLeg
from streamrelay.datapath.connection import Connection
from streamrelay.errors import TargetError
from streamrelay.protocol.close import Outcome
from streamrelay.websocket.connection import FramedConnection
from streamrelay.websocket.dial_errors import DialError

Dialling = Deferred[FramedConnection]


async def open_both(
    summoned: SummonedStream, target: Target, dial: Callable[[], Dialling]
) -> tuple[Connection, FramedConnection]:
    """Connect a stream's target and dial its leg, or raise what failed first.

    After a `TargetError` the dial is the caller's; there is none if it came at once. A target whose leg can't be had is
    given up, and counts until nothing of it is left.
    """
    connecting = Deferred.fromCoroutine(summoned.connect(target))
    if connecting.called:
        await connecting
    dialling = dial()
    both: list[Deferred[Any]] = [connecting, dialling]
    try:
        connection, leg = await gatherResults(both)
    except FirstError as first:
        error, failed = first.subFailure.value, both[first.index]
        failed.addErrback(lambda known: None)
        if not isinstance(error, TargetError):
            summoned.begin(give_up(connecting if failed is dialling else dialling))
        raise first.subFailure.value from None  # type: ignore[misc]
    return connection, leg


async def open_leg_first(
    summoned: SummonedStream, target: Target, dial: Callable[[], Dialling]
) -> tuple[Connection, FramedConnection]:
    """Do the same one after the other, so that a program isn't started for a relay that can't be had: the platform has
    another one, and it would be started again."""
    dialling = dial()
    try:
        [leg] = await gatherResults([dialling])  # which leaves the dial its result
    except FirstError as first:
        dialling.addErrback(lambda known: None)
        raise first.subFailure.value from None  # type: ignore[misc]
    try:
        return await summoned.connect(target), leg
    except TargetError:
        raise
    except Exception:
        summoned.begin(give_up(dialling))
        raise


async def give_up(attempt: "Deferred[Any]") -> None:
    """Cancel an attempt, and let go of the connection that it brings all the same."""
    attempt.cancel()
    try:
        connection = await attempt
    except Exception:  # of many kinds, as it was cancelled
        return
    await let_go(connection)


async def withdraw(summoned: SummonedStream, dialling: Dialling, why: Outcome) -> None:
    """Give up a stream's leg, which may be open: nobody need come for it, and a client who has is told why."""
    dialling.cancel()
    try:
        waiting_leg = WaitingLeg(await dialling)
    except (DialError, CancelledError):
        return
    waiting_leg.begin().addBoth(lambda met_or_not: None)
    summoned.watch(waiting_leg)
    waiting_leg.leave(why)
    await waiting_leg.left
    summoned.waiting_legs.discard(waiting_leg)
