"""A log's text as a terminal may show it, as the log's page does (streamrelay/web/log/ansi.js, unseen.js).

Colours stay until their line ends. All other escapes are taken out: they could fill the clipboard, set the title, or
move the cursor over what stands there. What can't be seen is shown as a symbol, but for a byte order mark where a line
begins, as each file of some programs does. What isn't UTF-8, or in the encoding that the agent tells, is U+FFFD.
"""

import re
from codecs import IncrementalDecoder, getincrementaldecoder
from typing import Final

from attrs import define, field

LONGEST: Final = 4096
"""Characters of an escape that has yet to end; what is longer is none."""
KNOWN: Final = ("utf-16le", "utf-16be")
"""Encodings beside UTF-8 that an agent tells."""
RESET: Final = "\x1b[m"
MARK: Final = "\ufeff"
"""The byte order mark."""

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
    _coloured: bool = False

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
        if bare:
            self._fresh = bare.endswith("\n")
        return bare

    def end(self) -> bytes:
        """Return what waited for more that hasn't come, and end a colour that is left."""
        text, self._rest = self._rest + self._decoder.decode(b"", True), ""
        shown = self._shown(text)
        return shown + RESET.encode() if self._coloured else shown

    def _shown(self, text: str) -> bytes:
        return _SUSPECT.sub(self._harmless, text).encode()

    def _harmless(self, found: "re.Match[str]") -> str:
        if found["line"]:
            reset, self._coloured = RESET if self._coloured else "", False
            return reset + found["line"]
        if found["unseen"]:
            return _symbol(ord(found["unseen"]))
        if found["final"] == "m" and not found["between"] and _is_colour(found["numbers"]):
            self._coloured = True
            return f"\x1b[{found['numbers']}m"
        return ""


def _decoder(encoding: str) -> IncrementalDecoder:
    return getincrementaldecoder(encoding)("replace")


def _is_colour(numbers: str) -> bool:
    """Tell whether these are colours and the like, and conceal nothing."""
    return re.fullmatch(r"[0-9;:]*", numbers) is not None and not _CONCEALED.search(_COLOUR.sub("", numbers))


def _symbol(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)  # control pictures
    return "\u2421" if code == 0x7F else f"<{code:04X}>"
