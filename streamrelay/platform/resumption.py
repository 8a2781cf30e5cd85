"""A stream that is to go on by new legs, as its client asks for it (protocol.rst, "Streams that resume")."""

from collections.abc import Callable
from typing import Any

from attrs import define
from msgspec import structs

from streamrelay.platform.new_stream import Early
from streamrelay.protocol.limits import Limits


@define(frozen=True)
class Resumption:
    """A request for new legs of a stream, with all that is known of it: the platform keeps nothing."""

    user: str
    host: str
    target: str
    stream: str
    received: int
    """Position up to which its client has received it."""
    attempt: int
    """Number of the request, which grows."""
    view: bool = False
    """True if it is to be looked at only, as it must have been from the beginning."""
    limits: Limits | None = None
    """Limits of its legs; None: the platform's own."""
    zone: str = ""
    share: bool = False
    """True if it may be of a terminal that another user has started."""

    def about(self, bounds: dict[str, Any]) -> dict[str, Any]:
        """Return the claims of both legs' tokens, whose own ids are others each time."""
        return {"host": self.host, "target": self.target, "user": self.user, "stream": self.stream, **bounds}

    def summons(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return what the agent is asked, of a summons for a new stream."""
        names = ("target", "relay", "token", "user", "dial")
        taken: dict[str, Any] = {name: message[name] for name in names if name in message}
        share = {"share": True} if self.share else {}
        told = {"stream": self.stream, "view": self.view, "received": self.received, "try": self.attempt}
        return {**taken, **told, **share}

    def told(self, early: Callable[[Early], None] | None) -> Callable[[Early], None] | None:
        """Return what an opening may tell early, under the id that the client knows."""
        return None if early is None else lambda new: early(structs.replace(new, stream=self.stream))
