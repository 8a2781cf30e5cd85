"""What an agent orders of its launcher, which is root: any packets, and orders that nearly are good ones.

Whatever comes, a command is started only for a name that root's file has, as the user and with the words that stand
there; no number is given twice; what is no order is the end.
"""

import os
import re
import socket
import tempfile
from pathlib import Path
from typing import Any, Final

from msgspec import json

from fuzz.choices import Choices
from streamrelay.agent.catalogue import Catalogue
from streamrelay.agent.launcher.launcher import Command, Launcher
from streamrelay.agent.launcher.messages import Order, Report
from streamrelay.agent.targets.terminal.pty import Pty

MOST: Final = 4
SEEDS: Final = [
    b"\0" + packet
    for packet in (
        b'{"id":1,"target":"shell"}',
        b'{"id":1,"target":"say/hello"}',
        b'{"id":1,"target":"say/-n"}',
        b'{"id":1,"target":"own"}',
        b'{"id":9007199254740991,"target":"log"}',
        b'{"id":1,"signal":"hangup"}',
        b'{"id":1,"target":"shell","signal":"kill"}',
        b'{"id":1,"target":"shell","user":"root"}',
        b"",
    )
] + [b"\1" + bytes(range(60)), b"\1" + bytes(60), b"\1" + b"\3\1\0" * 30]
WORDS: Final = [
    *rb'{"id": "target": "signal": "hangup" "kill" "shell" say/ own log } : , -1 0 1e9 null [ "\u0000" \ud800'.split(),
    *b"../ {word} say/x say/--help %s".split(),
]

_FILE: Final = """
[targets.shell]
kind = "pty"
command = ["sh", "-c", "x"]
user = "guest"

[targets."say/{word}"]
kind = "pty"
command = ["echo", "{word}"]
user = "other"
parts = { word = "[a-z./-]+" }

[targets.own]
kind = "pty"
command = ["sh"]

[targets.log]
kind = "log"
path = "/x"
"""
_NAMES: Final = [
    *("shell", "say/hello", "say/-n", "say/../x", "say/a/b", "say/", "say/A", "own", "log", "", "none", "say/{word}"),
    *("shell\n", "say/" + "a" * 1020, "\u20ac", "say/a\0"),
]

_folder: Final = tempfile.TemporaryDirectory(
    prefix="streamrelay-fuzz-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None
)
_file: Final = Path(_folder.name) / "agent.toml"
_file.write_text(_FILE)
_catalogue: Final = Catalogue(str(_file), may_change_users=True, check_file=lambda path, why: None)
_catalogue.load()


class _Kept(Command):
    """A command that is none."""

    def kill(self, number: int) -> None:
        assert number in (1, 9, 18), number


class _Launcher(Launcher):
    """A launcher that starts nothing, and notes what it is asked for."""

    def begin(self, number: int, settings: Pty) -> None:
        assert number not in self._commands and len(self._commands) < MOST
        assert settings.user == ("guest" if settings.command[0] == "sh" else "other"), settings
        if settings.user == "guest":
            assert settings.command == ("sh", "-c", "x")
        else:
            program, word = settings.command
            assert program == "echo" and re.fullmatch("[a-z./-]+", word) and not word.startswith("-"), word
            assert not {".", ".."} & set(word.split("/")), word
        self._commands[number] = _Kept(number, 1, False, -1, -1, -1)

    def report(self, report: Report, *descriptors: int) -> None:
        assert report.refused and len(report.refused) < 200 and not descriptors, report


def _packets(choices: Choices) -> list[bytes]:
    """Orders, most of which are good ones."""
    found: list[bytes] = []
    while choices and len(found) < 12:
        signal: Any = choices.pick(("", "hangup", "kill"))
        found.append(json.encode(Order(choices.number(6) + 1, choices.pick(_NAMES), signal)))
        if choices.number(8) == 7:
            found[-1] = found[-1][:-1] + choices.pick((b"", b',"user":"root"}', b"]", b',"id":7}'))
    return found


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    packets = _packets(choices) if choices.flag() else [choices.rest()]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        launcher = _Launcher(theirs, _catalogue, MOST, lambda: 0.0)
        try:
            for packet in packets:
                launcher.heed(packet)
                assert launcher._over is not _is_order(packet), packet
                if launcher._over:
                    break
        finally:
            launcher._ready.close()


def _is_order(packet: bytes) -> bool:
    """Whether this is one by the letter, as another parser reads it."""
    try:
        found = json.decode(packet)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(found, dict)
        and set(found) <= {"id", "target", "signal"}
        and _is_number(found.get("id"))
        and isinstance(target := found.get("target", ""), str)
        and len(target) <= 1024
        and found.get("signal", "") in ("", "hangup", "kill")
    )


def _is_number(value: object) -> bool:
    return type(value) is int and 1 <= value < 1 << 53
