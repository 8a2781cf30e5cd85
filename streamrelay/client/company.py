"""The others who are attached to the same kept terminal, as far as they matter to who sits here."""

from collections.abc import Callable

from attrs import define

from streamrelay.errors import printable
from streamrelay.protocol.control import Control, Size


@define(eq=False)
class Company:
    """Lines that tell of others at a terminal. Who comes and goes would disturb, and is told to who wants to know."""

    say: Callable[[str], object]
    verbose: bool
    window: Callable[[], Size | None] = lambda: None
    """Returns the size of our own terminal; None if there is none."""
    _said: tuple[Size, Size] | None = None  # sizes of which was told last

    def heard(self, control: Control) -> None:
        """Take note of a control message."""
        if control.people is not None and self.verbose:
            names = [f"{person.user} (looks)" if person.view else person.user for person in control.people]
            more = f" and {control.others} more" if control.others else ""
            self.say(f"attached to this terminal: {printable(', '.join(names))}{more}")
        own = self.window() if control.size is not None else None
        if control.size is None or own is None or own == control.size:
            return
        if self._said != (control.size, own):  # else both type in turn, and know it
            self._said = control.size, own
            theirs, ours = ("{} columns and {} rows".format(*size) for size in (control.size, own))
            self.say(f"this terminal has {theirs} now, as somebody else's; this window has {ours}")
