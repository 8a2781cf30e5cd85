"""container: the log of a container, or a command in it, by the Docker Engine API (Docker, podman).

A name is looked up when a stream opens. Whether the container may be opened is decided on what was found, and all that
follows goes by its full id: another container that gets the name meanwhile is never touched.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from msgspec import Meta

from streamrelay.agent.targets.container.api import ApiError, DockerApi, Found
from streamrelay.agent.targets.container.exec import start_exec
from streamrelay.agent.targets.container.log import follow_log
from streamrelay.agent.targets.kind import Text
from streamrelay.agent.targets.last_lines import LogKind, begin_with
from streamrelay.agent.targets.sockets.paths import check_socket_pattern, socket_path
from streamrelay.datapath.connection import Connection
from streamrelay.errors import TargetError
from streamrelay.protocol.limits import MOST_KEEP
from streamrelay.protocol.summons import Refusal, Terms, Viewer

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")


class Container(LogKind, frozen=True, tag="container"):
    """Settings of a container target."""

    container: str
    """Name of the container, or its full id."""
    show: Literal["logs", "exec"] = "logs"
    """Show its log, or a command in a terminal."""
    socket: str = "/var/run/docker.sock"
    """Absolute path of the API's socket."""
    labels: dict[str, str] = {}
    """Labels that the container must have, all of them with these values."""
    command: tuple[str, ...] = ("/bin/sh",)
    """The program and its arguments; no shell reads them."""
    user: str = ""
    """User who runs the command, by a name or number of the container's; empty: the one it was made for."""
    size: tuple[Annotated[int, Meta(ge=1, le=10000)], Annotated[int, Meta(ge=1, le=10000)]] = (80, 24)
    """Columns and rows until the client says otherwise."""
    keep: Annotated[float, Meta(ge=0, le=MOST_KEEP)] = 0.0
    """Seconds for which the command goes on once its last stream has ended; 0: it ends with its stream."""

    @property
    def viewer(self) -> Viewer:
        return "log" if self.show == "logs" else "terminal"

    def texts(self) -> Mapping[str, Text]:
        """Return all texts, the labels' values among them."""
        return {**super().texts(), "labels": self.labels}

    def bounded(self) -> Self:
        """Return these settings as they are; `ValueError` for a path that no socket can have."""
        check_socket_pattern("socket", self.socket)
        return self

    def check(self) -> None:
        if not _NAME.fullmatch(self.container):
            raise ValueError(f"container {self.container!r}: expected a name of letters, digits and _.-")
        if not self.socket.startswith("/"):
            raise ValueError(f"socket {self.socket!r}: expected an absolute path")
        if not self.command or not self.command[0]:
            raise ValueError("command: expected a program and its arguments")
        if self.keep and self.show != "exec":
            raise ValueError('keep: only with show = "exec"')

    async def connect(self, reactor: Any, terms: Terms) -> Connection:
        api = DockerApi(reactor, socket_path(self.socket))
        try:
            found = await api.inspect(self.container)
        except ApiError as error:
            if error.status == 404:
                raise TargetError(error.code, f"there is no container {self.container}") from None
            raise
        self._may_open(found)
        if self.show == "logs":
            return await begin_with(self, terms, lambda settings: follow_log(api, found, settings.lines, terms))
        if not found.state.running:
            raise TargetError(
                Refusal.TARGET_REFUSED, f"container {self.container} is not running ({found.state.status})"
            )
        return await start_exec(api, found.id, self.command, self.user, self.size)

    def _may_open(self, found: Found) -> None:
        """Raise `TargetError` for a container that was found by the beginning of its id, or that lacks a label."""
        if self.container not in (found.id, found.name.removeprefix("/")):
            raise TargetError(Refusal.TARGET_REFUSED, f"there is no container {self.container}")
        has = found.config.labels or {}
        for label, value in self.labels.items():
            if has.get(label) != value:
                why = f"container {self.container} is not allowed: it is not labelled {label}={value}"
                raise TargetError(Refusal.NOT_ALLOWED, "this container is not allowed", detail=why)
