"""Grants: what each key, each claim of an issuer's user, and a request without a key may open.

::

    [keys.alice]
    hash = "sha256:…"
    grants = [{ host = "web-*", target = "log/*" }]

    [keys.helper]               # `share`: kept terminals of others, too; with `view` to look on
    hash = "sha256:…"
    grants = [{ host = "web-*", target = "shell", share = true }]

    [keys.operator]             # `drain`: relays of the bus that may be drained
    hash = "sha256:…"
    grants = []
    drain = ["fra-*"]

    [keys.guest]                # `once`: good for one sign-in at the console, by the link URL/#key=KEY
    hash = "sha256:…"
    once = true
    grants = [{ host = "*", target = "*" }]

    [claims.groups.ops]         # with an issuer: what its users may open whose claim `groups` is "ops", or has it
    grants = [{ host = "*", target = "log/*" }]

    [anonymous]                 # loopback only: what a request without a key may open
    grants = [{ host = "*", target = "*" }]

A key holds 256 random bits, so one round of SHA-256 guards it as well as a slow hash would: there is nothing to guess.
"""

import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Mapping
from datetime import date
from fnmatch import fnmatchcase
from typing import Annotated, Final, TypeGuard

import msgspec
from attrs import define, field
from msgspec import Meta, Struct

from streamrelay.errors import ConfigError
from streamrelay.files import Watched, check_folder, check_unwritable, read, read_own
from streamrelay.logs import Logger
from streamrelay.program.settings import parse_toml, plainly, unquoted
from streamrelay.protocol.names import PREFIX

log = Logger()

PREFIX_ONCE: Final = f"{PREFIX}once_"
"""Prefix of a key that is good once: the console takes no others from a link, or anybody could sign others in."""
NAME: Final = r"[A-Za-z0-9_.@-]{1,64}"
"""Pattern of a key's name."""


def is_user(name: object) -> TypeGuard[str]:
    """Tell whether this may name an issuer's or a webhook's user: 1 to 256 printable characters."""
    return isinstance(name, str) and 0 < len(name) <= 256 and name.isprintable()


class Grant(Struct, frozen=True, forbid_unknown_fields=True):
    """Targets that may be opened: globs (``*`` stands for any characters, ``/`` among them)."""

    host: str = "*"
    target: str = "*"
    view: bool = False
    """True if these targets may only be looked at."""
    share: bool = False
    """True if these targets' kept terminals may be attached to that other users have started."""


class Holder(Struct, frozen=True, forbid_unknown_fields=True):
    """One key's entry in the file of keys; the key itself isn't there."""

    hash: Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]
    grants: tuple[Grant, ...]
    drain: tuple[str, ...] = ()
    """Globs of the relays that may be drained."""
    created: date | None = None
    """The day on which the key was made."""
    once: bool = False
    """True if the key is good for one sign-in at the console, by a link, and for nothing else."""


class Granted(Struct, frozen=True, forbid_unknown_fields=True):
    """Grants of requests without a key, or of the users whom a claim names."""

    grants: tuple[Grant, ...]
    drain: tuple[str, ...] = ()


class KeyFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file of keys: ``[keys]``, ``[claims]`` and ``[anonymous]``."""

    keys: dict[Annotated[str, Meta(pattern=f"^{NAME}\\Z")], Holder] = {}
    claims: dict[str, dict[str, Granted]] = {}
    """Grants of an issuer's users, by a claim's name and then by its value."""
    anonymous: Granted | None = None


@define(frozen=True)
class User:
    """A user of the platform, and what is granted to them."""

    name: str
    grants: tuple[Grant, ...]
    drain: tuple[str, ...] = ()
    """Globs of the relays that they may drain: no grant of hosts and targets amounts to that."""

    def may_drain(self, relay: str) -> bool:
        """Tell whether a relay may be drained, and taken back."""
        return any(fnmatchcase(relay, glob) for glob in self.drain)

    def may(self, host: str, target: str, act: bool = False) -> bool:
        """Tell whether a target may be opened; `act`: to do more than to look."""
        return any(
            fnmatchcase(host, grant.host) and fnmatchcase(target, grant.target) and not (act and grant.view)
            for grant in self.grants
        )

    def may_share(self, host: str, target: str, act: bool = False) -> bool:
        """Tell whether a terminal of another user may be attached to; `act`: to do more than to look."""
        return User(self.name, tuple(grant for grant in self.grants if grant.share)).may(host, target, act)

    @property
    def may_everything(self) -> bool:
        """True if one grant is for every target of every host, for more than looks."""
        return any((grant.host, grant.target, grant.view) == ("*", "*", False) for grant in self.grants)

    def fits(self, host: str) -> bool:
        """Tell whether a grant is for this host, whatever its targets are."""
        return any(fnmatchcase(host, grant.host) for grant in self.grants)

    def may_see(self, host: str, pattern: str, act: bool = False) -> bool:
        """Tell whether a target may be listed, which may be a pattern with ``{parts}``; `act`: as open for more than
        looks. A pattern is listed if one of its names might be granted, so opening it may still be refused."""
        return any(
            fnmatchcase(host, grant.host)
            and (fnmatchcase(pattern, grant.target) or _could_match(pattern, grant.target))
            and not (act and grant.view)
            for grant in self.grants
        )


def _could_match(pattern: str, glob: str) -> bool:
    """Tell whether some name of a target's pattern may match a glob: up to the first ``{`` or ``*`` they agree."""
    if "{" not in pattern:
        return False
    fixed, wanted = pattern.split("{")[0], re.split(r"[*?\[]", glob)[0]
    return fixed.startswith(wanted) or wanted.startswith(fixed)


