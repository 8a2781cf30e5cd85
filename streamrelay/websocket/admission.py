"""Admission of legs: what an opening request asks for, and the Protocols of who decides over it."""

import re
from typing import Protocol

from attrs import define

from streamrelay.errors import Refused
from streamrelay.protocol.control import RAW, SUBPROTOCOL
from streamrelay.websocket.connection import FramedConnection


@define(frozen=True)
class LegRequest:
    """A leg's opening request."""

    role: str
    token: str
    origin: str | None
    peer: str
    certificate: tuple[str, ...] | None = None
    """The names of the verified certificate that it has shown; None if it has shown none."""


class Admission(Protocol):
    """A leg that may come in, before its 101."""

    def opened(self, connection: FramedConnection) -> None:
        """The 101 has gone out."""

    def left(self) -> None:
        """The connection was lost before."""


class Admitter(Protocol):
    """The one who decides over opening requests."""

    def admit(self, request: LegRequest) -> Admission:
        """Let a leg in, or raise `Refused`."""

    def handshake_began(self, address: str | None) -> None:
        """A connection from this address was accepted (None: by a unix socket) and its handshake begins; raise
        `Refused`: 429 if there are too many of that address, 503 if there are too many in all."""

    def handshake_ended(self, address: str | None) -> None:
        """That handshake has ended, one way or the other; also one that was refused by `handshake_began`."""

    def client(self, address: str | None, forwarded: str | None) -> str | None:
        """Whose request it is that came from here with this X-Forwarded-For."""


_PATH = re.compile(r"/(client|agent)(?:/([!-~]{1,8000}))?\Z")


def read_request(uri: str, headers: dict[str, str], protocols: list[str], peer: str) -> LegRequest:
    """Whose leg it is and its token, from the path, a subprotocol or a header; `Refused` if that is not clear."""
    match = _PATH.match(uri)
    if match is None:
        raise Refused(404, "no such path")
    tokens = [match[2]] if match[2] is not None else []
    tokens += [offered[6:] for offered in protocols if offered.startswith("token.")]
    authorization = headers.get("authorization", "")
    if authorization[:7].lower() == "bearer ":
        tokens.append(authorization[7:].strip())
    if len(tokens) > 1:
        raise Refused(400, "more than one token")
    if not tokens:
        raise Refused(401, "token")
    return LegRequest(match[1], tokens[0], headers.get("origin"), peer)


def choose_subprotocol(offered: list[str]) -> str | None:
    """protocol.rst, "Subprotocols": ours, else binary, else none; never one that holds the token."""
    return next((name for name in (SUBPROTOCOL, RAW) if name in offered), None)
