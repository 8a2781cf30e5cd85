"""The bus in memory."""

from collections import deque
from collections.abc import Callable

from attrs import define, field

from streamrelay.bus.connection import Bus
from streamrelay.bus.message import Down, Message
from streamrelay.bus.nats_client import Gathered

HOST_QUESTION = b"{}"
"""A platform's question for all that hosts have."""
WHO_QUESTION = b'{"targets":false}'
"""A platform's question who is there."""


@define(eq=False)
class FakeBus(Bus):
    """A bus without NATS: requests are answered by the test, what is published is kept."""

    urls: tuple[str, ...] = ()
    name: str = ""
    answers: deque[bytes | Exception] = field(factory=deque)
    """What the next requests bring: bytes, or an exception."""
    asked: list[tuple[str, bytes]] = field(factory=list)
    published: list[tuple[str, bytes]] = field(factory=list)
    replies: list[str] = field(factory=list)
    """Where answers to what was published are awaited."""
    ignored: list[str] = field(factory=list)
    """Subjects that are listened to no more."""
    gathered: list[tuple[str, bytes]] = field(factory=list)
    complete: bool = True
    missing: frozenset[str] = frozenset()
    listeners: dict[str, Callable[[Message], None]] = field(init=False, factory=dict)
    needed: set[str] = field(factory=set)
    """Subjects without which the program doesn't go on."""
    clustered: bool = False
    """True if there is another server, by which a bus that is down is back at once."""
    down: bool = False
    stopped: bool = False

    @property
    def connected(self) -> bool:
        return not self.down

    @property
    def has_others(self) -> bool:
        return self.clustered

    async def is_back(self) -> bool:
        self.down = self.down and not self.clustered
        return self.connected

    def start(self) -> None: ...

    async def stop(self) -> None:
        self.stopped = True

    def publish(self, subject: str, data: bytes, reply: str = "") -> None:
        self.published.append((subject, data))
        self.replies.append(reply)

    async def request(self, subject: str, data: bytes, timeout: float, copies: bool = False) -> bytes:
        self.asked.append((subject, data))
        answer = self.answers.popleft()
        if isinstance(answer, Exception):
            self.down = self.down or isinstance(answer, Down)
            raise answer
        return answer

    def listen(self, subject: str, receive: Callable[[Message], None], needed: bool = True) -> None:
        self.listeners[subject] = receive
        if needed:
            self.needed.add(subject)

    def ignore(self, subject: str) -> None:
        self.ignored.append(subject)

    async def gather(self, subject: str, due: frozenset[str], data: bytes = b"") -> Gathered:
        self.asked.append((subject, data))
        if self.down:
            raise Down("down")
        return Gathered(self.gathered, self.complete, self.missing)

    def hear(self, subject: str, data: bytes, pattern: str = "", nobody: bool = False) -> None:
        """Bring a message to who listens on a subject, or on a pattern that it fits."""
        self.listeners[pattern or subject](Message(data, "", subject, nobody))
