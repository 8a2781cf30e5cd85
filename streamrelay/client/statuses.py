"""Exit statuses of the ``streamrelay`` command (`options.EXIT` tells them to people)."""

import signal
from typing import Final

from streamrelay.protocol.close import CloseCode

BROKE, USAGE, OFFLINE, DENIED, TARGET, UNREACHED = 1, 2, 3, 4, 5, 6
SIGNALLED: Final = 128
"""Added by shells to the number of a signal that has ended a program."""
INTERRUPTED: Final = SIGNALLED + signal.SIGINT
PIPE: Final = SIGNALLED + signal.SIGPIPE

WRONG_URL: Final = -1
"""Stands for HTTP's status where a platform has answered that it isn't at this path."""
BY_STATUS: Final = {
    WRONG_URL: USAGE,
    0: UNREACHED,
    401: DENIED,
    403: DENIED,
    404: DENIED,
    410: DENIED,
    429: DENIED,
    502: TARGET,
    503: OFFLINE,
    504: TARGET,
}
BY_CODE: Final = {
    CloseCode.OVERLOADED: OFFLINE,
    CloseCode.TARGET_REFUSED: TARGET,
    CloseCode.TARGET_UNREACHABLE: TARGET,
}
