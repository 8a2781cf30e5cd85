"""One outbound proxy: its URL, its login, and the error by which it fails."""

import re
from typing import Final
from urllib.parse import unquote, urlsplit

from attrs import define, evolve, field

EXPECTED: Final = "expected http://[user:password@]host[:port], or the same with socks5:// or socks5h://"
LONGEST: Final = 255
"""Bytes of a name, a user or a password, which SOCKS5 has one byte for the length of."""
_PORTS: Final = {"http": 80, "socks5": 1080, "socks5h": 1080}


@define(frozen=True)
class OutboundProxy:
    """One proxy. It resolves names itself, also if it is a ``socks5://`` one."""

    scheme: str
    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str, what: str) -> "OutboundProxy":
        """Read a proxy's URL, without a scheme an ``http://`` one; `ValueError` doesn't show it, for its password."""
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise ValueError(f"{what}: {EXPECTED}") from None
        if parts.scheme == "https":
            raise ValueError(f"{what}: TLS with the proxy itself isn't spoken; {EXPECTED}")
        if parts.scheme not in _PORTS or not host or port == 0 or parts.path.strip("/") or parts.query:
            raise ValueError(f"{what}: {EXPECTED}")
        return cls(parts.scheme, host, port or _PORTS[parts.scheme]).with_login(
            unquote(parts.username or ""), unquote(parts.password or ""), what
        )

    def with_login(self, user: str, password: str, what: str) -> "OutboundProxy":
        """Return the same proxy with a login, or raise `ValueError`."""
        if self.scheme != "http" and max(len(user.encode()), len(password.encode())) > LONGEST:
            raise ValueError(f"{what}: SOCKS5 has room for {LONGEST} bytes of a user, and of a password")
        return evolve(self, user=user, password=password)

    def __str__(self) -> str:
        """Return its URL as it may be shown."""
        return f"{self.scheme}://{bracketed(self.host)}:{self.port}"


def bracketed(host: str) -> str:
    """Return a host as it stands before a port (RFC 3986 §3.2.2)."""
    return f"[{host}]" if ":" in host else host


class ProxyError(ConnectionError):
    """Failure of a proxy to connect us; the text says in one line which proxy, and why."""

    def __init__(self, proxy: OutboundProxy, reason: str) -> None:
        super().__init__(f"the proxy {proxy} {reason}")


def wire_name(host: str) -> str:
    """Return a host's name as a proxy is told it, or raise `ValueError` if it can't be."""
    try:
        name = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        name = ""
    if not re.fullmatch(f"[!-~]{{1,{LONGEST}}}", name):
        raise ValueError(f"{host[:LONGEST]!r} is no name of a host")
    return name
