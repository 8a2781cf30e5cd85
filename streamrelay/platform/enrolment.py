"""The hosts of a platform: their users of the bus, and all that their agents need, in a folder for each. What relays
need besides is in `relay_enrolment`.

`streamrelay host` runs where the platform's settings and its private key are. A host's seed is in its folder alone;
what stays with the bus is its public half.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import urlsplit

import msgspec
from attrs import define
from cryptography.hazmat.primitives import serialization

from streamrelay.bus import credentials
from streamrelay.bus.permissions import NAMED, BusUser, Role, parse, render
from streamrelay.bus.settings import check_bus
from streamrelay.errors import ConfigError
from streamrelay.files import open_file, read, write_new
from streamrelay.platform.config import PlatformConfig
from streamrelay.protocol.names import HOST_WORDS, is_host, is_loopback
from streamrelay.protocol.tokens import Signer

AUDIT_SEED: Final = "audit.nkey"
PROGRAMS: Final = {"host": "agent", "relay": "relay"}
"""Program of each role, whose settings stand in a file of its name."""
AGENT: Final = """\
# The agent of {host}: twistd streamagent --config agent.toml
{settings}
# What may be opened on this host: nothing yet. Each target is a table, for example
#
# [targets.ssh]
# kind = "tcp"
# address = "127.0.0.1:22"
#
# [targets.shell]
# kind = "pty"
# command = ["/bin/bash", "-l"]
# user = "guest"
#
# A command without a user is run by the agent's own, so whoever may open it can read the agent's seed. With one, this
# file must be root's, and root starts the agent: twistd --uid streamrelay --gid streamrelay streamagent …
"""


@define(frozen=True)
class Users:
    """The file with the users of the bus, which nats-server reads."""

    path: Path

    def read(self) -> list[BusUser]:
        """Return the users in the file, or raise `ConfigError`; none if there is no file."""
        try:
            with open_file(str(self.path)) as file:
                content = file.read()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConfigError(f"{self.path}: can't be read: {error.strerror}") from None
        try:
            return parse(content.decode())
        except UnicodeDecodeError as error:
            raise ConfigError(f"{self.path}: can't be read: {error}") from None
        except ConfigError as error:
            raise ConfigError(f"{self.path}: {error}") from None

    def write(self, users: list[BusUser]) -> None:
        """Replace the file in one step; anybody may read it, as nats-server must."""
        new = self.path.with_name(f".{self.path.name}.new")
        new.unlink(missing_ok=True)
        write_new(new, render(users).encode(), 0o644)
        new.chmod(0o644)
        os.replace(new, self.path)

    @contextmanager
    def alone(self) -> Iterator[list[BusUser]]:
        """Lock out whoever else would change the users, and give what the file holds; or raise `ConfigError`."""
        try:
            # The folder is locked, as `write` puts another file in the place of this one.
            folder = os.open(self.path.parent, os.O_RDONLY)
        except OSError as error:
            raise ConfigError(f"{self.path.parent}: can't be read: {error.strerror}") from None
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield self.read()
        finally:
            os.close(folder)


@define(frozen=True)
class Enrolment:
    """Settings that all hosts of a platform share.

    `at` is where a host has its folder, empty for its agent's own directory.
    """

    role: ClassVar[Role] = "host"

    settings: PlatformConfig
    nats: tuple[str, ...]
    at: str = ""

    def toml(self, name: str) -> str:
        """Return an agent's settings in TOML, without a target."""
        # An agent doesn't know the ids of relays.
        relays = (
            [self.settings.relay] if self.settings.relay else [url.replace("{id}", "*") for url in self.settings.relays]
        )
        return AGENT.format(host=name, settings=self.rows({"host": name, **self.bus_lines(), "relays": relays}))

    def bus_lines(self) -> dict[str, object]:
        """Return the settings by which the bus is reached, and the platform's key known."""
        settings = self.settings
        lines: dict[str, object] = {"nats": self.nats, "nats_nkey": self._there(f"{self.role}.nkey")}
        if settings.tokens == "signed":
            lines["platform_key"] = [self._there("platform.pub")]
        else:
            lines["tokens"] = settings.tokens
        if settings.nats_handshake_first:
            lines["nats_handshake_first"] = True
        if settings.ca:
            lines["ca"] = self._there("ca.pem")
        if settings.insecure:
            lines["insecure"] = True
        return lines

    def rows(self, lines: Mapping[str, object]) -> str:
        return "".join(f"{name} = {msgspec.json.encode(value).decode()}\n" for name, value in lines.items())

    def doubts(self, name: str) -> list[str]:
        """Return a line for each URL that can't be reached from another machine."""
        local = {url: why for url, why in self.urls.items() if is_loopback(urlsplit(url).hostname or "")}
        return [f"{url}: this is a loopback address; {why}" for url, why in local.items()]

    @property
    def urls(self) -> Mapping[str, str]:
        """URLs in these settings, and what would happen if one were a loopback address."""
        urls = (*self.nats, *([self.settings.relay] if self.settings.relay else []))
        return dict.fromkeys(urls, "the host would connect to its own machine")

    def _there(self, name: str) -> str:
        return str(Path(self.at, name))

    def fill(self, folder: Path, name: str, seed: bytes) -> None:
        """Write the files of one host, or relay, into its folder, or raise `ConfigError`."""
        write_new(folder / f"{PROGRAMS[self.role]}.toml", self.toml(name).encode(), 0o600)
        write_new(folder / f"{self.role}.nkey", seed + b"\n", 0o600)
        if self.settings.tokens == "signed":
            public = Signer.load(self.settings.key).key.public_key()
            form = serialization.PublicFormat.SubjectPublicKeyInfo
            write_new(folder / "platform.pub", public.public_bytes(serialization.Encoding.PEM, form), 0o644)
        if self.settings.ca:
            write_new(folder / "ca.pem", read(self.settings.ca, -1), 0o644)


