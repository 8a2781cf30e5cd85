"""unix: a stream socket in the file system."""

import os
from typing import Any

from msgspec import structs
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.protocol import Factory

from streamrelay.errors import TargetError
from streamrelay.plain import PlainProtocol
from streamrelay.splice import Connection
from streamrelay.targets.connecting import connected
from streamrelay.targets.kind import Kind
from streamrelay.wire import CONNECT_TIME, Close, Refusal, Terms, Viewer, ending


class Unix(Kind, frozen=True, tag="unix", tag_field="kind"):
    """Settings of a unix target."""

    path: str
    """The socket's absolute path."""
    within: str = ""
    """The directory where it must be once symbolic links are followed; empty: anywhere."""
    speaks: Viewer = "raw"
    """What comes out of it, so what shows it: vnc, spice, terminal, log; raw is anything else."""
    parts: dict[str, str] = {}
    """For a pattern: the regular expression that each named part must match."""

    @property
    def viewer(self) -> Viewer:
        return self.speaks

    def check(self) -> None:
        if not self.path.startswith("/"):
            raise ValueError(f"path {self.path!r}: expected an absolute path")
        if self.within and not self.within.startswith("/"):
            raise ValueError(f"within {self.within!r}: expected an absolute path")

    def bounded(self) -> "Unix":
        """As it stands in the agent's file: a pattern stays within the directory before its first part."""
        if not self.parts:
            return self
        return structs.replace(self, within=self.within or os.path.dirname(self.path.partition("{")[0]))

    def real_path(self) -> str:
        """Where symbolic links lead, or `TargetError` if that is not `within`."""
        if not self.within:
            return self.path
        real, within = os.path.realpath(self.path), os.path.realpath(self.within)
        if os.path.commonpath([real, within]) != within:
            why = f"{self.path} is not allowed: it leads to {real}, which is not within {self.within}"
            raise TargetError(Refusal.NOT_ALLOWED, "the target's path is not allowed", detail=why)
        return real

    async def connect(self, reactor: Any, terms: Terms) -> Connection:
        endpoint = UNIXClientEndpoint(reactor, self.real_path(), timeout=CONNECT_TIME)
        factory = Factory.forProtocol(
            lambda: PlainProtocol(reactor, ending(Close.TARGET_RESET), lambda connection: None)
        )
        factory.noisy = False
        return await connected(endpoint.connect(factory), self.path)
