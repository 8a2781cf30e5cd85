"""The launcher as a service of the agent: started before root is given up."""

import os
from typing import Any

from attrs import define
from twisted.application.service import Service

from streamrelay.agent.catalogue import Catalogue
from streamrelay.agent.launcher import launcher
from streamrelay.agent.launcher.line import Line


@define(eq=False)
class Launching(Service):
    """Starts the launcher, if we are root and a target names a user, at each start of the agent."""

    catalogue: Catalogue
    most: int
    reactor: Any
    _line: Line | None = None

    def privilegedStartService(self) -> None:
        if os.geteuid() == 0 and self.catalogue.names_users:
            self._line = Line(self.reactor, launcher.begin(self.catalogue, self.most, self.reactor.seconds))

    def startService(self) -> None:
        super().startService()
        if self._line is not None:
            self._line.startReading()
        self.catalogue.launcher, self.catalogue.may_change_users = self._line, self._line is not None
        self.catalogue.tell_own()

    def stopService(self) -> None:
        super().stopService()
        if self._line is not None:
            self._line.finish()
