"""Who may open what: bearer keys, stored hashed, each with its grants.

::

    [keys.alice]
    hash = "sha256:…"
    grants = [{ host = "web-*", target = "log/*" }]

    [anonymous]                 # loopback only: what a request without a key may open
    grants = [{ host = "*", target = "*" }]

A key holds 256 random bits, so one round of SHA-256 guards it as well as a slow hash would: there is nothing to guess.
"""

import hashlib
import hmac
import re
import secrets
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from attrs import define, field
from msgspec import Meta, Struct

from streamrelay.config import read_toml
from streamrelay.errors import ConfigError
from streamrelay.files import write_new
from streamrelay.logs import Logger

log = Logger()

PREFIX: Final = "srk_"
"""How a key begins, so that scanners find leaked ones."""
NAME: Final = r"[A-Za-z0-9_.@-]{1,64}"


class Grant(Struct, frozen=True, forbid_unknown_fields=True):
    """Targets that may be opened: globs (``*`` stands for any characters, ``/`` among them)."""

    host: str = "*"
    target: str = "*"


class Holder(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of the file."""

    hash: Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]
    grants: tuple[Grant, ...]


class Anonymous(Struct, frozen=True, forbid_unknown_fields=True):
    """What a request without a key may open."""

    grants: tuple[Grant, ...]


class KeyFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    keys: dict[Annotated[str, Meta(pattern=f"^{NAME}\\Z")], Holder] = {}
    anonymous: Anonymous | None = None


@define(frozen=True)
class User:
    """Who asks, and what is granted to them."""

    name: str
    grants: tuple[Grant, ...]

    def may(self, host: str, target: str) -> bool:
        return any(fnmatchcase(host, grant.host) and fnmatchcase(target, grant.target) for grant in self.grants)

    def may_see(self, host: str, pattern: str) -> bool:
        """Whether a target, perhaps a pattern with ``{parts}``, may be listed."""
        return any(
            fnmatchcase(host, grant.host)
            and (fnmatchcase(pattern, grant.target) or _could_match(pattern, grant.target))
            for grant in self.grants
        )


def _could_match(pattern: str, glob: str) -> bool:
    """Whether some name of a target's pattern may match a glob: up to the first ``{`` or ``*`` they agree."""
    if "{" not in pattern:
        return False
    fixed, wanted = pattern.split("{")[0], re.split(r"[*?\[]", glob)[0]
    return fixed.startswith(wanted) or wanted.startswith(fixed)


@define(eq=False)
class KeyRing:
    """The file of keys, read again when it has changed. A file that has become wrong changes nothing."""

    path: str
    content: KeyFile = field(factory=KeyFile)
    _seen: tuple[int, int, int] = (0, 0, 0)

    def load(self) -> None:
        """Read the file, or raise `ConfigError`."""
        self._seen = self._look()  # first, so that a change while it is read is seen later
        table = read_toml(self.path)
        try:
            self.content = msgspec.convert(table, type=KeyFile, strict=True)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{self.path}: {error}") from None

    def user(self, bearer: str | None) -> User | None:
        """Whose key this is; without a key the anonymous user, if the file has one."""
        self._refresh()
        if bearer is None:
            anonymous = self.content.anonymous
            return User("anonymous", anonymous.grants) if anonymous else None
        digest = hash_key(bearer)
        found = None
        for name, holder in self.content.keys.items():
            if hmac.compare_digest(holder.hash, digest):
                found = User(name, holder.grants)
        return found

    def _refresh(self) -> None:
        if (seen := self._look()) == self._seen:
            return
        try:
            self.load()
        except ConfigError as error:
            self._seen = seen
            log.error("the keys stay as they were: {error}", error=error)

    def _look(self) -> tuple[int, int, int]:
        try:
            status = Path(self.path).stat()
        except OSError:
            return (0, 0, 0)
        return (status.st_mtime_ns, status.st_size, status.st_ino)


def hash_key(key: str) -> str:
    """How a key stands in the file."""
    return "sha256:" + hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def add_key(path: Path, name: str, grants: list[Grant]) -> str:
    """Append a new key's entry to the file (made with mode 0600 if there is none) and return the key."""
    if not re.fullmatch(NAME, name):
        raise ConfigError(f"{name!r}: a key's name is 1 to 64 of A-Za-z0-9_.@-")
    if path.exists():
        ring = KeyRing(str(path))
        ring.load()
        if name in ring.content.keys:
            raise ConfigError(f"{path}: there is a key for {name} already")
    else:
        write_new(path, b"", 0o600)
    key = PREFIX + secrets.token_urlsafe(32)
    rows = ", ".join(f"{{ host = {_toml(grant.host)}, target = {_toml(grant.target)} }}" for grant in grants)
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\n[keys.{_toml(name)}]\nhash = {_toml(hash_key(key))}\ngrants = [{rows}]\n")
    except OSError as error:
        raise ConfigError(f"{path}: can't be written: {error.strerror}") from None
    return key


def _toml(text: str) -> str:
    quoted: Any = msgspec.json.encode(text)  # a JSON string is a TOML basic string
    return str(quoted.decode())
