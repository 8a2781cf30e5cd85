"""A message that came on a subject of the bus, and the reasons why an answer to one is lacking."""

import re

from attrs import define

_INBOX = re.compile(r"_INBOX[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_:=$-]+)+\Z")


class BusError(Exception):
    """Lack of an answer to a request; the text says why."""


class Nobody(BusError):
    """Lack of anybody who listens on the subject: the host is offline."""


class Down(BusError):
    """Lack of a connection to the bus, at first or while the answer was waited for."""


class TooSlow(BusError):
    """Lack of an answer in time."""


@define(frozen=True)
class Message:
    """A message that came on a subject."""

    data: bytes
    reply: str
    """Subject on which an answer is expected; empty if none is."""
    subject: str = ""
    """Subject on which it came: what a subscription with wildcards doesn't say."""
    nobody: bool = False
    """True if it is the server's own word that nobody listens where we have asked (ADR-8 of NATS: status 503)."""

    @property
    def wants_answer(self) -> bool:
        """True if the reply subject is an inbox: no other is answered, as a caller may name any (protocol.rst)."""
        return _INBOX.match(self.reply) is not None
