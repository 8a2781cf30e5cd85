"""The Docker Engine API on its unix socket, as far as a container's log and commands in it need it.

Docker (from 20.10 on) and podman (from 4.0 on, `podman system service`) serve it alike. Paths have no version: then a
server takes its own, and all that is used here is as it was in version 1.25.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from attrs import define, field
from msgspec import Meta, Struct

from streamrelay.errors import TargetError, printable
from streamrelay.net.http_client import FetchError, FetchTimeout, HttpFetch, read_body, words
from streamrelay.net.http_connection import Answer
from streamrelay.protocol.limits import CONNECT_TIME
from streamrelay.protocol.summons import Refusal

MAX_ANSWER: Final = 1 << 20
"""Bytes of an answer other than a log; that about a container with many mounts and labels has some 50 KiB."""
HOST: Final = "docker"
"""Name that HTTP's Host gets in requests to a socket, where it means nothing."""

T = TypeVar("T")
Id = Annotated[str, Meta(pattern=r"^[0-9a-f]{12,128}\Z")]
"""Id of a container or a command, which stands in paths as it is."""


class State(Struct, frozen=True, rename="pascal"):
    """State of a container."""

    status: str = ""
    """Docker's word for the state: created, running, paused, restarting, exited, dead."""
    running: bool = False
    """True also while it waits to be started again."""
    started: str = msgspec.field(name="StartedAt", default="")
    """Time of its last start, of the year 1 if there was none."""

    @property
    def is_running(self) -> bool:
        return (self.running and self.status != "restarting") or self.status in ("paused", "stopping")

    @property
    def has_ended(self) -> bool:
        return not self.is_running and self.status not in ("created", "configured", "initialized", "restarting")

    @property
    def has_run(self) -> bool:
        return bool(self.started) and not self.started.startswith("0001-")


class Config(Struct, frozen=True, rename="pascal"):
    """Configuration with which a container was made."""

    tty: bool = False
    labels: dict[str, str] | None = None


class Found(Struct, frozen=True, rename="pascal"):
    """A container as the API describes it."""

    id: Id
    name: str
    """Name of the container, with a / before it."""
    state: State
    config: Config


class LogConfig(Struct, frozen=True, rename="pascal"):
    """Configuration of a container's log, as podman's own API describes it."""

    type: str = ""
    size: str = ""
    """Bound of its size, ``0B`` if there is none."""


class HostConfig(Struct, frozen=True, rename="pascal"):
    """Part of a container's configuration that is its host's."""

    log_config: LogConfig = LogConfig()


class FoundByPodman(Struct, frozen=True, rename="pascal"):
    """A container as podman's own API describes it."""

    host_config: HostConfig = HostConfig()


class Created(Struct, frozen=True, rename="pascal"):
    """A command that is to run in a container."""

    id: Id


class Exec(Struct, frozen=True, rename="pascal"):
    """A command in a container, as it runs or has ended."""

    running: bool = False
    exit_code: int | None = None


class Fault(Struct, frozen=True):
    """Words about what is wrong, in an answer that isn't 2xx."""

    message: str = ""


class ApiError(TargetError):
    """Refusal by the API, in its own words; `status` is the HTTP status."""

    def __init__(self, status: int, body: bytes) -> None:
        try:
            reason = msgspec.json.decode(body, type=Fault).message
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            reason = body.decode("utf-8", "replace")
        super().__init__(Refusal.TARGET_REFUSED, printable(reason.strip()) or f"the API answers {status}")
        self.status = status

    @property
    def is_gone(self) -> bool:
        """True if there is no such container; podman says so by 500 while it is being removed."""
        return self.status == 404 or "no such container" in self.reason


@define(eq=False)
class DockerApi:
    """The API at one socket; each method raises `TargetError`, or `ApiError` for an answer that isn't 2xx."""

    reactor: Any
    socket: str
    _fetch: HttpFetch = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._fetch = HttpFetch(self.reactor, socket=self.socket, most=MAX_ANSWER)

    async def is_podman(self) -> bool:
        """Tell whether podman serves the socket, which has an API of its own besides."""
        try:
            await self._ask("GET", "/libpod/_ping")
        except ApiError:
            return False
        return True

    async def rotates(self, container: str) -> bool:
        """Tell whether podman begins a container's log anew when it is full; False too where that may not be asked."""
        try:
            answer = await self._ask("GET", f"/v4.0.0/libpod/containers/{container}/json")
        except ApiError:
            return False
        log = self._decode(answer, FoundByPodman).host_config.log_config
        return log.type in ("k8s-file", "json-file") and log.size not in ("", "0B")

    async def inspect(self, name: str) -> Found:
        """Return the container of this name or id; `ApiError` 404 if there is none."""
        return self._decode(await self._ask("GET", f"/containers/{quote(name, safe='')}/json"), Found)

    async def create_exec(self, container: str, settings: Mapping[str, object]) -> str:
        """Make a command that is still to be started, and return its id."""
        return self._decode(await self._ask("POST", f"/containers/{container}/exec", settings), Created).id

    async def start_exec(self, command: str) -> None:
        """Start a command that nobody listens to."""
        await self._ask("POST", f"/exec/{command}/start", {"Detach": True, "Tty": False})

    async def resize_exec(self, command: str, columns: int, rows: int) -> None:
        await self._ask("POST", f"/exec/{command}/resize?{urlencode({'w': columns, 'h': rows})}")

    async def inspect_exec(self, command: str) -> Exec:
        return self._decode(await self._ask("GET", f"/exec/{command}/json"), Exec)

    async def log(self, container: str, query: Mapping[str, object]) -> Answer:
        """Return an answer that goes on with a log; if it is followed, its head may come as late as its first line."""
        try:
            answer = await self._fetch.begin("GET", f"http://{HOST}/containers/{container}/logs?{urlencode(query)}")
            if answer.status != 200:
                raise ApiError(answer.status, await read_body(answer))
        except FetchError as error:
            raise self._failed(error) from None
        except TargetError:
            raise
        except Exception as error:
            raise self._failed(FetchError(words(error))) from None
        return answer

    async def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> bytes:
        headers = {} if body is None else {"Content-Type": "application/json"}
        sent = msgspec.json.encode(body) if body is not None else b"" if method == "POST" else None
        try:
            answer = await self._fetch(method, f"http://{HOST}{path}", CONNECT_TIME, headers, sent)
        except FetchError as error:
            raise self._failed(error) from None
        if not 200 <= answer.status < 300:
            raise ApiError(answer.status, answer.body)
        return answer.body

    def _decode(self, body: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            why = f"{self.socket} does not speak Docker's API: {printable(str(error))}"
            raise TargetError(Refusal.TARGET_REFUSED, why) from None

    def _failed(self, error: FetchError) -> TargetError:
        code = Refusal.TARGET_UNREACHABLE if isinstance(error, FetchTimeout) else Refusal.TARGET_REFUSED
        return TargetError(code, f"{self.socket}: {error}")


def exec_settings(
    command: Sequence[str], user: str, environment: Sequence[str] = (), terminal: bool = False
) -> dict[str, object]:
    """Return the settings that make a command; without a terminal nobody hears it either."""
    return {
        "AttachStdin": terminal,
        "AttachStdout": terminal,
        "AttachStderr": terminal,
        "Tty": terminal,
        "Cmd": list(command),
        "User": user,
        "Env": list(environment),
    }
