"""A line of journalctl's, and what comes of it.

It is no entry, which is told in one `ValueError`; or its line is one line that neither acts on a terminal nor turns the
order of letters, and is no longer than it may be.
"""

import json
from typing import Final

from fuzz.choices import Choices
from streamrelay.agent.targets.journal.entries import LONGEST as MOST
from streamrelay.agent.targets.journal.entries import SHORT, read_entry

_HEAD: Final = b'{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1700000000000001"'

SEEDS: Final = [
    b"\0" + _HEAD + rest
    for rest in (
        b',"MESSAGE":"hello","SYSLOG_IDENTIFIER":"web","_PID":"12","_HOSTNAME":"box"}',
        b',"MESSAGE":[104,105,255],"_COMM":"web","SYSLOG_PID":"7"}',
        b',"MESSAGE":["one","two"]}',
        b',"MESSAGE":[[104,105],"two"]}',
        b',"MESSAGE":null,"_PID":[256]}',
        b',"MESSAGE":"\\u001b[31mred\\u001b[0m \\u202e\\n\\ud83d\\udc1a"}',
        b"}",
        b',"MESSAGE":' + b"[" * 2000,
    )
] + [b"\0{}", b"\0", b"\1\x07a\x1b[2J\n", b"\2\x03\xff\xfe\x00", b"\3\x02ab"]
WORDS: Final = [
    *b'"MESSAGE": "SYSLOG_IDENTIFIER": "_COMM": "_PID": "SYSLOG_PID": "_HOSTNAME": "__CURSOR": null [] {} 1.5'.split(),
    *(_HEAD, b"\\u001b[", b"\\u202e", b"\\u2028", b"\\ud800", b"[31m", b"99999999999999999"),
]


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    form = choices.number(4)
    line = choices.rest() if form == 0 else _made(choices, form)
    try:
        entry = read_entry(line)
    except ValueError as error:
        assert form == 0, f"an entry that journalctl may give is none: {error}"
        assert str(error).isprintable() or "\n" not in str(error)
        return
    shown = entry.line().decode("utf-8")
    assert shown.endswith("\n")
    assert shown[:-1].replace("\t", "").isprintable(), "it acts on what shows it"
    assert len(shown) < 10 * (MOST + 3 * SHORT) + 200


def _made(choices: Choices, form: int) -> bytes:
    """As journalctl would give it."""
    octets = choices.block() * (1 + choices.number(300))
    message: object = list(octets) if form == 2 else octets.decode("utf-8", "replace")
    name = choices.text()
    entry = {"__CURSOR": "s=1", "__REALTIME_TIMESTAMP": "17", "MESSAGE": message, "SYSLOG_IDENTIFIER": name}
    return json.dumps({**entry, "_PID": [message, "x"]} if form == 3 else entry).encode()
