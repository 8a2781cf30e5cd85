"""What relays tell of themselves on the bus, and the patterns that say where they may be.

No word of a relay changes what another has said, or leads anywhere but to a URL that the patterns allow; what a pattern
puts in a page's policy is one source, whatever an operator writes.
"""

import re
from random import Random
from typing import Final

from fuzz.choices import Choices
from fuzz.targets.signing import changed, printable
from streamrelay.bus.message import Message
from streamrelay.platform.relays import RelayChoice
from streamrelay.program.relay_urls import check_pattern, source
from streamrelay.protocol import codec
from streamrelay.protocol.relay_state import RelayState

_GOOD: Final = "streamrelay.v1.relay.good.state"
_STATE: Final = codec.encode(RelayState("wss://good.relay.example", load=1.0))
_MEMBERS: Final = (
    b'"url":"wss://fra-1.relay.example","zone":"fra","state":"ready","load":0.25,"streams":7,"version":"1.2.3"'
)

SEEDS: Final = [
    b"\x00\x05fra-1\x05state{" + _MEMBERS + b"}",
    b"\x00\x04good\x04down{}",
    b"\x00\x05fra:1\x05state{" + _MEMBERS.replace(b"fra-1.", b"fra.1.") + b"}",
    b"\x00\x05fra-1\x05state{" + _MEMBERS.replace(b"fra-1.", b"good.") + b"}",
    b"\x00\x05fra-1\x05state" + b"[" * 3000,
    b"\x00\x05fra-1\x05state\xff",
    b"\x00\x05fra-1\x05state{" + _MEMBERS.replace(b"0.25", b"1e400") + b"}",
    b"\x01\x05fra-1\x05state",
    b"\x02wss://*.relay.example:*/fra",
    b"\x02wss://{id}.relay.example",
    b"\x02wss://[::1]:8443",
    b"\x02wss://a.example; script-src *",
    b"\x02wss://a.example:99999",
]
WORDS: Final = [
    *rb'"url": "zone": "state": "load": "streams": "version": "full" "draining" state down good . : * {id} wss:// ://'.split(),
    *rb'1e400 -1 NaN null "wss://good.relay.example" /../ ; , @ %00 \u0000 :* [::1] :0 :65536'.split(),
]


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    kind = choices.number(3)
    if kind == 2:
        _pattern(choices.rest().decode("utf-8", "replace"))
        return
    part, word = choices.text(), choices.text()
    said = changed(choices, _MEMBERS) if kind else choices.rest()
    _told(f"streamrelay.v1.relay.{part}.{word}", said)


def _told(subject: str, said: bytes) -> None:
    choice = RelayChoice(lambda: 1.0, allowed=("wss://{id}.relay.example",), draw=Random(1))
    choice.hear(Message(_STATE, "", _GOOD))
    choice.hear(Message(said, "", subject))
    relays = {heard.id: heard.state for heard in choice.standing()}
    if not subject.startswith("streamrelay.v1.relay.good."):
        assert relays.pop("good") == codec.decode(_STATE, RelayState), f"{subject} speaks for another relay"
    assert len(relays) <= 1
    for _ in range(4):
        picked = choice.pick("web-1", "fra")
        assert picked is None or picked.url == f"wss://{picked.id}.relay.example" + "/" * picked.url.endswith("/")
    for state in relays.values():
        assert 0 <= state.load <= 1 and state.streams >= 0


def _pattern(text: str) -> None:
    try:
        check_pattern(text, False)
    except ValueError as error:
        printable(error)
        return
    assert re.fullmatch(r"wss?://(\*\.)?[A-Za-z0-9_.:*\[\]-]+", source(text)), text
