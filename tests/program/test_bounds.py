"""What settings and messages may be at most, as the documents have it: each is taken at its limit, and not beyond.

Whatever is refused here is wrong in that one field alone.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.config import AgentConfig
from streamrelay.agent.targets.container.container import Container
from streamrelay.agent.targets.journal.journal import Journal
from streamrelay.agent.targets.logfile.log import Log
from streamrelay.platform.auth.oidc import OidcConfig
from streamrelay.platform.auth.sessions import SessionsConfig
from streamrelay.platform.auth.webhook import AskConfig
from streamrelay.program.validation import check_socket
from streamrelay.protocol.control import Control, Met
from streamrelay.protocol.summons import HostAnswer, Summons
from streamrelay.protocol.tokens import LegClaims
from streamrelay.relay.config import RelayConfig
from tests.documented import LONGEST_SOCKET
from tests.examples import STREAM

TARGET = "/".join(["t" * 31] * 8)  # eight parts, 255 characters

GOOD: dict[type, dict[str, Any]] = {
    RelayConfig: {"tokens": "opaque"},
    AgentConfig: {"host": "web-1", "tokens": "opaque", "relays": ["wss://relay.example"]},
    Log: {"kind": "log", "path": "/var/log/x"},
    Container: {"kind": "container", "container": "x"},
    Journal: {"kind": "journal"},
    OidcConfig: {"issuer": "i", "audience": "a", "jwks": "/jwks", "stale": 604800},
    AskConfig: {"url": "https://panel.example/ask"},
    SessionsConfig: {},
    Summons: {
        "stream": STREAM,
        "target": "log",
        "relay": "wss://relay.example",
        "token": "t",
        "jti": "j" * 22,
        "exp": 0,
    },
    LegClaims: {"sub": STREAM, "role": "client", "exp": 0, "jti": "j" * 22},
    Control: {},
    Met: {"mode": "v1"},
    HostAnswer: {"targets": []},
}

MOST: dict[type, dict[str, tuple[object, object]]] = {
    RelayConfig: {
        "patience": (3600, 3601),
        "id": ("r" * 64, "r" * 65),
        "idle": (1e9, 1e9 + 1),
        "lifetime": (1e9, 1e9 + 1),
        "quota": (2**63 - 1, 2**63),
    },
    AgentConfig: {"patience": (3600, 3601), "host": ("h" * 64, "h" * 65)},
    Log: {"lines": (100_000, 100_001), "rate": (2**30, 2**30 + 1), "behind": (2**40, 2**40 + 1)},
    Container: {"lines": (100_000, 100_001)},
    Journal: {"lines": (100_000, 100_001)},
    OidcConfig: {"fresh": (86400, 86401), "stale": (604800, 604801)},
    AskConfig: {"timeout": (30, 30.1)},
    SessionsConfig: {"idle": (2592000, 2592001), "life": (2592000, 2592001)},
    Summons: {
        "stream": ("s" * 256, "s" * 257),
        "target": (TARGET + "t", TARGET + "tt"),
        "token": ("t" * 8192, "t" * 8193),
        "jti": ("j" * 64, "j" * 65),
        "user": ("u" * 256, "u" * 257),
        "links": (32, 33),
        "place": ("p" * 256, "p" * 257),
        "idle": (1e9, 1e9 + 1),
        "lifetime": (1e9, 1e9 + 1),
        "quota": (2**63 - 1, 2**63),
    },
    LegClaims: {"sub": ("s" * 256, "s" * 257), "jti": ("j" * 64, "j" * 65), "links": (32, 33)},
    Control: {"resize": ([10000, 10000], [10001, 1]), "exit": (255, 256), "place": ("p" * 256, "p" * 257)},
    Met: {"from": ("f" * 100, "f" * 101)},
    HostAnswer: {"version": ("1" * 64, "1" * 65)},
}

LEAST: dict[type, dict[str, tuple[object, object]]] = {
    Log: {"rate": (1024, 1023), "behind": (65536, 65535)},
    OidcConfig: {"fresh": (10, 9)},
    Summons: {"stream": ("s" * 22, "s" * 21), "jti": ("j" * 8, "j" * 7), "links": (0, -1)},
    LegClaims: {"sub": ("s" * 22, "s" * 21), "jti": ("j" * 8, "j" * 7), "links": (1, 0)},
    Control: {"resize": ([1, 1], [1, 0])},
}

PARTS = (("t" * 128, "t" * 129), ("/".join("t" * 8), "/".join("t" * 9)))
"""Targets' names: the length of a part, and the number of parts."""


def rows() -> Iterator[tuple[type, str, object, object]]:
    for table in (MOST, LEAST):
        for kind, fields in table.items():
            for name, (good, bad) in fields.items():
                yield kind, name, good, bad
    for good, bad in PARTS:
        yield Summons, "target", good, bad


class Bounds(SynchronousTestCase):
    """`MOST`, `LEAST`, `PARTS`"""

    def test_bounds(self) -> None:
        """What is at its limit is taken as it is, what is beyond it is refused."""
        for kind, name, good, bad in rows():
            taken = msgspec.to_builtins(msgspec.convert({**GOOD[kind], name: good}, kind))[name]
            self.assertEqual(list(taken) if isinstance(taken, tuple) else taken, good, (kind, name))
            with self.assertRaises(msgspec.ValidationError, msg=f"{kind.__name__}.{name}"):
                msgspec.convert({**GOOD[kind], name: bad}, kind)

    def test_socket(self) -> None:
        """A unix socket's path may be as long as Linux takes it, and no longer."""
        check_socket("path", "/" * LONGEST_SOCKET)
        self.assertRaises(ValueError, check_socket, "path", "/" * (LONGEST_SOCKET + 1))
