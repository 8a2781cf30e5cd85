"""The services of one program: its loop, its ports and their certificates."""

import gc
import os
import signal
from typing import Any, Final, Protocol

from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import LoopingCall
from twisted.logger import globalLogPublisher
from twisted.python import usage

from streamrelay.errors import ConfigError
from streamrelay.files import Watched
from streamrelay.logs import Logger, steadily
from streamrelay.net.certificates import ServerTls
from streamrelay.net.failed_handshakes import FailedHandshakes
from streamrelay.net.proxies import BehindProxies, Proxies
from streamrelay.net.tls import TlsFactory
from streamrelay.program import early_signals, endpoints
from streamrelay.program.activation import is_passed, listening
from streamrelay.program.lost_lines import LostLines
from streamrelay.program.notify import Notifier
from streamrelay.program.reactor import adopt_loop
from streamrelay.program.readiness import STARTING, Readiness
from streamrelay.program.start import Start
from streamrelay.program.stopping import Stopping, Work
from streamrelay.program.validation import check_socket_folder

log = Logger()

LOOK: Final = 2.0
"""Seconds between two looks at files that may change."""
DAY: Final = 86400.0
"""Seconds between two looks whether certificates are about to expire."""


class Refreshed(Protocol):
    """Files that are read again when they have changed."""

    def refresh(self, force: bool = False) -> None: ...


class Looped(MultiService):
    """The services of one program, whose loop is asyncio's current one from their start on."""

    def __init__(self, reactor: Any, options: usage.Options | None = None) -> None:
        super().__init__()
        self.readiness = Readiness()
        self.stopping = Stopping(reactor, self.readiness)
        self._reactor = reactor
        self._notifier = Notifier(reactor, self.readiness, lambda: self.stopping.seconds)
        self._notifier.take(os.environ)
        self._start = Start((options and options.parent) or {})
        self._watched: list[Refreshed] = []
        self._lost_lines = LostLines()
        self._looks = LoopingCall(steadily(self._look))
        self._looks.clock = reactor

    def watch(self, *files: Refreshed) -> None:
        """Look at these files every `LOOK` seconds from the start on, and read all of them at SIGHUP."""
        self._watched += files

    def drain(self, work: Work, seconds: float) -> None:
        """Let this work go on for so long when the program is told to stop."""
        self.stopping.work, self.stopping.seconds = work, seconds

    def privilegedStartService(self) -> None:
        self._start.begin()
        try:
            super().privilegedStartService()
        except ConfigError as error:
            self._start.fail(str(error))
        except (CannotListenError, OverflowError, OSError, ValueError) as error:
            self._start.fail(f"can't listen: {error}")

    def startService(self) -> None:
        adopt_loop(self._reactor)
        # It would kill a program that others tell to reload by it.
        signal.signal(signal.SIGHUP, lambda number, frame: self._reactor.callFromThread(self.reload))
        early_signals.release(self._reactor)
        self._reactor.callWhenRunning(self.stopping.install)
        try:
            super().startService()
        except ConfigError as error:
            self._start.fail(str(error))
        globalLogPublisher.addObserver(self._lost_lines)
        self._looks.start(LOOK, now=False)
        gc.freeze()  # what was loaded stays: it needn't be looked at again at every collection
        self._start.succeed()
        if self.readiness.reason == STARTING:  # else some service waits for something
            self.readiness.ready()
        self._notifier.start()

    def stopService(self) -> Any:
        if self._looks.running:
            self._looks.stop()
        self._lost_lines.tell()
        globalLogPublisher.removeObserver(self._lost_lines)
        stopped: Deferred[None] = Deferred()
        for done in (maybeDeferred(super().stopService), self.stopping.hurried):
            done.addErrback(lambda failure: log.failure("an error while the program stopped", failure))
            done.addCallback(lambda _: None if stopped.called else stopped.callback(None))
        return stopped

    def reload(self) -> None:
        """Read all files again, as SIGHUP asks for."""
        self._notifier.reload(self._read_all)

    def _read_all(self) -> None:
        for files in self._watched:
            files.refresh(force=True)

    def _look(self) -> None:
        self._lost_lines.tell()
        for files in self._watched:
            files.refresh()


class PortSettings(Protocol):
    """Settings of a program that listens."""

    @property
    def listen(self) -> tuple[str, ...]: ...
    @property
    def certificates(self) -> tuple[str, ...]: ...
    @property
    def proxies(self) -> tuple[str, ...]: ...
    @property
    def proxy_protocol(self) -> bool: ...
    @property
    def insecure(self) -> bool: ...


class Ports(MultiService):
    """The listening ports of one program, with the certificates of those that do TLS."""

    def __init__(self, settings: PortSettings, factory: Any, clock: Any, client_ca: str = "") -> None:
        super().__init__()
        self.tls = ServerTls(settings.certificates, client_ca)
        self.files: list[Watched] = []
        """Files of the ports that are read again when they change."""
        self._passed: list[StreamServerEndpointService] = []
        self._failed = FailedHandshakes(clock)
        self._days = LoopingCall(steadily(self.tls.warn))
        self._days.clock = clock
        if settings.certificates:
            self.tls.load()
            self.files.append(self.tls.files)
        self._listen = settings.listen
        proxies = Proxies.named(settings.proxies, settings.proxy_protocol)
        for endpoint in settings.listen:
            # The PROXY header comes before TLS, in plain; so its reader is the outer one.
            is_tls = endpoint.startswith("tls:")
            inner = TlsFactory(self.tls, False, factory, clock, self._failed.count) if is_tls else factory
            outer = BehindProxies(inner, proxies, clock) if proxies.speak_first else inner
            try:
                if is_passed(endpoint):
                    self._passed.append(listening(clock, endpoint, outer, settings.insecure))
                    self._passed[-1].setServiceParent(self)
                else:
                    endpoints.service(clock, endpoint, outer).setServiceParent(self)
            except ConfigError:
                raise
            except Exception as error:
                raise ConfigError(f"--listen {endpoint}: {error}") from None

    def privilegedStartService(self) -> None:
        for endpoint in self._listen:
            check_socket_folder("listen", endpoint)
        super().privilegedStartService()

    def startService(self) -> None:
        super().startService()
        self._days.start(DAY)

    def follow(self, readiness: Readiness) -> None:
        """Once the program drains, let what comes by sockets of systemd's wait there, for the one that is started next;
        other ports go on, so that who comes is told."""

        def look() -> None:
            while readiness.draining and self._passed:
                self._passed.pop().disownServiceParent()

        readiness.watchers.append(look)

    def stop_listening(self) -> None:
        """Accept no connection any more; those that there are go on."""
        for port in tuple(self):
            port.disownServiceParent()

    def stopService(self) -> Any:
        if self._days.running:
            self._days.stop()
        self._failed.stop()
        return super().stopService()
