"""The user's terminal as output: what a stream switches on there is switched off when it has ended.

A full-screen program that is cut can't do so itself, and would leave its screen, a mouse that types, or no cursor.
"""

import os
import re
import select
import threading
from contextlib import suppress
from typing import Final

from attrs import define, field

SEQUENCE: Final = re.compile(rb"\x1b(?:\[([<-?]?)([0-9:;]{0,64})([ -/]?)([@-~])|(\(.|[=>c]))", re.DOTALL)
"""Escape sequences that may switch something (ECMA-48 §5.4, xterm's "Control Sequences")."""
BEGUN: Final = re.compile(rb"\x1b(?:\[[0-?]{0,64}[ -/]?|\()?\Z")
"""What may become one with the next bytes."""

MODES: Final = {b"%d" % mode: b"h" for mode in (1, 5, 6, 9, 47, 66, 69, *range(1000, 1007), 1015, 1016, 1047, 1049)}
"""Private modes, and the byte that takes each from where a shell expects it: cursor keys, mice, screens, …"""
MODES.update({b"2004": b"h", b"2026": b"h", b"2031": b"h", b"7": b"l", b"25": b"l"})  # pastes, …, wrapping, the cursor

PIECE: Final = 4096
"""Bytes that are written at once; of more somebody who leaves would have to wait for the end."""
LEAVING: Final = 1.0
"""Seconds for which a terminal that takes nothing keeps somebody who leaves."""


@define(eq=False)
class Screen:
    """A terminal that is written to, from one thread, until somebody leaves it, from another."""

    destination: int
    _undo: dict[bytes, bytes] = field(factory=dict)  # what was switched on, in this order, and what ends it
    _begun: bytes = b""  # a sequence that isn't whole
    _pushed: int = 0  # modes of the keyboard
    _left: bool = False
    _lock: threading.Lock = field(factory=threading.Lock)

    def write(self, data: memoryview) -> int:
        """Write, and return how many bytes were taken; those that come when it was left go nowhere."""
        with self._lock:
            if self._left:
                return len(data)
            taken = os.write(self.destination, data[:PIECE])
            self._note(bytes(data[:taken]))
            return taken

    def leave(self) -> None:
        """Switch off what was switched on and still is, the latest first, once; unless the terminal takes nothing."""
        left, self._left = self._left, True
        if left or not self._lock.acquire(timeout=LEAVING):
            return
        try:
            self._write_undo()
        finally:
            self._lock.release()

    def _write_undo(self) -> None:
        undo = b"".join(reversed(self._undo.values()))
        poll = select.poll()
        poll.register(self.destination, select.POLLOUT)
        with suppress(OSError):
            if undo and poll.poll(LEAVING * 1000):
                os.write(self.destination, undo)

    def _note(self, data: bytes) -> None:
        data = self._begun + data
        for match in SEQUENCE.finditer(data):
            prefix, values, middle, final, short = match.groups()
            if short is not None:
                self._note_short(short)
            elif prefix == b"?" and final in b"hl":
                for mode in (each for each in values.split(b";") if each in MODES):
                    back = b"l" if MODES[mode] == b"h" else b"h"
                    self._switch(b"?" + mode, final == MODES[mode], b"\x1b[?%b%b" % (mode, back))
            elif final == b"u" and prefix:
                self._note_keyboard(prefix, values)
            else:
                self._note_other(prefix, values, middle + final)
        begun = BEGUN.search(data)
        self._begun = begun[0] if begun else b""

    def _note_short(self, sequence: bytes) -> None:
        if sequence == b"c":  # resets all
            self._undo.clear()
        elif sequence[:1] == b"(":
            self._switch(b"(", sequence != b"(B", b"\x1b(B")
        else:
            self._switch(b"=", sequence == b"=", b"\x1b>")

    def _note_keyboard(self, prefix: bytes, values: bytes) -> None:
        """Take note of kitty's protocol of the keyboard, whose modes are pushed, popped and set."""
        if prefix == b"=":
            self._switch(b"=u", values.partition(b";")[0] not in (b"", b"0"), b"\x1b[=0u")
        elif prefix in (b">", b"<"):
            popped = int(values) if values.isdigit() else 1
            self._pushed = self._pushed + 1 if prefix == b">" else max(0, self._pushed - popped)
            self._switch(b">u", bool(self._pushed), b"\x1b[<%du" % self._pushed)

    def _note_other(self, prefix: bytes, values: bytes, final: bytes) -> None:
        match prefix, final:
            case b"", b"m":  # colours
                self._switch(final, values not in (b"", b"0"), b"\x1b[m")
            case b"", b"r":  # the lines that scroll; to set them moves the cursor
                self._switch(final, values != b"", b"\x1b7\x1b[r\x1b8")
            case b"", b"h" | b"l" if values == b"4":  # inserting
                self._switch(b"h", final == b"h", b"\x1b[4l")
            case b"", b" q":  # the cursor's shape
                self._switch(final, values not in (b"", b"0"), b"\x1b[0 q")
            case b">", b"m" if values.partition(b";")[0] == b"4":  # keys with Ctrl and others
                self._switch(b">m", values not in (b"4", b"4;0", b"4;"), b"\x1b[>4m")

    def _switch(self, what: bytes, on: bool, undo: bytes) -> None:
        if on:
            self._undo[what] = undo
        else:
            self._undo.pop(what, None)
