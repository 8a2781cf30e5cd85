"""Log lines about peers with whom no handshake of TLS came about, and what either end had against it."""

from collections import Counter
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from streamrelay.errors import printable
from streamrelay.logs import Logger, Seldom
from streamrelay.net.peer import explain

log = Logger()

_SHOWN: Final = 3
"""Addresses and reasons in one line."""


class FailedHandshakes:
    """A count of them by address and reason; strangers cause them, so it is told once a minute at most."""

    def __init__(self, clock: IReactorTime) -> None:
        self._seldom = Seldom(clock, _say)

    def count(self, peer: Any, reason: Failure) -> None:
        whom = getattr(peer, "host", None) or "a unix socket"
        self._seldom.count(f"{whom}: {printable(explain(reason), 400)}")

    def stop(self) -> None:
        self._seldom.stop()


def _say(counts: Counter[str]) -> None:
    most = counts.most_common(_SHOWN)
    others = len(counts) - len(most)
    log.info(
        "TLS handshakes failed, since the last such line {count}: {most}{others}",
        count=counts.total(),
        most="; ".join(f"{times} of {whom}" for whom, times in most),
        others=f"; and those of {others} more" if others else "",
    )
