"""Words for the agent's log about files that can't be read: once for all streams, and once when they can be again."""

from typing import Final

from streamrelay.logs import Logger

log = Logger()

MOST: Final = 1000
"""Files of which is known what was said; of the oldest ones beyond that it may be said twice."""

_said: dict[str, str] = {}  # path and reason, the oldest first


def waited_for(path: str, why: str) -> None:
    """Say that a log can't be read, for which its streams wait."""
    if _is_new(path, why):
        log.warn("{path} can't be read: {why}; who follows it is told, and waits", path=path, why=why)


def passed_over(path: str, why: str) -> None:
    """Say that what a rotated file holds is missing from the streams of its log."""
    if _is_new(path, why):
        log.warn("{path} can't be read: {why}; its lines are missing where its log is followed", path=path, why=why)


def readable(path: str) -> None:
    """Say that a file can be read, if it couldn't."""
    if _said.pop(path, None) is not None:
        log.info("{path} can be read again", path=path)


def _is_new(path: str, why: str) -> bool:
    if _said.get(path) == why:
        return False
    _said.pop(path, None)
    if len(_said) >= MOST:
        del _said[next(iter(_said))]
    _said[path] = why
    return True
