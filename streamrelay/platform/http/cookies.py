"""The cookie of the console's session, and what proves that a request with it comes from its own page."""

import hmac
from typing import Final

from twisted.web.server import Request

from streamrelay.platform.auth.sessions import csrf_of
from streamrelay.platform.http.origin import header, is_local, is_own_page

NAME: Final = "streamrelay"
CSRF: Final = "x-csrf-token"
"""The header that repeats what ``/v1/session`` has told the page."""
SAFE: Final = (b"GET", b"HEAD")
"""Methods that change nothing."""


def _plain(request: Request) -> bool:
    """Tell whether a browser would keep no Secure cookie, and needs none: plain HTTP that stays on this machine."""
    return not request.isSecure() and is_local(request)


def _name(request: Request) -> str:
    """Return the cookie's name: a browser takes ``__Host-`` only with Secure, and no subdomain can plant one."""
    return NAME if _plain(request) else f"__Host-{NAME}"


def read(request: Request) -> str | None:
    """Return the session's token that a request brings, or None."""
    value = request.getCookie(_name(request).encode())
    return None if value is None else value.decode("ascii", "replace")


def others(request: Request) -> str:
    """Return all cookies but ours, as they came."""
    names = (NAME, f"__Host-{NAME}")
    pairs = [pair.strip() for pair in (header(request, "cookie") or "").split(";")]
    return "; ".join(pair for pair in pairs if pair and pair.split("=", 1)[0].strip() not in names)


def write(request: Request, token: str, life: float) -> None:
    """Have the browser keep a session's token for `life` seconds, out of the reach of scripts and other sites."""
    request.addCookie(
        _name(request),
        token,
        path="/",
        max_age=str(int(life)),
        secure=not _plain(request),
        httpOnly=True,
        sameSite="strict",
    )


def clear(request: Request) -> None:
    """Have the browser forget the session's token."""
    write(request, "", 0)


def is_forged(request: Request, token: str) -> bool:
    """Whether a request that changes something could be another site's, which only borrows our cookie."""
    if request.method in SAFE:
        return False
    given = (header(request, CSRF) or "").encode("utf-8", "replace")
    return not (is_own_page(request) and hmac.compare_digest(given, csrf_of(token).encode()))
