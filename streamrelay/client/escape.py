"""Escape character of a terminal, by which one leaves a target that takes all other keys.

As ssh's: it counts where a line begins. There is no key to suspend the client: a client that stands still is dead to
the relay after 45 s (protocol.rst, "Liveness").
"""

from collections.abc import Callable
from typing import Final, Protocol

from attrs import define

NEW_LINE: Final = b"\r\n"
ENDING: Final = b"\x03\x04"
"""Ctrl-C and Ctrl-D."""


class Keys(Protocol):
    """Keys on their way to the target."""

    def take(self, keys: bytes) -> bytes:
        """Return what of these keys is the target's."""

    def announcement(self) -> str:
        """Return words for the user, at the start."""


@define(eq=False)
class Escape:
    """Keys on their way to the target, with those taken out that are meant for the client."""

    character: str
    """The character, or ``^`` and another for a control character."""
    end: Callable[[], object]
    """Called once the user has had enough."""
    show: Callable[[list[str]], object]
    """Called with lines of help."""
    detach: Callable[[], object] | None = None
    """Called once the user leaves a terminal that is kept; None if it isn't."""
    _fresh: bool = True  # a line begins
    _pending: bool = False  # the character came, and nothing behind it yet
    _ended: bool = False

    def take(self, keys: bytes) -> bytes:
        """Return what of these keys is the target's."""
        rest = bytearray()
        for key in keys:
            if self._ended:
                break
            self._key(key, rest)
        return bytes(rest)

    def _key(self, key: int, rest: bytearray) -> None:
        own = code(self.character)
        if self._pending:
            self._pending = False
            if key == ord("."):
                self._ended = True
                self.end()
                return
            if key == ord("d") and self.detach is not None:
                self._ended = True
                self.detach()
                return
            if key == ord("?"):
                self.show(self.help())
                return
            if key != own:
                rest.append(own)
        elif self._fresh and key == own:
            self._pending = True
            return
        self._fresh = key in NEW_LINE
        rest.append(key)

    def announcement(self) -> str:
        if self.detach is not None:
            what = "leaves this terminal, which goes on"
            return f"{self.character}d at the beginning of a line {what}; {self.character}? tells more"
        return f"{self.character}. at the beginning of a line ends this terminal, {self.character}? tells more"

    def help(self) -> list[str]:
        kept = self.detach is not None
        return [
            *([f"{self.character}d  leave the terminal, which goes on"] if kept else []),
            f"{self.character}.  end the stream{', as if the connection were lost' if kept else ''}",
            f"{self.character}?  show these lines",
            f"{self.character}{self.character}  send the character itself",
            "These count at the beginning of a line only; --escape CHAR|none takes another character, or none.",
        ]


@define(eq=False)
class WatchersKeys:
    """Keys of who may only look: none is the target's, so each line begins anew, and the usual keys end the client."""

    character: str
    """As of `Escape`; empty for none."""
    end: Callable[[], object]
    detach: Callable[[], object] | None = None
    """As of `Escape`."""
    _pending: bool = False
    _ended: bool = False

    def take(self, keys: bytes) -> bytes:
        """Return nothing, as no key is the target's."""
        for key in keys:
            detaches = self._pending and key == ord("d") and self.detach is not None
            if detaches or key in ENDING or (self._pending and key == ord(".")):
                if not self._ended:
                    (self.detach if detaches and self.detach is not None else self.end)()
                self._ended = True
            self._pending = self.character != "" and key == code(self.character)
        return b""

    def announcement(self) -> str:
        kept = self.detach is not None
        own = f"{self.character}{'d' if kept else '.'}" if self.character else ""
        keys = f"Ctrl-C, Ctrl-D or {own}" if own else "Ctrl-C or Ctrl-D"
        return f"{keys} {'leaves this terminal, which goes on' if kept else 'ends this terminal'}"


def code(character: str) -> int:
    """Return the byte that a terminal sends for a character, or for ``^`` and another."""
    return ord(character) if len(character) == 1 else ord(character[1].upper()) & 0x1F
