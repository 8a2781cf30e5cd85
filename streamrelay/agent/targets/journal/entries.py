"""Entries of systemd's journal, as journalctl gives them in JSON, and the lines that are made of them.

As journalctl's own ``short-iso-precise``, but one line for each entry: newlines are shown as ``\\n``. Whoever may write
to the journal can't act on a terminal that shows it: colours are left out, and what else isn't printable is escaped.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

LONGEST: Final = 65536
"""Characters of a message at most; the rest of a longer one is left out, which is said, and never looked at."""
SHORT: Final = 256
"""Characters of a name at most."""
FIELDS: Final = "MESSAGE,SYSLOG_IDENTIFIER,_COMM,SYSLOG_PID,_PID,_HOSTNAME"
"""Fields that journalctl is asked for; cursor and time come anyway."""
_COLOUR: Final = re.compile(r"\x1b\[[0-9;:]*m")

Text = str | list[Any] | None
"""A field: text; bytes that aren't text; several of either, if the field is there several times; too large."""


class Entry(Struct, frozen=True):
    """An entry of the journal."""

    cursor: Annotated[str, Meta(max_length=200)] = msgspec.field(name="__CURSOR")
    """Cursor of the entry, by which the journal finds it again."""
    time: Annotated[str, Meta(pattern=r"^[0-9]{1,17}\Z")] = msgspec.field(name="__REALTIME_TIMESTAMP")
    """Microseconds since the epoch, as decimal digits."""
    message: Text = msgspec.field(name="MESSAGE", default=None)
    identifier: Text = msgspec.field(name="SYSLOG_IDENTIFIER", default=None)
    command: Text = msgspec.field(name="_COMM", default=None)
    pid: Text = msgspec.field(name="_PID", default=None)
    syslog_pid: Text = msgspec.field(name="SYSLOG_PID", default=None)
    host: Text = msgspec.field(name="_HOSTNAME", default=None)
    unit: Text = msgspec.field(name="_SYSTEMD_UNIT", default=None)
    slice: Text = msgspec.field(name="_SYSTEMD_SLICE", default=None)
    about: Text = msgspec.field(name="UNIT", default=None)
    """Unit that systemd itself says something about."""
    object: Text = msgspec.field(name="OBJECT_SYSTEMD_UNIT", default=None)
    """Unit that a daemon of root's says something about."""
    dumped: Text = msgspec.field(name="COREDUMP_UNIT", default=None)
    message_id: Text = msgspec.field(name="MESSAGE_ID", default=None)
    uid: Text = msgspec.field(name="_UID", default=None)

    def line(self) -> bytes:
        """Make the line of this entry, with its newline."""
        who = plain(self.identifier, SHORT) or plain(self.command, SHORT) or "unknown"
        pid = plain(self.pid, SHORT) or plain(self.syslog_pid, SHORT)
        message = plain(self.message)
        more = len(_text(self.message)) - LONGEST
        if more > 0:
            message += f" (and {more} characters more)"
        head = [part for part in (_stamp(int(self.time)), plain(self.host, SHORT)) if part]
        return f"{' '.join(head)} {who}{f'[{pid}]' if pid else ''}: {message}\n".encode("utf-8", "replace")


def read_entry(line: bytes) -> Entry:
    """Read a line of journalctl's; `ValueError` if it is no entry."""
    try:
        return _entry.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


_entry = msgspec.json.Decoder(Entry)


def plain(field: Text, most: int = LONGEST) -> str:
    """Return the first characters of a field, in one line that does nothing to a terminal."""
    text = _text(field)[:most].rstrip("\n")
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() or mark == "\t" else _escaped(mark) for mark in _COLOUR.sub("", text))


def _text(field: Text) -> str:
    """Return a field as text; the first one, if there are several."""
    if isinstance(field, list) and field and not isinstance(field[0], int):
        field = field[0]
    if isinstance(field, list):
        try:
            return bytes(field).decode("utf-8", "backslashreplace")
        except (TypeError, ValueError):
            return ""
    return field if isinstance(field, str) else ""


def _escaped(mark: str) -> str:
    return mark.encode("unicode_escape").decode("ascii")


def _stamp(microseconds: int) -> str:
    seconds, rest = divmod(microseconds, 10**6)
    clock, zone = _clock(seconds)
    return f"{clock}.{rest:06}{zone}"


@lru_cache(maxsize=16)
def _clock(seconds: int) -> tuple[str, str]:
    local = datetime.fromtimestamp(seconds, UTC).astimezone()
    return local.strftime("%Y-%m-%dT%H:%M:%S"), local.strftime("%z")
