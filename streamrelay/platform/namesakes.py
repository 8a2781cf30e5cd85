"""Agents that answer under one host's name, as a machine that was copied does: each follows every summons to it.

A host is told of by what comes under its name, where the bus lets no other publish; so none can accuse another.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

from attrs import define, field

from streamrelay.errors import Refused
from streamrelay.logs import Logger
from streamrelay.protocol.limits import MOST_AGENTS, NAMESAKES_EVERY
from streamrelay.protocol.summons import HostAnswer

log = Logger()

NO_BUS: Final = 1.0
"""Seconds until the next look where there is no bus."""
FORGIVEN: Final = 3
"""Looks without a second agent after which there is none: one that answers late may be missed."""

Ask = Callable[[], Coroutine[Any, Any, Iterable[tuple[str, HostAnswer]]]]


@define(eq=False)
class Namesakes:
    """Looks which hosts have more than one agent, and tells it once, and once when it is over.

    `ask` brings all answers of all agents, `tell` is given a host, and its agents as they name themselves; that at each
    look.
    """

    ask: Ask
    tell: Callable[[str, list[str]], None]
    _missed: dict[str, int] = field(factory=dict)
    """Looks since a host's second agent was there, of those that have one."""

    _task: "asyncio.Task[None] | None" = None

    def start(self) -> None:
        """Look again and again; to be called inside the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            pause = NAMESAKES_EVERY
            try:
                await self.look()
            except Refused:
                pause = NO_BUS
            except Exception:
                log.failure("an error while agents were looked for; it goes on")
            await asyncio.sleep(pause)

    async def look(self) -> None:
        agents: dict[str, set[str]] = {}
        for host, answer in await self.ask():
            if answer.agent:  # one that stops, or is too old to tell, has none
                agents.setdefault(host, set()).add(answer.agent)
        several = {host: names for host, names in agents.items() if len(names) > 1}
        for host in self._missed.keys() - several.keys():
            self._not_found(host)
        for host, names in several.items():
            self._found(host, sorted(names)[:MOST_AGENTS])

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
