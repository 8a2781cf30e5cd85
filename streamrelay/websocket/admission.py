"""Admission of opening requests: what each asks for, and the Protocols of who decides over it."""

import re
from typing import Protocol

from attrs import define

from streamrelay.errors import Refused
from streamrelay.protocol.control import RAW, SUBPROTOCOL, WATCHED
from streamrelay.websocket.connection import FramedConnection


@define(frozen=True)
class LegRequest:
    """An opening request, as far as it is to be decided over."""

    role: str
    token: str
    origin: str | None
    peer: str
    certificate: tuple[str, ...] | None = None
    """Names of the verified certificate that the leg has shown; None if it has shown none."""
    address: str | None = None
    """The client's address, as the connection or a trusted proxy tells it; None if it came by a unix socket."""


class Handshake(Protocol):
    """A connection that has yet to become a leg."""

    address: str | None
    """The peer's address; None if it came by a unix socket."""

    def begin(self) -> None:
        """Begin, as its turn has come; `Admitter.handshake_began` is to be asked again."""

    def drop(self) -> None:
        """Close the connection, which waited, as its place in the line was wanted for another."""


class Admission(Protocol):
    """A leg that may come in, before its 101."""

    def opened(self, connection: FramedConnection) -> None:
        """Take over the leg's connection, as the 101 has gone out."""

    def left(self) -> None:
        """Take note that the connection was lost before the 101."""


class Admitter(Protocol):
    """A judge of opening requests."""

    @property
    def ready(self) -> bool:
        """True as long as legs of new streams are let in, where there is room."""

    def admit(self, request: LegRequest) -> Admission:
        """Let a leg in, or raise `Refused` with the status of the answer (protocol.rst, "Refused before 101")."""

    def handshake_began(self, handshake: Handshake) -> bool:
        """Let a handshake begin; False if it has to wait unread until its `begin` is called. Or raise `Refused`: 429 if
        even too many of its address wait, 503 if there are too many in all."""

    def handshake_ended(self, handshake: Handshake, late: bool = False) -> None:
        """Take note that a handshake has ended, one way or the other; also one that waited, or was refused. `late`: its
        time was over."""

    def client(self, address: str | None, forwarded: str | None) -> str | None:
        """Return the address of the client whose request came from `address` with this X-Forwarded-For."""


_PATH = re.compile(r"/(client|agent)(?:/([!-~]{1,8000}))?\Z")


def is_leg(path: str) -> bool:
    """Tell whether a leg may come to a path."""
    return _PATH.match(path) is not None


def read_request(
    uri: str,
    headers: dict[str, str],
    protocols: list[str],
    peer: str,
    address: str | None = None,
    certificate: tuple[str, ...] | None = None,
) -> LegRequest:
    """Read a leg's role and token from the path, a subprotocol or a header; `Refused` if they are not clear.

    The last three go into the request as they are. 404 for another path, 400 for more than one token, 401 for none.
    """
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
    return LegRequest(match[1], tokens[0], headers.get("origin"), peer, certificate, address)


def choose_subprotocol(offered: list[str]) -> str | None:
    """Choose a subprotocol: one of ours, else binary, else none; never one that holds the token (protocol.rst)."""
    return next((name for name in (WATCHED, SUBPROTOCOL, RAW) if name in offered), None)
