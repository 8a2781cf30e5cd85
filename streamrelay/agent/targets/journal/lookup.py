"""Looks at what the journal has: the first of some entries, and how many they are."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from streamrelay.agent.targets.journal.entries import Entry, read_entry
from streamrelay.agent.targets.journal.journalctl import Journalctl
from streamrelay.agent.targets.journal.units import NONE_YET
from streamrelay.errors import TargetError
from streamrelay.protocol.limits import CONNECT_TIME
from streamrelay.protocol.summons import Refusal


async def look_up(reactor: Any, arguments: Sequence[str], whole: bool = False) -> tuple[Entry | None, int]:
    """Return the first of the entries, None if there is none, and how many there are, at most 1 unless the `whole` is
    looked at; `TargetError` if they can't be read."""
    # Whoever writes a very long entry must not keep others from the journal, so nothing of it is asked for.
    line, count = await first_line(reactor, [*arguments, "--output-fields=_PID"], whole)
    try:
        return (read_entry(line) if count else None), count
    except ValueError as error:
        raise TargetError(Refusal.TARGET_REFUSED, f"journalctl: not what was asked for: {error}") from None


async def first_line(reactor: Any, arguments: Sequence[str], whole: bool = False) -> tuple[bytes, int]:
    """Return the first line that journalctl gives, and how many there are, as `look_up` does for entries."""
    done: Deferred[None] = Deferred()
    first, count = b"", 0

    def on_line(line: bytes) -> None:
        nonlocal first, count
        first, count = first if count else line, count + 1
        if not whole:
            run.stop()
            done.callback(None)

    def on_end(why: str) -> None:
        if why and why != NONE_YET:
            done.errback(TargetError(Refusal.TARGET_REFUSED, f"journalctl: {why}"))
        else:
            done.callback(None)

    def late(*_: object) -> Failure:
        run.stop()
        why = f"journalctl: no answer within {CONNECT_TIME:g} s"
        return Failure(TargetError(Refusal.TARGET_UNREACHABLE, why))

    run = Journalctl(on_line, on_end)
    run.spawn(reactor, arguments)
    done.addTimeout(CONNECT_TIME, reactor, late)
    await done
    return first, count
