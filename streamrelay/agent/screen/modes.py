"""Modes of a terminal: what a program has switched on, and what else it has told that isn't on the screen."""

from typing import Final

from attrs import define, field

KEPT: Final = frozenset((1, 5, 6, 7, 9, 25, 45, 66, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 2004))
"""DEC's private modes that are known: keys, colours, origin, wrapping, cursor, mouse, focus, pastes."""
USUAL: Final = frozenset((7, 25))
"""Private modes that are on in a new terminal: lines wrap, and the cursor is shown."""
GROUPS: Final = (frozenset((9, 1000, 1002, 1003)), frozenset((1005, 1006, 1015, 1016)))
"""Modes of which one is on at most: what the mouse tells, and in which words."""
SOFT: Final = frozenset((1, 6, 66))
"""Modes that a soft reset (DECSTR) switches off."""
LONGEST_TITLE: Final = 256
MOST_TITLES: Final = 10
"""Titles that a program may put aside."""
COLOURS: Final = frozenset(map(str, range(10, 13)))
"""OSC's numbers of the terminal's own colours: text, background, cursor; 4 are those of its palette."""
LONGEST_COLOUR: Final = 40


@define
class Modes:
    """Modes that a program has switched on, and its other words that aren't on the screen."""

    on: set[int] = field(factory=lambda: set(USUAL))
    """DEC's private modes that are on."""
    inserts: bool = False
    """True if what is drawn moves what stands there (IRM)."""
    new_lines: bool = False
    """True if a line feed also returns (LNM)."""
    cursor: int = 0
    """Shape of the cursor (DECSCUSR); 0: the terminal's own."""
    keys: int = 0
    """Form in which keys with modifiers are told (xterm's modifyOtherKeys)."""
    title: str = ""
    titles: list[str] = field(factory=list)
    """Titles that were put aside."""
    colours: dict[str, str] = field(factory=dict)
    """Colours that were set anew, by OSC's number and that of the palette."""
    coloured: bool = False
    """True once a colour was set: a client's terminal may have it yet, though it was set back since."""

    @property
    def wraps(self) -> bool:
        return 7 in self.on

    @property
    def origin(self) -> bool:
        return 6 in self.on

    @origin.setter
    def origin(self, value: bool) -> None:
        self.switch(6, value)

    def switch(self, mode: int, on: bool) -> None:
        """Switch a private mode on or off, if it is known."""
        if mode not in KEPT:
            return
        for group in GROUPS:
            if mode in group:
                self.on -= group
        if on:
            self.on.add(mode)
        else:
            self.on.discard(mode)

    def soften(self) -> None:
        """Reset what DECSTR resets."""
        self.on = self.on - SOFT | USUAL
        self.inserts = self.new_lines = False

    def told(self, message: str) -> None:
        """Take the words of an OSC: a title, or a colour. What is asked for changes nothing."""
        number, _, rest = message.partition(";")
        if number in ("0", "2"):
            self.title = "".join(char for char in rest if char.isprintable())[:LONGEST_TITLE]
        elif number == "4":
            pieces = rest.split(";")
            for index, colour in zip(pieces[::2], pieces[1::2], strict=False):
                if index.isascii() and index.isdecimal() and len(index) < 4 and int(index) < 256:
                    self._colour(f"4;{int(index)}", colour)
        elif number in COLOURS:
            self._colour(number, rest)
        elif number == "104" and not rest:
            self.colours = {which: colour for which, colour in self.colours.items() if which in COLOURS}
        elif number == "104":
            for index in rest.split(";"):
                self.colours.pop(f"4;{index}", None)
        elif number in ("110", "111", "112"):
            self.colours.pop(number[1:], None)

    def _colour(self, which: str, colour: str) -> None:
        if colour != "?" and len(colour) <= LONGEST_COLOUR and colour.isascii() and colour.isprintable():
            self.colours[which] = colour.partition(";")[0]
            self.coloured = True

    def push_title(self) -> None:
        self.titles = [*self.titles, self.title][-MOST_TITLES:]

    def pop_title(self) -> None:
        if self.titles:
            self.title = self.titles.pop()
