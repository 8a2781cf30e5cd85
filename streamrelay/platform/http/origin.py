"""Origins of HTTP requests: the client's address, this machine or another, our own page or another."""

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from twisted.web.server import Request

from streamrelay.net.proxies import Proxies
from streamrelay.protocol.names import is_loopback

NO_PROXIES: Final = Proxies()
SAFE: Final = (b"GET", b"HEAD")
"""Methods that change nothing."""


def header(request: Request, name: str) -> str | None:
    """Return a header as text, whatever bytes it holds; None if there is none."""
    value = request.getHeader(name.encode())
    return None if value is None else value.decode("utf-8", "replace")


def client_address(request: Request, proxies: Proxies = NO_PROXIES) -> str:
    """Return the address of whoever asks, as the connection shows it or a trusted proxy tells it; "unix" if none."""
    address = getattr(request.getClientAddress(), "host", None)
    return proxies.client(address, header(request, "x-forwarded-for")) or "unix"


def asked_name(request: Request) -> str:
    """Return the name in a request's Host, without its port; empty if there is none."""
    try:
        return urlsplit("//" + (header(request, "host") or "")).hostname or ""
    except ValueError:
        return ""


def is_local(request: Request) -> bool:
    """Tell whether a request comes from this machine, by one of its own names (no DNS rebinding) and by no proxy."""
    name = asked_name(request)
    proxied = any(header(request, name) for name in ("forwarded", "x-forwarded-for", "via"))
    return is_loopback(name) and is_loopback(client_address(request)) and not proxied


def is_own_page(request: Request) -> bool:
    """Tell whether a request may come from a page of ours: nothing that a browser says speaks against it.

    Browsers send ``Origin`` with everything that changes something, and ``Sec-Fetch-Site``; other clients send neither.
    A proxy that does TLS hides the scheme from us, so both are taken on a plain connection.
    """
    site, origin = header(request, "sec-fetch-site"), header(request, "origin")
    is_typed = site == "none" and request.method in SAFE  # by a person, or from a bookmark
    if site is not None and site != "same-origin" and not is_typed:
        return False
    schemes = ("https",) if request.isSecure() else ("https", "http")
    return origin is None or origin in [f"{scheme}://{header(request, 'host')}" for scheme in schemes]


def share(request: Request, origins: Collection[str]) -> bool:
    """Let a page of one of these origins read the answer, never one to its cookies (the Fetch standard's CORS
    protocol, without Access-Control-Allow-Credentials). True if the request is only the browser's question for that.
    """
    origin = header(request, "origin")
    if origins:
        request.setHeader("Vary", "Origin")
    if origin is None or origin not in origins:
        return False
    request.setHeader("Access-Control-Allow-Origin", origin)
    request.setHeader("Access-Control-Expose-Headers", "Retry-After")
    if request.method != b"OPTIONS":
        return False
    request.setHeader("Access-Control-Allow-Methods", "GET, POST, DELETE")
    request.setHeader("Access-Control-Allow-Headers", "Authorization, Content-Type")
    request.setHeader("Access-Control-Max-Age", "600")
    return True
