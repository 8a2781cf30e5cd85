"""Commands that ask a platform: ``streamrelay connect`` and ``streamrelay hosts``."""

import argparse
import os
import shlex
import signal
import stat
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

from streamrelay.client.outbound_options import choose_outbound
from streamrelay.errors import ConfigError, printable
from streamrelay.protocol.close import EXPLAIN, CloseCode
from streamrelay.protocol.names import HOST_WORDS, is_host, is_loopback

BROKE, USAGE, OFFLINE, DENIED, TARGET, UNREACHED = 1, 2, 3, 4, 5, 6
SIGNALLED: Final = 128
"""Added by shells to the number of a signal that has ended a program."""
INTERRUPTED: Final = SIGNALLED + signal.SIGINT
PIPE: Final = SIGNALLED + signal.SIGPIPE

_BY_STATUS: Final = {
    0: UNREACHED,
    401: DENIED,
    403: DENIED,
    404: DENIED,
    429: DENIED,
    502: TARGET,
    503: OFFLINE,
    504: TARGET,
}
_BY_CODE: Final = {CloseCode.TARGET_REFUSED: TARGET, CloseCode.TARGET_UNREACHABLE: TARGET}


class OutputError(Exception):
    """Failure of standard output to take all of what a command has to tell."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def say(text: str) -> None:
    """Print a line on standard error, if that takes it."""
    with suppress(OSError):
        print(f"streamrelay: {printable(text, None)}", file=sys.stderr, flush=True)


def tell(text: str) -> None:
    """Print a line on standard output, or raise `OutputError`."""
    try:
        print(text, flush=True)
    except OSError as error:
        raise OutputError(error) from None


def untold(error: OSError) -> int:
    """Return the status of a command whose output wasn't taken; say why, unless nobody reads it any more."""
    if isinstance(error, BrokenPipeError):
        return PIPE
    say(f"standard output: {error.strerror}")
    return BROKE


def run_hosts(arguments: argparse.Namespace) -> int:
    return _run(arguments, _hosts)


def run_connect(arguments: argparse.Namespace) -> int:
    if not is_host(arguments.host):
        raise ConfigError(f"{arguments.host!r} is not a valid host name ({HOST_WORDS})")
    return _run(arguments, _listen if arguments.listen else _connect)


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
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        reactor.callWhenRunning(signal.signal, number, lambda number, _: reactor.callFromThread(interrupt, number))
    reactor.run()
    return status[0] if status else INTERRUPTED  # before there were these handlers


async def _told(work: Coroutine[Any, Any, int]) -> int:
    """Await a command and return its status; what went wrong is told in one line."""
    from streamrelay.client.platform_api import PlatformError
    from streamrelay.websocket.dial_errors import DialError

    try:
        return await work
    except PlatformError as error:
        say(str(error))
        return _BY_STATUS.get(error.status, UNREACHED)
    except DialError as error:
        say(str(error))
        return UNREACHED
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


def _api(arguments: argparse.Namespace, reactor: Any) -> Any:
    from urllib.parse import urlsplit

    from streamrelay.client.platform_api import PlatformApi
    from streamrelay.protocol.names import PREFIX

    if not arguments.platform:
        raise ConfigError("no platform is set; give --platform URL, or set STREAMRELAY_PLATFORM in the environment")
    if "@" in arguments.platform or PREFIX in arguments.platform:
        raise ConfigError("--platform: the URL must not contain a password; give the key in a file (--key-file)")
    try:
        parts = urlsplit(arguments.platform)
        fits = bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if fits and parts.scheme in ("ws", "wss"):
        raise ConfigError(f"{arguments.platform} is a relay's URL; that of the platform begins with https://")
    if not fits or parts.scheme not in ("http", "https"):
        raise ConfigError(f"--platform {arguments.platform}: expected https://host[:port]")
    if parts.scheme == "http" and not is_loopback(parts.hostname) and not arguments.insecure:
        raise ConfigError(f"{arguments.platform} is not encrypted; use https:// or --insecure")
    return PlatformApi(reactor, arguments.platform, _key(arguments.key_file), arguments.ca, choose_outbound(arguments))


def _key(path: str) -> str:
    """Return the user's key, from a file that nobody else may read or from the environment; empty if there is none."""
    from streamrelay.protocol.names import PREFIX

    if not path:
        return os.environ.get("STREAMRELAY_KEY", "")
    if path.startswith(PREFIX):
        raise ConfigError("--key-file: a key itself can't be given here, where all can see it; revoke it")
    try:
        with open(path, encoding="utf-8-sig") as file:  # editors put a byte order mark first
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode) and stat.S_IMODE(mode) & 0o077:
                raise ConfigError(f"{path}: others may read this key; run: chmod 600 {shlex.quote(path)}")
            key = file.read(4096).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from None
    if not key:
        raise ConfigError(f"{path}: this file holds no key")
    return key


