"""What an agent, a relay and a platform hear on the bus, and control messages.

Each is refused with a `ValueError` in one line (control messages: a `PeerError`), or is a message within its bounds
that comes back the same when it is sent on; a summons only if it is for now. One agent's answer to a discovery can't
spoil those of the others.
"""

import time
from collections.abc import Coroutine
from typing import Any, Final

from twisted.internet.task import Clock

from fuzz.choices import Choices
from fuzz.targets.signing import AUDIENCE, HEADER, changed, printable, signed, timed, verifier
from streamrelay.agent.summonses import Summonses
from streamrelay.errors import PeerError
from streamrelay.platform import Platform
from streamrelay.platform.fleet.look import Look
from streamrelay.program.readiness import Readiness
from streamrelay.protocol import codec
from streamrelay.protocol.close import CloseCode
from streamrelay.protocol.control import decode_control
from streamrelay.protocol.limits import CLOCK_SKEW, SUMMONS_LIFE
from streamrelay.protocol.names import is_opaque, is_target
from streamrelay.protocol.requests import MEMORY
from streamrelay.protocol.summons import Answer, End, Ended, HostInfo, StreamInfo, Summons, TargetInfo
from streamrelay.relay.operator_drain import OperatorDrain
from tests.fakes.bus import FakeBus

_OPEN = (
    b'"stream":"ssssssssssssssssssssss","target":"vm/web-1/console","relay":"wss://relay.example:8443","token":"tttttttt'
    b'tttttttttttttt","user":"alice","links":2,"idle":60,"lifetime":3600,"quota":1000,"jti":"0123456789abcdef","exp":$SOON'
)
_END = b'"stream":"ssssssssssssssssssssss","jti":"0123456789abcdef","exp":$SOON'
_DRAIN = b'"drain":true,"user":"alice","jti":"0123456789abcdef","exp":$SOON'
_SIGNED = b'"aud":"%s","iat":$NOW,"role":"' % AUDIENCE.encode()

_WHOLE: Final[tuple[tuple[int, bytes], ...]] = (
    (0, b"{" + _OPEN + b"}"),
    (1, b"{" + _END + b"}"),
    (2, b"{" + _SIGNED + b'summons",' + _OPEN + b"}"),
    (3, b"{" + _SIGNED + b'end",' + _END + b"}"),
    (2, b"{" + _SIGNED.replace(b"$NOW", b"$NOW.5") + b'summons",' + _OPEN.replace(b"$SOON", b"9" * 400) + b"}"),
    (3, b"{" + _SIGNED + b'drain",' + _DRAIN + b"}"),
    (4, b'{"ready":true,"kind":"log"}'),
    (4, b'{"refused":"no_such_target","reason":"no such target on this host"}'),
    (5, b'{"host":"web-1","targets":[{"name":"log","kind":"log"}]}'),
    (6, b'[{"stream":"s","host":"web-1","target":"log","user":"alice","seconds":12.5,"up":0,"down":4711}]'),
    (7, b'[{"name":"log","kind":"log"}]'),
    (8, b'{"stream":"s","target":"log","user":"","code":1000,"reason":"","seconds":3.7,"up":0,"down":1189}'),
    (9, b'{"eof":true}'),
    (9, b'{"resize":[80,24],"more":[{}]}'),
    (9, b'{"exit":130}'),
    (9, b'{"exit":99999999999999999999}'),
    (9, b'{"met":{"mode":"v1","from":"[::1]:80"}}'),
    (9, b'{"a":' * 1000),
    (9, b"\xff"),
    (0, b"[" * 3000),
    (10, b'[{"name":"log","kind":"log"}]'),
    (10, b"[" * 3000),
    (11, b'[{"stream":"s","host":"web-1","target":"log","user":"","seconds":1,"up":0,"down":1}]'),
)

SEEDS: Final = [bytes([kind, 0]) + said for kind, said in _WHOLE] + [bytes([kind, 1]) for kind in range(12)]
WORDS: Final = [
    *rb'"stream": "target": "relay": "token": "user": "links": "jti": "exp": "iat": "aud": "role": "ready":'.split(),
    *rb'"view": "place": "after": "viewer": "hold": "lost": "skipped": "idle": "lifetime": "quota":'.split(),
    *rb'"refused": "reason": "kind": "host": "targets": "name": "eof": "resize": "exit": "met": "mode":'.split(),
    *rb'"from": true null 1e400 \ud800 $NOW $SOON -1 10001 [] {} "" wss:// \u0000 \n "summons" "end" "drain"'.split(),
]

_MESSAGES: Final[tuple[Any, ...]] = (
    Answer,
    HostInfo,
    tuple[StreamInfo, ...],
    tuple[TargetInfo, ...],
    Ended,
)

