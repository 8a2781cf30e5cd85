"""The inventory: all hosts, each with what was last told of it. Lists are answered from it; no agent is asked for one.

What tells it is `lookout`; who sees what of it is `shown`.
"""

from collections.abc import Callable, Iterator
from typing import Final

from attrs import define, field
from msgspec import structs

from streamrelay.logs import Logger
from streamrelay.protocol.limits import MOST_TARGETS
from streamrelay.protocol.summons import HostAnswer, HostInfo, State

log = Logger()

MOST_HOSTS: Final = 200_000
"""Hosts known at most, over which new ones aren't taken: without permissions on the bus anybody invents some."""


@define(eq=False)
class Inventory:
    """Hosts by name, whether they are up or not, with what changes told to who wants to know.

    A host is down from the moment on that it is known to be; what it had stays known, until it is forgotten.
    """

    now: Callable[[], float]
    """Seconds since the epoch, for when a host was last heard."""
    hosts: dict[str, HostInfo] = field(factory=dict)
    complete: bool = False
    """True if all hosts are known that there are: not before all agents were asked, nor without the bus."""
    changed: list[Callable[[str], None]] = field(factory=list)
    """All of these are called with each host that is another than before, or is forgotten."""
    completed: list[Callable[[], None]] = field(factory=list)
    """All of these are called when `complete` has changed."""
    _told_full: bool = False

    def told(self, host: str, answer: HostAnswer) -> None:
        """Take what a host's agent has said of it: it is up, unless that agent stops."""
        if answer.stops:
            self.lost(host)
            return
        known = self.hosts.get(host)
        if known is None and len(self.hosts) >= MOST_HOSTS:
            self._tell_full()
            return
        complete = answer.complete and len(answer.targets) <= MOST_TARGETS
        info = HostInfo(host, answer.targets[:MOST_TARGETS], answer.version, complete)
        if answer.version or known is None:
            info = structs.replace(info, labels=answer.labels, address=answer.address)
        else:  # an older agent's event, which has the targets alone
            info = structs.replace(info, version=known.version)
        self._set(info)

    def here(self, host: str) -> None:
        """Take note that a host was heard."""
        self._become(host, "up", None)

    def hangs(self, host: str) -> None:
        """Take note that a host that is up doesn't answer."""
        if self.state(host) == "up":
            self._become(host, "silent", self.now())

    def lost(self, host: str) -> None:
        """Take note that a host isn't there any more."""
        known = self.hosts.get(host)
        if known is not None and known.state != "down":
            self._become(host, "down", known.seen or self.now())

    def forget(self, host: str) -> None:
        """Know nothing of a host any more."""
        if self.hosts.pop(host, None) is not None:
            self._tell(host)

    def remember(self, info: HostInfo) -> None:
        """Take a host as it was known before our start, unless it was heard since."""
        if info.host not in self.hosts and len(self.hosts) < MOST_HOSTS:
            self._set(info)

    def clock_was_set(self, ahead: float) -> None:
        """Count when hosts were seen by a clock that was set so many seconds ahead, or back: none was longer ago than
        it was, or in time to come."""
        now = self.now()
        for info in [info for info in self.hosts.values() if info.seen]:
            self._become(info.host, info.state, min((info.seen or now) + ahead, now))

    def be_complete(self, complete: bool) -> None:
        """Say whether all hosts are known from now on."""
        if self.complete != complete:
            self.complete = complete
            for tell in self.completed:
                tell()

    def state(self, host: str) -> State | None:
        """Return whether a host can be had, or None if it isn't known."""
        known = self.hosts.get(host)
        return None if known is None else known.state

    def named(self, *states: State) -> Iterator[str]:
        """Return the hosts that are in one of these states."""
        return (info.host for info in self.hosts.values() if info.state in states)

    def _tell_full(self) -> None:
        if not self._told_full:
            self._told_full = True
            log.error(
                "the platform knows {count} hosts, and takes no more of them into its lists; may anybody use NATS?",
                count=len(self.hosts),
            )

    def _become(self, host: str, state: State, seen: float | None) -> None:
        known = self.hosts.get(host)
        if known is not None:
            self._set(structs.replace(known, state=state, seen=seen))

    def _set(self, info: HostInfo) -> None:
        if self.hosts.get(info.host) != info:
            self.hosts[info.host] = info
            self._tell(info.host)

    def _tell(self, host: str) -> None:
        for tell in self.changed:
            tell(host)