async def _hosts(arguments: argparse.Namespace, reactor: Any) -> int:
    from streamrelay.protocol import codec

    listing = await _api(arguments, reactor).hosts()
    if not listing.complete:
        say("not all hosts answered; this may not be the whole list")
    cut = [host.host for host in listing.hosts if not host.complete]
    for name in cut:
        say(f"{name} has more targets than are listed; they can be opened by their names")
    status = 0 if listing.complete and not cut else BROKE
    if arguments.json:
        tell(codec.encode(listing).decode())
        return status
    if not listing.hosts:
        say("no host is up with a target that this key may open")
    for host in listing.hosts:
        for target in host.targets:
            tell("\t".join(map(printable, (host.host, target.name, target.kind))))
    return status


def _dialler(arguments: argparse.Namespace, reactor: Any) -> Any:
    from streamrelay.datapath.heartbeat import Heartbeat
    from streamrelay.websocket.client import Dialler

    always, outbound = arguments.mask == "always", choose_outbound(arguments)
    return Dialler(reactor, Heartbeat(reactor), arguments.ca or None, always, arguments.insecure, outbound=outbound)


async def _connect(arguments: argparse.Namespace, reactor: Any) -> int:
    """Open one stream on standard input and output, and return the status with which it ended."""
    from streamrelay.client.stream import ClientStream, Opening

    api, dialler = _api(arguments, reactor), _dialler(arguments, reactor)
    opening = Opening(api, dialler, arguments.host, arguments.target)
    interrupted = reactor.addSystemEventTrigger("before", "shutdown", opening.give_up)
    try:
        opened, leg = await opening.done
    except Exception:
        if opening.given_up:
            return INTERRUPTED
        raise
    from streamrelay.client.log_text import LogText  # not before: the platform was asked first
    from streamrelay.client.stdio import StdioConnection
    from streamrelay.client.terminal import Terminal, takes_terminal

    reactor.removeSystemEventTrigger(interrupted)
    if arguments.verbose:
        say(f"connected to {arguments.target} of {arguments.host}, stream {opened.stream}")
    terminal = Terminal(leg) if takes_terminal(opened) and sys.stdin.isatty() else None
    local = StdioConnection(reactor)
    if opened.viewer == "log" and os.isatty(local.destination):
        local.text = LogText()
    stream = ClientStream(leg, local, say)
    reactor.addSystemEventTrigger("before", "shutdown", stream.leave, reactor)
    if terminal is not None:
        terminal.enter(reactor)
    try:
        how = await stream.start()
    finally:
        if terminal is not None:
            terminal.leave()
    if local.failure is not None:
        return untold(local.failure)
    if not how.clean:
        say(f"the stream ended: {how}")
        return _BY_CODE.get(CloseCode(how.code), BROKE) if how.code in EXPLAIN else BROKE
    if arguments.verbose:
        say("the stream ended in order")
    return stream.exit_status or 0


async def _listen(arguments: argparse.Namespace, reactor: Any) -> int:
    """Open a local port, and streams for its connections, until it is interrupted."""
    from twisted.internet.defer import Deferred
    from twisted.internet.error import CannotListenError

    from streamrelay.client.platform_api import PlatformError, Unwanted
    from streamrelay.client.port_streams import REFUSED, PortStreams
    from streamrelay.client.stream import ClientStream, LocalPort, Unserved, WaitingRoom, open_stream
    from streamrelay.net.addresses import split_address
    from streamrelay.websocket.dial_errors import DialError

    try:
        address, port = split_address(arguments.listen)
    except ValueError as error:
        raise ConfigError(f"--listen: {error}") from None
    if not is_loopback(address) and not arguments.insecure:
        raise ConfigError(f"--listen {arguments.listen}: whoever reaches this port has your grants; use --insecure")
    api, dialler = _api(arguments, reactor), _dialler(arguments, reactor)
    waiting, unserved = WaitingRoom(reactor), Unserved(reactor, say)
    streams = PortStreams(
        reactor,
        lambda channels, wanted: open_stream(api, dialler, arguments.host, arguments.target, wanted, channels),
    )

    async def serve(local: Any) -> None:
        try:
            _, leg = await waiting.hold(local, streams.connect(local))
        except (PlatformError, DialError, Unwanted) as error:
            unserved.count(str(error))
            local.abort()
            return
        how = await ClientStream(leg, local, say).start()
        if how.clean and arguments.verbose:
            say(f"a stream ended: {how}")
        elif not how.clean:  # of many that end together, as with what carries them, one line
            unserved.count(how.reason if how.code in REFUSED else f"a stream ended: {how}")

    factory = LocalPort(reactor, lambda local: Deferred.fromCoroutine(serve(local)))
    try:
        interface = "127.0.0.1" if address == "localhost" else address
        listening = reactor.listenTCP(port, factory, LocalPort.backlog, interface)
    except CannotListenError as error:
        raise ConfigError(str(error)) from None
    where = listening.getHost()
    say(f"{arguments.target} of {arguments.host} listens on {where.host}:{where.port}")
    stopped: Deferred[int] = Deferred()
    return await stopped
