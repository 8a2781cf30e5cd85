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
from streamrelay.agent.catalogue import Catalogue, Entry, read_entry
from streamrelay.errors import TargetError
from streamrelay.protocol.names import is_target


def _seed(kind: int, name: str, setting: str, expressions: str | list[str], *asked: str) -> bytes:
    expressions = [expressions] if isinstance(expressions, str) else expressions
    texts = b"".join(b"\x0f" + bytes([len(text)]) + text.encode() for text in (name, setting, *expressions))
    return bytes([kind, 0]) + texts + b"".join(b"\7" + bytes([len(text)]) + text.encode() for text in asked)


SEEDS: Final = [
    _seed(1, "vm/{name}/console", "/vm/{name}.sock", "[a-z]+", "vm/abc/console", "web-1"),
    _seed(0, "p/{port}", "127.0.0.1:{port}", "[0-9]+", "p/80", "99999"),
    _seed(0, "h/{h}/{p}", "[{h}]:{p}", [r"[0-9a-f:]+", r"\d{1,5}"], "h/::1/80", "h/::1]:1/80"),
    _seed(2, "{a}/{b}", "/{a}/.{b}", [".*", ".*"], "a/b", "./x", "-x"),
    _seed(2, "f{a}.{b}", "/l/.{a}.{b}", ["x?", "y?"], "f.", "fx.y"),
    _seed(3, "u/{unit}", "{unit}", "-?[a-z]+", "u/ssh", "u/-x"),
    _seed(2, "x/{a}", "/{a}", "(?:a+)+", "x/" + "a" * 60 + "b", "x/aa"),
    _seed(2, "x/{a}", "/{a}", "(?:a|aa)*(?:a*a*)*b?", "x/" + "a" * 200, "x/" + "a" * 200 + "!"),
    _seed(2, "x/{a}", "/{a}", "x{99999999999}", "x/x"),
    _seed(2, "x/{a}", "/{a}", "(" * 200, "x/x"),
    _seed(2, "x/{a}", "/{a}", r"(?i:[^/]{1,64})|\w+\b|\Z", "x/K", "x/\u212a"),
    b"\2\0\1\1\1\1\1\0\0\1\1\0\2\0\1",
]
WORDS: Final = [
    *rb"{a} {b} {name} / .. . - -- (?: ) + * ? | [a-z] \d \w {1,9} {9999} (?i) (?P<a> (?P=a) (?= (?! (?<=".split(),
    *rb"(?> \1 \Z ^ $ [^ ] 127.0.0.1: :80 /x \x2e".split(),
    b"\\N{DIGIT ONE}",
    *rb"[[:alpha:]] \pL \Q \C aaaaaaaaaaaaaaaa".split(),
]

_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_split = str.split
_KINDS: Final = ("tcp", "unix", "log", "pty")
_NAMES: Final = [
    *_split("log x/{a} {a} {a}/{b} f{a}.{b} {a}{b} v/{a}/{b}/c {a}-{b} u/{a}@{b} {a}{a} {a"),
]
_PATHS: Final = [
    *_split("/{a} /l/{a} /l/{a}/{b} /l/.{a}.{b} {a} /{a}{b} /./{a} /l/{a}/{b}.log /{a}/../{b} x"),
]
_SETTINGS: Final = {
    "tcp": ("{a}:80", "127.0.0.1:{a}", "{a}:{b}", "[{a}]:{b}", "{a}.example:{b}", "[{a}", "{a}", "::1:{a}", "{a}{b}:1"),
    "unix": _PATHS,
    "log": _PATHS,
    "pty": ("{a}", "-{a}", "--unit={a}", "./{a}", "{a}{b}", "{b}", "/x/{a}", "{a}/{b}", "-x"),
}
_EXPRESSIONS: Final = [
    *_split(r"[a-z]+ .* .+ [0-9]{1,5} \w+ a | (?: ) + * ? -? [a-z./-]* x? [^/]+ \. / {1,9} a* (?:a|aa) [a-z0-9:-]+"),
    *_split(r". ^ $ \b (?i) [^a] \d"),
]
_TEXTS: Final = [
    *_split("a b .. . / - -- web-1 80 : @ + x ] 0 _ aaaaaaaaaaaaaaaaaaaaaaaa A ../ /.. 127.0.0.1 ::1 a/b 99999"),
    " ",
    "\n",
    "{a}",
    "\u0661",
    "%2e",
]


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    kind, odd = choices.pick(_KINDS), choices.number(32)
    name, setting = choices.phrase(_NAMES, 2), choices.phrase(_SETTINGS[kind], 2)
    places = list(dict.fromkeys(_PLACE.findall(name)))
    if odd == 31:
        places = [*places, "other"][choices.number(2) :]
    table: dict[str, Any] = {"kind": kind, "parts": {place: choices.phrase(_EXPRESSIONS, 6) for place in places}}
    kinds: dict[str, dict[str, Any]] = {"tcp": {"address": setting}, "pty": {"command": ["/bin/show", setting]}}
    texts = kinds.get(kind, {"path": setting})
    try:
        entry = read_entry(name, table | texts)
    except (ValueError, msgspec.ValidationError):
        return
    catalogue = Catalogue(entries={name: entry})
    for _ in range(6):
        if choices.number(8) == 7:
            asked = choices.text()
        else:
            asked = _PLACE.sub(lambda _: choices.phrase(_TEXTS), name)
        _ask(catalogue, entry, asked)


def _ask(catalogue: Catalogue, entry: Entry, asked: str) -> None:
    began = time.process_time()
    try:
        target: Any = catalogue.find(asked)
    except TargetError:
        return
    finally:
        assert time.process_time() - began < 0.5, "a name takes too long"
    assert is_target(asked)
    found = entry.pattern.fullmatch(asked) if entry.pattern else None
    assert found or (entry.pattern is None and asked == entry.name), asked
    parts = found.groupdict() if found else {}
    assert _PLACE.sub(lambda match: parts[match[1]], entry.name) == asked
    for place, text in parts.items():
        _check_part(entry.settings.parts[place], text)
    for field, said in structs.asdict(entry.settings).items():
        filled = getattr(target, field)
        if isinstance(said, str) or field == "command":
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
