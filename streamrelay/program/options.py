"""Options of the three programs: they lie over a TOML file, and their class installs the reactor."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from msgspec import Struct
from twisted.python import usage

from streamrelay.errors import ConfigError
from streamrelay.files import Owners
from streamrelay.logs import Logger
from streamrelay.program.log_file import make_log
from streamrelay.program.pidfile import clear_stale
from streamrelay.program.reach import warn_of_reach
from streamrelay.program.reactor import install_reactor
from streamrelay.program.settings import Setting, declared, load
from streamrelay.program.started_settings import StartedSettings

Kind = TypeVar("Kind", bound=Struct)


class ConfigOptions(usage.Options):
    """Options that override the file given by ``--config``, as the settings declare them.

    `Options.__init__` installs the reactor.
    """

    settings: ClassVar[type[Struct]]
    """The Struct that declares them."""
    fast_loop: ClassVar[bool] = False
    """True if uvloop may be used; not where processes are spawned, as it loses their ends."""
    file: ClassVar[str] = "A TOML file of settings."
    """The help of ``--config``."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.opt_config = cls.opt_c = _config(cls.file)  # type: ignore[attr-defined]
        for setting in declared(cls.settings):
            if setting.option is not None:
                setattr(cls, f"opt_{setting.option_name.replace('-', '_')}", _option(setting))

    def __init__(self) -> None:
        install_reactor(self.fast_loop)
        super().__init__()
        self["config"] = None
        self.given: dict[str, Any] = {}

    def postOptions(self) -> None:
        """Look at what twistd has been told, before it does any of it."""
        if self.parent:
            with one_line():
                clear_stale(self.parent["pidfile"] or "")
            warn_of_reach(self.parent["uid"], self.parent["gid"])
            make_log(self.parent)

    def add(self, setting: Setting, text: str) -> None:
        """Take one option's value."""
        if setting.option is not None and setting.option.instead and "@" in text:
            why = f"the process list would show who logs in; {setting.option.instead}"
            raise usage.UsageError(f"--{setting.option_name}: {why}")
        if setting.is_list:
            self.given[setting.name] = (*self.given.get(setting.name, ()), text)
        else:
            check_once(setting.option_name, self.given.get(setting.name), text)
            self.given[setting.name] = text

    def overrides(self) -> dict[str, Any]:
        """Return the settings that the command line gives."""
        Owners.becoming = self.parent["uid"] if self.parent else None
        numbers = {setting.name: setting for setting in declared(self.settings) if setting.is_number}
        return {name: _number(numbers[name], text) if name in numbers else text for name, text in self.given.items()}

    def config(self, kind: type[Kind]) -> Kind:
        """The settings, or `ConfigError`."""
        settings = load(kind, self["config"], self.overrides())
        _heed_debug(settings)
        return settings

    def started(
        self, settings: Kind, *followed: str, live: Iterable[str] = (), take: Callable[[Kind], None] = lambda now: None
    ) -> StartedSettings:
        """The settings as they were read, to be compared with the file; of those `followed` others see to changes, and
        the `live` ones, which `take` is called with, count at once."""

        def take_all(now: Kind) -> None:
            take(now)
            _heed_debug(now)

        return StartedSettings(settings, self["config"] or "", self.overrides(), followed, (*live, "debug"), take_all)


def _heed_debug(settings: Struct) -> None:
    Logger.debugging = bool(getattr(settings, "debug", False))


def check_once(name: str, before: object, text: str) -> None:
    """Raise `UsageError` if an option of which one counts was given before."""
    if before is not None:
        raise usage.UsageError(f"--{name}: given twice, as {before} and as {text}; only one counts")


def _config(text: str) -> Callable[..., None]:
    """The method of ``--config``, as `_option` makes the others'."""

    def config(options: ConfigOptions, path: str) -> None:
        check_once("config", options["config"], path)
        options["config"] = path

    config.__doc__ = text
    return config


def _option(setting: Setting) -> Callable[..., None]:
    """A method as `usage.Options` finds it, with its help as the docstring."""

    def flag(options: ConfigOptions) -> None:
        options.given[setting.name] = True

    def value(options: ConfigOptions, text: str) -> None:
        options.add(setting, text)

    method: Callable[..., None] = flag if setting.is_flag else value
    method.__doc__ = setting.help
    return method


def _number(setting: Setting, text: str) -> float:
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        raise ConfigError(f"--{setting.option_name} {text}: expected a number") from None


@contextmanager
def one_line() -> Iterator[None]:
    """Leave the program with one line for whoever has to mend the settings."""
    try:
        yield
    except ConfigError as error:
        raise SystemExit(f"streamrelay: {error}") from None
