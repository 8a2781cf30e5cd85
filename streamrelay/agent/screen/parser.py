"""The output of a program, taken apart: characters, controls, escape sequences (ECMA-48, DEC, xterm).

Nothing is kept but what came of a sequence that isn't whole yet; so at any moment `rest` is what has had no effect on
the screen, and who gets the screen and then that has all.
"""

import codecs
import re
from typing import Final

from attrs import define, field

from streamrelay.agent.screen import sequences
from streamrelay.agent.screen.screen import Screen

LONGEST: Final = 4096
"""Characters of a sequence that are kept; of a longer one nothing counts."""

_TEXT: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]+")
_CSI: Final = re.compile(r"\x1b\[([<=>?]?)([0-9:;]*)([\x20-\x2f]*)([\x40-\x7e])")
_BAD_CSI: Final = re.compile(r"\x1b\[[\x20-\x3f]*[\x40-\x7e]")
_ESCAPE: Final = re.compile(r"\x1b([\x20-\x2f]*)([\x30-\x7e])")
_OSC: Final = re.compile(r"\x1b\]([^\x07\x18\x1a\x1b\x9c]*)([\x07\x18\x1a\x9c]|(?=\x1b))")
_STRING: Final = re.compile(r"\x1b[PX^_][^\x18\x1a\x1b\x9c]*([\x18\x1a\x9c]|(?=\x1b))")
_BEGUN: Final = re.compile(
    r"\x1b(?:\[[\x20-\x3f]*|[\x20-\x2f]*|\][^\x07\x18\x1a\x1b\x9c]*|[PX^_][^\x18\x1a\x1b\x9c]*)\Z"
)
_GOOD: Final = re.compile(r"\x1b(?:\[[\x20-\x3f]*|[\x20-\x2f]*)")
_ENDS: Final = {"]": re.compile(r"[\x07\x18\x1a\x9c]|(?=\x1b)"), "P": re.compile(r"[\x18\x1a\x9c]|(?=\x1b)")}
_STRINGS: Final = "]PX^_"


@define(eq=False)
class Parser:
    """Takes bytes apart, and does what they say on a screen."""

    screen: Screen
    _decoder: codecs.IncrementalDecoder = field(factory=lambda: codecs.getincrementaldecoder("utf-8")("ignore"))
    _text: str = ""
    _at: int = 0
    """Place in the text up to which all has had its effect."""
    _dropping: str = ""
    """Beginning of a string that is too long to be kept, until its end has come."""

    def feed(self, data: bytes) -> None:
        """Take bytes; `work` does what they say."""
        self._text = self._text[self._at :] + self._decoder.decode(data)
        self._at = 0

    @property
    def rest(self) -> bytes:
        """Bytes that have had no effect yet."""
        return (self._dropping + self._text[self._at :]).encode() + self._decoder.getstate()[0]

    def work(self, most: int) -> bool:
        """Do what was taken says until it has cost about so much; tell whether all that can be done is done."""
        end = self.screen.cost + most
        while self._at < len(self._text) and self.screen.cost < end:
            if self._dropping:
                self._drop()
                continue
            run = _TEXT.match(self._text, self._at)
            if run is not None:
                self._at = run.end()
                self.screen.text(run[0])
            elif not self._step():
                return True
        return self._at >= len(self._text)

    def _step(self) -> bool:
        """Do what the next control or sequence says; return False if more of it has to come."""
        char = self._text[self._at]
        self.screen.cost += 2
        if char == "\x1b":
            return self._sequence()
        if char >= "\x80":  # a control of C1 is the same as ESC and a letter
            self._text = f"{self._text[: self._at]}\x1b{chr(ord(char) - 0x40)}{self._text[self._at + 1 :]}"
            return True
        self._at += 1
        sequences.control(self.screen, char)
        return True

    def _sequence(self) -> bool:
        text, at = self._text, self._at
        if match := _CSI.match(text, at):
            self._at = match.end()
            sequences.csi(self.screen, match[1], match[2], match[3] + match[4])
        elif match := _OSC.match(text, at):
            self._at = match.end()
            if match[2] not in ("\x18", "\x1a"):
                self.screen.modes.told(match[1])
        elif match := _STRING.match(text, at) or _BAD_CSI.match(text, at):
            self._at = match.end()
        elif text[at + 1 : at + 2] not in ("", "[", *_STRINGS) and (match := _ESCAPE.match(text, at)):
            self._at = match.end()
            sequences.escape(self.screen, match[1], match[2])
        elif _BEGUN.match(text, at):
            return self._hold()
        else:
            self._mend()
        return True

    def _hold(self) -> bool:
        """Wait for the rest of a sequence; of one that is too long only the end is waited for."""
        if len(self._text) - self._at > LONGEST:
            begin = self._text[self._at : self._at + 2]
            if begin[1:] in _STRINGS:
                self._dropping, self._at = begin, len(self._text)
            else:
                self._text, self._at = "\x1b[ !", 0  # a sequence that means nothing, whatever its last letter
        return False

    def _drop(self) -> None:
        """Drop a string up to its end, if that has come."""
        self.screen.cost += 1
        end = _ENDS["]" if self._dropping[1] == "]" else "P"].search(self._text, self._at)
        if end is None:
            self._at = len(self._text)
        else:
            self._at, self._dropping = end.end(), ""

    def _mend(self) -> None:
        """Do as terminals do with what can't be within a sequence: a control counts, and the sequence goes on; others
        end it."""
        good = _GOOD.match(self._text, self._at)
        wrong = good.end() if good else self._at + 1
        char = self._text[wrong]
        if char in "\x18\x1a":
            self._at = wrong + 1
        elif char < " " and char != "\x1b":
            sequences.control(self.screen, char)
            self._text = self._text[self._at : wrong] + self._text[wrong + 1 :]
            self._at = 0
        elif char == "\x7f":
            self._text = self._text[self._at : wrong] + self._text[wrong + 1 :]
            self._at = 0
        else:
            self._at = wrong
