"""The admin listener of a program, for those who watch over it: its health and its metrics; none by default."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from attrs import define
from twisted.application.service import MultiService
from twisted.internet.interfaces import IProtocolFactory

from streamrelay.errors import ConfigError
from streamrelay.logs import Logger
from streamrelay.program import endpoints
from streamrelay.program.lag import LoopLag
from streamrelay.program.metrics import Families, Family, of_program
from streamrelay.program.readiness import Readiness
from streamrelay.program.service import Looped
from streamrelay.program.validation import check_socket_folder

log = Logger()


class AdminSettings(Protocol):
    """Settings of a program that may have an admin listener."""

    @property
    def admin(self) -> str: ...


@define(eq=False)
class Told:
    """Content of a program's admin listener."""

    program: str
    readiness: Readiness
    families: Families
    """Metrics of the program alone, beside those that every one has."""
    more_trouble: Callable[[], str] = lambda: ""
    """Words why no new work is taken that its readiness doesn't know of; empty if there are none."""

    def trouble(self) -> str:
        """Say why no new work is taken; empty if it is."""
        return self.readiness.reason or self.more_trouble()

    def all(self, lag: LoopLag) -> Iterator[Family]:
        yield from of_program(self.program, self.readiness, self.trouble, lag)
        yield from self.families()


def no_bus(connected: bool) -> str:
    """Return the words of a program that has lost its bus; none if it is there."""
    return "" if connected else "no connection to NATS"


class Admin(MultiService):
    """An admin listener, and the timer that measures how late the loop is: only where somebody is told."""

    def __init__(self, endpoint: str, told: Told, clock: Any) -> None:
        super().__init__()
        self.lag, self._endpoint = LoopLag(clock), endpoint
        site = _site(told, self.lag, clock)
        try:
            endpoints.service(clock, endpoint, site).setServiceParent(self)
        except Exception as error:
            raise ConfigError(f"--admin {endpoint}: {error}") from None

    def privilegedStartService(self) -> None:
        check_socket_folder("admin", self._endpoint)
        super().privilegedStartService()

    def startService(self) -> None:
        super().startService()
        log.info("health and metrics are told at {endpoint}", endpoint=self._endpoint)
        self.lag.start()

    def stopService(self) -> Any:
        self.lag.stop()
        return super().stopService()


def _site(told: Told, lag: LoopLag, clock: Any) -> IProtocolFactory:
    try:  # late, as it takes a tenth of a second of CPU, and hosts need not have the library
        from streamrelay.program.admin_site import AdminSite, Pages
        from streamrelay.program.exposition import Exposition
    except ImportError as error:
        if error.name != "prometheus_client":
            raise
        raise ConfigError("admin needs the package prometheus-client: pip install 'streamrelay[metrics]'") from None
    return AdminSite(Pages(told.trouble, Exposition(lambda: told.all(lag))), clock)


def add_admin(service: Looped, settings: AdminSettings, told: Told, clock: Any) -> None:
    """Give a program its admin listener, if its settings name one."""
    if settings.admin:
        Admin(settings.admin, told, clock).setServiceParent(service)
