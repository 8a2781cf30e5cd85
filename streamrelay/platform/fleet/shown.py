"""The fleet as a user sees it: hosts with the targets that are granted, in order, ready to be sent.

Users of the same grants see the same, so they share it; a change of a host is worked out once for all of them.
"""

import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterator
from itertools import count, islice
from typing import Any, Final

import msgspec
from attrs import define, field
from msgspec import structs

from streamrelay.platform.auth.grants import Grant, User
from streamrelay.protocol.summons import LOOKED_AT, HostInfo, State, TargetInfo

Place = tuple[tuple[tuple[int, str], ...], str]
"""Place of a host in the order: by its name's words and numbers, then by the name."""

MOST_REMEMBERED: Final = 100_000
"""Answers of grants that are remembered, by target."""


@define(frozen=True)
class Entry:
    """One host as a user sees it."""

    host: str
    state: State
    shown: dict[str, Any]
    """Fields of its JSON."""
    json: bytes
    name: str
    """The host's name and labels, in lower case, by which it is found."""
    targets: tuple[str, ...]
    """Names of its targets, in lower case."""
    text: str
    """All of that."""

    @classmethod
    def of(cls, shown: dict[str, Any]) -> "Entry":
        labels = " ".join(f"{name}={value}" for name, value in shown["labels"].items())
        name = f"{shown['host']} {labels}".lower()
        targets = tuple(target["name"].lower() for target in shown["targets"])
        text = "\n".join((name, *targets))
        return cls(shown["host"], shown["state"], shown, msgspec.json.encode(shown), name, targets, text)

    def may_fit(self, words: Collection[str]) -> bool:
        """Tell whether all these words are somewhere; most hosts are told apart by that."""
        text = self.text
        return all(word in text for word in words)

    def fit(self, words: Collection[str]) -> frozenset[int] | None:
        """Return the numbers of the targets that have all these words beside the host's name, of all where name and
        labels have them; None if nothing has."""
        if all(word in self.name for word in words):
            return self.whole
        host = self.host.lower()
        return (
            frozenset(
                number
                for number, target in enumerate(self.targets)
                if all(word in f"{host} {target}" for word in words)
            )
            or None
        )

    @property
    def whole(self) -> frozenset[int]:
        """The numbers of all targets."""
        return frozenset(range(len(self.targets)))

    def json_of(self, numbers: frozenset[int]) -> bytes:
        """Return the host as JSON with the targets of these numbers."""
        if len(numbers) == len(self.targets):
            return self.json
        targets = [target for number, target in enumerate(self.shown["targets"]) if number in numbers]
        return msgspec.json.encode({**self.shown, "targets": targets})


@define(eq=False)
class Shown:
    """The fleet as the holders of some grants see it."""

    grants: tuple[Grant, ...]
    hosts: dict[str, HostInfo]
    """All hosts, as the inventory has them."""
    entries: dict[str, Entry] = field(factory=dict)
    revision: int = 0
    """Number of the changes until now."""
    name: int = field(factory=count().__next__)
    """Number of the view among those of this process."""
    down: int = 0
    """Number of the entries that are down."""
    _order: list[Place] = field(factory=list)
    _dirty: set[str] = field(factory=set)
    _untold: set[str] = field(factory=set)
    _known: dict[tuple[Any, ...], tuple[bool, bool]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.entries = {info.host: entry for info in self.hosts.values() if (entry := self._entry(info)) is not None}
        self._order = sorted(map(place, self.entries))
        self.down = sum(entry.state == "down" for entry in self.entries.values())

    def touch(self, host: str) -> None:
        """Take note that a host has changed."""
        self._dirty.add(host)

    def refresh(self) -> None:
        """Make good for what has changed."""
        dirty, self._dirty = self._dirty, set()
        changed = {host for host in dirty if self._renew(host)}
        self.revision += bool(changed)
        self._untold |= changed

    def news(self) -> set[str]:
        """Return the hosts that are others than at the last call, or gone."""
        self.refresh()
        news, self._untold = self._untold, set()
        return news

    def _renew(self, host: str) -> bool:
        info, before = self.hosts.get(host), self.entries.get(host)
        now = self._entry(info) if info is not None else None
        if (before and before.json) == (now and now.json):
            return False
        self.down += (now is not None and now.state == "down") - (before is not None and before.state == "down")
        if now is None:
            del self.entries[host]
            del self._order[bisect_left(self._order, place(host))]
            return True
        self.entries[host] = now
        if before is None:
            insort(self._order, place(host))
        return True

    def in_order(self, start: int = 0) -> Iterator[Entry]:
        """Return the entries, but so many of the first."""
        return (self.entries[name] for _, name in islice(self._order, start, None))

    def number_of(self, host: str) -> int:
        """Return how many entries there are until a host, that included, be it there or not."""
        return bisect_right(self._order, place(host)) if host else 0

    def _entry(self, info: HostInfo) -> Entry | None:
        """Return a host with the targets that may be seen; None if there is nothing to be seen of it."""
        grants = tuple(grant for grant in self.grants if User("", (grant,)).fits(info.host))
        if not grants:
            return None
        targets = []
        for target in info.targets:
            acts, sees = self._sees(grants, info.host, target.name)
            if acts or (sees and target.viewer in LOOKED_AT):
                targets.append({**_told(target), "view": not acts})
        if not targets and info.complete:
            return None
        whole = any(grant.target == "*" and not grant.view for grant in grants)
        about = {"state": info.state, "seen": info.seen and round(info.seen, 3), "version": info.version}
        more = {"labels": info.labels, "address": info.address if whole else "", "complete": info.complete}
        return Entry.of({"host": info.host, **about, "targets": targets, **more})

    def _sees(self, grants: tuple[Grant, ...], host: str, target: str) -> tuple[bool, bool]:
        """Tell whether a target may be opened, and whether it may be looked at; `grants` are those for its host."""
        known = self._known.get((grants, target))
        if known is None:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            user = User("", grants)
            known = user.may_see(host, target, act=True), user.may_see(host, target)
            self._known[grants, target] = known
        return known


def place(host: str) -> Place:
    """Return where a host stands in the order: web-2 before web-10."""
    parts = re.split(r"([0-9]+)", host.lower())
    return tuple(_part(part, bool(number % 2)) for number, part in enumerate(parts)), host


def _part(text: str, is_number: bool) -> tuple[int, str]:
    digits = text.lstrip("0")
    return (len(digits), digits) if is_number else (0, text)


def _told(target: TargetInfo) -> dict[str, Any]:
    """Return a target as it is told: `keep` is there only where terminals are kept."""
    told = structs.asdict(target)
    if not target.keep:
        del told["keep"]
    return told
