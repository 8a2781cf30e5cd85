"""Commands that ask a platform, as coroutines on the reactor; ``streamrelay connect`` among them."""

import argparse
import os
import signal
import sys
from collections.abc import Coroutine
from functools import partial
from typing import Any

from streamrelay.client import access
from streamrelay.client.output import VIEW_ONLY, Cuts, OutputError, say, untold
from streamrelay.client.statuses import BROKE, BY_CODE, BY_STATUS, INTERRUPTED, OFFLINE, SIGNALLED, UNREACHED, USAGE
from streamrelay.errors import ConfigError
from streamrelay.protocol.close import EXPLAIN, FINISHED, CloseCode
from streamrelay.protocol.names import HOST_WORDS, is_host


def run_hosts(arguments: argparse.Namespace) -> int:
    from streamrelay.client import lists

    return _run(arguments, lists.hosts)


def run_streams(arguments: argparse.Namespace) -> int:
    from streamrelay.client import lists

    return _run(arguments, lists.streams)


def run_terminals(arguments: argparse.Namespace) -> int:
    from streamrelay.client import terminals

    return _run(arguments, terminals.terminals)


def run_relays(arguments: argparse.Namespace) -> int:
    from streamrelay.client import lists

    return _run(arguments, lists.relays)


def run_drain(arguments: argparse.Namespace) -> int:
    from streamrelay.client import lists

    return _run(arguments, lists.drain)


def run_end(arguments: argparse.Namespace) -> int:
    from streamrelay.client import lists

    return _run(arguments, lists.end)


def run_connect(arguments: argparse.Namespace) -> int:
    if not is_host(arguments.host):
        raise ConfigError(f"{arguments.host!r} is not a valid host name ({HOST_WORDS})")
    if arguments.after and not arguments.since_place:
        raise ConfigError("--after: bytes behind which place? give --since-place")
    from streamrelay.client.local_port import listen

    return _run(arguments, listen if arguments.listen else _connect)


def _run(arguments: argparse.Namespace, command: Any) -> int:
    """Run a coroutine on the reactor and give its exit status."""
    from twisted.internet.defer import Deferred

    from streamrelay.program.reactor import install_reactor, stop_reactor

    # A local port lives long, and nothing is spawned here. What runs once doesn't earn back uvloop's import.
    install_reactor(fast=bool(vars(arguments).get("listen")))
    from twisted.internet import reactor as installed

    reactor: Any = installed
    status: list[int] = []

    def start() -> None:
        work: Coroutine[Any, Any, int] = command(arguments, reactor)
        finished = Deferred.fromCoroutine(_told(work))
        finished.addCallback(status.append)
        finished.addBoth(lambda _: stop_reactor(reactor))

    reactor.callWhenRunning(start)

    def interrupt(number: int) -> None:
        status.append(SIGNALLED + number)  # if nothing is told yet: a stream that is left in order isn't whole
        stop_reactor(reactor)

    # ssh hangs up on its ProxyCommand, often at the very end; like Ctrl-C that ends the stream in order.
    # Where it is ignored (nohup) it stays so.
    ignored = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else set()
    for number in {signal.SIGHUP, signal.SIGINT, signal.SIGTERM} - ignored:
        reactor.callWhenRunning(signal.signal, number, lambda number, _: reactor.callFromThread(interrupt, number))
    reactor.run()
    return status[0] if status else INTERRUPTED  # before there were these handlers


async def _told(work: Coroutine[Any, Any, int]) -> int:
    """Await a command and return its status; what went wrong is told in one line."""
    from streamrelay.client.platform_api import PlatformError
    from streamrelay.websocket.dial_errors import DialError, RelayBusy

    try:
        return await work
    except PlatformError as error:
        say(str(error))
        return BY_STATUS.get(error.status, UNREACHED)
    except DialError as error:
        say(str(error))
        return OFFLINE if isinstance(error, RelayBusy) else UNREACHED
    except ConfigError as error:
        say(str(error))
        return USAGE
    except OutputError as error:
        return untold(error.error)
    except Exception as error:  # ours; the traceback is for whoever reports it
        import traceback

        traceback.print_exc()
        say(f"a bug in streamrelay; please report it with the traceback above: {error}")
        return BROKE


async def _connect(arguments: argparse.Namespace, reactor: Any) -> int:
    """Open one stream on standard input and output, and return the status with which it ended."""
    from streamrelay.client.leaving import Leaving
    from streamrelay.client.log_place import LogPlace
    from streamrelay.client.stream import ClientStream, Opening
    from streamrelay.client.stream_request import StreamRequest, terms_of

    place = LogPlace(
        arguments.host, arguments.target, arguments.place_file or "", arguments.since_place, arguments.after
    )
    place.load()
    api = access.api(arguments, reactor)
    dialler = access.dialler(arguments, reactor, api.outbound)
    known = access.known_relay(arguments)
    terms, resume, cuts = terms_of(arguments, place), not arguments.no_resume, Cuts(arguments.verbose)
    request = StreamRequest(arguments.host, arguments.target, terms, zone=arguments.zone, resume=resume)
    opening = Opening(api, dialler, request, known, cuts.say)
    if (got := await opening.unless_stopped()) is None:
        return INTERRUPTED
    from streamrelay.client.terminal import Terminal, takes_terminal  # not before: the platform was asked first

    opened, leg = got
    _tell_opened(arguments, opened)
    terminal = Terminal(leg) if takes_terminal(opened) and sys.stdin.isatty() else None
    local = _standard(arguments, reactor, opened, place)
    stream = ClientStream(leg, local, say)
    reactor.addSystemEventTrigger("before", "shutdown", stream.leave, reactor)
    Leaving(api, FINISHED).add(opened, leg)
    if terminal is not None:
        cuts.disturb = True
        local.escape = terminal.escape(arguments.escape, opened.view)
        terminal.enter(reactor)
    try:
        how = await stream.start()
    finally:
        if terminal is not None:
            terminal.leave()
    if local.place is not None:
        place.finish(arguments.verbose)
    return _status(arguments, local, stream, how, bool(place.failure))


def _standard(arguments: argparse.Namespace, reactor: Any, opened: Any, place: Any) -> Any:
    """Return standard input and output, as this stream is shown there."""
    from streamrelay.client.log_text import LogText
    from streamrelay.client.screen import Screen
    from streamrelay.client.stdio import StdioConnection

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
