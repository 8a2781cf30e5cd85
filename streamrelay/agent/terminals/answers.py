"""Answers of a client's terminal to what a program has asked it: nobody has typed them, and each client's gives one."""

import re
from typing import Final

ANSWER: Final = re.compile(
    rb"\x1b(?:"
    rb"\[\?[0-9;]*[cRnux]|\[[>=][0-9;]*c|\[[0-9;]*[cRntx]|\[\??[0-9;]*\$y"  # its kind, the cursor's place, sizes, modes
    rb"|\[[IO]"  # that its window has the focus, or has lost it
    rb"|[\]P_][^\x07\x1b]*(?:\x07|\x1b\\)"  # colours, and other strings
    rb")"
)


def typed(keys: bytes) -> bytes:
    """Return what was typed of what a client has sent."""
    return ANSWER.sub(b"", keys) if b"\x1b" in keys else keys
