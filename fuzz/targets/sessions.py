"""Cookies of the console's sessions, as strangers send them: none but what was sealed with the secret is a session.

What was sealed is one whatever stands in it, as long as its times allow; nothing that is sent raises.
"""

import base64
from typing import Final

from twisted.internet.task import Clock

from fuzz.choices import Choices
from fuzz.targets.signing import changed
from streamrelay.platform.auth import session_token
from streamrelay.platform.auth.session_token import SealedSession, csrf_of, open_token, seal
from streamrelay.platform.auth.sessions import Sessions

_SECRET: Final = b"s" * 32
_NOW: Final = 1_800_000_000
_SESSION: Final = SealedSession("i" * 43, "alice", "sha256:" + "a" * 64, _NOW - 60, _NOW - 5)
_TOKEN: Final = seal(_SESSION, _SECRET)
_MEMBERS: Final = b'"id":"%b","name":"alice","key_hash":"sha256:%b","born":1799999940,"used":1799999995' % (
    b"i" * 43,
    b"a" * 64,
)

SEEDS: Final = [
    b"\x00" + _TOKEN.encode(),
    b"\x00" + _TOKEN[:-1].encode(),
    b"\x00..",
    b"\x00" + b"a" * 1025,
    b"\x00\xff",
    b"\x01\x00",
    b"\x02{" + _MEMBERS + b"}",
    b"\x02{}",
    b"\x02" + b"[" * 500,
    b"\x02{" + _MEMBERS.replace(b"1799999995", b"1e400") + b"}",
    b"\x02{" + _MEMBERS.replace(b"1799999995", b"1800000100") + b"}",
    b"\x02{" + _MEMBERS.replace(b"1799999940", b"-1") + b"}",
]
WORDS: Final = [*rb'"id": "name": "key_hash": "born": "used": . .. = 1e400 -1 null 9223372036854775807 \u0000'.split()]


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    kind = choices.number(3)
    if kind == 0:
        _stranger(choices.rest().decode("utf-8", "surrogateescape"))
        return
    content = changed(choices, _MEMBERS) if kind == 1 else choices.rest()
    _sealed(content)


def _sessions() -> Sessions:
    return Sessions(Clock(), 3600, 43200, _SECRET, now=lambda: float(_NOW))


def _stranger(token: str) -> None:
    sessions = _sessions()
    session = sessions.find(token)
    assert (session is not None) == (token == _TOKEN), "a token that we haven't sealed is a session"
    assert sessions.renew(token) is None or token == _TOKEN
    csrf_of(token)
    sessions.end(token)
    assert sessions.find(token) is None


def _sealed(content: bytes) -> None:
    """Try what only a platform with the same secret can have sealed, of any version."""
    encoded = base64.urlsafe_b64encode(content).rstrip(b"=").decode()
    id = _SESSION.id
    token = f"{id}.{encoded}.{session_token._seal(f'{id}.{encoded}', _SECRET)}"
    opened = open_token(token, _SECRET)
    session = _sessions().find(token)
    assert opened is not None or session is None
    if session is not None:
        assert opened is not None and opened.used <= _NOW + 5 and opened.id == id
