"""A websocket's opening handshake as its client speaks it (RFC 6455 §4.1). No I/O.

What is offered is one subprotocol and no extension; nothing else may be agreed.
"""

import hashlib
import os
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from attrs import define, field

from streamrelay import __version__
from streamrelay.errors import printable
from streamrelay.protocol.control import SUBPROTOCOL

_PORTS: Final = {"ws": 80, "wss": 443}
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_STATUS: Final = re.compile(r"[0-9]{3}")


def accept(key: bytes) -> str:
    """Return what a server answers to a client's key, as it knows what that is for (RFC 6455 §4.2.2)."""
    return b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()).decode()


def _new_key() -> bytes:
    return b64encode(os.urandom(16))


@define(frozen=True)
class Opening:
    """One handshake: where it goes, and what answer fits."""

    secure: bool
    host: str
    port: int
    path: str
    """Path and query."""
    key: bytes = field(factory=_new_key)

    @classmethod
    def of(cls, url: str) -> "Opening":
        """Make a handshake with the relay of a URL, or raise `ValueError` if it can't be one's."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname or parts.fragment or parts.port == 0:
            raise ValueError("not a relay's URL; expected is wss://HOST or wss://HOST:PORT, and a path")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.scheme == "wss", parts.hostname, parts.port or _PORTS[parts.scheme], path)

    @property
    def origin(self) -> tuple[bool, str, int]:
        return self.secure, self.host, self.port

    def request(self, headers: Mapping[str, str]) -> bytes:
        """Return the request with these headers besides, or raise `ValueError` if HTTP can't say it."""
        host = self.host if self.host.isascii() else self.host.encode("idna").decode()
        lines = {
            "Host": f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}",
            "User-Agent": f"streamrelay/{__version__}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": self.key.decode(),
            "Sec-WebSocket-Protocol": SUBPROTOCOL,
            **headers,
        }
        said = [f"GET {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items())]
        if " " in self.path or not all(line.isascii() and line.isprintable() for line in said):
            raise ValueError("it, or its token, holds characters that HTTP doesn't allow")
        return ("\r\n".join(said) + "\r\n\r\n").encode("ascii")

    def agreed(self, head: bytes) -> bool:
        """Tell whether an answer's head, up to its empty line, agrees to our subprotocol, or to none; `ValueError`
        says why it opens no websocket."""
        try:
            status, *lines = head.decode().split("\r\n")
        except UnicodeDecodeError:
            raise ValueError("the answer is not HTTP") from None
        _check_status(status)
        found: dict[str, list[str]] = {}
        for line in lines:
            name, _, value = line.partition(":")
            found.setdefault(name.strip().lower(), []).append(value.strip())
        if _only(found, "Upgrade").lower() != "websocket":
            raise ValueError("the answer's Upgrade is not to a websocket")
        if "upgrade" not in (word.strip() for word in ",".join(found.get("connection", ())).lower().split(",")):
            raise ValueError("the answer's Connection is no Upgrade")
        if _only(found, "Sec-WebSocket-Accept") != accept(self.key):
            raise ValueError("the answer's Sec-WebSocket-Accept doesn't fit the request")
        if any(found.get("sec-websocket-extensions", ())):
            raise ValueError("the answer has an extension that was not asked for")
        chosen = _only(found, "Sec-WebSocket-Protocol")
        if chosen not in ("", SUBPROTOCOL):
            raise ValueError(f"the answer has the subprotocol {printable(chosen, 60)}, which was not asked for")
        return chosen == SUBPROTOCOL


def _check_status(line: str) -> None:
    version, _, rest = line.partition(" ")
    status, _, reason = rest.strip().partition(" ")
    if not status:
        raise ValueError("the answer has no status line of HTTP")
    if version != "HTTP/1.1":
        raise ValueError(f"the answer is of another version than HTTP/1.1: {printable(version, 60)}")
    if not _STATUS.fullmatch(status):
        raise ValueError(f"the answer has a bad status: {printable(status, 60)}")
    if status != "101":
        raise ValueError(f"the upgrade failed [{status}]: {reason}")


def _only(found: Mapping[str, list[str]], name: str) -> str:
    """Return the value of a header that may stand once; empty if it doesn't stand at all."""
    values = found.get(name.lower(), [""])
    if len(values) > 1:
        raise ValueError(f"the answer has more than one {name}")
    return values[0]
