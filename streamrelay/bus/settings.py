"""Settings of the bus, and their checks."""

import re
from typing import Final, Protocol
from urllib.parse import urlsplit

from streamrelay.protocol.names import is_loopback

PLAIN: Final = {"nats": "tls://", "ws": "wss://"}
"""Schemes without encryption, and what to use in their place."""
ENCRYPTED: Final = ("tls:", "wss:")
"""Beginnings of URLs where nothing is said in plain."""
WEBSOCKETS: Final = ("ws", "wss")
SCHEMES: Final = ("nats", "tls", *WEBSOCKETS)


class BusSettings(Protocol):
    """Settings by which a program reaches the bus."""

    @property
    def nats(self) -> tuple[str, ...]: ...
    @property
    def nats_nkey(self) -> str: ...
    @property
    def nats_creds(self) -> str: ...
    @property
    def nats_certificate(self) -> str: ...
    @property
    def nats_handshake_first(self) -> bool: ...
    @property
    def ca(self) -> str: ...
    @property
    def insecure(self) -> bool: ...


def check_bus(settings: BusSettings) -> None:
    """Raise `ValueError` if these settings name no bus, or one that is plain outside this machine."""
    if settings.nats_nkey and settings.nats_creds:
        raise ValueError("nats_nkey and nats_creds are both set; a program logs in to NATS by one of them")
    if not settings.nats:
        raise ValueError("no NATS server is set; give --nats, for example tls://nats.example")
    for url in settings.nats:
        try:
            parts = urlsplit(url)
            known = parts.scheme in SCHEMES and parts.hostname and (parts.port or True)
        except ValueError:
            known = False
        if not known:
            raise ValueError(
                f"nats {without_password(url)!r}: expected tls://host[:port], wss://host[:port][/path] or nats://host[:port]"
            )
        if parts.scheme in PLAIN and not is_loopback(parts.hostname or "") and not settings.insecure:
            raise ValueError(
                f"{parts.scheme}://{parts.hostname} is not encrypted; use {PLAIN[parts.scheme]} or --insecure"
            )
    if len({url.partition(":")[0] in WEBSOCKETS for url in settings.nats}) > 1:
        raise ValueError("nats: servers are reached by wss:// all of them or none, as each tells of the others")


def check_no_bus(settings: BusSettings, *more: str) -> None:
    """Raise `ValueError` if settings of a bus are set, or `more` of them, where no server of it is."""
    for name in ("nats_nkey", "nats_creds", "nats_certificate", "nats_handshake_first", *more):
        if getattr(settings, name, None):
            raise ValueError(f"{name} is set, but no NATS server; give --nats, for example tls://nats.example")


def without_password(text: str) -> str:
    """Return a URL as it may be shown, or a text with URLs in it: without users and passwords."""
    return re.sub(r"\S+", _shown, text)


def _shown(word: "re.Match[str]") -> str:
    login, at, place = word[0].rpartition("@")
    scheme, slashes, _ = login.partition("//")
    if not at or (not slashes and word.start()):
        return word[0]
    return f"{scheme}//…@{place}" if slashes else f"…@{place}"
