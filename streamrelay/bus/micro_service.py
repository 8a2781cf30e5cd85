"""A program in NATS' own service discovery (ADR-32 of its architecture), for tools such as ``nats micro ls``.

Nothing proves there who answers; a platform doesn't go by it.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from attrs import define

from streamrelay.bus.message import Message
from streamrelay.protocol import codec
from streamrelay.protocol.subjects import subject_part

Make = Callable[[], Any]
"""Maker of an answer, which becomes JSON."""


class Wire(Protocol):
    """The bus, as far as it is needed here."""

    def listen(self, subject: str, receive: Callable[[Message], None]) -> None: ...

    def publish(self, subject: str, data: bytes) -> None: ...


def service_subjects(service: str, name: str) -> list[str]:
    """Return the subjects on which one program of a service is asked, or all programs (ADR-32)."""
    asked = ("", f".{service}", f".{service}.{subject_part(name)}")
    return [f"$SRV.{verb}{whom}" for verb in ("PING", "INFO", "STATS") for whom in asked]


def tell(bus: Wire, make: Make, suffix: str, message: Message) -> None:
    """Answer a question, if its reply subject is an inbox, on that with a suffix."""
    if message.wants_answer:
        bus.publish(message.reply + suffix, codec.encode(make()))


def _no_endpoints() -> list[dict[str, Any]]:
    return []


@define(eq=False)
class MicroService:
    """One program of a service."""

    bus: Wire
    service: str
    """The name that all of them have."""
    name: str
    """The host's name, or the relay's id."""
    description: str
    version: str
    """The program's version as Python has it: 1.2.3 or 1.2.3.dev0."""
    started: str
    """Time at which it started, as `moment` says it."""
    metadata: Callable[[], dict[str, str]]
    endpoints: Callable[[], list[dict[str, Any]]] = _no_endpoints
    """Maker of the endpoints as STATS has them, with what they count and their ``data``."""

    def listen(self) -> None:
        """Subscribe to all questions; to be called before the bus is started."""
        makes = {"PING": self._ping, "INFO": self._about, "STATS": self._stats}
        for subject in service_subjects(self.service, self.name):
            self.bus.listen(subject, partial(tell, self.bus, makes[subject.split(".")[1]], ""))

    def _ping(self) -> dict[str, Any]:
        return self._answer("ping")

    def _about(self) -> dict[str, Any]:
        about = ("name", "subject", "queue_group", "metadata")
        endpoints = [{name: each[name] for name in about} for each in self.endpoints()]
        return {**self._answer("info"), "description": self.description, "endpoints": endpoints}

    def _stats(self) -> dict[str, Any]:
        return {**self._answer("stats"), "started": self.started, "endpoints": self.endpoints()}

    def _answer(self, kind: str) -> dict[str, Any]:
        return {
            "type": f"io.nats.micro.v1.{kind}_response",
            "name": self.service,
            "id": subject_part(self.name),  # tools ask $SRV.INFO.SERVICE.ID
            "version": semantic(self.version),
            "metadata": self.metadata(),
        }


def moment(now: float) -> str:
    """Return a time of the wall clock as NATS' discovery wants it: RFC 3339 in UTC, with microseconds."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def semantic(version: str) -> str:
    """Return a version as NATS' discovery wants it: 1.2.3."""
    return ".".join(version.split(".")[:3])
