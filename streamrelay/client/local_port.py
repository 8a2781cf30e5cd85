"""Local port of ``streamrelay connect --listen``: a stream to the target for each connection that comes."""

import argparse
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError

from streamrelay.client import access
from streamrelay.client.leaving import Leaving
from streamrelay.client.output import VIEW_ONLY, Once, say
from streamrelay.client.platform_api import PlatformError, Unwanted
from streamrelay.client.port_streams import PortStreams
from streamrelay.client.stream import ClientStream, LocalPort, Unserved, WaitingRoom, broken, open_stream
from streamrelay.client.stream_request import StreamRequest, terms_of
from streamrelay.errors import ConfigError
from streamrelay.net.addresses import join_address, split_address
from streamrelay.protocol.names import is_loopback
from streamrelay.websocket.dial_errors import DialError


def local_address(arguments: argparse.Namespace) -> tuple[str, int]:
    """Return address and port of ``--listen``, or raise `ConfigError`."""
    if arguments.since_place or arguments.place_file:
        raise ConfigError("--listen: a place in a log is for standard output alone")
    try:
        address, port = split_address(arguments.listen, lowest=0)
    except ValueError as error:
        raise ConfigError(f"--listen: {error}") from None
    if not is_loopback(address) and not arguments.insecure:
        raise ConfigError(f"--listen {arguments.listen}: whoever reaches this port has your grants; use --insecure")
    return address, port


def _bind(reactor: Any, address: str, port: int, factory: Any) -> str:
    """Listen at a local address, and return it with the port that was taken; or raise `ConfigError`."""
    try:
        interface = "127.0.0.1" if address == "localhost" else address
        taken = reactor.listenTCP(port, factory, factory.backlog, interface).getHost()
    except CannotListenError as error:
        raise ConfigError(str(error)) from None
    return join_address(taken.host, taken.port)


def _tell_ended(arguments: argparse.Namespace, how: Any, unserved: Any) -> None:
    """Say how a stream of a local port has ended; of many that break together, as with what carries them, one line."""
    if not how.clean:
        unserved.count(broken(how))
    elif arguments.verbose:
        say(f"a stream ended: {how}")


async def listen(arguments: argparse.Namespace, reactor: Any) -> int:
    """Open a local port, and streams for its connections, until it is interrupted."""
    address, port = local_address(arguments)
    api = access.api(arguments, reactor)
    dialler = access.dialler(arguments, reactor, api.outbound)
    waiting, unserved, leaving = WaitingRoom(reactor), Unserved(reactor, say), Leaving(api)
    reactor.addSystemEventTrigger("before", "shutdown", unserved.stop)
    terms, view_only, known = terms_of(arguments), Once(VIEW_ONLY), access.known_relay(arguments)

    async def ask(channels: bool, wanted: Any) -> Any:
        about = arguments.host, arguments.target, terms, channels, wanted, arguments.zone
        request = StreamRequest(*about, not arguments.no_resume)
        return leaving.add(*await open_stream(api, dialler, request, known, say))

    streams = PortStreams(reactor, ask)

    async def serve(local: Any) -> None:
        try:
            opened, leg = await waiting.hold(local, streams.connect(local))
        except (PlatformError, DialError, Unwanted) as error:
            unserved.count(str(error))
            local.abort()
            return
        if opened.view:
            view_only.say()
        how = await ClientStream(leg, local, say).start()
        if not leaving.begun:
            _tell_ended(arguments, how, unserved)

    where = _bind(reactor, address, port, LocalPort(reactor, lambda local: Deferred.fromCoroutine(serve(local))))
    say(f"{arguments.target} of {arguments.host} listens on {where}")
    stopped: Deferred[int] = Deferred()
    return await stopped
