"""The command lines of all processes of the machine, which a run looks at several times a second."""

import os
from collections.abc import Iterator

from attrs import define, field

YOUNG = 20
"""Looks of which each reads a new process' command line; then it is every such look, as few processes change theirs."""
PAGES = 1 << 16
"""Bytes of a command line that are read at once: more than most have."""


@define(eq=False)
class CommandLines:
    """How often each process has been seen."""

    _looks: dict[str, int] = field(factory=dict)

    def look(self) -> Iterator[tuple[int, bytes]]:
        """Yield processes and their command lines: of the new ones, and of some that have been there."""
        self._looks = {name: self._looks.get(name, -1) + 1 for name in os.listdir("/proc") if name.isdigit()}
        for name, looks in self._looks.items():
            if looks < YOUNG or looks % YOUNG == 0:
                try:
                    yield int(name), command_line(name)
                except OSError:  # it is gone
                    continue


def present() -> Iterator[tuple[int, bytes]]:
    """Yield all processes and their command lines, each of whose arguments is followed by a NUL."""
    return CommandLines().look()


def command_line(process: str) -> bytes:
    """Return a process' command line, by the system's calls alone: hundreds are read a second."""
    descriptor = os.open(f"/proc/{process}/cmdline", os.O_RDONLY)
    try:
        parts = [os.read(descriptor, PAGES)]
        while len(parts[-1]) == PAGES:
            parts.append(os.read(descriptor, PAGES))
        return b"".join(parts)
    finally:
        os.close(descriptor)
