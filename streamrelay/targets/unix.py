"""unix: a stream socket in the file system."""

from typing import Any

from msgspec import Struct
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.protocol import Factory

from streamrelay.plain import PlainProtocol
from streamrelay.splice import Connection
from streamrelay.targets.connecting import connected
from streamrelay.wire import CONNECT_TIME, Close, ending


class Unix(Struct, frozen=True, forbid_unknown_fields=True, tag="unix", tag_field="kind"):
    """Settings of a unix target."""

    path: str
    """The socket's absolute path."""
    parts: dict[str, str] = {}
    """For a pattern: the regular expression that each named part must match."""

    def check(self) -> None:
        if not self.path.startswith("/"):
            raise ValueError(f"path {self.path!r}: expected an absolute path")

    async def connect(self, reactor: Any) -> Connection:
        endpoint = UNIXClientEndpoint(reactor, self.path, timeout=CONNECT_TIME)
        factory = Factory.forProtocol(
            lambda: PlainProtocol(reactor, ending(Close.TARGET_RESET), lambda connection: None)
        )
        factory.noisy = False
        return await connected(endpoint.connect(factory), self.path)
