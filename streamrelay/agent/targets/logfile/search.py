"""Search for a position in a log: in its file, wherever rotation has put that, or in a copy that was made of it.

A file that was truncated may have been copied first, so what stood before the position is looked for in the files
beside the log as well: in those alone that were written since, as older ones may begin alike.
"""

from collections.abc import Collection

from attrs import define

from streamrelay.agent.targets.logfile.file import LogFile, open_log
from streamrelay.agent.targets.logfile.position import Position, end_of
from streamrelay.agent.targets.logfile.rotation import LOOKS, SLICE, Neighbours, Rotated, beside
from streamrelay.agent.targets.logfile.steps import Steps

Identity = tuple[int, int]


@define(frozen=True)
class Found:
    """Outcome of a search."""

    file: LogFile | None
    """The file, at the position; None if there is none any more."""
    doubt: bool = False
    """True if lines may have come since that are in none of the files after it."""


def find(path: str, position: Position, within: str = "", besides: Collection[Identity] = ()) -> Steps[Found]:
    """Find the file that holds what stood before a position; `besides`: identities of files that don't count.

    Of the files beside the log only those are opened that were written since the position was taken.
    """
    own = None if position.identity in besides else _own(path, position, within)
    given = False
    try:
        found = yield from _beside(path, position, own, within, besides)
        given = found.file is own
        if found.file is not None:
            found.file.seek(position.offset)
        return found
    finally:
        if own is not None and not given:
            own.close()


def _beside(
    path: str, position: Position, own: LogFile | None, within: str, besides: Collection[Identity]
) -> Steps[Found]:
    try:
        with beside(path, within) as neighbours:
            for _ in range(LOOKS):
                yield from neighbours.look(position.identity)
                since = _since(neighbours, position, besides)
                if not position.offset and not position.length:
                    return _first(neighbours, position, own, since)
                file = yield from _holding(neighbours, position, own, since)
                if file is not None or neighbours.settled:
                    return Found(file or own)
    except OSError:
        pass  # the log itself is all that can be looked at
    return Found(own)


def _own(path: str, position: Position, within: str) -> LogFile | None:
    """Open the log if it is the position's file and holds what it did."""
    try:
        file = open_log(path, within)
    except OSError:
        return None
    if file is not None and not (file.identity == position.identity and position.fits(file)):
        file.close()
        return None
    return file


def _since(neighbours: Neighbours, position: Position, besides: Collection[Identity]) -> list[Rotated]:
    """List the position's file and those written since, older ones first; those of its very moment come last.

    They may as well have been rotated away just before the log was begun.
    """
    own = position.identity
    since = [
        each
        for each in neighbours.found
        if each.identity == own or (each.modified >= position.modified and each.identity not in besides)
    ]
    since.sort(key=lambda each: each.modified == position.modified and each.identity != own)
    return since


def _first(neighbours: Neighbours, position: Position, own: LogFile | None, since: list[Rotated]) -> Found:
    """Find the file of a position before which there is nothing, so that nothing tells whether another is a copy."""
    doubt = bool(since) and since[0].identity != position.identity and since[0].modified > position.modified
    renamed = next((each for each in since if each.identity == position.identity), None)
    return Found(own if own is not None or renamed is None else neighbours.open(renamed, missed=True), doubt)


def _holding(
    neighbours: Neighbours, position: Position, own: LogFile | None, since: list[Rotated]
) -> Steps[LogFile | None]:
    """Open the oldest file that holds what stood before the position, unless the log itself goes further."""
    for number, each in enumerate(since, 1):
        missed = each.identity == position.identity
        file = neighbours.open(each, missed) if each.size >= position.offset else None
        if file is not None and position.fits(file) and not (own is not None and end_of(file).fits(own)):
            file.copied = position.offset if file.identity != position.identity else None
            return file
        if file is not None:
            file.close()
        if number % SLICE == 0:
            yield
    return None
