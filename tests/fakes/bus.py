"""The bus in memory."""

from collections import deque
from collections.abc import Callable

from attrs import define, field

from streamrelay.bus.connection import Bus
from streamrelay.bus.message import Down, Message
from streamrelay.bus.nats_client import Gathered


@define(eq=False)
class FakeBus(Bus):
    """A bus without NATS: requests are answered by the test, what is published is kept."""

    urls: tuple[str, ...] = ()
    name: str = ""
    answers: deque[bytes | Exception] = field(factory=deque)
    """What the next requests bring: bytes, or an exception."""
    asked: list[tuple[str, bytes]] = field(factory=list)
    published: list[tuple[str, bytes]] = field(factory=list)
    ignored: list[str] = field(factory=list)
    """Subjects that are listened to no more."""
    gathered: list[tuple[str, bytes]] = field(factory=list)
    further: list[tuple[str, bytes]] = field(factory=list)
    """Answers beside those which were gathered, for who is patient."""
    complete: bool = True
    missing: frozenset[str] = frozenset()
    listeners: dict[str, Callable[[Message], None]] = field(init=False, factory=dict)
    down: bool = False
    stopped: bool = False

    @property
    def connected(self) -> bool:
        return not self.down

    def start(self) -> None: ...

    async def stop(self) -> None:
        self.stopped = True

    def publish(self, subject: str, data: bytes) -> None:
        self.published.append((subject, data))

    async def request(self, subject: str, data: bytes, timeout: float) -> bytes:
        self.asked.append((subject, data))
        answer = self.answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def listen(self, subject: str, receive: Callable[[Message], None]) -> None:
        self.listeners[subject] = receive

    def ignore(self, subject: str) -> None:
        self.ignored.append(subject)

    async def gather(self, subject: str, data: bytes = b"", patient: bool = False) -> Gathered:
        self.asked.append((subject, data))
        if self.down:
            raise Down("down")
        return Gathered(self.gathered, self.complete, self.further if patient else [], self.missing)
