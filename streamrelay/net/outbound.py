"""Outbound proxies: by which one a place is reached, as settings or the usual environment variables say.

Whoever dials (the bus, relays, platforms, issuers, systems that are asked) gets its endpoint here. What stands on this
machine is never asked for at a proxy.
"""

import os
import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final, Protocol

from attrs import define, field

from streamrelay.errors import ConfigError
from streamrelay.files import read_secret
from streamrelay.logs import Logger
from streamrelay.net.outbound_proxy import OutboundProxy, wire_name
from streamrelay.protocol.names import is_loopback

log = Logger()

NONE: Final = "none"
"""Word in a setting for no proxy, whatever the environment says."""
VARIABLES: Final = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
"""Environment variables that name the proxy, the first one first. All that we dial becomes a tunnel, as https: does."""
EXCEPTIONS: Final = ("no_proxy", "NO_PROXY")
HIGHEST_PORT: Final = 65535
_BEGINNING: Final = re.compile(r"(\d{1,3}\.){1,3}(\*(\.\*){0,2})?")
"""How addresses of IPv4 begin, as 10. or 10.1.*"""


@define(frozen=True)
class Exceptions:
    """Places that are reached without the proxy, in the usual forms of NO_PROXY.

    ``*`` is all, a name stands for itself and what ends in ``.name`` (``.name`` and ``*.name`` are the same), an
    address for itself, a network (``10.0.0.0/8``, also as ``10.*`` or ``10.``) for its addresses; a port behind a name
    or an address counts, too.
    """

    everywhere: bool = False
    names: tuple[tuple[str, int], ...] = ()
    """Names and addresses, each with its port; 0: any."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    unclear: tuple[str, ...] = ()
    """Entries that are none of these, and so stand for no place."""

    @classmethod
    def parse(cls, texts: Sequence[str]) -> "Exceptions":
        entries = [entry for text in texts for entry in re.split(r"[\s,]+", text) if entry]
        names, networks, unclear = [], [], []
        for entry in entries:
            try:
                if "/" in entry or _BEGINNING.fullmatch(entry):
                    networks.append(_network(entry))
                elif entry != "*":
                    names.append(_name_and_port(entry))
            except ValueError:
                unclear.append(entry)
        return cls("*" in entries, tuple(names), tuple(networks), tuple(unclear))

    def doubt(self, what: str) -> str:
        """Return words about the entries that aren't understood, for which `what` is asked; empty if all are."""
        entries = ", ".join(map(repr, self.unclear))
        return f"{what}: {entries}: expected a name, an address or a network such as 10.0.0.0/8" if entries else ""

    def holds(self, host: str, port: int) -> bool:
        """Tell whether a place is one of them."""
        if self.everywhere:
            return True
        found = _canonical(host)
        return any(
            known in (0, port) and (found == name or found.endswith(f".{name}")) for name, known in self.names
        ) or any(_within(found, network) for network in self.networks)


def _network(entry: str) -> IPv4Network | IPv6Network:
    """Read a network, or raise `ValueError`; also one told by how its addresses begin, as ``10.1.*`` or ``10.1.``."""
    if "/" in entry:
        return ip_network(entry, strict=False)
    known = entry.rstrip(".*").split(".")
    return ip_network(f"{'.'.join([*known, '0', '0', '0'][:4])}/{8 * len(known)}")


def _name_and_port(entry: str) -> tuple[str, int]:
    """Split an entry, or raise `ValueError` if it is neither a name nor an address, or its port is none."""
    match = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?|([^:]+)(?::(\d+))?", entry)
    if match is None:  # an IPv6 address without brackets
        return _address(entry), 0
    port = int(match[2] or match[4] or 0)
    if port > HIGHEST_PORT:
        raise ValueError(entry)
    return (_address(match[1]) if match[1] else _name(match[3])), port


def _name(entry: str) -> str:
    """Return a name or an IPv4 address as it is compared; a name's last label is no number (RFC 3696 §2)."""
    name = entry.removeprefix("*").lstrip(".")
    if re.fullmatch(r"([\w-]+\.)*(?!\d+\.?$)[\w-]+\.?", name):
        return _canonical(name)
    return _address(entry)


def _address(entry: str) -> str:
    """Return an address in its one form, or raise `ValueError`."""
    ip_address(entry)
    return _canonical(entry)


