"""Reads a request's credentials, once."""

from typing import Final

from twisted.web.server import Request

from streamrelay.net.proxies import Proxies
from streamrelay.platform.auth.credentials import Credentials
from streamrelay.platform.http import cookies
from streamrelay.platform.http.origin import SAFE, client_address, header, is_local, is_own_page

CSRF: Final = "x-csrf-token"
"""The header that repeats what ``/v1/session`` has told the page."""


def read_credentials(request: Request, proxies: Proxies) -> Credentials:
    """Return all of a request that says who sends it; `proxies` are believed about addresses."""
    return Credentials(
        client_address(request, proxies),
        header(request, "authorization"),
        cookies.read(request),
        cookies.others(request),
        header(request, CSRF) or "",
        header(request, "origin"),
        is_own_page(request),
        is_local(request),
        request.method in SAFE,
    )
