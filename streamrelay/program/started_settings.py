"""The settings of a running program beside its file, which may say something else by now.

Some of them count as soon as the file is read again, all at once or none; the others are told, and wait for a start.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import define, field
from msgspec import Struct, structs

from streamrelay.errors import ConfigError
from streamrelay.files import Watched, complain, open_file
from streamrelay.logs import Logger
from streamrelay.program.settings import convert, parse_toml

log = Logger()


@define(eq=False)
class StartedSettings:
    """Settings in force: those of the start, but for the `live` ones, which are as the file last said."""

    settings: Struct
    path: str
    """The file's; empty if there is none, or one that can be read but once, as a pipe of a shell."""
    overrides: Mapping[str, Any]
    """Settings that the command line gives."""
    followed: Iterable[str] = ()
    """Settings that others read again."""
    live: Iterable[str] = ()
    """Settings that count from the moment on when the file is read again."""
    take: Callable[[Any], None] = lambda settings: None
    """Called with settings that are to count from now on, all at once; a `ConfigError` of it leaves all as it was."""
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
            with open_file(self.path) as file:
                content = file.read()
        except PermissionError:
            return  # the user that was started may have read it; the one that we have become may not
        self._compare(parse_toml(self.path, content))

    def compare(self, table: Mapping[str, Any]) -> None:
        """Take what counts at once of a file that others have read, and tell what else has changed, or is wrong."""
        if table is self._compared:
            return
        self._compared = table
        try:
            self._compare(table)
        except ConfigError as error:
            complain("the settings", str(error))

    def _compare(self, table: Mapping[str, Any]) -> None:
        try:
            now = convert(type(self.settings), table, self.overrides, self.path)
        except ConfigError as error:
            log.error("the next start would fail: {error}", error=error)
            return
        names = [name for name in now.__struct_fields__ if getattr(now, name) != getattr(self.settings, name)]
        if live := {name: getattr(now, name) for name in names if name in self.live}:
            self._take(live)
            names = [name for name in names if name not in live]
        if changed := [name for name in names if name not in self.followed]:
            log.warn(
                "changed in {path}, and not in force before the next start: {names}",
                path=self.path,
                names=", ".join(changed),
            )

    def _take(self, live: Mapping[str, Any]) -> None:
        settings = structs.replace(self.settings, **live)
        self.take(settings)
        self.settings = settings
        log.info("changed in {path}, and in force from now on: {names}", path=self.path, names=", ".join(live))
