"""The cookie of the console's session."""

from typing import Final

from twisted.web.server import Request

from streamrelay.platform.http.origin import header, is_local

NAME: Final = "streamrelay"


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
