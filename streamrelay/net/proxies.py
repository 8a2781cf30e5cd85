"""Proxies in front of a program, whose word about a client's address is taken, and its forms.

Either the proxy begins each connection with a PROXY protocol header, version 2 (haproxy.org/download/3.0/doc/
proxy-protocol.txt, §2.2), or it adds the client's address at the end of X-Forwarded-For. From anybody else neither is
believed.
"""

import re
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final, TypeAlias

from attrs import define
from twisted.internet.address import IPv4Address as Peer4
from twisted.internet.address import IPv6Address as Peer6
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from streamrelay.logs import Logger
from streamrelay.net.peer import address
from streamrelay.protocol.limits import HANDSHAKE_TIME

log = Logger()

UNIX: Final = "unix"
"""Name in settings of any proxy that comes by a unix socket."""
SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
LONGEST: Final = 16 + 2048
"""Bytes of a PROXY header with all that may be added to it."""

_TOLD: Final = re.compile(r"\[([0-9A-Fa-f.]*:[0-9A-Fa-f:.]+)\](?::\d{1,5})?|([\d.]+):\d{1,5}", re.ASCII)

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address


def parse_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Parse networks in CIDR form, or single addresses; `ValueError` says which one is none."""
    networks = []
    for text in texts:
        try:
            networks.append(ip_network(text))
        except ValueError as error:
            raise ValueError(f"{text!r}: expected an address or a network such as 10.0.0.0/8 ({error})") from None
    return tuple(networks)


def parse_address(text: str) -> Address | None:
    """Parse an IP address, IPv4 in IPv6 as the IPv4 that it is; None if the text is none."""
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    mapped = getattr(parsed, "ipv4_mapped", None)
    return mapped or parsed


def parse_told(text: str) -> Address | None:
    """Parse an address as a proxy tells it in X-Forwarded-For: alone or with a port, of IPv6 in brackets, too."""
    match = _TOLD.fullmatch(text)
    return parse_address((match[1] or match[2]) if match else text)


def neighbourhood(address: str) -> str:
    """Return whom an address stands for: of IPv6 the /64, which one machine has to itself."""
    if ":" not in address:
        return address
    parsed = parse_address(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False))
    return str(parsed or address)


@define(frozen=True)
class Proxies:
    """The proxies that are trusted."""

    networks: tuple[Network, ...] = ()
    by_unix: bool = False
    speak_first: bool = False
    """True if they begin connections with a PROXY header; otherwise they add to X-Forwarded-For."""

    @classmethod
    def named(cls, names: Sequence[str], speak_first: bool) -> "Proxies":
        """Make it of the settings `proxies` and `proxy_protocol`, or raise `ValueError`."""
        return cls(parse_networks([name for name in names if name != UNIX]), UNIX in names, speak_first)

    def trusts(self, address: str | None) -> bool:
        """Tell whether a connection from `address` is a proxy's; None is a unix socket's other end."""
        if address is None:
            return self.by_unix
        if not self.networks:
            return False
        parsed = parse_address(address)
        return parsed is not None and any(
            parsed.version == network.version and parsed in network for network in self.networks
        )

    def bucket(self, address: str | None) -> str:
        """Return what counts as one address; empty for those that may come in crowds: proxies, and unix sockets."""
        return "" if address is None or self.trusts(address) else neighbourhood(address)

    def client(self, address: str | None, forwarded: str | None) -> str | None:
        """Return the client of a request that came from `address` with this X-Forwarded-For.

        It is the last address in it that isn't one of the proxies, as each adds whom it was asked by at the end; what
        stands before that anybody may have written.
        """
        if forwarded is None or self.speak_first:
            return address
        for text in reversed(forwarded.split(",")):
            if not self.trusts(address):
                break
            parsed = parse_told(text.strip())
            if parsed is None:
                break
            address = str(parsed)
        return address


# -- the PROXY protocol ----------------------------------------------------------------------------------------


def parse_header(data: bytes) -> tuple[int, Any] | None:
    """Return a PROXY header's length and the address in it (None if it names none); None while it isn't whole.

    `ValueError` if it is no such header, or longer than `LONGEST`.
    """
    if data[:12] != SIGNATURE[: len(data)]:
        raise ValueError("it does not begin with a PROXY header, version 2")
    if len(data) < 16:
        return None
    command, family, length = struct.unpack_from("!BBH", data, 12)
    if command not in (0x20, 0x21) or 16 + length > LONGEST:
        raise ValueError("a PROXY header that is not of version 2, or too long")
    if len(data) < 16 + length:
        return None
    size = {0x11: 4, 0x21: 16}.get(family, 0)
    if command == 0x20 or not size:  # the proxy's own look whether we live, or a client without an address
        return 16 + length, None
    if length < 2 * size + 4:
        raise ValueError("a PROXY header without the addresses that it announces")
    (port,) = struct.unpack_from("!H", data, 16 + 2 * size)
    host = str(ip_address(data[16 : 16 + size]))
    return 16 + length, (Peer4 if size == 4 else Peer6)("TCP", host, port)


class Preface(Protocol):
    """A proxy's connection until its header is read; then the protocol behind takes the transport over."""

    def __init__(self, behind: Factory, parsed: Any, clock: IReactorTime) -> None:
        self._behind, self._address, self._clock = behind, parsed, clock
        self._head = b""
        self._timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        transport: Any = self.transport
        self._timer = self._clock.callLater(HANDSHAKE_TIME, transport.abortConnection)

    def dataReceived(self, data: bytes) -> None:
        transport: Any = self.transport
        self._head += data
        try:
            found = parse_header(self._head)
        except ValueError as error:
            log.warn(
                "dropped a connection from the proxy {peer}: {error}; see the setting proxy_protocol",
                peer=address(transport),
                error=error,
            )
            transport.abortConnection()
            return
        if found is None:
            return
        self._stop()
        length, parsed = found
        inner = self._behind.buildProtocol(parsed or self._address)
        if inner is None:
            transport.abortConnection()
            return
        if parsed is not None:  # before the protocol is connected, which asks for its peer
            transport.getPeer = lambda: parsed
        transport.protocol = inner
        inner.makeConnection(transport)
        if self._head[length:]:
            inner.dataReceived(self._head[length:])

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


class BehindProxies(Factory):
    """A factory whose connections from trusted proxies begin with a PROXY header."""

    noisy = False

    def __init__(self, behind: Any, proxies: Proxies, clock: IReactorTime) -> None:
        self._behind, self._proxies, self._clock = behind, proxies, clock

    def doStart(self) -> None:
        super().doStart()
        self._behind.doStart()

    def doStop(self) -> None:
        self._behind.doStop()
        super().doStop()

    def buildProtocol(self, addr: Any) -> Any:
        if self._proxies.trusts(getattr(addr, "host", None)):
            return Preface(self._behind, addr, self._clock)
        return self._behind.buildProtocol(addr)
