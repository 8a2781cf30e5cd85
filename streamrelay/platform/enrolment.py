"""The hosts of a platform: their users of the bus, and all that their agents need, in a folder for each.

`streamrelay host` runs where the platform's settings and its private key are. A host's seed is in its folder alone;
what stays with the bus is its public half.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from attrs import define
from cryptography.hazmat.primitives import serialization

from streamrelay.bus import credentials
from streamrelay.bus.permissions import BusUser, parse, render
from streamrelay.bus.settings import check_bus
from streamrelay.errors import ConfigError
from streamrelay.files import open_file, read, write_new
from streamrelay.platform.config import PlatformConfig
from streamrelay.protocol.names import HOST_WORDS, is_host, is_loopback
from streamrelay.protocol.tokens import Signer

AUDIT_SEED: Final = "audit.nkey"
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

    settings: PlatformConfig
    nats: tuple[str, ...]
    at: str = ""

    def agent_toml(self, host: str) -> str:
        """Return an agent's settings in TOML, without a target."""
        settings = self.settings
        lines: dict[str, object] = {"host": host, "nats": self.nats, "nats_nkey": self._there("host.nkey")}
        if settings.tokens == "signed":
            lines["platform_key"] = [self._there("platform.pub")]
        else:
            lines["tokens"] = settings.tokens
        if settings.nats_handshake_first:
            lines["nats_handshake_first"] = True
        lines["relays"] = [settings.relay]
        if settings.ca:
            lines["ca"] = self._there("ca.pem")
        if settings.insecure:
            lines["insecure"] = True
        rows = "".join(f"{name} = {msgspec.json.encode(value).decode()}\n" for name, value in lines.items())
        return AGENT.format(host=host, settings=rows)

    def doubts(self) -> list[str]:
        """Return a line for each URL that a host on another machine can't reach."""
        urls = [url for url in (*self.nats, self.settings.relay) if is_loopback(urlsplit(url).hostname or "")]
        return [f"{url}: this is a loopback address; the host would connect to its own machine" for url in urls]

    def _there(self, name: str) -> str:
        return str(Path(self.at, name))

    def fill(self, folder: Path, host: str, seed: bytes) -> None:
        """Write the files of one host into its folder, or raise `ConfigError`."""
        write_new(folder / "agent.toml", self.agent_toml(host).encode(), 0o600)
        write_new(folder / "host.nkey", seed + b"\n", 0o600)
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


def add(users: Users, hosts: Path, host: str, enrolled: Enrolment) -> list[str]:
    """Make a host's folder in `hosts` and let it use the bus; the platform, too. Return what was done, in lines.

    `ConfigError` if the host is there already, or anything can't be written; then its folder is gone again.
    """
    if not is_host(host):
        raise ConfigError(f"{host!r} is not a valid host name ({HOST_WORDS})")
    with users.alone() as known:
        if any(user.name == host for user in known):
            raise ConfigError(f"{users.path}: there is a host {host} already")
        own, done = _own_users(users, known, Path(enrolled.settings.nats_nkey))
        seed, public = credentials.generate()
        folder = hosts / host
        _make(folder)
        try:
            enrolled.fill(folder, host, seed)
            users.write([*own, *_hosts(known), BusUser("host", public, host)])
        except BaseException:  # a folder without a user on the bus would be in the way of the next attempt
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return [*done, *enrolled.doubts(), f"{folder}/: all that the agent of {host} needs; its seed is a secret"]


def remove(users: Users, host: str) -> None:
    """Take a host off the bus, or raise `ConfigError` if it isn't there."""
    with users.alone() as known:
        left = [user for user in known if user.name != host]
        if not host or left == known:
            raise ConfigError(f"{users.path}: there is no host {host!r}")
        users.write(left)


def _hosts(known: list[BusUser]) -> list[BusUser]:
    return [user for user in known if user.role == "host"]


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
