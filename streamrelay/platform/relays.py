"""The relays of a platform: the one that its settings name, or those of the bus, of which one is picked for a stream.

A relay of the bus tells its state every 2 s, on a subject where it alone may publish. What it tells of itself is
believed as far as it can do no more harm than a relay can anyway (security.rst, "Many relays"): its URL must fit a
pattern of the settings, and its load decides only which of two that were drawn is taken.
"""

import asyncio
import random
from collections.abc import Callable, Collection, Iterator
from typing import Final

from attrs import define, evolve, field

from streamrelay.bus.message import Message
from streamrelay.errors import Refused, printable
from streamrelay.logs import Logger
from streamrelay.program.relay_urls import fits, source
from streamrelay.protocol import codec
from streamrelay.protocol.names import is_host
from streamrelay.protocol.relay_state import DOWN, MOST_RELAYS, SILENCE, STATE, RelayState
from streamrelay.protocol.subjects import relay_and_kind

log = Logger()

EQUAL: Final = 0.05
"""Difference of two loads that counts as none: it is noise, or older than the streams that were opened since."""
AVOID: Final = 10.0
"""Seconds for which a host isn't sent to a relay that it couldn't use, if there is another one."""
MOST_AVOIDED: Final = 10_000
"""Pairs of a host and a relay that are kept; over that the oldest is forgotten."""
FIRST: Final = 2.5
"""Seconds for which a relay is waited for while none is known: the platform has just come to the bus, or the relays
have."""
AGAIN: Final = 2
"""Seconds after which it is worth asking again where no relay takes streams."""
SAID: Final = 60.0
"""Seconds between two lines in the log about one relay."""


@define(frozen=True)
class PickedRelay:
    """The relay of one stream: its id, the audience of both tokens, and its URL, for both legs."""

    id: str
    url: str


@define(frozen=True)
class HeardRelay:
    """A relay of the bus, and when it was heard last, by the platform's clock."""

    id: str
    state: RelayState
    heard: float
    allowed: tuple[str, ...]
    """Patterns that its URL was found to fit; others may be in force by now."""
    before: str = ""
    """URL that it told before this one."""
    changed: float = 0.0
    """When it told this one first, after another one."""


