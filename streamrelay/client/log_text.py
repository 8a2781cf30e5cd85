"""A log's text as a terminal may show it, as the log's page does (streamrelay/web/log/ansi.js, unseen.js).

Colours go on until they are reset, or lines may be missing. Carriage returns, backspaces and moves in a line do what
they do on a terminal, by rows that are drawn here, with a sign where something was written over. All other escapes are
taken out: they could fill the clipboard, set the title, or move the cursor over what stands above. What can't be seen
is shown as a symbol, but for a byte order mark where a line begins, as each file of some programs does. What isn't
UTF-8, or in the encoding that the agent tells, is U+FFFD.
"""

import re
from codecs import IncrementalDecoder, getincrementaldecoder
from collections.abc import Callable
from typing import Final

from attrs import define, field

from streamrelay.client.log_row import SIGN, Row

LONGEST: Final = 4096
"""Characters of an escape that has yet to end; what is longer is none."""
KNOWN: Final = ("utf-16le", "utf-16be")
"""Encodings beside UTF-8 that an agent tells."""
RESET: Final = "\x1b[m"
MARK: Final = "\ufeff"
"""The byte order mark."""
AGAIN: Final = f"\r{RESET}\x1b[K"
"""Begins a row that is drawn anew."""
DRAWS: Final = "@CDGKPX`a"
"""Final bytes of what moves or deletes in a row."""
RECORDED: Final = 4096
"""Letters of a line that can be written over."""
PENS: Final = 256
"""Characters of sequences that make a colour; older ones of more than that are forgotten."""

