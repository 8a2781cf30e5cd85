"""The settings of a running program beside its file, which may say something else by now."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field
from msgspec import Struct

from streamrelay.errors import ConfigError
from streamrelay.files import Watched
from streamrelay.logs import Logger
from streamrelay.program.settings import convert, parse_toml

log = Logger()


@define(eq=False)
class StartedSettings:
    """Settings that count from a program's start to its end, so that a change of its file is told, not followed."""

    settings: Struct
    path: str
    """The file's; empty if there is none, or one that can be read but once, as a pipe of a shell."""
    overrides: Mapping[str, Any]
    """Settings that the command line gives."""
    followed: Iterable[str] = ()
    """Settings that are read again all the same."""
    files: Watched = field(init=False)
    _compared: Mapping[str, Any] | None = None

    def __attrs_post_init__(self) -> None:
        self.path = self.path if os.path.isfile(self.path) else ""
        self.files = Watched("the settings", lambda: [self.path] if self.path else [], self._read)

    def load(self) -> None:
        """Look at the file as it is at the start."""
        self.files.load()

    def _read(self) -> None:
        if not self.path:
            return
        try:
            content = Path(self.path).read_bytes()
        except PermissionError:
            return  # the user that was started may have read it; the one that we have become may not
        self.compare(parse_toml(self.path, content))

    def compare(self, table: Mapping[str, Any]) -> None:
        """Tell which settings of the file aren't those of the start, or why a start with it would fail."""
        if table is self._compared:
            return
        self._compared = table
        try:
            now = convert(type(self.settings), table, self.overrides, self.path)
        except ConfigError as error:
            log.error("the next start would fail: {error}", error=error)
            return
        names = [name for name in now.__struct_fields__ if getattr(now, name) != getattr(self.settings, name)]
        if changed := [name for name in names if name not in self.followed]:
            log.warn(
                "changed in {path}, and not in force before the next start: {names}",
                path=self.path,
                names=", ".join(changed),
            )