def enrolment(settings: PlatformConfig, nats: tuple[str, ...], at: str) -> Enrolment:
    """Make an `Enrolment` of the platform's settings and the bus' URLs as hosts have to dial them.

    `ConfigError` if the platform has no NKEY, or a URL can't be used.
    """
    if not settings.nats_nkey:
        raise ConfigError('the platform has no NKEY; set where its seed is to be: nats_nkey = "platform.nkey"')
    plain = tuple(_without_user(url) for url in nats or settings.nats)
    try:
        check_bus(msgspec.structs.replace(settings, nats=plain))
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return Enrolment(settings, plain, at)


def add(users: Users, folders: Path, name: str, enrolled: Enrolment) -> list[str]:
    """Make a folder of this name in `folders` and let a host, or a relay, use the bus; the platform, too. Return what
    was done, in lines.

    `ConfigError` if the name is there already, or anything can't be written; then its folder is gone again.
    """
    role = enrolled.role
    if not is_host(name):
        raise ConfigError(f"{name!r} is not a valid {role} name ({HOST_WORDS})")
    with users.alone() as known:
        if any((user.role, user.name) == (role, name) for user in known):
            raise ConfigError(f"{users.path}: there is a {role} {name} already")
        own, done = _own_users(users, known, Path(enrolled.settings.nats_nkey))
        seed, public = credentials.generate()
        folder = folders / name
        _make(folder)
        try:
            enrolled.fill(folder, name, seed)
            users.write([*own, *(user for user in known if user.role in NAMED), BusUser(role, public, name)])
        except BaseException:  # a folder without a user on the bus would be in the way of the next attempt
            shutil.rmtree(folder, ignore_errors=True)
            raise
    whose = f"the agent of {name}" if role == "host" else f"the relay {name}"
    return [*done, *enrolled.doubts(name), f"{folder}/: all that {whose} needs; its seed is a secret"]


def remove(users: Users, name: str, role: Role = "host") -> None:
    """Take a host, or a relay, off the bus, or raise `ConfigError` if it isn't there."""
    with users.alone() as known:
        left = [user for user in known if (user.role, user.name) != (role, name)]
        if not name or left == known:
            raise ConfigError(f"{users.path}: there is no {role} {name!r}")
        users.write(left)


def _own_users(users: Users, known: list[BusUser], seed: Path) -> tuple[list[BusUser], list[str]]:
    """Return the platform's user and that of whoever collects events, and lines about the seeds made for them."""
    done = []
    if not seed.exists():
        _new_seed(seed)
        done.append(f"{seed}: the platform's seed for the bus, for it alone")
    platform = BusUser("platform", credentials.public_key(str(seed)))
    audit = [user for user in known if user.role == "audit"]
    if not audit:
        path = users.path.with_name(AUDIT_SEED)
        if not path.exists():
            _new_seed(path)
            done.append(f"{path}: a seed for whoever collects events; delete it if nobody does")
        audit = [BusUser("audit", credentials.public_key(str(path)))]
    return [platform, *audit], done


def _new_seed(path: Path) -> None:
    seed, _ = credentials.generate()
    write_new(path, seed + b"\n", 0o600)


def _make(folder: Path) -> None:
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
    except FileExistsError:
        raise ConfigError(f"{folder}: exists already; move it away first") from None
    except OSError as error:
        raise ConfigError(f"{folder}: can't be created: {error.strerror}") from None


def _without_user(url: str) -> str:
    """Return a URL without the user and password in it, as each host has its own NKEY."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
