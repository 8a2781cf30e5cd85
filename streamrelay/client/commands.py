"""Commands that ask a platform, as coroutines on the reactor; ``streamrelay connect`` among them."""

import argparse
import signal
from collections.abc import Coroutine
from typing import Any, Final

from streamrelay.client import access
from streamrelay.client.output import Cuts, OutputError, say, untold
from streamrelay.client.statuses import BROKE, BY_STATUS, INTERRUPTED, OFFLINE, SIGNALLED, UNREACHED, USAGE
from streamrelay.errors import ConfigError
from streamrelay.protocol.names import HOST_WORDS, is_host

LEFT: Final = tuple(SIGNALLED + number for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM))
"""Statuses of a client that was stopped."""


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
    missing = [name for name in ("host", "target") if vars(arguments)[name] is None]
    if missing and not arguments.attach:
        names = ", ".join(map(str.upper, missing))
        raise ConfigError(f"the following arguments are required: {names} (streamrelay connect --help tells more)")
    if arguments.host is not None and not is_host(arguments.host):
        raise ConfigError(f"{arguments.host!r} is not a valid host name ({HOST_WORDS})")
    if arguments.after and not arguments.since_place:
        raise ConfigError("--after: bytes behind which place? give --since-place")
    if arguments.listen and arguments.attach:
        raise ConfigError("--attach: a terminal is for standard input and output alone; leave out --listen")
    if not arguments.listen:
        return _leave(arguments, _run(arguments, _connect))
    from streamrelay.client.local_port import listen

    return _run(arguments, listen)


def _leave(arguments: argparse.Namespace, status: int) -> int:
    """Return the status of a stream that has ended; if the user has left a terminal that goes on, say how to come
    back."""
    kept, detached = (vars(arguments).get(name) for name in ("kept", "detached"))
    if kept and (detached or status in LEFT):
        where = f"{arguments.host} {arguments.target} --attach={kept}"
        say(f"the terminal goes on; streamrelay connect {where} attaches to it again")
    return 0 if detached else status


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
    from streamrelay.client.log_place import LogPlace
    from streamrelay.client.stream import Opening
    from streamrelay.client.stream_request import StreamRequest, terms_of

    api, terminal = access.api(arguments, reactor), ""
    if arguments.attach:
        from streamrelay.client.terminals import meant

        arguments.host, arguments.target, terminal = await meant(api, arguments)
    where = arguments.host, arguments.target
    place = LogPlace(*where, arguments.place_file or "", arguments.since_place, arguments.after)
    place.load()
    dialler, known = access.dialler(arguments, reactor, api.outbound), access.known_relay(arguments)
    terms, resume, cuts = terms_of(arguments, place), not arguments.no_resume, Cuts(arguments.verbose)
    request = StreamRequest(*where, terms, zone=arguments.zone, resume=resume, terminal=terminal)
    opening = Opening(api, dialler, request, known, cuts.say)
    if (got := await opening.unless_stopped()) is None:
        return INTERRUPTED
    from streamrelay.client.standard import StandardStream  # not before: the platform was asked first

    return await StandardStream(arguments, opening, place, cuts, *got).run()
