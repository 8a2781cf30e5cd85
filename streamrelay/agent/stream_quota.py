"""How many streams a host, each of its users and each of its targets may have at once; more are refused as busy."""

from collections import Counter
from functools import partial

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from streamrelay.agent.config import AgentConfig
from streamrelay.agent.summoned_stream import SummonedStream
from streamrelay.logs import Logger, Seldom
from streamrelay.protocol.summons import Summons

log = Logger()


@define(eq=False)
class StreamQuota:
    """What may be in a set of streams, each of which counts from its summons until nothing of it is left."""

    config: AgentConfig
    clock: IReactorTime
    streams: set[SummonedStream]
    full: Seldom = field(init=False)
    by_user: Seldom = field(init=False)
    by_target: Seldom = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.full = Seldom(self.clock, self._say_full)
        self.by_user = Seldom(self.clock, self._say_by_user)
        self.by_target = Seldom(self.clock, partial(_say, "a target's own max_streams"))

    def take(self, config: AgentConfig) -> None:
        """Let other limits count from now on; what is over them already goes on."""
        self.config = config

    def refuse(self, summons: Summons) -> str:
        """Say why one more stream is refused that isn't in the set; empty if it may come in."""
        if self.count >= self.config.max_streams:
            self.full.count()
            return "too many streams on this host (max_streams)"
        if summons.user and self._of(user=summons.user) >= self.config.max_streams_per_user:
            self.by_user.count(summons.user)
            return "too many streams of this user on this host (max_streams_per_user)"
        return ""

    def refuse_target(self, target: str, most: int) -> str:
        """Say why a stream in the set is refused, now that its target's limit is known (0: none); empty if it isn't."""
        of_target = (each for each in self.streams if each.summons.target == target and not each.carries)
        if not most or sum(1 for _ in of_target) <= most:
            return ""
        self.by_target.count(target)
        return "too many streams to this target (its max_streams)"

    def stop(self) -> None:
        """Say what wasn't said yet."""
        for teller in (self.full, self.by_user, self.by_target):
            teller.stop()

    @property
    def count(self) -> int:
        """Number of streams that count."""
        return self._of()

    def _of(self, user: str = "") -> int:
        return sum(1 for each in self.streams if each.counts and user in ("", each.summons.user))

    def _say_by_user(self, counts: Counter[str]) -> None:
        _say(f"max_streams_per_user = {self.config.max_streams_per_user}", counts)

    def _say_full(self, counts: Counter[str]) -> None:
        log.warn(
            "max_streams = {most} allows no more streams; refused as busy since the last such line: {count}; "
            "open now, or waiting for their clients: {here}",
            here=self.count,
            most=self.config.max_streams,
            count=counts.total(),
        )


def _say(limit: str, counts: Counter[str]) -> None:
    (whom, most), *others = counts.most_common()
    log.warn(
        "{limit} allows no more streams; refused as busy since the last such line: {count}, {most} of {whom}{others}",
        limit=limit,
        count=counts.total(),
        most=most,
        whom=whom,
        others=f", the others of {len(others)} more" if others else "",
    )
