"""Reading of settings: a TOML file with the command line's on top, checked once. Unknown keys are errors."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from streamrelay.errors import ConfigError

Kind = TypeVar("Kind", bound=Struct)


def load(kind: type[Kind], path: str | None, overrides: dict[str, Any]) -> Kind:
    """Settings from a TOML file with the command line's on top, or raise `ConfigError`."""
    settings = read_toml(path) if path else {}
    where = f"{path}: " if path else ""
    try:
        return msgspec.convert({**settings, **overrides}, type=kind, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(where + _plainly(str(error), kind)) from None


def read_toml(path: str) -> dict[str, Any]:
    """A TOML file as a table, or raise `ConfigError`."""
    try:
        return tomllib.loads(Path(path).read_bytes().decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, a number or a nesting without end
        raise ConfigError(f"{path}: not TOML: {error}") from None


def _plainly(text: str, kind: type[Struct]) -> str:
    """msgspec's words, with the settings that there are when one is unknown or missing."""
    if "unknown field" in text or "missing required field" in text:
        return f"{text}; the settings are: {', '.join(kind.__struct_fields__)}"
    return text
