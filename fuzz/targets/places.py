"""Places of logs that a client brings back: none is taken but those that were given, each for its own log alone."""

from typing import Final

from fuzz.choices import Choices
from streamrelay.agent.targets.container.log import read_place
from streamrelay.agent.targets.container.places import Position as ContainerPosition
from streamrelay.agent.targets.journal.journal import Journal
from streamrelay.agent.targets.logfile.places import Place
from streamrelay.agent.targets.logfile.position import Position
from streamrelay.agent.targets.sealed_places import seal
from streamrelay.protocol import codec
from streamrelay.protocol.summons import Terms

_LOG: Final = Place((Position(1, 2, 3, 4, 5, 6),)).seal("/var/log/x").encode()
_CONTAINER: Final = seal("5.1.7+3", "container " + "a" * 64).encode()
_JOURNAL: Final = seal(">s=1;i=2+3", Journal(unit="web.service").sealed_for).encode()
_GIVEN: Final = {_LOG: 0, _CONTAINER: 1, _JOURNAL: 2}

SEEDS: Final = [
    *_GIVEN,
    b"",
    b"~",
    b"1.2.3.4.5~",
    b"0+1.2.3.4.5.6~AAAAAAAAAAAAAAAAAAAAAA",
    b">--file=/etc/shadow~x",
    b"\xc3\xbc~x",
]
WORDS: Final = [*_GIVEN, b"~", b".", b"+", b"=", b">", b"--file=/etc/shadow", b"/var/log/x", b"\xff"]


def fuzz(source: bytes) -> None:
    text = Choices(source).rest().decode("utf-8", "surrogateescape")
    opened = (
        Place.unseal(text, "/var/log/x"),
        read_place(text, "a" * 64)[0],
        Journal(unit="web.service")._read_place(text)[0],
    )
    expected = _GIVEN.get(source)
    for number, place in enumerate(opened):
        assert (place is not None) == (number == expected), f"{text!r} is taken for a place"
    for other in (Place.unseal(text, "/var/log/y"), read_place(text, "b" * 64)[0], Journal()._read_place(text)[0]):
        assert other is None, f"{text!r} is taken for another log's"
    if source == _CONTAINER:
        assert opened[1] == ContainerPosition(5, 1, 7)
    if expected is not None:
        assert codec.decode(codec.encode(Terms(place=text)), Terms).place == text