class UnknownKey(Exception):
    """Refusal of a key that nobody can sign in with; the text says why."""


@define(eq=False)
class KeyRing:
    """The file of keys, read again when it has changed. A file that has become wrong changes nothing."""

    path: str
    content: KeyFile = field(factory=KeyFile)
    _spent: set[str] = field(factory=set)  # hashes of keys that were good once
    files: Watched = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.files = Watched("the keys", self._paths, self._read, self._read_again)

    def load(self) -> None:
        """Read the file, or raise `ConfigError`."""
        self.files.load()

    def _read(self) -> None:
        self.content = _decode(self.path, read_own(self.path, "keys"))

    def _paths(self) -> tuple[str, ...]:
        check_folder(self.path, "keys")
        return (self.path,)

    def _read_again(self) -> None:
        log.info("keys read again: {count}", count=len(self.content.keys))

    def user(self, bearer: str | None) -> User | None:
        """Return the user whose key this is, or None; without a key the anonymous user, if the file has one.

        A key that is good once belongs to nobody here: it signs in at the console and does nothing else.
        """
        self.files.glance()
        if bearer is None:
            anonymous = self.content.anonymous
            return User("anonymous", anonymous.grants, anonymous.drain) if anonymous else None
        name, holder = self._find(hash_key(bearer))
        return User(name, holder.grants, holder.drain) if holder is not None and not holder.once else None

    def sign_in(self, key: str) -> User:
        """Return the user who signs in with this key, or raise `UnknownKey`. A key that is good once is spent by it.

        Spent keys are remembered in memory alone: after a restart such a link is good once more, until it is revoked.
        """
        self.files.glance()
        digest = hash_key(key)
        name, holder = self._find(digest)
        if holder is None:
            raise UnknownKey("this key is not known here")
        if digest in self._spent:
            raise UnknownKey("this link can be used once only, and has been used; sign in with a key")
        if holder.once:
            self._spent.add(digest)
        return User(name, holder.grants, holder.drain)

    def _find(self, digest: str) -> tuple[str, Holder | None]:
        found: tuple[str, Holder | None] = "", None
        for name, holder in self.content.keys.items():
            # All are compared, each in constant time: how long it takes tells nothing of which key came near.
            if hmac.compare_digest(holder.hash, digest):
                found = name, holder
        return found

    def holder(self, name: str, key_hash: str) -> User | None:
        """Return the user who holds the key of this name, or None if that key has gone or has another hash by now."""
        self.files.glance()
        holder = self.content.keys.get(name)
        return User(name, holder.grants, holder.drain) if holder is not None and holder.hash == key_hash else None

    def claimed(self, name: str, claims: Mapping[str, object]) -> User:
        """Return an issuer's user, with what they may do: a claim counts if it is a text of the file, or a list that
        has it."""
        self.files.glance()
        found: list[Granted] = []
        for each, values in self.content.claims.items():
            claim = claims.get(each)
            texts = claim if isinstance(claim, list) else [claim]
            found += [granted for value, granted in values.items() if value in texts]
        grants = tuple(grant for granted in found for grant in granted.grants)
        return User(name, grants, tuple(glob for granted in found for glob in granted.drain))


def read_keys(path: str) -> KeyFile:
    """Read a file of keys, whoever it belongs to, or raise `ConfigError`; also if others may write to it."""
    content = read(path, -1)
    check_unwritable(path, os.stat(path), "file of keys")
    return _decode(path, content)


def _decode(path: str, content: bytes) -> KeyFile:
    table = parse_toml(path, content)
    try:
        return msgspec.convert(table, type=KeyFile, strict=True)
    except msgspec.ValidationError as error:
        for name, key in _tables(table.get("keys")):
            _check_entry(f"{path}: keys.{name!r}", key, Holder, unquoted(name, key, "hash"))
        for claim, values in _tables(table.get("claims")):
            for value, granted in _tables(values):
                _check_entry(f"{path}: claims.{claim!r}.{value!r}", granted, Granted)
        raise ConfigError(f"{path}: {error}") from None


def _tables(table: object) -> Iterable[tuple[str, object]]:
    return table.items() if isinstance(table, dict) else ()


def _check_entry(where: str, table: object, kind: type[Struct], hint: str = "") -> None:
    """Raise `ConfigError` if this isn't the entry of a key or of a claim's value."""
    try:
        msgspec.convert(table, type=kind, strict=True)
    except msgspec.ValidationError as error:
        known = Grant if "$.grants[" in str(error) else kind
        text = f"{error}{hint}" if hint else plainly(str(error), known.__struct_fields__)
        raise ConfigError(f"{where}: {text}") from None


def hash_key(key: str) -> str:
    """Return a key's hash as it stands in the file of keys."""
    return "sha256:" + hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
