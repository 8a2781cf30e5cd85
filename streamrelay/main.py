"""The ``streamrelay`` command: connect, hosts, keygen, key add."""

import argparse
import os
import stat
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from streamrelay import __version__, wire
from streamrelay.errors import ConfigError

EXIT: Final = """exit status:
  0  the stream ended in order (or, with a pty, the command's own status)
  1  the stream broke off
  2  the command line or a file is wrong
  3  the host is offline, or too slow
  4  not allowed, or no such target
  5  the target refused or can't be reached
  6  the platform or the relay can't be reached"""

BROKE, USAGE, OFFLINE, DENIED, TARGET, UNREACHED = 1, 2, 3, 4, 5, 6

_BY_STATUS: Final = {
    0: UNREACHED,
    401: DENIED,
    403: DENIED,
    404: DENIED,
    502: TARGET,
    503: OFFLINE,
    504: TARGET,
}
_BY_CODE: Final = {wire.Close.TARGET_REFUSED: TARGET, wire.Close.TARGET_UNREACHABLE: TARGET}


def main(argv: list[str] | None = None) -> None:
    """The console script."""
    arguments = parser().parse_args(argv)
    try:
        status = arguments.run(arguments)
    except ConfigError as error:
        say(str(error))
        status = USAGE
    except KeyboardInterrupt:
        status = 130
    sys.stdout.flush()
    # Threads that wait for standard input would keep the interpreter from ending.
    os._exit(status)


