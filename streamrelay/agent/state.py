"""The agent's own directory, in which it keeps what must outlive it: the secret by which it seals places of logs, and
which summonses were followed."""

import os
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from streamrelay.agent.followed import Followed, Memory, NothingKept
from streamrelay.agent.targets.sealed_places import Seal
from streamrelay.errors import ConfigError
from streamrelay.files import open_secret
from streamrelay.logs import Logger
from streamrelay.program.state_directory import find_state, why_unusable

log = Logger()

SECRET_SIZE: Final = 32
"""Bytes of a secret."""
LONGEST_NAME: Final = 255
"""Bytes of a file's name, as many as Linux takes (NAME_MAX)."""


def take_up(named: str, host: str, clock: Any, now: Callable[[], float]) -> Memory:
    """Go on with what the agent keeps in the directory that is named, or say that it keeps nothing; return what it
    knows of summonses.

    `ConfigError` is raised if others may read or write what nobody but the agent may.
    """
    try:
        state = find_state(named, "agent")
        Seal.secret = own_secret(state / "places.key")
        return Followed(str(state / _followed(host)), now)
    except OSError as error:
        log.warn(
            "this agent keeps nothing over a restart: {why}; clients go on in logs only until it ends, and what was "
            "signed before its start is refused as busy",
            why=why_unusable(error, named),
        )
        return NothingKept(clock, now)


def _followed(host: str) -> str:
    """Return the name of the file of a host's summonses; one that no file can have is made shorter, by its digest."""
    name = f"followed.{host}"
    return name if len(name) <= LONGEST_NAME else f"followed.{blake2b(host.encode(), digest_size=32).hexdigest()}"


def own_secret(path: Path) -> bytes:
    """Return a secret of ours that stays the same, and make it if there is none; two who make it at once get the same.

    `ConfigError` is raised if others may read it, `OSError` if it can neither be read nor made.
    """
    if not path.exists():
        _make_secret(path)
    secret = open_secret(str(path), "secret of the agent")
    if len(secret) != SECRET_SIZE:
        raise ConfigError(f"{path}: expected {SECRET_SIZE} random bytes; delete it, and the agent makes others")
    return secret


def _make_secret(path: Path) -> None:
    descriptor, new = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_SIZE))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(new, path)  # at once and whole, and never in the place of another's
    finally:
        os.unlink(new)
