"""unix: a stream socket in the file system."""

from typing import Any, Self

from msgspec import structs

from streamrelay.agent.targets.kind import Kind
from streamrelay.agent.targets.sockets.local import connect_unix
from streamrelay.agent.targets.sockets.paths import check_absolute, check_socket_pattern, within_of
from streamrelay.datapath.connection import Connection
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

    async def connect(self, reactor: Any, terms: Terms) -> Connection:
        return await connect_unix(reactor, self.path, self.within)
