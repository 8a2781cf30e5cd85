"""Discovery of hosts: an agent's answers to whoever asks all agents at once (protocol.rst, "Discovery").

The platform's questions are answered on a subject that ends in the host's name, where the bus lets nobody else
publish. Tools ask by NATS' own service discovery (`micro_service`), where nothing proves who answers; the platform
doesn't go by that.
"""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import define
from msgspec import structs
from twisted.internet.interfaces import IReactorTime

from streamrelay.bus.message import Message
from streamrelay.bus.micro_service import Make, MicroService, Wire, tell
from streamrelay.protocol import codec
from streamrelay.protocol.subjects import ALL_STREAMS, ALL_TARGETS, SERVICE, streams_subject, subject_part
from streamrelay.protocol.summons import HostAnswer, HostQuestion


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
        self.bus.listen(ALL_STREAMS, partial(tell, self.bus, self.streams, f".{subject_part(self.host)}"))
        self.bus.listen(streams_subject(self.host), partial(tell, self.bus, self.streams, ""))
        words = f"streamrelay agent of {self.host}"
        about = (words, self.version, self.started, self._metadata, self._endpoints)
        MicroService(self.bus, SERVICE, self.host, *about).listen()

    def _tell_targets(self, message: Message) -> None:
        """Platforms that send a `HostQuestion` get a `HostAnswer`; older ones, which send nothing, the targets."""
        suffix = f".{subject_part(self.host)}"
        if not message.data:
            tell(self.bus, lambda: self.targets().targets, suffix, message)
            return
        try:
            question = codec.decode(message.data, HostQuestion)
        except ValueError:  # of a platform that is newer than we
            question = HostQuestion()
        answer = partial(tell, self.bus, partial(self.about, question.targets), suffix, message)
        if self.clock is not None and question.spread:
            self.clock.callLater(question.spread * self.part(), answer)
        else:
            answer()

    def about(self, targets: bool = True) -> HostAnswer:
        """Return what is told of this host, with its targets or without."""
        found = self.targets() if targets else HostAnswer(())
        return structs.replace(found, version=self.version, agent=self.agent())

    # -- ADR-32 ----------------------------------------------------------------------------------------------

    def _metadata(self) -> dict[str, str]:
        found = self.targets()
        cut = {} if found.complete else {"complete": "false"}
        return {"host": self.host, "targets": codec.encode(found.targets).decode(), **cut}

    def _endpoints(self) -> list[dict[str, Any]]:
        about = {"name": "streams", "subject": streams_subject(self.host), "queue_group": "", "metadata": {}}
        counts = {"num_requests": 0, "num_errors": 0, "last_error": "", "processing_time": 0}
        return [{**about, **counts, "average_processing_time": 0, "data": self.streams()}]