def say(text: str) -> None:
    """One line on standard error."""
    print(f"streamrelay: {text}", file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="streamrelay",
        description="Reaches targets on firewalled hosts; makes the keys that this needs.",
        epilog="The programs themselves: twistd -n streamrelay, twistd streamagent, twistd -n streamplatform.",
    )
    root.add_argument("--version", action="version", version=f"streamrelay {__version__}")
    commands = root.add_subparsers(metavar="COMMAND", required=True)

    connect = commands.add_parser(
        "connect",
        help="open a stream to a target of a host",
        description="Open a stream to a target of a host, on standard input and output or on a local port.",
        epilog=EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    connect.add_argument("host", metavar="HOST")
    connect.add_argument("target", metavar="TARGET")
    connect.add_argument(
        "--listen",
        metavar="ADDRESS:PORT",
        help="listen here, and open a stream for each connection (instead of standard input and output)",
    )
    connect.add_argument("-v", "--verbose", action="store_true", help="say when the stream opens and ends")
    _reaching(connect)
    connect.set_defaults(run=run_connect)

    hosts = commands.add_parser("hosts", help="list the hosts that are up, with their targets")
    hosts.add_argument("--json", action="store_true", help="as the platform answers")
    _reaching(hosts)
    hosts.set_defaults(run=run_hosts)

    keygen = commands.add_parser(
        "keygen",
        help="make a platform's key pair",
        description="Make a platform's key pair: the private key is for the platform alone, the public one for its "
        "relays and agents. Existing files are kept.",
    )
    keygen.add_argument("--private", default="platform.key", metavar="FILE", help="default: platform.key")
    keygen.add_argument("--public", default="platform.pub", metavar="FILE", help="default: platform.pub")
    keygen.set_defaults(run=run_keygen)

    key = commands.add_parser("key", help="make keys for the users of a platform")
    actions = key.add_subparsers(metavar="ACTION", required=True)
    add = actions.add_parser(
        "add",
        help="make a key and print it",
        description="Make a key, print it, and write its hash and its grants to the file.",
    )
    add.add_argument("name", metavar="NAME")
    add.add_argument("--keys", default="keys.toml", metavar="FILE", help="default: keys.toml")
    add.add_argument(
        "--grant",
        action="append",
        metavar="HOST:TARGET",
        required=True,
        help="globs of what may be opened, for example 'web-*:log/*'; may be repeated",
    )
    add.set_defaults(run=run_key_add)
    return root


def _reaching(command: argparse.ArgumentParser) -> None:
    """The options of commands that ask a platform."""
    command.add_argument(
        "--platform",
        metavar="URL",
        default=os.environ.get("STREAMRELAY_PLATFORM", ""),
        help="the platform's URL (or STREAMRELAY_PLATFORM in the environment)",
    )
    command.add_argument(
        "--key-file",
        metavar="FILE",
        default=os.environ.get("STREAMRELAY_KEY_FILE", ""),
        help="a file with the key (or STREAMRELAY_KEY_FILE, or the key itself in STREAMRELAY_KEY)",
    )
    command.add_argument(
        "--ca",
        metavar="FILE",
        default=os.environ.get("STREAMRELAY_CA", ""),
        help="certificates to trust in place of the system's (or STREAMRELAY_CA)",
    )
    command.add_argument(
        "--mask", choices=["auto", "always"], default="auto", help="mask frames over TLS, too (default: auto)"
    )
    command.add_argument("--insecure", action="store_true", help="allow ws:// and http:// beyond this machine")


# -- commands that need no reactor -----------------------------------------------------------------------------


def run_keygen(arguments: argparse.Namespace) -> int:
    from streamrelay.tokens import generate

    kid = generate(Path(arguments.private), Path(arguments.public))
    print(f"{arguments.private}: the private key {kid}, for the platform alone")
    print(f"{arguments.public}: the public key, for its relays and agents")
    return 0


def run_key_add(arguments: argparse.Namespace) -> int:
    from streamrelay.grants import Grant, add_key

    grants = []
    for text in arguments.grant:
        host, colon, target = text.partition(":")
        if not colon or not host or not target:
            raise ConfigError(f"--grant {text!r}: expected HOST:TARGET, for example 'web-*:*'")
        grants.append(Grant(host, target))
    print(add_key(Path(arguments.keys), arguments.name, grants))
    say(f"this is the only time that the key is shown; {arguments.keys} holds its hash")
    return 0


# -- commands that ask a platform ------------------------------------------------------------------------------


def run_hosts(arguments: argparse.Namespace) -> int:
    return _run(arguments, _hosts)


def run_connect(arguments: argparse.Namespace) -> int:
    if not wire.is_host(arguments.host):
        raise ConfigError(f"{arguments.host!r} is no name of a host (1 to 64 of A-Za-z0-9_-)")
    return _run(arguments, _listen if arguments.listen else _connect)


def _run(arguments: argparse.Namespace, command: Any) -> int:
    """Run a coroutine on the reactor and give its exit status."""
    from twisted.internet.defer import Deferred

    from streamrelay.options import install_reactor

    install_reactor()
    from twisted.internet import reactor as installed

    reactor: Any = installed
    status: list[int] = []

    def start() -> None:
        work: Coroutine[Any, Any, int] = command(arguments, reactor)
        finished = Deferred.fromCoroutine(_told(work))
        finished.addCallback(status.append)
        finished.addBoth(lambda _: reactor.stop() if reactor.running else None)

    reactor.callWhenRunning(start)
    reactor.run()
    return status[0] if status else 130


async def _told(work: Coroutine[Any, Any, int]) -> int:
    """The status of a command, with what went wrong told in one line."""
    from streamrelay.client import PlatformError
    from streamrelay.dial import DialError

    try:
        return await work
    except PlatformError as error:
        say(str(error))
        return _BY_STATUS.get(error.status, UNREACHED)
    except DialError as error:
        say(f"the relay can't be reached: {error}")
        return UNREACHED
    except ConfigError as error:
        say(str(error))
        return USAGE
    except Exception as error:  # ours; the traceback is for whoever reports it
        import traceback

        traceback.print_exc()
        say(f"an error in streamrelay itself: {error}")
        return BROKE


def _api(arguments: argparse.Namespace, reactor: Any) -> Any:
    from urllib.parse import urlsplit

    from streamrelay.client import PlatformApi

    parts = urlsplit(arguments.platform)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("which platform? give --platform URL, or STREAMRELAY_PLATFORM in the environment")
    if parts.scheme == "http" and not wire.is_loopback(parts.hostname) and not arguments.insecure:
        raise ConfigError(f"{arguments.platform} is not encrypted; use https:// or --insecure")
    return PlatformApi(reactor, arguments.platform, _key(arguments.key_file), arguments.ca)


def _key(path: str) -> str:
    """The user's key, from a file that nobody else may read or from the environment; empty if there is none."""
    if not path:
        return os.environ.get("STREAMRELAY_KEY", "")
    try:
        with open(path, encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode) and stat.S_IMODE(mode) & 0o077:
                raise ConfigError(f"{path}: others may read this key; run: chmod 600 {path}")
            return file.read(4096).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from None


async def _hosts(arguments: argparse.Namespace, reactor: Any) -> int:
    listing = await _api(arguments, reactor).hosts()
    if arguments.json:
        print(wire.encode(listing).decode())
        return 0
    if not listing.hosts:
        say("no host is up with a target that this key may open")
    for host in listing.hosts:
        for target in host.targets:
            print(f"{host.host}\t{target.name}\t{target.kind}")
    return 0


def _dialler(arguments: argparse.Namespace, reactor: Any) -> Any:
    from streamrelay.dial import Dialler
    from streamrelay.pulse import Pulse

    return Dialler(reactor, Pulse(reactor), arguments.ca or None, arguments.mask == "always", arguments.insecure)


async def _connect(arguments: argparse.Namespace, reactor: Any) -> int:
    """One stream on standard input and output."""
    from streamrelay.client import ClientStream, open_stream
    from streamrelay.stdio import StdioConnection
    from streamrelay.terminal import Terminal

    api, dialler = _api(arguments, reactor), _dialler(arguments, reactor)
    opened, leg = await open_stream(api, dialler, arguments.host, arguments.target)
    if arguments.verbose:
        say(f"connected to {arguments.target} of {arguments.host}, stream {opened.stream}")
    terminal = Terminal(leg) if opened.kind == "pty" and sys.stdin.isatty() else None
    stream = ClientStream(leg, StdioConnection(reactor))
    if terminal is not None:
        terminal.enter(reactor)
    try:
        how = await stream.start()
    finally:
        if terminal is not None:
            terminal.leave()
    if not how.clean:
        say(f"the stream ended: {how}")
        return _BY_CODE.get(wire.Close(how.code), BROKE) if how.code in wire.EXPLAIN else BROKE
    if arguments.verbose:
        say("the stream ended in order")
    return stream.exit_status or 0


async def _listen(arguments: argparse.Namespace, reactor: Any) -> int:
    """A local port, a stream for each of its connections; until it is interrupted."""
    from twisted.internet.defer import Deferred
    from twisted.internet.error import CannotListenError

    from streamrelay.client import ClientStream, LocalPort, PlatformError, open_stream
    from streamrelay.dial import DialError
    from streamrelay.targets.tcp import split_address

    try:
        address, port = split_address(arguments.listen)
    except ValueError as error:
        raise ConfigError(f"--listen: {error}") from None
    if not wire.is_loopback(address) and not arguments.insecure:
        raise ConfigError(f"--listen {arguments.listen}: whoever reaches this port has your grants; use --insecure")
    api, dialler = _api(arguments, reactor), _dialler(arguments, reactor)

    async def serve(local: Any) -> None:
        try:
            _, leg = await open_stream(api, dialler, arguments.host, arguments.target)
        except (PlatformError, DialError) as error:
            say(str(error))
            local.abort()
            return
        how = await ClientStream(leg, local).start()
        if arguments.verbose or not how.clean:
            say(f"a stream ended: {how}")

    factory = LocalPort(reactor, lambda local: Deferred.fromCoroutine(serve(local)))
    try:
        listening = reactor.listenTCP(port, factory, interface="127.0.0.1" if address == "localhost" else address)
    except CannotListenError as error:
        raise ConfigError(str(error)) from None
    where = listening.getHost()
    say(f"{arguments.target} of {arguments.host} listens on {where.host}:{where.port}")
    stopped: Deferred[int] = Deferred()
    return await stopped


if __name__ == "__main__":
    main()
