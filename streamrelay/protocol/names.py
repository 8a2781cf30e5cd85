"""Names that cross a wire, and their grammar (protocol.rst): hosts, targets, streams, tokens."""

import ipaddress
import re
from typing import Final

PREFIX: Final = "srk_"
"""Prefix of a user's key, by which scanners find leaked ones."""
JSON_LINES: Final = "application/x-ndjson"
"""Kind of an answer whose lines count as they come (protocol.rst, "Early answers")."""

HOST = r"[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,64})*"
HOST_WORDS: Final = "1 to 253 of A-Za-z0-9_-, with single dots between, and at most 64 in a row"
"""A host's name, for whoever has given another one."""
LONGEST_HOST: Final = 253
"""Characters of a host's name, as many as the DNS has room for (RFC 1035 §2.3.4)."""
ZONE = r"[A-Za-z0-9_.-]{0,64}"
ZONE_WORDS: Final = "at most 64 of A-Za-z0-9_.-"
"""The name of a zone, for whoever has given another one."""
TARGET = r"[A-Za-z0-9_.:@+-]{1,128}(?:/[A-Za-z0-9_.:@+-]{1,128}){0,7}"
TARGET_WORDS: Final = "1 to 8 parts with / between, each 1 to 128 of A-Za-z0-9_.:@+-, and at most 256 in all"
"""A target's name, for whoever has given another one."""
OPAQUE = r"[A-Za-z0-9_-]{22,256}"
JWT = r"[A-Za-z0-9_-]{1,2048}\.[A-Za-z0-9_-]{1,4096}\.[A-Za-z0-9_-]{1,128}"
CHANNEL = rf"{OPAQUE}(?:\.[1-9][0-9]{{0,9}})?"
"""A stream's id, or that of a channel: a stream's, a dot and the channel's number."""
TERMINAL: Final = r"[A-Za-z0-9_-]{22}"
"""The id of a terminal that is kept: 128 bits."""


def is_host(name: str) -> bool:
    return len(name) <= LONGEST_HOST and re.fullmatch(HOST, name) is not None


def is_channel(stream: str) -> bool:
    """Tell whether a stream's id is that of a channel."""
    return "." in stream


def is_opaque(token: str) -> bool:
    return re.fullmatch(OPAQUE, token) is not None


def is_terminal(name: str) -> bool:
    return re.fullmatch(TERMINAL, name) is not None


def is_target(name: str) -> bool:
    return len(name) <= 256 and re.fullmatch(TARGET, name) is not None


def is_zone(name: str) -> bool:
    return re.fullmatch(ZONE, name) is not None


def is_loopback(host: str) -> bool:
    """Tell whether an address, or the name ``localhost``, leads to the machine itself."""
    if host == "localhost":
        return True
    try:
        return "%" not in host and ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, perhaps one that looks like an address
        return False