_MEMBERS: Final = (
    _OPEN,
    _END,
    _SIGNED + b'summons",' + _OPEN,
    _SIGNED + b'end",' + _END,
    b'"ready":true,"kind":"log","refused":"busy","reason":"too many"',
    b'"host":"web-1","targets":[]',
    b'"stream":"s","host":"web-1"',
    b'"name":"log","kind":"log"',
    b'"stream":"s","target":"log","user":"","code":1000,"reason":"","seconds":3.7,"up":0,"down":1189',
    b'"eof":false,"resize":null,"exit":130,"met":{"mode":"v1"},"more":[]',
    b'"name":"log","kind":"log"',
    b'"stream":"s","host":"web-1","target":"log","user":"","seconds":1,"up":0,"down":1',
)

_TARGETS: Final = ("web-9", b"[]")
_STREAMS: Final = (
    "web-9",
    b'[{"stream":"other","host":"web-9","target":"log","user":"","seconds":1,"up":0,"down":1}]',
)

_bus = FakeBus()
_platform = Platform(relay="wss://relay.example")
_platform.bus = _platform.lookout.bus = _platform.live_streams.bus = _bus
_platform.lookout.listen()
_opaque: Summonses[None] = Summonses(None)
_signed: Summonses[None] = Summonses(verifier)
_clock, _readiness = Clock(), Readiness()
_relay = OperatorDrain("relay", _clock, time.time, lambda: verifier, _readiness, lambda: 0)


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    kind = choices.number(12)
    said = timed(changed(choices, _MEMBERS[kind]) if choices.flag() else choices.rest())
    if kind >= 9:
        (_control, _hosts, _streams)[kind - 9](said)
        return
    try:
        if kind < 4:
            summonses = _signed if kind & 2 else _opaque
            if kind & 2:
                said = signed(HEADER, said).encode()
                _drained(said)
            if kind & 1:
                message: Any = summonses.read(said, "end", End)
            else:
                message = summonses.read(said, "summons", Summons)
            _check_request(summonses, message)
        else:
            message = codec.decode(said, _MESSAGES[kind - 4])
    except ValueError as error:
        printable(error)
        return
    again = codec.decode(codec.encode(message), type(message) if kind < 6 or kind == 8 else _MESSAGES[kind - 4])
    assert again == message, f"{message} became {again}"


def _check_request(summonses: Summonses[None], message: Any) -> None:
    assert is_opaque(message.stream) and 8 <= len(message.jti) <= 64
    assert -CLOCK_SKEW - 2 <= message.exp - time.time() <= SUMMONS_LIFE + CLOCK_SKEW + 2
    if isinstance(message, Summons):
        assert is_target(message.target) and 0 <= message.links <= 32
        assert message.relay.isascii() and message.relay.isprintable() and len(message.token) <= 8192
    for new in (True, False):
        pending, is_new = summonses.hear(message.jti, None)
        assert is_new is new and pending.answer is None
    summonses.forget(message.jti)
    assert not summonses.heard


def _drained(said: bytes) -> None:
    """A relay follows what is meant for it, once, and refuses all else without a word of what was said."""
    answer, before = _relay.ask(said), _readiness.held
    assert answer.ready or (answer.refused == "bad_summons" and not answer.reason.count("\n"))
    assert _relay.ask(said) == answer and _readiness.held is before, "a copy was followed"
    _clock.advance(MEMORY)
    assert not _relay._followed


def _control(said: bytes) -> None:
    try:
        control = decode_control(said)
    except PeerError as error:
        assert error.code in (CloseCode.PROTOCOL, CloseCode.BAD_UTF8)
        printable(error)
        return
    assert control.resize is None or all(1 <= number <= 10000 for number in control.resize)
    assert control.exit is None or 0 <= control.exit <= 255
    assert decode_control(codec.encode(control)) == control


def _ask(answers: list[tuple[str, bytes]]) -> None:
    _bus.gathered = answers
    _bus.asked.clear()


def _hosts(said: bytes) -> None:
    _platform.inventory.hosts.clear()
    _platform.lookout._look = Look(lambda: 0.0, True, set(), 0.0)
    for part, answer in (("web-1", said), _TARGETS):
        _bus.hear(f"{_platform.lookout.inbox}.{part}", answer, f"{_platform.lookout.inbox}.*")
    found = sorted(_platform.inventory.hosts)
    assert found in (["web-9"], ["web-1", "web-9"]), "one host hides another, or speaks for it"


def _streams(said: bytes) -> None:
    _ask([("web-1", said), _STREAMS])
    found = _result(_platform.live_streams.ask())
    assert [info.stream for info in found if info.host == "web-9"] == ["other"], "one host tells of another's streams"
    assert all(info.host in ("web-1", "web-9") for info in found)


def _result(work: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine gives that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")
