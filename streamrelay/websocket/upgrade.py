"""The opening handshake's server side (RFC 6455 §4.2): what a request must say, and what answers it. No I/O."""

import re
from typing import Final

from streamrelay.errors import Refused
from streamrelay.websocket.opening import accept
from streamrelay.websocket.request_grammar import Request

VERSION: Final = "Sec-WebSocket-Version: 13\r\n"
"""The header that tells which version is spoken here."""
_KEY: Final = re.compile(r"[A-Za-z0-9+/]{22}==")


class WrongVersion(Refused):
    """Refusal of a version of the protocol other than 13."""


def asks_to_upgrade(request: Request) -> bool:
    """Tell whether a GET is an opening request, by HTTP/1.1 with Upgrade."""
    return request.version == "1.1" and "upgrade" in request.headers


def offered(request: Request) -> list[str]:
    """Return the subprotocols that an opening request offers; `Refused` if it is none."""
    headers = request.headers
    if request.method != "GET":
        raise Refused(405, "method")
    if request.version != "1.1":
        raise Refused(505, "version of HTTP")
    if "#" in request.target or ("[" in request.target and request.target[0] != "/"):
        raise Refused(400, "target")  # a fragment, or an address that no URL of ours has
    if headers.get("host", ":").endswith(":"):
        raise Refused(400, "host")
    if "websocket" not in _elements(headers.get("upgrade", "").lower()):
        raise Refused(400, "upgrade")
    if "upgrade" not in _elements(headers.get("connection", "").lower()):
        raise Refused(400, "connection")
    if "sec-websocket-version" not in headers:
        raise Refused(400, "no version")
    if headers["sec-websocket-version"] != "13":
        raise WrongVersion(400, "version")
    names = _elements(headers["sec-websocket-protocol"]) if "sec-websocket-protocol" in headers else []
    if len(set(names)) != len(names):
        raise Refused(400, "a subprotocol twice")
    if not _KEY.fullmatch(headers.get("sec-websocket-key", "")):
        raise Refused(400, "key")
    return names


def accepting(request: Request, subprotocol: str | None) -> bytes:
    """Return the answer that opens the websocket (RFC 6455 §4.2.2)."""
    key = request.headers["sec-websocket-key"].encode()
    chosen = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
        f"{chosen}Sec-WebSocket-Accept: {accept(key)}\r\n\r\n"
    ).encode()


def _elements(value: str) -> list[str]:
    return [element.strip("\t ") for element in value.split(",")]
