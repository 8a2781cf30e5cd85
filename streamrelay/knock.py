"""A leg's opening request: whose leg it is, what it is answered with, and who decides over it."""

import re
from typing import Protocol

from attrs import define

from streamrelay.errors import Refused
from streamrelay.framed import FramedConnection
from streamrelay.wire import RAW, SUBPROTOCOL


@define(frozen=True)
class Knock:
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


class Door(Protocol):
    """Who decides over opening requests."""

    def admit(self, knock: Knock) -> Admission:
        """Let a leg in, or raise `Refused`."""

    def greet(self, host: str | None) -> None:
        """A connection from this address was accepted (None: by a unix socket) and its handshake begins; raise
        `Refused`: 429 if there are too many of that address, 503 if there are too many in all."""

    def part(self, host: str | None) -> None:
        """That handshake has ended, one way or the other; also one that was refused by `greet`."""

    def client(self, host: str | None, forwarded: str | None) -> str | None:
        """Whose request it is that came from here with this X-Forwarded-For."""


_PATH = re.compile(r"/(client|agent)(?:/([!-~]{1,8000}))?\Z")


def read_request(uri: str, headers: dict[str, str], protocols: list[str], peer: str) -> Knock:
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
    return Knock(match[1], tokens[0], headers.get("origin"), peer)


def choose_subprotocol(offered: list[str]) -> str | None:
    """protocol.rst, "Subprotocols": ours, else binary, else none; never one that holds the token."""
    return next((name for name in (SUBPROTOCOL, RAW) if name in offered), None)
