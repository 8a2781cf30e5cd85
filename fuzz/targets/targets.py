"""An operator's pattern, and the names that strangers ask for.

A pattern is refused with a `ValueError` or is one that matches in linear time. A name that it matches is the pattern
with a text for each part, every text matches its part's expression by itself (in `re`'s reading of it), the settings
are the operator's with these texts in them and nothing else, no step of a path became ``.`` or ``..``, and no argument
an option.
"""

import re
import time
import warnings
from typing import Any, Final

import msgspec
from msgspec import structs

from fuzz.choices import Choices
from streamrelay import wire
from streamrelay.errors import TargetError
from streamrelay.targets.catalogue import Catalogue, Entry, read_entry


def _seed(kind: int, name: str, setting: str, *more: str) -> bytes:
    texts = [name, setting, *more]
    return bytes([kind, len(more)]) + b"".join(bytes([len(text)]) + text.encode() for text in texts)


SEEDS: Final = [
    _seed(1, "vm/{name}/console", "/vm/{name}.sock", "[a-z]+", "vm/abc/console", "web-1"),
    _seed(0, "p/{port}", "127.0.0.1:{port}", "[0-9]+", "p/80", "99999"),
    _seed(0, "h/{h}/{p}", "[{h}]:{p}", r"[0-9a-f:]+", r"\d{1,5}", "h/::1/80", "h/::1]:1/80"),
    _seed(2, "{a}/{b}", "/{a}/.{b}", ".*", ".*", "a/b", "./x", "-x"),
    _seed(2, "f{a}.{b}", "/l/.{a}.{b}", "x?", "y?", "f.", "fx.y"),
    _seed(3, "u/{unit}", "{unit}", "-?[a-z]+", "u/ssh", "u/-x"),
    _seed(2, "x/{a}", "/{a}", "(?:a+)+", "x/" + "a" * 60 + "b", "x/aa"),
    _seed(2, "x/{a}", "/{a}", "(?:a|aa)*(?:a*a*)*b?", "x/" + "a" * 200, "x/" + "a" * 200 + "!"),
    _seed(2, "x/{a}", "/{a}", "x{99999999999}", "x/x"),
    _seed(2, "x/{a}", "/{a}", "(" * 200, "x/x"),
    _seed(2, "x/{a}", "/{a}", r"(?i:[^/]{1,64})|\w+\b|\Z", "x/K", "x/\u212a"),
]
WORDS: Final = [
    *(
        b"{a}",
        b"{b}",
        b"{name}",
        b"/",
        b"..",
        b".",
        b"-",
        b"--",
        b"(?:",
        b")",
        b"+",
        b"*",
        b"?",
        b"|",
        b"[a-z]",
        b"\\d",
        b"\\w",
    ),
    *(
        b"{1,9}",
        b"{9999}",
        b"(?i)",
        b"(?P<a>",
        b"(?P=a)",
        b"(?=",
        b"(?!",
        b"(?<=",
        b"(?>",
        b"\\1",
        b"\\Z",
        b"^",
        b"$",
        b"[^",
        b"]",
    ),
    *(
        b"127.0.0.1:",
        b":80",
        b"/x",
        b"\\x2e",
        b"\\N{DIGIT ONE}",
        b"[[:alpha:]]",
        b"\\pL",
        b"\\Q",
        b"\\C",
        b"aaaaaaaaaaaaaaaa",
    ),
]

_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_NAMES: Final = ("tcp", "unix", "log", "pty")


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    kind, parts = choices.pick(_NAMES), choices.number(4)
    name, setting = choices.text(), choices.text()
    places = list(dict.fromkeys(_PLACE.findall(name)))
    table: dict[str, Any] = {"kind": kind, "parts": {place: choices.text() for place in (places + ["other"])[:parts]}}
    texts = {"tcp": {"address": setting}, "pty": {"command": ["/bin/show", setting]}}.get(kind, {"path": setting})
    try:
        entry = read_entry(name, table | texts)
    except (ValueError, msgspec.ValidationError):
        return
    catalogue = Catalogue(entries={name: entry})
    while choices:
        asked = choices.text()
        if choices.flag():  # the pattern, with one text for all of its parts
            asked = _PLACE.sub(lambda match, text=asked: text, name)  # type: ignore[misc]
        _ask(catalogue, entry, asked)


def _ask(catalogue: Catalogue, entry: Entry, asked: str) -> None:
    began = time.process_time()
    try:
        target: Any = catalogue.find(asked)[0]
    except TargetError:
        return
    finally:
        assert time.process_time() - began < 0.5, "a name takes too long"
    assert wire.is_target(asked)
    found = entry.pattern.fullmatch(asked)
    assert found, asked
    parts = found.groupdict()
    assert _PLACE.sub(lambda match: parts[match[1]], entry.name) == asked
    for place, text in parts.items():
        _check_part(entry.settings.parts[place], text)
    for field in structs.fields(entry.settings):
        said, filled = getattr(entry.settings, field.name), getattr(target, field.name)
        if isinstance(said, str) or field.name == "command":
            for template, result in zip(*((x,) if isinstance(x, str) else x for x in (said, filled)), strict=True):
                _check_text(template, result, parts)
        else:
            assert said == filled


def _check_part(expression: str, text: str) -> None:
    assert not {".", ".."} & set(text.split("/")), text
    if len(text) > 16:  # `re` may take for ever
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            same = re.compile(f"(?:{expression})", re.ASCII).fullmatch(text)
    except (re.error, OverflowError, RecursionError):
        return  # written for RE2
    assert same or not _COMMON.fullmatch(expression), f"{expression!r} does not allow {text!r}"


_COMMON = re.compile(r"(?:[A-Za-z0-9/_.,|*+?-]|\\[dw.]|\(\?:|\)|\[[a-z0-9-]+\])*")
"""Expressions that mean the same to `re` and to RE2."""


def _check_text(template: str, result: str, parts: dict[str, str]) -> None:
    assert result == _PLACE.sub(lambda match: parts[match[1]], template)
    assert template.startswith("-") or not result.startswith("-"), result
    for step in (".", ".."):
        assert result.split("/").count(step) <= template.split("/").count(step), f"{template} became {result}"
