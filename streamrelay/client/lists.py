"""Lists of a platform: ``streamrelay hosts``, ``streams`` and ``relays``; and the end, or drain, of what is listed."""

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from shutil import get_terminal_size
from typing import Any, Final

import msgspec

from streamrelay.client import access
from streamrelay.client.listed import HostList, ListedHost, ListedRelay, ListedTarget, RelayList, StreamList
from streamrelay.client.output import say, tell
from streamrelay.client.platform_api import PlatformError
from streamrelay.client.statuses import BROKE, BY_STATUS, UNREACHED
from streamrelay.errors import printable
from streamrelay.protocol.summons import StreamInfo

VIEW: Final = "view only"
WAITING: Final = "waiting"
"""Words in the last column, where they are true."""

ASKED: Final = " and that is asked for"
"""Words behind those that there is nothing."""

NAMED: Final = 8
"""Hosts that haven't answered which are named."""

DRAINED: Final = "drained"
"""Word of a relay that an operator has drained, where others drain as they stop."""
RELAY_HEAD: Final = ("RELAY", "URL", "ZONE", "STATE", "LOAD", "STREAMS", "VERSION")

GAP: Final = 2
"""Blanks between two columns."""

Row = tuple[str, ...]


async def hosts(arguments: argparse.Namespace, reactor: Any) -> int:
    """Tell the hosts that are up, or all that there are, with their targets."""
    api = access.api(arguments, reactor)
    query = [("state", "all")] if arguments.all else []
    answer = await api.hosts(*query, *(("label", label) for label in arguments.label))
    listing = api.read(answer, HostList)
    wanted = Wanted(arguments.patterns)
    cut = [host.host for host in listing.hosts if not host.complete and wanted.host(host.host)]
    for name in cut:
        say(f"{name} has more targets than are listed; they can be opened by their names")
    if arguments.json:
        tell_json(answer, "hosts", wanted)
    else:
        rows = [
            (host.host, target.name, target.kind, about(host, target))
            for host in listing.hosts
            for target in host.targets
            if wanted.target(host.host, target.name)
        ]
        asked = ASKED if wanted.pairs or arguments.label else ""
        what = f"no host is {'there' if arguments.all else 'up'} with a target that this key may open{asked}"
        tell_rows(("HOST", "TARGET", "KIND", ""), rows, what)
    whole = is_whole(listing.complete)
    return 0 if whole and not cut else BROKE


async def streams(arguments: argparse.Namespace, reactor: Any) -> int:
    """Tell the streams that live."""
    api = access.api(arguments, reactor)
    answer = await api.streams()
    listing = api.read(answer, StreamList)
    wanted = Wanted(arguments.patterns)
    if arguments.json:
        tell_json(answer, "streams", wanted)
    else:
        rows = [stream_row(one) for one in listing.streams if wanted.target(one.host, one.target)]
        head = ("STREAM", "HOST", "TARGET", "USER", "TIME", "UP", "DOWN", "")
        tell_rows(head, rows, f"no stream lives that this key might open{wanted}")
    return 0 if is_whole(listing.complete, listing.missing) else BROKE


async def relays(arguments: argparse.Namespace, reactor: Any) -> int:
    """Tell the relays by which streams go."""
    api = access.api(arguments, reactor)
    answer = await api.relays()
    listing = api.read(answer, RelayList)
    if arguments.json:
        tell(answer.decode())
        return 0
    tell_rows(RELAY_HEAD, [relay_row(one) for one in listing.relays], "no relay is heard of")
    return 0


async def drain(arguments: argparse.Namespace, reactor: Any) -> int:
    """Drain relays, or undo that, each of those that can be; tell them as they are then. Return the status of the first
    that can't."""
    api, first, answers = access.api(arguments, reactor), 0, []
    for relay in arguments.relays:
        try:
            answers.append(await api.drain(relay, arguments.undo))
        except PlatformError as error:
            say(f"{relay}: {error}")
            first = first or BY_STATUS.get(error.status, UNREACHED)
    if answers and arguments.json:
        tell(f'{{"relays":[{",".join(answer.decode() for answer in answers)}]}}')
    elif answers:
        tell_rows(RELAY_HEAD, [relay_row(api.read(answer, ListedRelay)) for answer in answers], "")
    return first


