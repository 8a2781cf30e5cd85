"""The screens of a host's terminals, fed in turn and in small pieces, so that no output holds up the streams."""

from collections import deque
from collections.abc import Callable
from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.agent.screen.drawing import BEGIN, Drawing
from streamrelay.agent.screen.parser import Parser
from streamrelay.agent.screen.screen import Screen
from streamrelay.logs import Logger

log = Logger()

PIECE: Final = 1000
"""Cost of one piece of work, about a millisecond."""
REST: Final = 0.001
"""Seconds between two pieces: screens take no more than a half of the loop, whatever programs write."""
UNSEEN_REST: Final = 0.004
"""Seconds of rest behind a piece of a screen that nobody sees: a program that floods it for days takes no more than a
fifth of a core."""
CHUNK: Final = 4096
"""Bytes that are taken apart at once."""
MOST_WAITING: Final = 256 << 10
"""Bytes that wait for a screen; with more, its program isn't read."""
DRAWN: Final = 8 << 10
"""Characters of a drawing that are one piece of work."""
DRAWING_KEPT: Final = 1.0
"""Seconds for which a drawing is kept for others: half a second's work and 8 MB for the largest screens, if they are as
colourful as can be, and many may come at once."""


@define(eq=False)
class Pieces:
    """The work that all screens have, one piece of one of them after the other."""

    clock: IReactorTime
    _waiting: "deque[Model]" = field(factory=deque)

    def ask(self, model: "Model") -> None:
        """Have a model worked on, once it is its turn."""
        self._waiting.append(model)
        if len(self._waiting) == 1:
            self.clock.callLater(REST, self._turn)

    def _turn(self) -> None:
        model = self._waiting[0]
        try:
            done = model.work()
        except Exception:  # of ours: the others' screens must go on
            log.failure("an error while a terminal's screen was drawn")
            model.start_anew()
            done = True
        self._waiting.popleft()
        if not done:
            self._waiting.append(model)
        if self._waiting:
            self.clock.callLater(REST if model.is_seen() else UNSEEN_REST, self._turn)


@define(eq=False)
class Model:
    """One terminal's screen, and what has come for it since. `room` is called when what waits has become little."""

    pieces: Pieces
    screen: Screen
    room: Callable[[], None]
    is_seen: Callable[[], bool]
    waiting: int = 0
    """Bytes that wait."""
    parser: Parser = field(init=False)
    _chunks: deque[memoryview] = field(factory=deque)
    _asked: bool = False
    _begun: bool = False  # the parser has more to do with what it was fed
    _drawing: Drawing | None = None
    _wanted: dict[bool, list[Callable[[bytes], None]]] = field(factory=dict)
    """Who waits for a drawing, by whether it is to have the lines above the screen."""
    _drawings: dict[bool, bytes] = field(factory=dict)
    """Drawings of the screen as it is, likewise."""
    _keeping: IDelayedCall | None = None

    def __attrs_post_init__(self) -> None:
        self.parser = Parser(self.screen)

    @property
    def is_full(self) -> bool:
        return self.waiting > MOST_WAITING

    @property
    def is_drawing(self) -> bool:
        """True while somebody waits for a drawing, so the screen must not change."""
        return bool(self._wanted)

    def feed(self, data: bytes) -> None:
        """Take what the program has written."""
        self.waiting += len(data)
        self._chunks.append(memoryview(data))
        self._ask()

    def work(self) -> bool:
        """Do one piece of work; tell whether there is no more."""
        (self._draw if self._wanted else self._parse)()
        self._asked = bool(self._wanted or self._chunks or self._begun)
        return not self._asked

    def _ask(self) -> None:
        if not self._asked:
            self._asked = True
            self.pieces.ask(self)

    def _parse(self) -> None:
        self._forget_drawings()
        was_full, left = self.is_full, PIECE
        while left > 0:
            before = self.screen.cost
            if self.parser.work(left):
                if not self._chunks:
                    break
                self._take()
            left -= self.screen.cost - before + 1
        self._begun = left <= 0
        if was_full and not self.is_full:
            self.room()

    def start_anew(self) -> None:
        """Forget what waits, so that the program goes on, whatever is wrong with its screen; who waits for a drawing
        gets an empty one."""
        self._forget_drawings()
        self.parser = Parser(Screen(self.screen.columns, self.screen.rows))
        self.screen = self.parser.screen
        self._chunks.clear()
        self.waiting, self._asked, self._begun = 0, False, False
        self._drawing = None
        for whole in tuple(self._wanted):
            self._tell(whole, BEGIN.encode())
        self.room()

    def _take(self) -> None:
        chunk = self._chunks.popleft()
        if len(chunk) > CHUNK:
            self._chunks.appendleft(chunk[CHUNK:])
        self.parser.feed(bytes(chunk[:CHUNK]))
        self.waiting -= min(len(chunk), CHUNK)

    def resize(self, columns: int, rows: int) -> None:
        self._forget_drawings()
        self.screen.resize(columns, rows)

    def draw(self, whole: bool, ready: Callable[[bytes], None]) -> None:
        """Have `ready` told what draws all that has come by then: the screen, and what has had no effect on it yet; at
        once, if there is such a drawing already."""
        self._wanted.setdefault(whole, []).append(ready)
        if whole in self._drawings:
            self._drawn(whole)
        else:
            self._ask()

    def _draw(self) -> None:
        """Draw a piece for those who wait longest."""
        whole = next(iter(self._wanted))
        if self._drawing is None:
            self._drawing = Drawing(self.screen, whole)
        if self._drawing.work(DRAWN):
            self._drawings[whole], self._drawing = self._drawing.data, None
            if self._keeping is None:
                self._keeping = self.pieces.clock.callLater(DRAWING_KEPT, self._kept_enough)
            self._drawn(whole)

    def _drawn(self, whole: bool) -> None:
        self._tell(whole, b"".join((self._drawings[whole], self.parser.rest, *self._chunks)))
        self.room()

    def _tell(self, whole: bool, data: bytes) -> None:
        """Tell all who wait for it; only then may the screen change."""
        waiting, self._wanted[whole] = self._wanted[whole], []
        for ready in waiting:
            ready(data)
        self._wanted.pop(whole, None)

    def _forget_drawings(self) -> None:
        self._drawings.clear()

    def _kept_enough(self) -> None:
        self._keeping = None
        self._forget_drawings()
