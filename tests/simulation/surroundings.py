"""What programs take from their surroundings (time, randomness, the system's calls), taken from a simulated world."""

import asyncio
import os
import random
import secrets
import select
import time
from contextlib import AbstractContextManager
from functools import cache, partial
from hashlib import sha512
from random import Random
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from twisted.internet import endpoints
from twisted.internet._idna import _idnaBytes
from twisted.internet.task import LoopingCall

from streamrelay.agent import namesakes
from streamrelay.bus import connection
from streamrelay.client import resuming
from streamrelay.datapath import heartbeat
from streamrelay.protocol import jws, tokens
from tests.simulation.judging import Change, changed
from tests.simulation.sockets import Socket


class Key:
    """The platform's key: its signatures are hashes, which take a hundredth of the time of Ed25519's."""

    public: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key()

    def sign(self, content: bytes) -> bytes:
        return sha512(self.public.public_bytes_raw() + content).digest()

    def verify(self, signature: bytes, signed: bytes, key: Ed25519PublicKey) -> None:
        """Stand for `jws._verify`."""
        if key is not self.public or signature != self.sign(signed):
            raise jws.Malformed("Signature verification failed")


_NAMES: Final = cache(_idnaBytes)  # as a dial of a host that is an address asks for it, too
KEY: Final = Key()
KEY_FILE: Final = "platform.pem"
"""What stands in settings as the path of its public half."""


class Surroundings(Protocol):
    """A world, as much of it as programs see without asking."""

    entropy: Random
    """What programs get for random."""

    @property
    def turns(self) -> int:
        """Return the turns in a beat of a heartbeat."""

    def wall(self) -> float:
        """Return the time of day, by the clock of the machine on which the running process is."""

    def nats_client(self, *arguments: Any) -> Any:
        """Make the running process' client of NATS."""


class Poll:
    """select.poll, of one simulated socket."""

    def register(self, sock: Socket, events: int) -> None:
        self._socket = sock

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        sock = self._socket
        if sock.broken or (sock.got_end and sock.sent_end):
            return [(sock.number, select.POLLHUP)]
        return []


def turn(loop: LoopingCall) -> None:
    """Stand for `LoopingCall.__call__`, whose Deferreds for each turn are much of what a schedule takes. What programs
    repeat is done at once, and catches its own errors."""
    loop.call = None
    loop.f(*loop.a, **loop.kw)
    if loop.running:
        loop._scheduleFrom(loop.clock.seconds())
    else:
        over, loop._deferred = loop._deferred, None
        assert over is not None
        over.callback(loop)


def surrounded(world: Surroundings) -> AbstractContextManager[None]:
    """Let the programs' surroundings be a world's."""
    changes: list[Change] = [
        (time, "time", world.wall),
        (os, "urandom", world.entropy.randbytes),
        (os, "getpid", lambda: 1),
        (secrets, "token_bytes", world.entropy.randbytes),
        (random, "random", world.entropy.random),
        (random, "uniform", world.entropy.uniform),
        (select, "poll", Poll),
        (namesakes, "gethostname", lambda: "host"),
        (jws, "_verify", KEY.verify),
        (endpoints, "implementer", lambda *interfaces: lambda cls: cls),  # of a class that is made for each dial
        (heartbeat, "TURNS", world.turns),
        (connection, "NatsClient", world.nats_client),
        (tokens, "_public", lambda path: KEY.public),  # of KEY_FILE
        (LoopingCall, "__call__", turn),
        (endpoints, "_idnaBytes", _NAMES),
        (resuming, "ResumingStream", partial(resuming.ResumingStream, jitter=world.entropy.random)),
    ]
    all_tasks = vars(asyncio.tasks).get("_all_tasks")  # of Python 3.11, where it takes time; nobody asks for it
    if all_tasks is not None:
        changes.append((all_tasks, "add", lambda task: None))
    return changed(changes)
