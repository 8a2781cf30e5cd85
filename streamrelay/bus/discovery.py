"""Discovery of hosts: an agent's answers to whoever asks all agents at once (protocol.rst, "Discovery").

The platform's questions are answered on a subject that ends in the host's name, where the bus lets nobody else
publish. Tools such as ``nats micro ls`` ask by NATS' own service discovery (ADR-32 of its architecture), where nothing
proves who answers; the platform doesn't go by that.
"""

import random
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from attrs import define
from msgspec import structs
from twisted.internet.interfaces import IReactorTime

from streamrelay.bus.message import Message
from streamrelay.protocol import codec
from streamrelay.protocol.subjects import ALL_STREAMS, ALL_TARGETS, SERVICE, streams_subject, subject_part
from streamrelay.protocol.summons import HostAnswer, HostQuestion

Make = Callable[[], Any]
"""Maker of an answer, which becomes JSON."""


class Wire(Protocol):
    """The bus, as far as it is needed here."""

    def listen(self, subject: str, receive: Callable[[Message], None]) -> None: ...

    def publish(self, subject: str, data: bytes) -> None: ...


def discovery_subjects(host: str) -> list[str]:
    """Return the subjects on which NATS' service discovery asks a host, or all of them (ADR-32)."""
    asked = ("", f".{SERVICE}", f".{SERVICE}.{subject_part(host)}")
    return [f"$SRV.{verb}{whom}" for verb in ("PING", "INFO", "STATS") for whom in asked]


@define(eq=False)
class Discovery:
    """Answers to all questions that discovery asks one host."""

    bus: Wire
    host: str
    version: str
    """The agent's version as Python has it: 1.2.3 or 1.2.3.dev0."""
    started: str
    """Time at which the agent started: RFC 3339 in UTC, with microseconds."""
    targets: Callable[[], HostAnswer]
    streams: Make
    agent: Callable[[], str] = lambda: ""
    """Maker of this agent's own name among those of its host; empty while it stops."""
    clock: IReactorTime | None = None
    """Clock of answers that may take their time; None: all come at once."""
    part: Callable[[], float] = random.random
    """Maker of the part of that time after which one comes."""

    def listen(self) -> None:
        """Subscribe to all questions; to be called before the bus is started."""
        self.bus.listen(ALL_TARGETS, self._tell_targets)
        self.bus.listen(ALL_STREAMS, partial(self._tell, self.streams, f".{subject_part(self.host)}"))
        self.bus.listen(streams_subject(self.host), partial(self._tell, self.streams, ""))
        makes = {"PING": self._ping, "INFO": self._about, "STATS": self._stats}
        for subject in discovery_subjects(self.host):
            self.bus.listen(subject, partial(self._tell, makes[subject.split(".")[1]], ""))

    def _tell(self, make: Make, suffix: str, message: Message) -> None:
        if message.wants_answer:
            self.bus.publish(message.reply + suffix, codec.encode(make()))

    def _tell_targets(self, message: Message) -> None:
        """Platforms that send a `HostQuestion` get a `HostAnswer`; older ones, which send nothing, the targets."""
        suffix = f".{subject_part(self.host)}"
        if not message.data:
            self._tell(lambda: self.targets().targets, suffix, message)
            return
        try:
            question = codec.decode(message.data, HostQuestion)
        except ValueError:  # of a platform that is newer than we
            question = HostQuestion()
        tell = partial(self._tell, partial(self.about, question.targets), suffix, message)
        if self.clock is not None and question.spread:
            self.clock.callLater(question.spread * self.part(), tell)
        else:
            tell()

    def about(self, targets: bool = True) -> HostAnswer:
        """Return what is told of this host, with its targets or without."""
        found = self.targets() if targets else HostAnswer(())
        return structs.replace(found, version=self.version, agent=self.agent())

    # -- ADR-32 ----------------------------------------------------------------------------------------------

    def _ping(self) -> dict[str, Any]:
        return self._answer("ping")

    def _about(self) -> dict[str, Any]:
        description = f"streamrelay agent of {self.host}"
        return {**self._answer("info"), "description": description, "endpoints": [self._endpoint()]}

    def _stats(self) -> dict[str, Any]:
        counts = {"num_requests": 0, "num_errors": 0, "last_error": "", "processing_time": 0}
        endpoint = {**self._endpoint(), **counts, "average_processing_time": 0, "data": self.streams()}
        return {**self._answer("stats"), "started": self.started, "endpoints": [endpoint]}

    def _answer(self, kind: str) -> dict[str, Any]:
        found = self.targets()
        cut = {} if found.complete else {"complete": "false"}
        return {
            "type": f"io.nats.micro.v1.{kind}_response",
            "name": SERVICE,
            "id": subject_part(self.host),  # tools ask $SRV.INFO.streamagent.ID
            "version": semantic(self.version),
            "metadata": {"host": self.host, "targets": codec.encode(found.targets).decode(), **cut},
        }

    def _endpoint(self) -> dict[str, Any]:
        return {"name": "streams", "subject": streams_subject(self.host), "queue_group": "", "metadata": {}}


def semantic(version: str) -> str:
    """Return a version as NATS' discovery wants it: 1.2.3."""
    return ".".join(version.split(".")[:3])