def _canonical(host: str) -> str:
    """Return a name as it is compared; an address in its one form, of IPv4 in IPv6 that of IPv4."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host.lower().rstrip(".")
    return str(getattr(address, "ipv4_mapped", None) or address)


def _within(address: str, network: IPv4Network | IPv6Network) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return found.version == network.version and found in network


class OutboundSettings(Protocol):
    """Settings by which a program chooses its proxy."""

    @property
    def outbound_proxy(self) -> str: ...
    @property
    def outbound_login(self) -> str: ...
    @property
    def no_proxy(self) -> tuple[str, ...]: ...


def check_outbound(settings: OutboundSettings) -> None:
    """Raise `ValueError` if these settings name what is no proxy, or no place; files aren't read."""
    if settings.outbound_proxy not in ("", NONE):
        OutboundProxy.parse(settings.outbound_proxy, "outbound_proxy")
    if doubt := Exceptions.parse(settings.no_proxy).doubt("no_proxy"):
        raise ValueError(doubt)


@define(frozen=True)
class Outbound:
    """The ways out of this machine."""

    proxy: OutboundProxy | None = None
    exceptions: Exceptions = field(factory=Exceptions)
    login: str = ""
    """Path of a file with ``USER:PASSWORD`` for the proxy, which is read anew for each connection."""
    origin: str = ""
    """Setting or variable that has named the proxy."""
    doubt: str = ""
    """Words about what isn't understood of the variable that names exceptions; what is counts all the same."""

    @classmethod
    def chosen(
        cls,
        proxy: str = "",
        login: str = "",
        exceptions: Sequence[str] = (),
        environment: Mapping[str, str] = os.environ,
    ) -> "Outbound":
        """Choose by the settings of these names, and where one is empty by the environment; or raise `ConfigError`."""
        origin = "outbound_proxy"
        if not proxy:
            origin = next((name for name in VARIABLES if environment.get(name)), "")
            proxy = environment.get(origin, "")
        if login and not proxy:
            raise ConfigError(
                "outbound_login is set, and no proxy; give outbound_proxy, or HTTPS_PROXY in the environment"
            )
        if proxy in ("", NONE):
            return DIRECT
        without = next((name for name in EXCEPTIONS if environment.get(name)), "")
        places = Exceptions.parse(exceptions or [environment.get(without, "")])
        doubt = places.doubt("no_proxy" if exceptions else without)
        if exceptions and doubt:
            raise ConfigError(doubt)
        try:
            parsed = OutboundProxy.parse(proxy, origin)
            made = cls(parsed, places, login, origin, doubt)
            made.log_in(parsed)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        return made

    @classmethod
    def of(cls, settings: OutboundSettings) -> "Outbound":
        """Choose by a program's settings, or raise `ConfigError`."""
        return cls.chosen(settings.outbound_proxy, settings.outbound_login, settings.no_proxy)

    def announce(self) -> None:
        """Log by which proxy this program dials, if by any, and what isn't understood: the environment may have
        named it."""
        if self.proxy is not None:
            log.info("dialling by the proxy {proxy}, which {origin} names", proxy=self.proxy, origin=self.origin)
        if self.doubt:
            log.warn("left out of what is reached without the proxy: {doubt}", doubt=self.doubt)

    def proxy_for(self, host: str, port: int) -> OutboundProxy | None:
        """Return the proxy by which a place is reached, None if by none; `ConfigError` if its login can't be read."""
        if self.proxy is None or is_loopback(host) or self.exceptions.holds(host, port):
            return None
        return self.log_in(self.proxy)

    def log_in(self, proxy: OutboundProxy) -> OutboundProxy:
        """Return the proxy with the login that the file holds now."""
        if not self.login:
            return proxy
        try:
            content = read_secret(self.login, "login of the proxy").decode(errors="replace")
        except ConfigError as error:
            raise ConfigError(f"outbound_login: {error}") from None
        user, colon, password = content.strip("\r\n").partition(":")
        if not colon or not user:
            raise ConfigError(f"outbound_login: {self.login}: expected USER:PASSWORD, the login of the proxy")
        return proxy.with_login(user, password, self.login)

    def endpoint(self, reactor: Any, host: str, port: int, tls: Any) -> Any:
        """Make the endpoint by which a place is connected, with `tls` if it is given; `ConfigError` as above."""
        from streamrelay.net.hostnames import NamedEndpoint, endpoint
        from streamrelay.net.tls import TlsEndpoint

        proxy = self.proxy_for(host, port)
        if proxy is None:
            return endpoint(reactor, host, port, tls)
        from streamrelay.net.tunnel_endpoint import TunnelEndpoint

        plain = TunnelEndpoint(proxy, NamedEndpoint(reactor, proxy.host, proxy.port), wire_name(host), port, reactor)
        return plain if tls is None else TlsEndpoint(tls, plain, reactor)


DIRECT: Final = Outbound()
"""No proxy at all."""
