"""What the three taps share: options that lie over a TOML file, and the reactor that all of them need."""

import asyncio
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final, TypeVar

from msgspec import Struct
from twisted.application import strports
from twisted.application.service import MultiService
from twisted.internet import asyncioreactor
from twisted.internet.error import CannotListenError
from twisted.internet.task import LoopingCall
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python import usage

from streamrelay.certificates import ServerTls
from streamrelay.config import PlatformConfig, RelayConfig, load
from streamrelay.errors import ConfigError
from streamrelay.files import Watched
from streamrelay.logs import Logger, steadily
from streamrelay.proxies import BehindProxies, Proxies
from streamrelay.starting import Start

LOOK: Final = 2.0
"""Seconds between two looks at files that may change."""

Kind = TypeVar("Kind", bound=Struct)


class ConfigOptions(usage.Options):
    """Options that override the file given by ``--config``. `Options.__init__` installs the reactor."""

    fast_loop: ClassVar[bool] = False
    """Whether uvloop may be used; not where processes are spawned, as it loses their ends."""
    many: ClassVar[dict[str, str]] = {}
    """Repeatable options, and the settings that they add to."""
    one: ClassVar[dict[str, str]] = {}
    """Options that are given once, and the settings that they set."""
    flags: ClassVar[tuple[str, ...]] = ()
    """Options without a value that set what is called alike."""
    numbers: ClassVar[frozenset[str]] = frozenset()
    """Settings that are numbers."""

    def __init__(self) -> None:
        install_reactor(self.fast_loop)
        super().__init__()
        self.lists: dict[str, list[str]] = {}

    def add(self, setting: str, value: str) -> None:
        if setting == "nats" and "@" in value:
            raise usage.UsageError("--nats: the process list would show who logs in; use the file, or --nats-nkey")
        self.lists.setdefault(setting, []).append(value)

    def overrides(self) -> dict[str, Any]:
        """Settings that the command line gives."""
        given: dict[str, Any] = {
            setting: tuple(self.lists[option]) for option, setting in self.many.items() if option in self.lists
        }
        for option, setting in self.one.items():
            value = self.get(option)
            if value is None:
                continue
            if setting in self.numbers:
                try:
                    value = int(value) if value.isdecimal() else float(value)
                except ValueError:
                    raise ConfigError(f"--{option} {value}: expected a number") from None
            given[setting] = value
        Logger.debugging = bool(self["debug"])
        given |= {flag.replace("-", "_"): True for flag in self.flags if self.get(flag)}
        return given

    def config(self, kind: type[Kind]) -> Kind:
        """The settings, or `ConfigError`."""
        return load(kind, self["config"], self.overrides())


def install_reactor(fast: bool = False) -> None:
    """Install Twisted's asyncio reactor, with monotonic time, or refuse to go on with another.

    Twisted's timers follow the wall clock otherwise: after a step back of 12 s a timer of 5 s took 17.
    """
    if "twisted.internet.reactor" not in sys.modules:
        loop = _uvloop() if fast else asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        asyncioreactor.install(loop)
    reactor: Any = sys.modules["twisted.internet.reactor"]
    if not isinstance(reactor, asyncioreactor.AsyncioSelectorReactor):
        raise usage.UsageError(
            f"streamrelay needs Twisted's asyncio reactor, and {type(reactor).__name__} is installed already; "
            "leave --reactor out, or use --reactor asyncio"
        )
    reactor.seconds = time.monotonic


def _uvloop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def adopt_loop(reactor: Any) -> None:
    """Make the reactor's loop asyncio's current one again: a daemon's fork forgets it on Python 3.12 and later."""
    asyncio.set_event_loop(reactor._asyncioEventloop)


class Looped(MultiService):
    """The services of one program, whose loop is asyncio's current one from their start on."""

    def __init__(self, reactor: Any, options: usage.Options | None = None) -> None:
        super().__init__()
        self._reactor = reactor
        self._start = Start((options and options.parent) or {})
        self._watched: list[Watched] = []
        self._looks = LoopingCall(steadily(self._look))
        self._looks.clock = reactor

    def watch(self, *files: Watched) -> None:
        """Look at these files every two seconds from the start on, and read them at SIGHUP."""
        self._watched += files

    def privilegedStartService(self) -> None:
        self._start.begin()
        try:
            super().privilegedStartService()
        except (CannotListenError, OverflowError, OSError, ValueError) as error:
            self._start.fail(f"can't listen: {error}")

    def startService(self) -> None:
        adopt_loop(self._reactor)
        # It would kill a program that others tell to reload by it.
        signal.signal(signal.SIGHUP, lambda number, frame: self._reactor.callFromThread(self.reload))
        self._reactor.callWhenRunning(self._heed_once)
        super().startService()
        self._looks.start(LOOK, now=False)
        self._start.succeed()

    def _heed_once(self) -> None:
        """Let the first signal that ends us count, and no other: the reactor can't be stopped twice."""
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def heed(number: int, frame: Any) -> None:
            for ignored in before:
                signal.signal(ignored, lambda *_: None)
            first = before[signal.Signals(number)]
            if callable(first):
                first(number, frame)

        for number in before:
            signal.signal(number, heed)

    def stopService(self) -> Any:
        if self._looks.running:
            self._looks.stop()
        return super().stopService()

    def reload(self) -> None:
        """SIGHUP: read all files again."""
        for files in self._watched:
            files.refresh(force=True)

    def _look(self) -> None:
        for files in self._watched:
            files.refresh()


class Ports(MultiService):
    """The listening ports of one program, with the certificates of those that do TLS."""

    def __init__(self, config: RelayConfig | PlatformConfig, factory: Any, clock: Any, client_ca: str = "") -> None:
        super().__init__()
        self.tls = ServerTls(config.certificates, client_ca)
        self.files: list[Watched] = []
        """Those that are read again when they change."""
        if config.certificates:
            self.tls.load()
            self.files.append(self.tls.files)
        proxies = Proxies.named(config.proxies, config.proxy_protocol)
        for endpoint in config.listen:
            kind, _, where = endpoint.partition(":")
            inner = TLSMemoryBIOFactory(self.tls, False, factory, clock) if kind == "tls" else factory
            outer = BehindProxies(inner, proxies, clock) if proxies.speak_first else inner
            try:
                strports.service(_spelt_out(kind, where), outer).setServiceParent(self)
            except Exception as error:
                raise ConfigError(f"--listen {endpoint}: {error}") from None


def _spelt_out(kind: str, where: str) -> str:
    """An endpoint as Twisted knows it. Its unix sockets are open to everybody, whatever the umask, unless told."""
    if kind == "unix" and not re.search(r"(?<!\\):mode=", where):
        where += ":mode=660"
    return f"{'tcp' if kind == 'tls' else kind}:{where}"


@contextmanager
def one_line() -> Iterator[None]:
    """Leave the program with one line for whoever has to mend the settings."""
    try:
        yield
    except ConfigError as error:
        raise SystemExit(f"streamrelay: {error}") from None
