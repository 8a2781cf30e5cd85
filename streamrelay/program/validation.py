"""Checks of settings beyond their types: ports, origins, URLs that mustn't be plain outside this machine.

Each raises `ValueError` (`ConfigError` where files are looked at) in one line, which says what was expected.
"""

import os
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from streamrelay.errors import ConfigError
from streamrelay.program.activation import check_passed, is_passed
from streamrelay.protocol.names import is_loopback

_LISTENING: Final = re.compile(r"(?P<kind>tls|tcp|tcp6|unix):(?P<first>(?:[^:\\]|\\.)+)(?::(?:[^:\\]|\\.)+)*\Z")

_EXPECTED: Final = "tls:PORT, tcp:PORT:interface=ADDRESS, unix:PATH or systemd:NAME"

LONGEST_SOCKET: Final = 107
"""Bytes of a unix socket's path, as many as Linux takes (unix(7): 108 with the zero at the end)."""


def check_socket(what: str, path: str) -> None:
    """Raise `ValueError` if no unix socket can have this path."""
    size = len(path.encode("utf-8", "surrogateescape"))
    if size > LONGEST_SOCKET:
        raise ValueError(f"{what}: a unix socket's path has at most {LONGEST_SOCKET} bytes, this one {size}")


def check_listening(listen: tuple[str, ...], certificates: tuple[str, ...], insecure: bool) -> None:
    """Raise `ValueError` if there is no port, one has no certificate, or would be plain outside this machine."""
    if not listen:
        raise ValueError("nothing to listen on; give --listen, for example tls:8443")
    for endpoint in listen:
        if is_passed(endpoint):
            check_passed(endpoint)
            _check_certificates(endpoint, certificates)
            continue
        match = _LISTENING.match(endpoint)
        if match is None:
            raise ValueError(f"listen {endpoint!r}: expected {_EXPECTED}")
        _check_certificates(endpoint, certificates)
        _check_path("listen", match)
        if _is_exposed(endpoint) and not insecure:
            raise ValueError(
                f"listen {endpoint!r}: other machines would reach it without TLS; use tls:, add "
                ":interface=127.0.0.1 behind a proxy that does TLS, or say --insecure"
            )


def _check_certificates(endpoint: str, certificates: tuple[str, ...]) -> None:
    if endpoint.startswith("tls:") and not certificates:
        raise ValueError(f"listen {endpoint!r}: TLS needs a certificate; give --certificate CERTIFICATE,KEY")


def check_admin(endpoint: str, exposed: bool) -> None:
    """Raise `ValueError` if an admin listener can't be there (empty: there is none), or others reach it unasked."""
    match = _LISTENING.match(endpoint)
    if endpoint and (match is None or match["kind"] == "tls"):
        raise ValueError(f"admin {endpoint!r}: expected unix:PATH or tcp:PORT:interface=127.0.0.1")
    if match is not None:
        _check_path("admin", match)
    if _is_exposed(endpoint) and not exposed:
        raise ValueError(
            f"admin {endpoint!r}: other machines would reach it; add :interface=127.0.0.1, use unix:PATH, or say "
            "--admin-exposed"
        )


def check_socket_folder(what: str, endpoint: str) -> None:
    """Raise `ConfigError` if a unix socket can't be made, as its directory isn't there, or may not be written to."""
    match = _LISTENING.match(endpoint)
    if match is None or match["kind"] != "unix":
        return
    folder = os.path.dirname(os.path.abspath(_path(match)))
    advice = "so that the program's user may write to it (systemd: RuntimeDirectory=)"
    if not os.path.isdir(folder):
        raise ConfigError(f"{what} {endpoint}: there is no directory {folder}; make it, {advice}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(
            f"{what} {endpoint}: no socket can be made in {folder}: permission denied; chown it, {advice}"
        )


def _check_path(what: str, match: "re.Match[str]") -> None:
    if match["kind"] == "unix":
        path = _path(match)
        check_socket(f"{what} 'unix:{path[:20]}…'", path)


def _path(match: "re.Match[str]") -> str:
    return re.sub(r"\\(.)", r"\1", match["first"]).removeprefix("address=")


def _is_exposed(endpoint: str) -> bool:
    """Tell whether other machines reach a plain port."""
    interfaces = re.findall(r":interface=((?:[^:\\]|\\.)+)", endpoint)
    host = interfaces[-1].replace("\\", "") if interfaces else ""
    return endpoint.startswith(("tcp:", "tcp6:")) and not is_loopback(host)


def check_origin(origin: str) -> None:
    """Raise `ValueError` if a browser would never send this as an Origin."""
    parts = urlsplit(origin)
    if not parts.scheme or not parts.netloc or parts.path or parts.query or origin != origin.lower():
        raise ValueError(f"origin {origin!r}: expected scheme://host[:port] in lower case, without a path")


def _parts(url: str) -> SplitResult | None:
    """Split a URL; None if it can't be one, as it has blanks, letters that aren't ASCII's, or a port that none is."""
    try:
        parts = urlsplit(url)
        return parts if parts.port != 0 and re.fullmatch("[!-~]+", url) else None
    except ValueError:
        return None


def check_relay(url: str) -> None:
    """Raise `ValueError` if this is no URL of a relay."""
    parts = _parts(url)
    known = parts is not None and parts.hostname and url.startswith(("ws://", "wss://"))
    if not known or re.search("[?#@]", url):
        raise ValueError(f"relay {url!r}: expected ws://host[:port] or wss://host[:port]")


def check_encrypted(url: str, insecure: bool) -> None:
    """Raise `ValueError` if a relay's URL would be plain outside this machine, and may not."""
    parts = urlsplit(url)
    if parts.scheme == "ws" and not insecure and not is_loopback(parts.hostname or ""):
        raise ValueError(f"{url} is not encrypted; use wss:// or --insecure")


def check_http(setting: str, url: str, insecure: bool) -> None:
    """Raise `ValueError` if this isn't a URL that may be asked: https, or http on this machine."""
    parts = _parts(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
        raise ValueError(f"{setting} {url!r}: expected https://host[:port]/path")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{setting}: the URL must not contain a password")
    if parts.scheme == "http" and not insecure and not is_loopback(parts.hostname):
        raise ValueError(f"{setting} {url} is not encrypted; use https:// or --insecure")
