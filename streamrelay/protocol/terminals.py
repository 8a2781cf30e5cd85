"""Messages on the bus about terminals that are kept (protocol.rst, "Terminals that are kept")."""

from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from streamrelay.protocol.control import Size
from streamrelay.protocol.fields import Terminal, Word

MOST_PEOPLE: Final = 50
"""Streams of one terminal that a list tells of."""


class ListTerminals(Struct, frozen=True):
    """A request to an agent to tell its terminals; its role is `terminals`."""

    terminals: bool
    jti: Annotated[str, Meta(min_length=8, max_length=64)]
    exp: float


class EndTerminal(Struct, frozen=True):
    """A request to an agent to end one terminal, and all its streams; its role is `end_terminal`."""

    terminal: Terminal
    jti: Annotated[str, Meta(min_length=8, max_length=64)]
    exp: float
    user: Annotated[str, Meta(max_length=256)] | None = None
    """Name of the user who must have started it; None: anybody."""
    reason: Annotated[str, Meta(max_length=120)] = ""
    """Reason in one line; empty: an operator wants it."""


class Attached(Struct, frozen=True):
    """One stream that is attached to a terminal."""

    user: str
    view: bool
    """True if nothing that its client does has an effect."""
    stream: str


class TerminalInfo(Struct, frozen=True):
    """A terminal that is kept, as its agent tells it, from the start of its program to that one's end."""

    terminal: str
    host: str
    target: str
    user: str
    """Name of the user who started it."""
    seconds: float
    """Seconds since it was started."""
    people: tuple[Attached, ...]
    """The streams that are attached, the oldest first, at most `MOST_PEOPLE`."""
    size: Size
    """Columns and rows."""
    detached: float | UnsetType = UNSET
    """Seconds since its last stream has ended; unset while there is one."""


class TerminalsAnswer(Struct, frozen=True):
    """An agent's answer to `ListTerminals`: its terminals, the oldest first; or why not, as a summons is answered."""

    terminals: tuple[TerminalInfo, ...] = ()
    refused: Word = ""
    reason: str = ""
