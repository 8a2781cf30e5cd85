"""Lines of a program's own log that couldn't be written, as on a full disk: the log says so once there is room."""

import time

from attrs import define
from twisted.logger import FileLogObserver, ILogObserver, LogEvent
from zope.interface import implementer

from streamrelay.logs import Logger, Several

log = Logger()


@implementer(ILogObserver)
@define(eq=False)
class LostLines:
    """An observer beside the one that writes the log: when that fails, Twisted tells all others."""

    _count: int = 0
    _since: float = 0.0  # wall-clock time of the first one
    _error: str = ""
    _telling: bool = False
    _again: bool = False  # while it is told

    def __call__(self, event: LogEvent) -> None:
        if not isinstance(event.get("observer"), FileLogObserver) or "log_failure" not in event:
            return
        if self._telling:
            self._again = True
            return
        if not self._count:
            self._since = event["log_time"]
            error = event["log_failure"].value
            self._error = getattr(error, "strerror", None) or str(error)
        self._count += 1

    def tell(self) -> None:
        """Say what was lost, if anything was and the log can be written again. To be called every few seconds."""
        if not self._count:
            return
        since = time.strftime("%H:%M:%S", time.gmtime(self._since))
        self._telling, self._again = True, False
        log.warn(
            "{lines} of this log could not be written at once, from {since} UTC on: {error}; those that aren't here "
            "are lost, and the one before may be cut",
            lines=Several(self._count, "line"),
            since=since,
            error=self._error,
        )
        self._telling = False
        if not self._again:
            self._count = 0
