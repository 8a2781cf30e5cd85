"""The lookout, which keeps the inventory true by what comes on the bus (protocol.rst, "Discovery").

=================================  ====================================================================================
what happens at a host             how it is known here
=================================  ====================================================================================
it comes, or changes               its event ``up``
it stops in order                  an ``up`` without targets, and the event ``down``
it dies                            the bus tells who has left it, where that is set up; else by a knock
it hangs, or its network is gone   it doesn't answer a look; the bus drops it in the end
any of it while we weren't there   a look at all of them, whenever we connect
=================================  ====================================================================================

A *look* is a question to all agents, a *knock* a message to one, which needn't answer: the bus says if nobody listens.
At rest agents are asked seldom, and the less often the more there are; no page costs them anything. Nothing here looks
again and again whether it may go on: who waits is woken by `_news`.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Any, Final

from attrs import define, field

from streamrelay.bus.connection import Bus
from streamrelay.bus.message import Message
from streamrelay.logs import Logger
from streamrelay.platform.fleet.heard import left_host, read_answer, vouched_host
from streamrelay.platform.fleet.inventory import Inventory
from streamrelay.platform.fleet.look import FIRST, Look, within
from streamrelay.protocol import codec, tokens
from streamrelay.protocol.limits import LOOK_EVERY, LOOKS_A_SECOND, MOST_SPREAD
from streamrelay.protocol.subjects import (
    ALL_TARGETS,
    DISCONNECTS,
    PLATFORM_INBOX,
    end_subject,
    event_subject,
    subject_part,
)
from streamrelay.protocol.summons import HostQuestion

log = Logger()

WHOLE_EACH: Final = 20
"""Looks of which one asks for all that hosts have, in case that an event was lost between servers of the bus."""
SPREAD: Final = 5000
"""Answers a second that we want at most in a hurry."""
KNOCK_TIME: Final = 2.0
"""Seconds in which the bus says that nobody listens."""
KNOCKS: Final = 50
"""Knocks a second at most, in turn at all hosts, while somebody watches."""
KNOCK_EACH: Final = 3.0
"""Seconds between two such knocks at one host at least."""
LEFT: Final = 1.0
"""Seconds after which one that has left the bus is knocked at: an agent that connects anew is back by then."""
EVENT_EACH: Final = 0.1
"""Seconds between two events of one host that are taken; of those between, the last one."""
BACK: Final = 5.0
"""Seconds for which hosts are waited for that were there, when the bus is back: it may have been away for them, too."""
RETURNS: Final = 1000
"""Hosts for each of which a second more is waited then, as so many connect anew in one."""
WATCHED: Final = 20.0
"""Seconds for which one question for the list counts as somebody who watches."""
SILENT_LOOK: Final = 10.0
"""Seconds until the next look where hosts are silent, while somebody watches."""

Agents = dict[str, set[str]]


@define(eq=False)
class Lookout:
    """Looks, knocks and listens. `word` makes what a host is sent at a knock; `agents` is given who answered a look, by
    the names of hosts, and returns True if some have several."""

    bus: Bus
    inventory: Inventory
    word: Callable[[str], bytes]
    agents: Callable[[Agents], bool]
    inbox: str = field(factory=lambda: f"{PLATFORM_INBOX}.{tokens.new_id()}")
    _look: Look | None = None
    _tasks: "set[asyncio.Task[None]]" = field(factory=set)
    _hurry: bool = False
    """True if the next look is due at once."""
    _news: asyncio.Event = field(factory=asyncio.Event)
    """Set when a look or a knock may be due sooner than it was. Whoever waits for it clears it before."""
    _complete: asyncio.Event = field(factory=asyncio.Event)
    _paced: dict[str, bytes | None] = field(factory=dict)
    """Hosts of which an event was taken just now, with what came of them since."""
    _watched: float = 0.0
    _several: bool = False
    _looks: int = 0

    def listen(self) -> None:
        """Subscribe to what is listened to; to be called before the bus is started."""
        self.bus.listen(f"{self.inbox}.*", self._answered)
        self.bus.listen(event_subject("*", "up"), self._up, needed=False)
        self.bus.listen(event_subject("*", "down"), self._down, needed=False)
        self.bus.listen(DISCONNECTS, self._left, needed=False)

    def start(self) -> None:
        """Begin to look; to be called inside the running loop."""
        self._begin(self._run())
        self._begin(self._knock_round())

    def stop(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()

    def connected(self) -> None:
        """Look at all hosts, as there is a connection to the bus."""
        self._look_soon()

    def lost(self) -> None:
        """Take note that nothing is heard any more."""
        if self._look is not None:
            self._look.give_up()
        self._complete.clear()
        self.inventory.be_complete(False)

    def watch(self) -> None:
        """Look more closely for a while, as somebody sees the list."""
        if not self._is_watched:
            self._news.set()
        self._watched = asyncio.get_running_loop().time() + WATCHED

    @property
    def _is_watched(self) -> bool:
        return asyncio.get_running_loop().time() < self._watched

    async def known(self, seconds: float) -> bool:
        """Wait until all hosts are known, so many seconds at most, and return whether they are."""
        await within(seconds, self._complete)
        return self.inventory.complete

    def missed(self, hosts: Collection[str]) -> None:
        """Find out what is the matter with hosts that should have answered and haven't."""
        if hosts:
            self._begin(self._seek(hosts))

    # -- what comes ----------------------------------------------------------------------------------------------

    def _up(self, message: Message) -> None:
        host = vouched_host(message.subject)
        if host is None:
            return
        if host in self._paced:
            self._paced[host] = message.data
            return
        self._come(host, message.data)

    def _pace(self, host: str) -> None:
        """Take the last event of a host that came too soon behind another one."""
        data = self._paced.pop(host)
        if data is not None:
            self._come(host, data)

    def _come(self, host: str, data: bytes) -> None:
        self._paced[host] = None
        asyncio.get_running_loop().call_later(EVENT_EACH, self._pace, host)
        answer = read_answer(data)
        if answer is not None:
            if self._look is not None:
                self._look.heard(host, "")  # not by its agent's name: it may have started anew since another answered
            self.inventory.told(host, answer)

    def _down(self, message: Message) -> None:
        if (host := vouched_host(message.subject)) is not None:
            if host in self._paced:
                self._paced[host] = None
            self.inventory.lost(host)

    def _answered(self, message: Message) -> None:
        host = vouched_host(message.subject)
        if host is None:
            return
        if message.nobody:
            self.inventory.lost(host)
            return
        answer = read_answer(message.data)
        if answer is None:
            return
        if (look := self._look) is not None:
            look.heard(host, answer.agent)
        if answer.targets or answer.stops or (look is not None and look.whole):
            self.inventory.told(host, answer)
        elif self.inventory.state(host) is None:
            self._look_soon()  # its event was lost: it is asked again for what it has
        else:
            self.inventory.here(host)

    def _left(self, message: Message) -> None:
        host = left_host(message.data)
        if host is not None and self.inventory.state(host) in ("up", "silent"):
            asyncio.get_running_loop().call_later(LEFT, self._knock, host)

    # -- looks ---------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                await self._look_once()
            except Exception:
                log.failure("an error while hosts were looked at; it goes on")
            await self._rest()

    async def _rest(self) -> None:
        """Wait until the next look is due, which may be sooner than it was."""
        now = asyncio.get_running_loop().time
        began = now()
        while not self._hurry and (left := began + self._pause() - now()) > 0:
            self._news.clear()
            await within(left, self._news)

    def _look_soon(self) -> None:
        self._hurry = True
        self._news.set()

    def _pause(self) -> float:
        """Return the seconds until the next look."""
        if self._is_watched and any(self.inventory.named("silent")):
            return SILENT_LOOK
        if self._several:
            return LOOK_EVERY
        return max(LOOK_EVERY, len(self.inventory.hosts) / LOOKS_A_SECOND)

    async def _look_once(self) -> None:
        hurry, self._hurry = self._hurry, False
        if not self.bus.connected:
            return  # until `connected`
        whole = not self.inventory.complete or hurry or self._looks % WHOLE_EACH == 0
        self._looks += 1
        gaps, due = self.bus.gaps, set(self.inventory.named("up"))
        spread, many = 0.0, len(self.inventory.hosts)  # of those that are down some may be back
        if many > LOOKS_A_SECOND:
            spread = min(MOST_SPREAD, many / SPREAD if whole else self._pause() / 5)
        patience = FIRST if self.inventory.complete else BACK + len(due) / RETURNS
        self._look = look = Look(asyncio.get_running_loop().time, whole, due, spread, patience)
        try:
            question = HostQuestion(whole, spread) if spread else HostQuestion(whole)  # a 0.0 isn't left out
            self.bus.publish(ALL_TARGETS, codec.encode(question), self.inbox)
            await look.over()
        finally:
            self._look = None
        if self.bus.gaps != gaps or not self.bus.connected:
            self._hurry = True
            return
        if whole:
            self.inventory.be_complete(True)
            self._complete.set()
            self._news.set()
        self._several = self.agents(look.agents)
        await self._seek(look.missing)

    async def _seek(self, hosts: Collection[str]) -> None:
        """Knock at hosts that haven't answered: those that are there hang."""
        for host in hosts:
            self._knock(host)
        if hosts:
            before = {host: self.inventory.hosts.get(host) for host in hosts}
            await asyncio.sleep(KNOCK_TIME)
            for host in hosts:
                if self.inventory.hosts.get(host) is before[host] and self.bus.connected:
                    self.inventory.hangs(host)
            self._news.set()

    # -- knocks --------------------------------------------------------------------------------------------------

    def _knock(self, host: str) -> None:
        self.bus.publish(end_subject(host), self.word(host), f"{self.inbox}.{subject_part(host)}")

    async def _knock_round(self) -> None:
        """Knock at all hosts in turn, as long as somebody watches."""
        now = asyncio.get_running_loop().time
        while True:
            await self._be_watched()
            began = now()
            for host in tuple(self.inventory.named("up", "silent")):
                await self._be_watched()
                if self.inventory.state(host) in ("up", "silent"):
                    self._knock(host)
                    await asyncio.sleep(1 / KNOCKS)
            await asyncio.sleep(max(0.1, began + KNOCK_EACH - now()))

    async def _be_watched(self) -> None:
        """Wait until somebody watches, and all hosts are known."""
        while not self._is_watched or not self.inventory.complete:
            self._news.clear()
            await self._news.wait()

    def _begin(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