async def end(arguments: argparse.Namespace, reactor: Any) -> int:
    """End streams, each of those that can be; return the status of the first that can't."""
    api, first = access.api(arguments, reactor), 0
    for stream in arguments.streams:
        try:
            await api.end(stream)
        except PlatformError as error:
            say(f"{stream}: {error}")
            first = first or BY_STATUS.get(error.status, UNREACHED)
    return first


class Wanted:
    """Globs of what is wanted of a list, HOST or HOST:TARGET as in grants; everything if there are none."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self.pairs = [(host, target or "*") for host, _, target in (text.partition(":") for text in patterns)]

    def host(self, name: str) -> bool:
        return not self.pairs or any(fnmatchcase(name, host) for host, _ in self.pairs)

    def target(self, host: str, target: str) -> bool:
        return not self.pairs or any(fnmatchcase(host, one) and fnmatchcase(target, other) for one, other in self.pairs)

    def __str__(self) -> str:
        return ASKED if self.pairs else ""


def tell_json(answer: bytes, key: str, wanted: Wanted) -> None:
    """Tell an answer as it is, less what isn't wanted of it."""
    if wanted.pairs:
        whole = msgspec.json.decode(answer)
        if key == "hosts":
            for host in whole[key]:
                host["targets"] = [one for one in host["targets"] if wanted.target(host["host"], one["name"])]
            whole[key] = [one for one in whole[key] if one["targets"] or (is_cut(one) and wanted.host(one["host"]))]
        else:
            whole[key] = [one for one in whole[key] if wanted.target(one["host"], one["target"])]
        answer = msgspec.json.encode(whole)
    tell(answer.decode())


def tell_rows(head: Row, rows: Sequence[Row], nothing: str) -> None:
    """Tell rows, under a head and in columns on a terminal, between tabs elsewhere; say so if there are none."""
    if not rows:
        say(nothing)
        return
    shown = [tuple(printable(field, None) for field in row) for row in rows]
    if not sys.stdout.isatty():
        tell("\n".join("\t".join(row).rstrip("\t") for row in shown))
        return
    widths = fitting([sorted(set(map(len, column))) for column in zip(head, *shown, strict=True)])
    tell("\n".join((" " * GAP).join(map(str.ljust, row, widths)).rstrip() for row in (head, *shown)))


def fitting(lengths: Sequence[Sequence[int]]) -> list[int]:
    """Return widths of columns whose fields have these lengths, so that as many rows as can be fit on the terminal.

    The longest fields are left out where they don't: the rows with them are longer, and no other is padded for them.
    """
    widths = [list(each) for each in lengths]
    room = get_terminal_size().columns - GAP * (len(widths) - 1)
    while sum(each[-1] for each in widths) > room and any(len(each) > 1 for each in widths):
        max((each for each in widths if len(each) > 1), key=lambda each: each[-1]).pop()
    return [each[-1] for each in widths]


def is_whole(complete: bool, missing: Sequence[str] = ()) -> bool:
    """Tell whether a list is whole; if it may not be, say so, and which hosts are missing."""
    if not complete:
        names = ", ".join(missing[:NAMED]) + (" …" if len(missing) > NAMED else "")
        say(f"not all hosts answered{f' ({names})' if names else ''}; this may not be the whole list")
    return complete


def about(host: ListedHost, target: ListedTarget) -> str:
    """Return the words about a target: whether it is for looks, and its host to be had."""
    state = {"up": "", "silent": "no answer"}.get(host.state, host.state)
    if host.state == "down" and host.seen is not None:
        state = f"down since {datetime.fromtimestamp(host.seen).isoformat(' ', 'minutes')}"
    return ", ".join(words for words in (VIEW if target.view else "", state) if words)


def stream_row(one: StreamInfo) -> Row:
    time = str(timedelta(seconds=int(one.seconds)))
    return one.stream, one.host, one.target, one.user, time, str(one.up), str(one.down), WAITING if one.waiting else ""


def relay_row(one: ListedRelay) -> Row:
    state = DRAINED if one.drained else one.state
    return one.relay, one.url, one.zone, state, f"{one.load:.0%}", str(one.streams), one.version


def is_cut(host: dict[str, Any]) -> bool:
    """Tell whether a host of an answer has more targets than are listed."""
    return not host.get("complete", True)
