"""Log lines, kept."""

from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer


@implementer(ILogObserver)
class Heard:
    """What is logged during a test."""

    def __init__(self, case: SynchronousTestCase) -> None:
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self)
        case.addCleanup(globalLogPublisher.removeObserver, self)

    def __call__(self, event: LogEvent) -> None:
        self.events.append(event)

    @property
    def lines(self) -> list[str]:
        """As they are shown."""
        return [formatEvent(event) for event in self.events]

    @property
    def text(self) -> str:
        """All of it: the lines as they are shown, and every field."""
        return "\n".join(f"{formatEvent(event)} {event!r}" for event in self.events)
