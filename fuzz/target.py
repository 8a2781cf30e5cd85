"""The targets by name, and how one input is run."""

import hashlib
import importlib
from pathlib import Path
from types import ModuleType
from typing import Final

from attrs import define
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

TARGETS: Final = (
    "handshake",
    "dial",
    "answers",
    "frames",
    "connection",
    "channels",
    "resuming",
    "tokens",
    "summonses",
    "config",
    "targets",
    "rfb",
    "screen",
    "containers",
    "journal",
    "places",
    "relays",
    "sessions",
    "launcher",
    "records",
    "log_text",
)
CORPUS: Final = Path(__file__).parent / "corpus"


@define(frozen=True)
class Target:
    """One module of `fuzz.targets`."""

    name: str
    module: ModuleType

    @property
    def seeds(self) -> list[bytes]:
        """What fuzzing begins with."""
        return list(self.module.SEEDS)

    @property
    def words(self) -> list[bytes]:
        """What is worth a try anywhere in an input."""
        return list(self.module.WORDS)

    @property
    def corpus(self) -> list[Path]:
        """The inputs that are kept: those that reach every line between them, and all that ever failed."""
        return sorted((CORPUS / self.name).glob("*"))

    def run(self, source: bytes) -> None:
        """Try one input; raise if it breaks the target's invariant."""
        failures = _Failures()
        globalLogPublisher.addObserver(failures)
        try:
            self.module.fuzz(source)
        finally:
            globalLogPublisher.removeObserver(failures)
        if failures:  # what the code itself has caught and logged with a traceback is a bug all the same
            raise AssertionError("logged with a traceback") from failures[0].value


@implementer(ILogObserver)
class _Failures(list[Failure]):
    """The tracebacks that are logged."""

    def __call__(self, event: LogEvent) -> None:
        if "log_failure" in event:
            self.append(event["log_failure"])


def find(name: str) -> Target:
    """The target of this name; its modules are imported only now, so that they can be instrumented."""
    return Target(name, importlib.import_module(f"fuzz.targets.{name}"))


def keep(name: str, source: bytes, prefix: str = "") -> Path:
    """Add an input to the corpus."""
    path = CORPUS / name / (prefix + hashlib.sha256(source).hexdigest()[:12])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(source)
    return path
