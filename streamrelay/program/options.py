"""Options of the three programs: they lie over a TOML file, and their class installs the reactor."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from msgspec import Struct
from twisted.python import usage

from streamrelay.errors import ConfigError
from streamrelay.logs import Logger
from streamrelay.program.reactor import install_reactor
from streamrelay.program.settings import load

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


@contextmanager
def one_line() -> Iterator[None]:
    """Leave the program with one line for whoever has to mend the settings."""
    try:
        yield
    except ConfigError as error:
        raise SystemExit(f"streamrelay: {error}") from None
