"""Logs that can't be read under their path for now: clients and the agent's log are told, and again when they can."""

from typing import Final

from attrs import define

from streamrelay.agent.targets.logfile.file import LogFile, open_log
from streamrelay.agent.targets.logfile.rotation import identity_of
from streamrelay.agent.targets.logfile.settings import Settings
from streamrelay.agent.targets.logfile.unreadable import readable, waited_for
from streamrelay.agent.targets.sockets.paths import Outside
from streamrelay.protocol.control import Control

LASTING: Final = 1.0
"""Seconds for which a log that was read may be missing, as in a rotation, without a word."""


def hindrance(path: str, within: str, file: LogFile | None) -> str:
    """Say why a log can't be read under its path; empty if it can, or leads to the file that is read already."""
    try:
        if file is not None and file.identity == identity_of(path):
            return ""
        found = open_log(path, within)
    except Outside:
        return "its path is not allowed"
    except OSError as error:
        return error.strerror or str(error)
    if found is None:
        return "it does not exist"
    found.close()
    return ""


@define(eq=False)
class Waiting:
    """A follower's looks whether its log can be read under its path, and its wait where it can't."""

    settings: Settings
    begun: bool
    """True once there was a file to read; before that it is told at once that there is none."""
    _told: str = ""  # why it can't be read, as the client knows
    _since: float | None = None  # when it could no longer be read

    def look(self, now: float, file: LogFile | None) -> Control | None:
        """Return what is to be told to the client, if it has changed."""
        why = hindrance(self.settings.path, self.settings.within, file)
        if not why:
            return self.over()
        if self._since is None:
            self._since = now if self.begun else now - LASTING
        if why == self._told or now < self._since + LASTING:
            return None
        self._told = why
        waited_for(self.settings.path, why)
        return Control(note=f"waiting for the log: {why}")

    def over(self) -> Control | None:
        """Take note that it can be read; return what is to be told to a client who was told otherwise."""
        readable(self.settings.path)
        self.begun, self._since = True, None
        told, self._told = self._told, ""
        return Control(note="the log can be read now") if told else None
