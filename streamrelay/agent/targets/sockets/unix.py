"""unix: a stream socket in the file system."""

from typing import Any, Self

from msgspec import structs
from twisted.internet.endpoints import UNIXClientEndpoint

from streamrelay.agent.targets.kind import Kind
from streamrelay.agent.targets.sockets.connecting import connected, plain
from streamrelay.agent.targets.sockets.paths import check_absolute, check_socket_pattern, socket_path, within_of
from streamrelay.datapath.connection import Connection
from streamrelay.protocol.limits import CONNECT_TIME
from streamrelay.protocol.summons import Terms, Viewer


class Unix(Kind, frozen=True, tag="unix"):
    """Settings of a unix target."""

    path: str
    """The socket's absolute path."""
    within: str = ""
    """The directory where it must be once symbolic links are followed; empty: anywhere."""
    speaks: Viewer = "raw"
    """Viewer that fits what comes out: vnc, spice, terminal, log; raw is anything else."""

    @property
    def viewer(self) -> Viewer:
        return self.speaks

    def check(self) -> None:
        if not self.path:
            raise ValueError("path: expected an absolute path")
        check_absolute(path=self.path, within=self.within)

    def bounded(self) -> Self:
        """As it stands in the agent's file: a pattern stays within the directory before its first part."""
        check_socket_pattern("path", self.path)
        return structs.replace(self, within=self.within or within_of(self.path)) if self.parts else self

    def real_path(self) -> str:
        """Follow symbolic links, or raise `TargetError` if they don't lead `within`."""
        return socket_path(self.path, self.within)

    async def connect(self, reactor: Any, terms: Terms) -> Connection:
        endpoint = UNIXClientEndpoint(reactor, self.real_path(), timeout=CONNECT_TIME)
        return await connected(endpoint.connect(plain(reactor)), self.path)
