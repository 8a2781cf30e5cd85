"""The relay that a platform's last stream came by, in a small file of the user's: it is dialled while the platform is
asked for the next stream, so that only the websocket is left to be opened when the platform names it.

No secret is in there, and nothing is believed: a relay that was kept here gets a TLS handshake and no more until the
platform has named it. So whatever is wrong with the file is the same as no file.
"""

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from attrs import define, field

from streamrelay.errors import ConfigError
from streamrelay.files import write_new

MOST: Final = 32
"""Platforms of which a relay is kept."""
LONGEST: Final = 1 << 16
"""Bytes of the file."""


def cache_file(environment: Mapping[str, str] = os.environ) -> str:
    """Return the path of the file in the user's cache (XDG Base Directory Specification); empty if there is none."""
    folder = environment.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(folder):  # to be ignored, says the specification
        folder = os.path.expanduser("~/.cache")
    return os.path.join(folder, "streamrelay", "relays.json") if os.path.isabs(folder) else ""


def relay_of(url: str) -> str:
    """Return the URL of the relay of a stream's URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@define(eq=False)
class KnownRelay:
    """The relay of one platform, by URL. An empty `path`: nothing is known, and nothing kept."""

    platform: str = ""
    path: str = ""
    _relays: dict[str, str] = field(factory=dict)
    _taken: bool = False

    def take(self) -> str:
        """Return the relay's URL, empty if none is known, or if it was taken before: further streams of a process have
        their ways already."""
        if self._taken or not self.path:
            return ""
        self._taken = True
        self._relays = _read(self.path)
        return self._relays.get(self.platform, "")

    def keep(self, url: str) -> None:
        """Keep the relay of a stream's URL, if another one or none is known."""
        relay = relay_of(url)
        if not self.path or self._relays.get(self.platform) == relay:
            return
        self._relays.pop(self.platform, None)
        self._relays[self.platform] = relay
        for oldest in list(self._relays)[:-MOST]:
            del self._relays[oldest]
        _write(self.path, msgspec.json.encode(self._relays))


NOWHERE: Final = KnownRelay()
"""No relay is known, and none is kept."""


def _read(path: str) -> dict[str, str]:
    """Return what the file holds; nothing if it isn't there, or others could have written it."""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or not _is_ours(found) or found.st_mode & 0o022:
                return {}
            return msgspec.json.decode(file.read(LONGEST), type=dict[str, str])
    except (OSError, ValueError):
        return {}


def _open_at_once(path: str, flags: int) -> int:
    """Open a file; a named pipe, too, without waiting for one who writes to it."""
    return os.open(path, flags | os.O_NONBLOCK)


def _write(path: str, content: bytes) -> None:
    """Put this in place of the file; if that can't be, it stays as it is."""
    new = Path(f"{path}.{os.getpid()}")
    with suppress(OSError, ConfigError):
        _make_folder(new.parent)
        write_new(new, content, 0o600)
        try:
            new.replace(path)
        except OSError:
            new.unlink()


def _make_folder(folder: Path) -> None:
    """Make a folder of ours in one of ours, or raise `PermissionError`: not as root in another user's."""
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(0o700, exist_ok=True)
    elif not _is_ours(folder.stat()):
        raise PermissionError


def _is_ours(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid()
