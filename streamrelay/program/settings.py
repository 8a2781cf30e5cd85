"""Reading of settings: a TOML file with the command line's on top, checked once. Unknown keys are errors.

A setting that may stand on the command line, too, has an `Option` in its annotation, with all that ``--help`` says of
it; the others have a docstring. Options are made from `declared`, and the manual is held to it by a test.
"""

import codecs
import difflib
import re
import tomllib
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct, structs

from streamrelay.errors import ConfigError
from streamrelay.files import read

Kind = TypeVar("Kind", bound=Struct)

DEEPEST: Final = 32
"""Dots of a name that may lack its quotes; a file may nest tables without end."""


class Option(Struct, frozen=True):
    """An annotation: a setting is an option of the command line, too."""

    help: str
    """A phrase without a full stop. That it may be repeated, and its default, are added."""
    named: str = ""
    """The option's name, if that isn't the setting's with ``-`` for ``_``."""
    instead: str = ""
    """Advice if the value is a URL with a login in it, which the process list would show; empty: it can't be."""


class Setting(Struct, frozen=True):
    """A setting as it was declared."""

    name: str
    type: Any
    """Type of the setting, without annotations."""
    default: Any
    """`NODEFAULT` if it is required."""
    option: Option | None = None

    @property
    def option_name(self) -> str:
        """The option's name without dashes, if it is one."""
        return (self.option.named if self.option else "") or self.name.replace("_", "-")

    @property
    def is_flag(self) -> bool:
        """True if its option has no value."""
        return self.type is bool

    @property
    def is_number(self) -> bool:
        return self.type in (int, float)

    @property
    def is_list(self) -> bool:
        """True if its option may be repeated."""
        return get_origin(self.type) is tuple

    @property
    def help(self) -> str:
        """The sentence that ``--help`` shows."""
        text = self.option.help if self.option else ""
        if self.is_list:
            text += "; may be repeated"
        shown = self._shown_default()
        return f"{text} (default: {shown})." if shown else f"{text}."

    def _shown_default(self) -> str:
        if self.is_list:
            return ", ".join(self.default)
        if self.is_number:
            return f"{self.default:g}"
        return "" if self.is_flag or self.default is NODEFAULT else str(self.default)


def declared(kind: type[Struct]) -> Iterator[Setting]:
    """Yield all settings of a program, or of one of its tables."""
    for field in structs.fields(kind):
        plain, *notes = get_args(field.type) if get_origin(field.type) is Annotated else (field.type,)
        made = field.default_factory
        default = field.default if made is NODEFAULT else made()
        option = next((note for note in notes if isinstance(note, Option)), None)
        yield Setting(field.name, plain, default, option)


def load(kind: type[Kind], path: str | None, overrides: dict[str, Any]) -> Kind:
    """Settings from a TOML file with the command line's on top, or raise `ConfigError`."""
    return convert(kind, read_toml(path) if path else {}, overrides, path)


def convert(kind: type[Kind], table: Mapping[str, Any], overrides: Mapping[str, Any], path: str | None) -> Kind:
    """Settings from a file's table with the command line's on top, or raise `ConfigError`."""
    where = f"{path}: " if path else ""
    try:
        return msgspec.convert({**table, **overrides}, type=kind, strict=True)
    except msgspec.ValidationError as error:
        advice = "" if path else _advice(str(error), kind)
        raise ConfigError(where + plainly(str(error), kind.__struct_fields__) + advice) from None


def read_toml(path: str) -> dict[str, Any]:
    """A TOML file as a table, or raise `ConfigError`."""
    return parse_toml(path, read(path, -1))


def parse_toml(path: str, content: bytes) -> dict[str, Any]:
    """The content of a TOML file as a table, or raise `ConfigError`."""
    try:
        return tomllib.loads(content.decode("utf-8-sig"))  # an editor on Windows may have put a mark in front
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, a number or a nesting without end
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        raise ConfigError(f"{path}: not TOML: {'it is UTF-16; save it as UTF-8' if wide else error}") from None


def unquoted(name: str, table: object, wanted: str, settings: Container[str] = ()) -> str:
    """Return advice where a table of this name holds others in place of settings, as its name has dots and no quotes.

    `wanted` is a setting that each has, `settings` are those that may be tables themselves.
    """
    if not isinstance(table, dict) or name.count(".") > DEEPEST:
        return ""
    for more, inner in table.items():
        if isinstance(inner, dict) and (wanted not in table or more not in settings):
            whole = f"{name}.{more}"
            found = unquoted(whole, inner, wanted, settings)
            if found or wanted in inner:
                return found or f'; a name with a dot needs quotes: "{whole}"'
    return ""


def _advice(text: str, kind: type[Struct]) -> str:
    """Return how a setting that is missing is given, for who has given no file."""
    missing = re.search("missing required field `([^`]+)`", text)
    names = {setting.name: setting.option_name for setting in declared(kind) if setting.option}
    if missing is None:
        return ""
    return "; give --config FILE" + (f", or --{names[missing[1]]}" if missing[1] in names else "")


def plainly(text: str, known: Sequence[str]) -> str:
    """Return msgspec's words; of an unknown setting with the ones that may be meant, or all that are known."""
    unknown = re.search("unknown field `([^`]+)`", text)
    if unknown is None:
        return text
    near = difflib.get_close_matches(unknown[1], known)
    if near:
        return f"{text}; is {' or '.join(near)} meant?"
    return f"{text}; the settings are: {', '.join(known)}"
