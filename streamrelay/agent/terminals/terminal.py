"""One terminal that is kept: its program, its screen, and who is attached."""

from collections.abc import Callable, Sequence
from typing import Final

from attrs import define, field
from msgspec import UNSET
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.agent.screen.screen import Screen, bounded
from streamrelay.agent.terminals.answers import typed
from streamrelay.agent.terminals.attachment import Attachment
from streamrelay.agent.terminals.model import Model, Pieces
from streamrelay.datapath.connection import Connection, Drain, Feed
from streamrelay.logs import Logger
from streamrelay.protocol import codec
from streamrelay.protocol.close import FINISHED, CloseCode, Outcome, outcome
from streamrelay.protocol.control import MAX_CONTROL, Control, Person
from streamrelay.protocol.terminals import MOST_PEOPLE, Attached, TerminalInfo

log = Logger()

TOLD_EVERY: Final = 0.5
"""Seconds from one word about people and size to the next, as control messages are few."""


@define(eq=False)
class Terminal(Feed, Drain):
    """A program in a pseudo-terminal, and its streams. `keep` tells for how many seconds it goes on without any;
    `over` is called when nothing of it is left."""

    id: str
    target: str
    user: str
    clock: IReactorTime
    pieces: Pieces
    keep: Callable[["Terminal"], float]
    over_: Callable[["Terminal"], None]
    model: Model = field(init=False)
    program: Connection = field(init=False)
    attached: list[Attachment] = field(factory=list)
    """Streams whose clients have come, the oldest first."""
    expected: set[Attachment] = field(factory=set)
    """Streams whose clients are waited for."""
    active: list[Attachment] = field(factory=list)
    """Attachments whose clients may type, the one that has typed or resized last at the end."""
    outcome: Outcome | None = None
    """Outcome with which it has ended, or is ended."""
    detached_at: float | None = None
    """Seconds of the clock at which its last stream has left; None while there is one."""
    began: float = field(init=False)
    used: bool = False
    """True once a client has typed, or has seen it."""
    _running: bool = False
    _reading: bool = True
    _joined: bool = False
    _status: bytes = b""
    _keeping: IDelayedCall | None = None
    _telling: IDelayedCall | None = None

    def __attrs_post_init__(self) -> None:
        self.began = self.clock.seconds()

    def started(self, program: Connection, columns: int, rows: int) -> None:
        """Have a program, which has begun with this size."""
        self.program, self._running = program, True
        self.model = Model(self.pieces, Screen(columns, rows), self.look, lambda: bool(self.attached))
        if self.size != (columns, rows):
            program.send_control(codec.encode(Control(resize=self.size)))

    @property
    def is_running(self) -> bool:
        """True from the start of its program until that ends, or is ended."""
        return self._running and self.outcome is None

    @property
    def size(self) -> tuple[int, int]:
        return self.model.screen.columns, self.model.screen.rows

    def info(self, host: str, most: int = MOST_PEOPLE) -> TerminalInfo:
        """Return what lists tell of it, and of so many of those who are attached."""
        now = self.clock.seconds()
        people = tuple(Attached(each.user, each.view, each.stream) for each in self.attached[:most])
        detached = UNSET if self.detached_at is None else now - self.detached_at
        return TerminalInfo(self.id, host, self.target, self.user, now - self.began, people, self.size, detached)

    # -- clients come and go ---------------------------------------------------------------------------------

    def expect(self, attachment: Attachment) -> None:
        """Go on until a stream's client has come, or is known not to."""
        self.expected.add(attachment)
        self._cancel_keeping()

    def attach(self, attachment: Attachment) -> None:
        """Take a client in, and show it the screen."""
        self.expected.discard(attachment)
        if self.outcome is not None:
            attachment.end(self.outcome, self._status)
            return
        self.attached.append(attachment)
        if not attachment.view:
            self.active.insert(0, attachment)
        self.detached_at = None
        self._tell_one(attachment)
        if self._joined:
            attachment.show(whole=True)
        for other in self.attached:
            other.people_due = other.people_due or other is not attachment
        self._tell()
        if not self._joined:
            self._joined = True
            self.program.join(self, self)
        self.look()

    def detach(self, attachment: Attachment) -> None:
        """Let a client go; the terminal has the size of another one then, or waits for one."""
        self.used = self.used or attachment.has_seen
        self.expected.discard(attachment)
        if attachment in self.attached:
            self._left(attachment)
        if self.outcome is None and not self.attached and not self.expected and self._keeping is None:
            self._wait()

    def _left(self, attachment: Attachment) -> None:
        self.attached.remove(attachment)
        if attachment in self.active:
            led = self.active[-1] is attachment
            self.active.remove(attachment)
            if led and self.active:
                self._adopt(self.active[-1])
        for other in self.attached:
            other.people_due = True
        if self.outcome is None:
            if not self.attached:
                self.detached_at = self.clock.seconds()
            self._tell()
            self.look()

    def _wait(self) -> None:
        """Go on without a client for as long as the target allows."""
        keep = self.keep(self) if self.used else 0.0
        if not keep:
            why = "nobody is attached any more" if self.used else "its client did not come, or left at once"
            self.end(outcome(CloseCode.LEG_LOST, why))
            return
        about = {"id": self.id, "target": self.target, "keep": keep}
        log.info("terminal {id} of {target}: nobody is attached; it is kept for {keep:g} s", **about)
        self._keeping = self.clock.callLater(keep, self._kept_enough, keep)

    def _kept_enough(self, keep: float) -> None:
        self._keeping = None
        self.end(outcome(CloseCode.LEG_LOST, f"nobody came back within {keep:g} s"))

    def _cancel_keeping(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            self._keeping = None

    # -- what clients do -------------------------------------------------------------------------------------

    def typed(self, attachment: Attachment, keys: bytes) -> None:
        """Pass on what a client has sent; of those that didn't type last, not the answers of their terminals."""
        if self.outcome is not None or attachment.view or attachment not in self.active:
            return
        keys, attachment.begun = attachment.begun + keys, b""
        if self.active[-1] is not attachment:
            keys, attachment.begun = typed(keys)
            if not keys:
                return
            self._adopt(attachment)
        self.program.send([memoryview(keys)], len(keys))

    def resized(self, attachment: Attachment, size: tuple[int, int]) -> None:
        attachment.size, attachment.size_due = size, True
        if attachment in self.active:
            self._adopt(attachment)
        self._tell()

    def _adopt(self, attachment: Attachment) -> None:
        """Let a client be the one that has acted last, and have its size."""
        self.active.remove(attachment)
        self.active.append(attachment)
        if self._telling is None or len(self.attached) == 1:
            self._fit()

    def _fit(self) -> None:
        """Give the program the size of who has acted last: when others can be told, who draw with it from then on."""
        wanted = self.active[-1].size if self.active else None
        if wanted is None or self.outcome is not None or self.model.is_drawing:
            return
        columns, rows = bounded(*wanted)
        if (columns, rows) != self.size:
            self.model.resize(columns, rows)
            for each in self.attached:
                each.size_due = True
            self._tell()
            self.program.send_control(codec.encode(Control(resize=(columns, rows))))

    # -- what clients are told of each other -----------------------------------------------------------------

    def _tell(self) -> None:
        """Tell what has changed, now or when it may be."""
        if self._telling is None:
            self._telling = self.clock.callLater(TOLD_EVERY, self._tell_again)
            for attachment in tuple(self.attached):
                self._tell_one(attachment)

    def _tell_again(self) -> None:
        self._telling = None
        self._fit()
        if self._telling is None and any(
            (each.size_due or each.people_due) and not each.paused for each in self.attached
        ):
            self._tell()

    def _tell_one(self, attachment: Attachment) -> None:
        if attachment.paused:
            return
        if attachment.size_due:
            attachment.size_due = False
            attachment.tell(codec.encode(Control(size=self.size)))
        if attachment.people_due:
            attachment.people_due = False
            attachment.tell(told_people([Person(each.user, each.view) for each in self.attached]))

    # -- what the program does -------------------------------------------------------------------------------

    def look(self) -> None:
        """Read the program as long as its screen, and any of the clients, has room; its size may have had to wait."""
        if not self._joined or self.outcome is not None:
            return
        if self._telling is None:
            self._fit()
        waits = bool(self.attached) and all(each.paused for each in self.attached)
        reading = not waits and not self.model.is_full
        if reading != self._reading:
            self._reading = reading
            (self.program.resume if reading else self.program.pause)()
        if self._telling is None and any(each.size_due or each.people_due for each in self.attached if not each.paused):
            self._tell()

    def received(self, data: Sequence[memoryview], size: int) -> None:
        whole = b"".join(data)
        self.model.feed(whole)
        for attachment in tuple(self.attached):
            attachment.deliver(whole)
        if self.model.is_full:
            self.look()

    def control(self, message: bytes) -> None:
        """Keep the program's status, which is told with its end."""
        self._status = message

    def eof(self) -> None:
        """Ignore that the program has written all: its end is told next."""

    def drained(self) -> None:
        for attachment in tuple(self.attached):
            if attachment.drain is not None:
                attachment.drain.drained()

    def end(self, why: Outcome) -> None:
        """End the program, as that of a stream that is lost, and all streams with this outcome."""
        if self.outcome is not None:
            return
        self._over(why)
        if not self._joined:
            self._joined = True
            self.program.join(self, self)
        self.program.close(why)

    def over(self, outcome: Outcome) -> None:
        if self.outcome is None:
            self._over(outcome, self._status)

    def _over(self, how: Outcome, status: bytes = b"") -> None:
        self.outcome = how
        self._cancel_keeping()
        for attachment in tuple(self.attached):
            attachment.end(how, status)
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None

    def gone(self) -> None:
        about = {"id": self.id, "target": self.target, "how": str(self.outcome or FINISHED)}
        seconds = self.clock.seconds() - self.began
        log.info("terminal {id} of {target} ended: {how} after {seconds:.1f} s", seconds=seconds, **about)
        self.over_(self)


def told_people(people: list[Person]) -> bytes:
    """Return the message that tells of these people, or of as many as there is room for."""
    shown = people
    while len(message := codec.encode(Control(people=tuple(shown), others=len(people) - len(shown)))) > MAX_CONTROL:
        shown = shown[: len(shown) * 3 // 4]
    return message
