"""The file of keys as ``streamrelay key`` edits it: keys come and go, and what else stands there is left alone."""

import fcntl
import os
import re
import secrets
import stat
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import pairwise
from pathlib import Path
from tempfile import mkstemp
from typing import Any

import msgspec

from streamrelay.errors import ConfigError
from streamrelay.files import open_file, write_new
from streamrelay.platform.auth.grants import NAME, PREFIX_ONCE, Grant, Holder, hash_key, read_keys
from streamrelay.protocol.names import PREFIX


def list_keys(path: Path) -> dict[str, Holder]:
    """Return the keys of a file by their names, or raise `ConfigError`."""
    return dict(sorted(read_keys(str(path)).keys.items()))


def add_key(
    path: Path,
    name: str,
    grants: list[Grant],
    created: date | None = None,
    once: bool = False,
    drain: Sequence[str] = (),
) -> str:
    """Append a new key's entry to the file (made with mode 0600 if there is none) and return the key."""
    if not re.fullmatch(NAME, name):
        raise ConfigError(f"{name!r}: a key's name is 1 to 64 of A-Za-z0-9_.@-")
    key = (PREFIX_ONCE if once else PREFIX) + secrets.token_urlsafe(32)
    rows = ", ".join(map(_row, grants))
    more = f"created = {created.isoformat()}\n" if created else ""
    more += "once = true\n" if once else ""
    more += f"drain = [{', '.join(map(_toml, drain))}]\n" if drain else ""
    entry = f"\n[keys.{_toml(name)}]\nhash = {_toml(hash_key(key))}\n{more}grants = [{rows}]\n"
    with _alone(path):
        if path.exists():
            if name in list_keys(path):
                raise ConfigError(f"{path}: there is a key for {name} already")
        else:
            write_new(path, b"", 0o600)
        _replace(path, _text(path) + entry)
    return key


def _row(grant: Grant) -> str:
    more = "".join(f", {name} = true" for name in ("view", "share") if getattr(grant, name))
    return f"{{ host = {_toml(grant.host)}, target = {_toml(grant.target)}{more} }}"


def revoke_key(path: Path, name: str) -> None:
    """Take a key's entry out of the file, or raise `ConfigError`. Its sessions end with it."""
    with _alone(path):
        if name not in list_keys(path):
            raise ConfigError(f"{path}: there is no key for {name}")
        before = _text(path)
        after = _without(before, name)
        wanted = tomllib.loads(before)
        del wanted["keys"][name]
        if {"keys": {}, **(_read(after) or {})} != wanted:
            raise ConfigError(f"{path}: the entry of {name} isn't one table of its own; take it out by hand")
        _replace(path, after)


def _without(text: str, name: str) -> str:
    """Take a key's tables out of a file's text, up to the last line of each that isn't empty or a comment."""
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    heads = [index for index, line in enumerate(lines) if _table(line)] + [len(lines)]
    for start, end in reversed(list(pairwise(heads))):
        if name not in _table(lines[start]).get("keys", {}):
            continue
        while lines[end - 1].strip() == "" or lines[end - 1].lstrip().startswith("#"):
            end -= 1
        if start and lines[start - 1].strip() == "":
            start -= 1  # the empty line that `add_key` begins with
        del lines[start:end]
    return "".join(lines)


def _table(line: str) -> dict[str, Any]:
    """Return what a table's head opens, as nested tables; nothing if the line is none."""
    return (_read(line) or {}) if line.lstrip().startswith("[") else {}


def _read(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other `streamrelay key` commands waiting meanwhile; `ConfigError` if the folder can't be written to."""
    try:
        # The folder is locked, as `_replace` puts another file in the place of this one.
        folder = os.open(Path(os.path.realpath(path)).parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)
    except OSError as error:
        raise ConfigError(f"{path}: can't be written: {error.strerror}") from None


def _replace(path: Path, text: str) -> None:
    """Put a file in the place of another at once, with its owner and mode; a crash leaves the one or the other."""
    real = Path(os.path.realpath(path))
    status = real.stat()
    descriptor, name = mkstemp(prefix=f".{real.name}.", dir=real.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(status.st_mode))
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, real)
    except BaseException:
        os.unlink(name)
        raise
    # The content is on the disk by now; the new name is to survive a crash, too.
    folder = os.open(real.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _text(path: Path) -> str:
    """Read a file's text, with the ends of its lines as they are, and without a byte order mark."""
    with open_file(str(path)) as file:
        return file.read().decode("utf-8-sig", "surrogateescape")


def _toml(text: str) -> str:
    return str(msgspec.json.encode(text).decode())  # a JSON string is a TOML basic string
