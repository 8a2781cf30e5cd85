"""Openings of tunnels at proxies: HTTP's CONNECT (RFC 9110 §9.3.6) by h11, and SOCKS5 (RFC 1928, RFC 1929). No I/O.

SOCKS5 is ours: socksio takes an answer only if it comes whole and alone, and is not kept; python-socks brings its own
sockets, for asyncio alone.
"""

import base64
from importlib import import_module
from ipaddress import ip_address
from typing import Any, Final, Protocol

from attrs import define, field

from streamrelay import __version__
from streamrelay.net.outbound_proxy import OutboundProxy, ProxyError, bracketed

_HTTP: Final = b"HTTP/"
_STATUS: Final = {
    403: "it doesn't allow a connection to {where}",
    404: "is it an HTTP proxy?",
    405: "it doesn't do CONNECT; is it a proxy?",
    501: "it doesn't do CONNECT; is it a proxy?",
    502: "it can't reach {where}",
    503: "it can't reach {where}, or is full",
    504: "it got no answer from {where}",
}
_REPLIES: Final = {
    1: "it can't serve {where} (general failure)",
    2: "it doesn't allow a connection to {where}",
    3: "the network of {where} is unreachable from it",
    4: "{where} is unreachable from it, or it doesn't know the name",
    5: "{where} refused the connection",
    6: "{where} is too far away from it (TTL expired)",
    7: "it doesn't do CONNECT",
    8: "it doesn't know this kind of address",
}
"""Answers to a request (RFC 1928 §6)."""
_LOGIN: Final = "give them in outbound_login, or in the proxy's URL"
_NO_SOCKS: Final = {b"H": "it speaks HTTP; use http://", b"\x15": "it speaks TLS", b"\0": "it speaks SOCKS4"}


class Tunnel(Protocol):
    """The opening of one tunnel."""

    proxy: OutboundProxy
    done: bool
    """True once the tunnel stands."""
    rest: bytes
    """Bytes that came behind the proxy's last answer; they are of the other end."""

    @property
    def where(self) -> str:
        """Return whom the proxy is to connect us to."""

    def begin(self) -> bytes:
        """Return what is to be sent first."""

    def receive(self, data: bytes) -> bytes:
        """Take what has come, and return what is to be sent; or raise `ProxyError`."""


def tunnel(proxy: OutboundProxy, host: str, port: int) -> Tunnel:
    """Make the opening of a tunnel to a place; its `host` is a `wire_name`."""
    return (HttpTunnel if proxy.scheme == "http" else SocksTunnel)(proxy, host, port)