_STRINGS: Final = r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\n\x07\x1b\x90-\x9f]*"
_UNSEEN: Final = (
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    r"\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Scripts from U+0590 on and emoji are made with them; elsewhere they hide in words.
_JOINERS: Final = r"(?<![^\x00-\u058f])(?:[\u200c\u200d]|(?<![0-9#*\xa9\xae])[\ufe00-\ufe0f])"
# ECMA-48: control sequences, strings (titles, links, the clipboard), other escapes; then what deceives or isn't seen.
_SUSPECT: Final = re.compile(
    r"(?:\x1b\[|\x9b)(?P<numbers>[0-?]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    rf"|{_STRINGS}(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
    r"|(?P<line>\r?\n)"
    rf"|(?P<unseen>{_UNSEEN}|{_JOINERS})"
)
_UNFINISHED: Final = re.compile(rf"(?:(?:\x1b\[|\x9b)[0-?]*[ -/]*|{_STRINGS}\x1b?|\x1b[ -/]*|\r)\Z")
_COLOUR: Final = re.compile(r"(?:^|(?<=;))[345]8(?:;5;\d*|;2(?:;\d*){3}|:[\d:]*)")
# 8, or a colour that isn't whole: terminals disagree on which of the numbers behind it belong to it.
_CONCEALED: Final = re.compile(r"(?:^|;)0*[345]?8(?:$|[;:])")


@define(eq=False)
class LogText:
    """The text of one log, of which bytes come in and go out in pieces of any size."""

    encoding: str = "utf-8"
    """Encoding of what comes."""
    _decoder: IncrementalDecoder = field(factory=lambda: _decoder("utf-8"))
    _fresh: bool = True  # a line begins, or another encoding; a byte order mark is none of the text
    _rest: str = ""
    columns: Callable[[], int] = lambda: 80
    """Returns the width of the terminal."""
    _pen: str = ""  # the sequences since the last reset
    _line: list[tuple[str, str]] = field(factory=list)  # what was shown of the line, and in which colours
    _recorded: int = 0  # letters of it; more than `RECORDED`: not all
    _row: Row | None = None  # the line, once something went back in it
    _drawn: str | None = None  # of the row, once it is

    def take(self, data: bytes) -> bytes:
        """Return what can be shown of this piece and of what waited before it."""
        text = self._rest + self._decoded(data)
        cut = _UNFINISHED.search(text)
        begin = cut.start() if cut is not None and len(text) - cut.start() <= LONGEST else len(text)
        self._rest = text[begin:]
        return self._shown(text[:begin])

    def switch(self, encoding: str) -> None:
        """Go on in another encoding, if it is another; UTF-8 in place of what isn't known."""
        known = encoding if encoding in KNOWN else "utf-8"
        if known != self.encoding:
            self._rest += self._decoder.decode(b"", True)
            self.encoding, self._decoder, self._fresh = known, _decoder(known), True

    def _decoded(self, data: bytes) -> str:
        text = self._decoder.decode(data)
        bare = (text.removeprefix(MARK) if self._fresh else text).replace(f"\n{MARK}", "\n")
        if text:
            self._fresh = text.endswith("\n")
        return bare

    def end(self) -> bytes:
        """Return what waited for more that hasn't come, and end a colour that is left."""
        text, self._rest = self._rest + self._decoder.decode(b"", True), ""
        return self._shown(text) + self.reset()

    def reset(self) -> bytes:
        """End a colour, as what follows has nothing to do with what was there."""
        pen, self._pen = self._pen, ""
        return RESET.encode() if pen else b""

    def _shown(self, text: str) -> bytes:
        out: list[str] = []
        at = 0
        for found in _SUSPECT.finditer(text):
            self._put(out, text[at : found.start()])
            self._take(out, found)
            at = found.end()
        self._put(out, text[at:])
        if self._row is not None:
            self._draw(out, self._row.shown(max(1, self.columns() - 1)))
        return "".join(out).encode()

    def _put(self, out: list[str], text: str) -> None:
        """Show text without controls."""
        if self._row is not None and len(self._row.cells) <= RECORDED:
            self._row.write(text, self._pen)
        elif text:
            if self._row is not None:  # longer than what can be written over
                self._end_row(out, "\n")
            out.append(text)
            self._recorded += len(text)
            if self._recorded <= RECORDED:
                self._line.append((text, self._pen))

    def _take(self, out: list[str], found: "re.Match[str]") -> None:
        final, unseen, numbers = found["final"], found["unseen"], found["numbers"]
        if found["line"]:
            self._end_row(out, found["line"])
        elif unseen in ("\r", "\b"):
            self._drawing(out).control("", unseen)
        elif unseen:
            self._put(out, _symbol(ord(unseen)))
        elif found["between"] or not final:
            return
        elif final in DRAWS and re.fullmatch("[0-9;]*", numbers):
            self._drawing(out).control(numbers, final)
        elif final == "m" and _is_colour(numbers):
            sequence = f"\x1b[{numbers}m"
            self._pen = "" if re.fullmatch("0*", numbers) else (self._pen + sequence)[-PENS:]
            self._pen = self._pen[max(0, self._pen.find("\x1b")) :]  # a sequence that was cut is none
            if self._row is None:
                out.append(sequence)

    def _drawing(self, out: list[str]) -> Row:
        """Return the line as a row, into which more is written."""
        if self._row is None:
            if self._recorded > RECORDED:
                self._end_row(out, "\n")
            self._row, self._drawn = Row(), None
            for text, pen in self._line:
                self._row.write(text, pen)
        return self._row

    def _draw(self, out: list[str], looks: str) -> None:
        looks += self._pen
        if looks != self._drawn:
            out.append(AGAIN + looks)
            self._drawn = looks

    def _end_row(self, out: list[str], line: str) -> None:
        if self._row is not None:
            self._drawn = None
            self._draw(out, self._row.shown() + (SIGN if self._row.over else ""))
        out.append(line)
        self._row, self._recorded = None, 0
        self._line.clear()


def _decoder(encoding: str) -> IncrementalDecoder:
    return getincrementaldecoder(encoding)("replace")


def _is_colour(numbers: str) -> bool:
    """Tell whether these are colours and the like, and conceal nothing."""
    return re.fullmatch(r"[0-9;:]*", numbers) is not None and not _CONCEALED.search(_COLOUR.sub("", numbers))


def _symbol(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)  # control pictures
    return "\u2421" if code == 0x7F else f"<{code:04X}>"
