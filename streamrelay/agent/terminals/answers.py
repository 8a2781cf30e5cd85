"""Answers of a client's terminal to what a program has asked it: nobody has typed them, and each client's gives one."""

import re
from typing import Final

ANSWER: Final = re.compile(
    rb"\x1b(?:"
    rb"\[\?[0-9;]*[cRnuxS]|\[[>=][0-9;]*[cm]|\[[0-9;]*[cRntx]|\[\??[0-9;]*\$y"  # kind, cursor's place, sizes, modes
    rb"|\[[IO]"  # that its window has the focus, or has lost it
    rb"|[\]P_][^\x07\x1b]*(?:\x07|\x1b\\)"  # colours, and other strings
    rb")"
)

BEGUN: Final = re.compile(
    rb"\x1b(?:\[(?:[?>=][0-9;]*|[0-9][0-9;]*)\$?|(?:\][0-9]+;|P[01]?[$+>!]|_G)[\x20-\x7e]*\x1b?)\Z"
)
"""What may become an answer with the next bytes. Single keys, also with Alt, aren't among them."""
LONGEST: Final = 4096
"""Bytes of an answer whose end is waited for."""


def typed(keys: bytes) -> tuple[bytes, bytes]:
    """Return what was typed of what a client has sent, and what may be an answer once more has come, to be put before
    that."""
    if b"\x1b" not in keys:
        return keys, b""
    keys = ANSWER.sub(b"", keys)
    begun = BEGUN.search(keys)
    if begun is None or len(begun[0]) > LONGEST:
        return keys, b""
    return keys[: begun.start()], begun[0]
