"""One stream on standard input and output, from when it is open until it ends."""

import argparse
import os
import sys
from functools import partial
from typing import Any

from attrs import define, evolve

from streamrelay.client.attached import KeptTerminal
from streamrelay.client.company import Company
from streamrelay.client.leaving import Leaving
from streamrelay.client.log_place import LogPlace
from streamrelay.client.log_text import LogText
from streamrelay.client.output import VIEW_ONLY, Cuts, say, untold
from streamrelay.client.platform_api import OpenedStream
from streamrelay.client.screen import Screen
from streamrelay.client.statuses import BROKE, BY_CODE
from streamrelay.client.stdio import StdioConnection
from streamrelay.client.stream import ClientStream, Opening, open_stream
from streamrelay.client.terminal import Terminal, interrupt, show, takes_terminal, window
from streamrelay.errors import printable
from streamrelay.protocol.close import EXPLAIN, FINISHED, CloseCode
from streamrelay.protocol.summons import Terms


@define(eq=False)
class StandardStream:
    """A stream that is open, and its command."""

    arguments: argparse.Namespace
    opening: Opening
    place: LogPlace
    cuts: Cuts
    opened: OpenedStream
    leg: Any

    async def run(self) -> int:
        """Return the status with which it has ended."""
        arguments, opened, reactor = self.arguments, self.opened, self.opening.api.reactor
        _tell_opened(arguments, opened)
        arguments.kept = opened.terminal
        leaving = Leaving(self.opening.api, FINISHED)
        leaving.add(opened, self.leg)
        local = _standard(arguments, reactor, opened, self.place)
        terminal = self._terminal(leaving) if takes_terminal(opened) and sys.stdin.isatty() else None
        stream = ClientStream(self.leg if terminal is None else terminal.leg, local, say)
        if opened.terminal:
            stream.overheard = self._company(terminal is not None).heard
        reactor.addSystemEventTrigger("before", "shutdown", stream.leave, reactor)
        if terminal is not None:
            self.cuts.disturb = True
            local.escape = terminal.escape(arguments.escape, opened.view, self._detach if opened.terminal else None)
            terminal.enter(reactor)
        try:
            how = await stream.start()
        finally:
            if terminal is not None:
                terminal.leave()
        if stream.exit_status is not None:
            arguments.kept = ""
        if local.place is not None:
            self.place.finish(arguments.verbose)
        return _status(arguments, local, stream, how, bool(self.place.failure))

    def _terminal(self, leaving: Leaving) -> Terminal:
        """Return the user's terminal for this stream, or for all streams of a terminal that is kept."""
        if not self.opened.terminal:
            return Terminal(self.leg)
        kept = KeptTerminal(self.opening.api.reactor, self.leg, partial(self._again, leaving), _show)
        terminal = Terminal(kept)
        kept.again = terminal.tell_size
        return terminal

    async def _again(self, leaving: Leaving) -> Any:
        """Return the leg of another stream of the terminal that is kept."""
        asked, opening = self.opening.request, self.opening
        terms = Terms(self.opened.view)
        request = evolve(asked, terms=terms, terminal=self.opened.terminal)
        opened, leg = await open_stream(opening.api, opening.dialler, request, say=self.cuts.say)
        leaving.add(opened, leg)
        return leg

    def _company(self, typed: bool) -> Company:
        return Company(_show, self.arguments.verbose, window) if typed else Company(say, self.arguments.verbose)

    def _detach(self) -> None:
        self.arguments.detached = True
        interrupt()


def _show(text: str) -> None:
    """Say something on a raw terminal."""
    show([f"streamrelay: {printable(text, None)}"])


def _standard(arguments: argparse.Namespace, reactor: Any, opened: Any, place: Any) -> Any:
    """Return standard input and output, as this stream is shown there."""
    local = StdioConnection(reactor)
    shown = os.isatty(local.destination)
    if opened.viewer == "log":
        local.text, local.place = LogText(columns=partial(_columns, local.destination)) if shown else None, place
        reactor.addSystemEventTrigger("after", "shutdown", place.finish, arguments.verbose)
    elif shown:
        local.screen = Screen(local.destination)
        reactor.addSystemEventTrigger("after", "shutdown", local.screen.leave)
    return local


def _columns(terminal: int) -> int:
    try:
        return os.get_terminal_size(terminal).columns or 80
    except OSError:  # it has gone, which is told where it is written to
        return 80


def _tell_opened(arguments: argparse.Namespace, opened: Any) -> None:
    """Say what the user must know of a stream that is open."""
    if arguments.verbose:
        say(f"connected to {arguments.target} of {arguments.host}, stream {opened.stream}")
    if opened.viewer == "log":
        return
    if opened.view:
        say(VIEW_ONLY)
    if arguments.since_place or arguments.place_file or arguments.lines is not None:
        say(f"{arguments.target} of {arguments.host} is no log; lines and places mean nothing to it")


def _status(arguments: argparse.Namespace, local: Any, stream: Any, how: Any, unkept: bool) -> int:
    """Return the status of a stream that has ended; say what went wrong, in one line.

    `unkept`: its place in a log couldn't be written, which was said.
    """
    if local.failure is not None:
        return untold(local.failure)
    if local.input_failure is not None:
        say(f"standard input: {local.input_failure.strerror}")
        return BROKE
    if not how.clean:
        say(f"the stream ended: {how}")
        return BY_CODE.get(CloseCode(how.code), BROKE) if how.code in EXPLAIN else BROKE
    if arguments.verbose:
        say("the stream ended in order")
    return BROKE if unkept else stream.exit_status or 0