@define(eq=False)
class Place:
    """A place that a proxy is to connect us to, and how far it is."""

    proxy: OutboundProxy
    host: str
    port: int
    done: bool = False
    rest: bytes = b""

    @property
    def where(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"


@define(eq=False)
class HttpTunnel(Place):
    """A tunnel by CONNECT."""

    _h11: Any = field(factory=lambda: import_module("h11"))  # only where it is needed: it costs a client's start
    _http: Any = field(init=False)
    _first: bytes = b""

    def __attrs_post_init__(self) -> None:
        self._http = self._h11.Connection(self._h11.CLIENT)

    def begin(self) -> bytes:
        headers = [("Host", self.where), ("User-Agent", f"streamrelay/{__version__}")]
        if self.proxy.user:
            login = f"{self.proxy.user}:{self.proxy.password}".encode()
            headers.append(("Proxy-Authorization", f"Basic {base64.b64encode(login).decode()}"))
        request = self._h11.Request(method="CONNECT", target=self.where, headers=headers)
        return bytes(self._http.send(request) + self._http.send(self._h11.EndOfMessage()))

    def receive(self, data: bytes) -> bytes:
        self._first = (self._first + data)[: len(_HTTP)]
        if not _HTTP.startswith(self._first):  # h11 would wait for the end of a head
            raise self._no_proxy()
        try:
            self._http.receive_data(data)
            event = self._http.next_event()
            while isinstance(event, self._h11.InformationalResponse):
                event = self._http.next_event()
        except self._h11.RemoteProtocolError:
            raise self._no_proxy() from None
        if isinstance(event, self._h11.Response):
            self._answered(event)
        return b""

    def _no_proxy(self) -> ProxyError:
        hint = "; is it a SOCKS proxy?" if self._first[:1] == b"\x05" else ""
        return ProxyError(self.proxy, f"doesn't answer as an HTTP proxy does{hint}")

    def _answered(self, response: Any) -> None:
        status = response.status_code
        if not 200 <= status < 300:
            raise ProxyError(self.proxy, f"answered {status}: {self._why(response)}")
        self.done, self.rest = True, self._http.trailing_data[0]

    def _why(self, response: Any) -> str:
        if response.status_code in (401, 407):  # tinyproxy has the former for a wrong password
            return self._login_refused(response)
        return _STATUS.get(response.status_code, "it doesn't connect us to {where}").format(where=self.where)

    def _login_refused(self, response: Any) -> str:
        asked = [bytes(value) for name, value in response.headers if name == b"proxy-authenticate"]
        if asked and not any(value[:5].lower() == b"basic" for value in asked):
            return "it wants another kind of login than Basic"
        return "it refused this user and password" if self.proxy.user else f"it wants a user and password; {_LOGIN}"


@define(eq=False)
class SocksTunnel(Place):
    """A tunnel by SOCKS5; the proxy resolves the name."""

    _step: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._step = self._method

    def begin(self) -> bytes:
        return b"\x05\x02\x00\x02" if self.proxy.user else b"\x05\x01\x00"

    def receive(self, data: bytes) -> bytes:
        self.rest += data
        sent, step = b"", None
        while not self.done and step != self._step:  # until nothing more can be made of what has come
            step = self._step
            sent += step()
        return sent

    def _check(self, versions: bytes = b"\x05") -> None:
        first = self.rest[:1]
        if first and first not in versions:
            hint = _NO_SOCKS.get(first, "")
            raise ProxyError(self.proxy, f"doesn't answer as a SOCKS5 proxy does{hint and f'; {hint}'}")

    def _take(self, size: int) -> bytes | None:
        """Take so many bytes if they are there."""
        if len(self.rest) < size:
            return None
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def _method(self) -> bytes:
        self._check()
        answer = self._take(2)
        if answer is None:
            return b""
        if answer[1] == 2 and self.proxy.user:
            self._step = self._login
            user, password = self.proxy.user.encode(), self.proxy.password.encode()
            return b"\x01%c%b%c%b" % (len(user), user, len(password), password)
        if answer[1]:
            why = "accepts no user and password" if self.proxy.user else f"wants a user and password; {_LOGIN}"
            raise ProxyError(self.proxy, why)
        return self._ask()

    def _login(self) -> bytes:
        self._check(b"\x01\x05")  # RFC 1929 has 1, some proxies answer 5
        answer = self._take(2)
        if answer is None:
            return b""
        if answer[1]:
            raise ProxyError(self.proxy, "refused this user and password")
        return self._ask()

    def _ask(self) -> bytes:
        self._step = self._reply
        try:
            address = ip_address(self.host)
            place = (b"\x01" if address.version == 4 else b"\x04") + address.packed
        except ValueError:
            name = self.host.encode()
            place = b"\x03%c%b" % (len(name), name)
        return b"\x05\x01\x00" + place + self.port.to_bytes(2, "big")

    def _reply(self) -> bytes:
        self._check()
        if len(self.rest) >= 2 and self.rest[1]:
            why = _REPLIES.get(self.rest[1], "it doesn't connect us to {where}").format(where=self.where)
            raise ProxyError(self.proxy, f"answered {self.rest[1]}: {why}")
        if len(self.rest) >= 5:
            size = {1: 4, 4: 16}.get(self.rest[3], 1 + self.rest[4])
            self.done = self._take(6 + size) is not None
        return b""
