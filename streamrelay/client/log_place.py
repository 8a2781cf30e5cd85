"""The place of a log up to which standard output has taken it, so that the next command can go on at that very byte."""

import os
import shlex
from contextlib import suppress
from typing import Annotated

import msgspec
from attrs import define
from msgspec import Meta, Struct

from streamrelay.client.output import say
from streamrelay.errors import ConfigError
from streamrelay.files import open_file
from streamrelay.protocol.control import Place
from streamrelay.protocol.limits import Bytes


class Kept(Struct, frozen=True):
    """The content of a file that keeps a place."""

    host: str
    target: str
    place: Annotated[Place, Meta(min_length=1)]
    after: Bytes = 0


@define(eq=False)
class LogPlace:
    """Last place that standard output has passed, and the bytes that it has taken since; in a file if there is one.

    The file is written at each place, and by `keep`: after a kill what came since its last place comes again.
    """

    host: str
    target: str
    path: str = ""
    place: str = ""
    """Empty: none was told yet."""
    after: int = 0
    failure: str = ""
    """Reason why the file couldn't be written last; empty if it could."""
    _finished: bool = False

    def load(self) -> None:
        """Begin where the file says, if it is there; `ConfigError` if it is another log's, or no such file."""
        if not self.path or not os.path.exists(self.path):
            return
        if os.path.isfile(self.path) and not os.path.getsize(self.path):
            say(f"{self.path}: this file is empty, as a full disk may leave it; begun as if it weren't there")
            return
        kept = self._read()
        if (kept.host, kept.target) != (self.host, self.target):
            raise ConfigError(f"{self.path}: this is a place in {kept.target} of {kept.host}")
        self.place, self.after = kept.place, kept.after

    def _read(self) -> Kept:
        try:
            with open_file(self.path) as file:
                return msgspec.json.decode(file.read(4096), type=Kept)
        except OSError as error:
            raise ConfigError(f"{self.path}: can't be read: {error.strerror}") from None
        except msgspec.MsgspecError:
            raise ConfigError(f"{self.path}: this file holds no place in a log") from None

    def at(self, place: str) -> None:
        """Take note of a place."""
        self.place, self.after = place, 0
        self.keep()

    def passed(self, size: int) -> None:
        """Take note that so many bytes behind the last place were taken."""
        self.after += size

    def keep(self) -> None:
        """Write the file, whole or not at all; say why it can't be written when that begins."""
        if not self.path or not self.place:
            return
        new = f"{self.path}.new"
        try:
            with open(new, "wb") as file:
                file.write(msgspec.json.encode(Kept(self.host, self.target, self.place, self.after)) + b"\n")
            os.replace(new, self.path)
            self.failure = ""
        except OSError as error:
            with suppress(OSError):  # half of a place, or nothing: whoever sees it would take it for one
                os.unlink(new)
            failure = f"{self.path}: can't be written: {error.strerror}"
            if failure != self.failure:  # at once: who follows a log may do so for days
                say(failure)
            self.failure = failure

    def finish(self, verbose: bool) -> None:
        """Keep what was taken last, once; say how to go on if words are wanted, and if there is no place to keep."""
        if self._finished:
            return
        self._finished = True
        self.keep()
        if (verbose or self.path) and not self.place:
            say(f"{self.target} of {self.host} has told no place")
        elif verbose:
            say(f"to go on here: --since-place {shlex.quote(self.place)} --after {self.after}")