@define(eq=False)
class RelayChoice:
    """The choice of a relay for each stream. With `fixed` it is that one, whatever the bus says."""

    clock: Callable[[], float]
    """Monotonic seconds."""
    fixed: PickedRelay | None = None
    allowed: tuple[str, ...] = ()
    """Patterns of the URLs that relays of the bus may have (`relay_urls`)."""
    patience: float = FIRST
    draw: random.Random = field(factory=random.SystemRandom)
    _heard: dict[str, HeardRelay] = field(factory=dict)
    _avoided: dict[tuple[str, str], float] = field(factory=dict)  # until when, by host and relay
    _said: dict[str, float] = field(factory=dict)  # when something was said of a relay
    _news: asyncio.Event | None = None  # somebody waits for a relay

    @property
    def sources(self) -> str:
        """Sources of the pages' Content-Security-Policy: by the settings, never by a relay's word."""
        named = [self.fixed.url] if self.fixed is not None else self.allowed
        return " ".join(dict.fromkeys(map(source, named)))

    def __str__(self) -> str:
        return self.fixed.url if self.fixed is not None else f"the relays of the bus ({', '.join(self.allowed)})"

    # -- what relays tell ------------------------------------------------------------------------------------

    def hear(self, message: Message) -> None:
        """Take note of what a relay tells of itself; nonsense is left out, and said in the log."""
        try:
            relay, kind = relay_and_kind(message.subject)
            if not is_host(relay):
                raise ValueError("that is no relay's id")
        except ValueError:
            return
        if kind == DOWN:
            self._heard.pop(relay, None)
        elif kind == STATE:
            self._told(relay, message.data)

    def _told(self, relay: str, data: bytes) -> None:
        try:
            state = codec.decode(data, RelayState)
        except ValueError as error:
            self._say(relay, f"tells no state of a relay: {printable(str(error))}")
            return
        known = self._heard.get(relay)
        same = known is not None and known.state.url == state.url and known.allowed is self.allowed
        if not same and not self._may_be(relay, state):
            self._heard.pop(relay, None)
            self._say(relay, f"tells a URL that setting relays doesn't allow, {state.url}; it isn't picked")
            return
        if known is None and len(self._heard) >= MOST_RELAYS:
            self._forget()
            if len(self._heard) >= MOST_RELAYS:
                self._say("", f"is one of more than {MOST_RELAYS}; those beyond aren't picked")
                return
        self._heard[relay] = self._after(known, HeardRelay(relay, state, self.clock(), self.allowed))
        if self._news is not None:
            self._news.set()

    def _after(self, known: HeardRelay | None, heard: HeardRelay) -> HeardRelay:
        """Compare what a relay tells with what it told before: two that have one id tell their URLs in turn."""
        if known is None:
            return heard
        before, url = known.state.url, heard.state.url
        if before == url:
            return evolve(heard, before=known.before, changed=known.changed)
        if known.before == url and heard.heard - known.changed < SILENCE:
            self._say(
                heard.id, f"tells {before} and {url} in turn; two have that id: give each a name and a key of its own"
            )
        return evolve(heard, before=before, changed=heard.heard)

    def _may_be(self, relay: str, state: RelayState) -> bool:
        return any(fits(pattern, relay, state.url) for pattern in self.allowed)

    def _say(self, relay: str, what: str) -> None:
        now = self.clock()
        if len(self._said) >= MOST_RELAYS:
            self._said = {each: said for each, said in self._said.items() if now - said < SAID}
        if now - self._said.get(relay, -SAID) < SAID or len(self._said) >= MOST_RELAYS:
            return
        self._said[relay] = now
        log.warn("relay {relay} {what}", relay=relay or "of the bus", what=what)

    def _forget(self) -> None:
        self._heard = {heard.id: heard for heard in self.standing()}

    def heard(self, relay: str) -> HeardRelay | None:
        """Return a relay of the bus, if it was heard lately."""
        return next((heard for heard in self.standing() if heard.id == relay), None)

    async def told(self, relay: str, wanted: Callable[[RelayState], bool], seconds: float) -> HeardRelay | None:
        """Return a relay once its state is as wanted; None if it isn't within so many seconds, or has gone."""
        end = None
        while (known := self.heard(relay)) is not None and not wanted(known.state):
            now = asyncio.get_running_loop().time()
            end = now + seconds if end is None else end
            if now >= end:
                return None
            await self._wait(end - now)
        return known

    def standing(self) -> Iterator[HeardRelay]:
        """Yield the relays of the bus that were heard lately, whatever their state."""
        now = self.clock()
        for heard in tuple(self._heard.values()):
            allowed = heard.allowed is self.allowed or self._may_be(heard.id, heard.state)
            if allowed and now - heard.heard < SILENCE:
                yield heard

    # -- picking ---------------------------------------------------------------------------------------------

    async def first(self, host: str, zone: str) -> PickedRelay:
        """Return the relay of a new stream, or raise `Refused` 503; one is waited for while none is known."""
        if self.fixed is None and self.patience and not any(self.standing()):
            await self._wait(self.patience)
        picked = self.pick(host, zone)
        if picked is None:
            raise Refused(503, "no relay takes streams now", code="no_relay", retry_after=AGAIN)
        return picked

    def pick(self, host: str, zone: str, tried: Collection[str] = ()) -> PickedRelay | None:
        """Return a relay for a stream to `host`, of this zone if there is one; None if there is none that wasn't tried.

        One that the host couldn't use lately is picked only if no other is left.
        """
        if self.fixed is not None:
            return None if self.fixed.id in tried else self.fixed
        ready = [heard for heard in self.standing() if heard.state.state == "ready" and heard.id not in tried]
        for avoided in (False, True):
            left = [heard for heard in ready if self._is_avoided(host, heard.id) == avoided]
            near = [heard for heard in left if zone and heard.state.zone == zone]
            if left:
                return self._less_loaded(near or left)
        return None

    def _less_loaded(self, found: list[HeardRelay]) -> PickedRelay:
        """Return the less loaded of two that are drawn, so that not all go to the one that told the least; either, if
        they differ by less than `EQUAL`."""
        one, *others = self.draw.sample(found, min(2, len(found)))
        for other in others:
            if other.state.load < one.state.load - EQUAL:
                one = other
        return PickedRelay(one.id, one.state.url)

    def avoid(self, host: str, relay: str) -> None:
        """Take note that a host couldn't use a relay. Others' streams go there as before, as that may be its fault."""
        now = self.clock()
        self._avoided.pop((host, relay), None)
        while self._avoided:
            oldest, until = next(iter(self._avoided.items()))
            if until > now and len(self._avoided) < MOST_AVOIDED:
                break
            del self._avoided[oldest]
        self._avoided[host, relay] = now + AVOID

    def _is_avoided(self, host: str, relay: str) -> bool:
        return self._avoided.get((host, relay), 0.0) > self.clock()

    async def _wait(self, seconds: float) -> None:
        self._news = news = self._news or asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                await news.wait()
        except TimeoutError:
            pass
        finally:
            if self._news is news and news.is_set():
                self._news = None
