"""Kept terminals of a platform: ``streamrelay terminals``, which lists them and ends some, and which one is meant by a
command that attaches."""

import argparse
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
from msgspec import UNSET
from twisted.internet.defer import Deferred

from streamrelay.client import access
from streamrelay.client.listed import HostList, ListedHost, ListedTerminal, TerminalList
from streamrelay.client.lists import NAMED, VIEW, Row, Wanted, is_whole, tell_rows
from streamrelay.client.output import say, tell
from streamrelay.client.platform_api import PlatformApi, PlatformError
from streamrelay.client.statuses import BROKE, BY_STATUS, UNREACHED
from streamrelay.errors import ConfigError

MOST_ASKED: Final = 100
"""Hosts that one command asks, as each of them has to answer by itself."""
HEAD: Final = ("TERMINAL", "HOST", "TARGET", "USER", "TIME", "PEOPLE", "")
NONE: Final = "no such terminal, or none that this key might attach to"
OLD: Final = "too_old"
"""The platform's word of an agent that knows no terminals, and so has none."""


async def terminals(arguments: argparse.Namespace, reactor: Any) -> int:
    """Tell the terminals that are kept, or end some of them."""
    found = Found(access.api(arguments, reactor))
    if arguments.end:
        return await found.end(arguments.end, arguments.patterns)
    await found.look(arguments.patterns)
    if arguments.json:
        tell(msgspec.json.encode({"terminals": found.raw}).decode())
    else:
        rows = [row_of(one) for one in found.terminals]
        tell_rows(HEAD, rows, f"no terminal is kept that this key might attach to{Wanted(arguments.patterns)}")
    return found.status


class Found:
    """The terminals of some hosts."""

    def __init__(self, api: PlatformApi) -> None:
        self.api = api
        self.terminals: list[ListedTerminal] = []
        self.raw: list[dict[str, Any]] = []
        """These terminals as the platform tells them."""
        self.status = 0
        """Status of a command that needs all of them."""

    async def look(self, patterns: Sequence[str]) -> None:
        """Ask the hosts of these patterns, HOST or HOST:TARGET; one that is named in full, whether it is up or not."""
        wanted = Wanted(patterns)
        named = in_full(patterns)
        hosts = named or await self._hosts(wanted)
        if len(hosts) > MOST_ASKED:
            raise ConfigError(f"{len(hosts)} hosts would be asked, and {MOST_ASKED} at most are: name fewer")
        asking = [Deferred.fromCoroutine(self._ask(host, len(named) == 1)) for host in hosts]
        for answer in [await each for each in asking]:
            told = self.api.read(answer, TerminalList).terminals
            both = zip(told, msgspec.json.decode(answer)["terminals"], strict=True)
            fitting = [each for each in both if wanted.target(each[0].host, each[0].target)]
            self.terminals += [one for one, _ in fitting]
            self.raw += [raw for _, raw in fitting]

    async def _hosts(self, wanted: Wanted) -> list[str]:
        """Return the hosts that may have such terminals, as far as their targets tell."""
        listing = self.api.read(await self.api.hosts(), HostList)
        if not is_whole(listing.complete):
            self.status = BROKE
        return [host.host for host in listing.hosts if wanted.host(host.host) and has_commands(host, wanted)]

    async def _ask(self, host: str, alone: bool) -> bytes:
        """Return a host's answer; of several hosts that of one that gives none is said to be missing."""
        try:
            return await self.api.terminals(host)
        except PlatformError as error:
            if alone:
                raise
            if error.code != OLD:
                say(f"{host}: {error}; its terminals are missing")
                self.status = BROKE
            return b'{"terminals":[]}'

    async def end(self, wanted: Sequence[str], patterns: Sequence[str]) -> int:
        """End terminals, each of those that can be; return the status of the first that can't. They are looked for at
        hosts of these patterns, unless one is named in full: who may end one needn't be able to attach to it."""
        [host, *others] = in_full(patterns) or [""]
        if not host or others:
            await self.look(patterns)
            host = ""
        first, hosts = 0, {one.terminal: one.host for one in self.terminals}
        for terminal in wanted:
            try:
                if not (where := host or hosts.get(terminal, "")):
                    raise PlatformError(404, NONE)
                await self.api.end_terminal(where, terminal)
            except PlatformError as error:
                say(f"{terminal}: {error}")
                first = first or BY_STATUS.get(error.status, UNREACHED)
        return first


def in_full(patterns: Sequence[str]) -> list[str]:
    """Return the hosts that are named, if they all are by their names rather than by globs; none otherwise."""
    hosts = list(dict.fromkeys(text.partition(":")[0] for text in patterns))
    return [] if any(set(host) & set("*?[") for host in hosts) else hosts


def has_commands(host: ListedHost, wanted: Wanted) -> bool:
    """Tell whether a host has targets that may keep terminals, which only its agent knows."""
    kinds = ("pty", "container")
    return not host.complete or any(
        target.viewer == "terminal" and target.kind in kinds and may_be(wanted, host.host, target.name)
        for target in host.targets
    )


def may_be(wanted: Wanted, host: str, target: str) -> bool:
    """Tell whether a target is wanted, or a pattern of targets may have one that is."""
    return "{" in target or wanted.target(host, target)


def row_of(one: ListedTerminal) -> Row:
    """Return a terminal as a row of the list."""
    people = ", ".join(f"{person.user} (looks)" if person.view else person.user for person in one.people)
    state = f"detached {span(one.detached)}" if one.detached is not UNSET else ""
    words = ", ".join(each for each in (VIEW if one.view else "", state) if each)
    return one.terminal, one.host, one.target, one.user, span(one.seconds), people, words


def span(seconds: float) -> str:
    return str(timedelta(seconds=int(seconds)))


async def meant(api: PlatformApi, arguments: argparse.Namespace) -> tuple[str, str, str]:
    """Return host, target and id of the terminal that ``--attach`` means, or raise `PlatformError` or `ConfigError`."""
    host, target, text = arguments.host, arguments.target, arguments.attach
    if ":" not in text:
        if target is not None:
            return host, target, text
        if host is not None:
            raise ConfigError(f"--attach {text}: give its host and its target, or neither")
        found = Found(api)
        await found.look([])
        those = [one for one in found.terminals if one.terminal == text]
    elif host is not None:
        raise ConfigError(f"--attach {text}: with HOST TARGET give a terminal's id")
    else:
        host, _, target = text.partition(":")
        found = Found(api)
        await found.look([f"{host}:{target}"])
        those = found.terminals
    if not those:
        raise PlatformError(404, f"{text}: {NONE}")
    return the_one(text, those)


def the_one(text: str, those: Sequence[ListedTerminal]) -> tuple[str, str, str]:
    """Return which of several terminals is meant: the only one, or the only one of the user's own."""
    own = [one for one in those if one.own] or those
    if len(own) > 1:
        named = ", ".join(f"{one.terminal} ({row_of(one)[-1] or 'attached'})" for one in own[:NAMED])
        more = " …" if len(own) > NAMED else ""
        raise ConfigError(f"--attach {text}: there are several: {named}{more}; give one by its id")
    return own[0].host, own[0].target, own[0].terminal
