"""Agents that answer under one host's name, as a machine that was copied does: each follows every summons to it.

A host is told of by what comes under its name, where the bus lets no other publish; so none can accuse another.
"""

from collections.abc import Callable, Mapping
from typing import Final

from attrs import define, field

from streamrelay.logs import Logger
from streamrelay.protocol.limits import MOST_AGENTS

log = Logger()

FORGIVEN: Final = 3
"""Looks without a second agent after which there is none: one that answers late may be missed."""


@define(eq=False)
class Namesakes:
    """Knows which hosts have more than one agent, and tells it once, and once when it is over.

    `tell` is given a host, and its agents as they name themselves; that at each look.
    """

    tell: Callable[[str, list[str]], None]
    _missed: dict[str, int] = field(factory=dict)
    """Looks since a host's second agent was there, of those that have one."""

    def looked(self, agents: Mapping[str, set[str]]) -> bool:
        """Take the agents of all hosts that have answered a look; return True if some hosts have several."""
        several = {host: names for host, names in agents.items() if len(names) > 1}
        for host in self._missed.keys() - several.keys():
            self._not_found(host)
        for host, names in several.items():
            self._found(host, sorted(names)[:MOST_AGENTS])
        return bool(self._missed)

    def _not_found(self, host: str) -> None:
        self._missed[host] += 1
        if self._missed[host] == FORGIVEN:
            del self._missed[host]
            log.info("no more than one agent answers as {host} any more", host=host)

    def _found(self, host: str, names: list[str]) -> None:
        if host not in self._missed:
            log.warn(
                "{count} agents answer as {host}: {agents}; every summons goes to all of them: give each a name and a "
                "key of its own",
                count=f"{MOST_AGENTS} or more" if len(names) == MOST_AGENTS else len(names),  # of more none is kept
                host=host,
                agents="; ".join(names),
            )
        self._missed[host] = 0
        self.tell(host, names)
