"""Kinds of streams: each is one function, from its opening to its outcome."""

import json
import struct
from collections.abc import Callable
from random import Random

from websockets.sync.client import ClientConnection

from tests.live.support.waiting import until
from tests.live.support.websockets import V1, hang_up
from tests.soak.chain import HOSTS
from tests.soak.load import MIB, Failed, Load, dial, finish, read, receive, send
from tests.soak.pattern import PERIOD, Lines, Wrong
from tests.soak.tally import Stream
from tests.soak.targets import GREETING, STEP

FOLLOWED = 20.0
"""Seconds after which a log's follower leaves, and goes on at its place."""


def down(load: Load, stream: Stream, random: Random) -> str:
    """Download, and see the end."""
    place, size = random.randrange(PERIOD), random.randrange(load.size)
    leg, _ = load.greeted(stream, b"d", place, size)
    try:
        end = place + size
        while place < end:
            came = receive(leg)
            place = load.pattern.check(place, came.encode() if isinstance(came, str) else came)
            load.tally.moved(len(came))
        finish(leg)
    finally:
        hang_up(leg)
    return "finished"


def up(load: Load, stream: Stream, random: Random) -> str:
    """Upload, which the target checks and confirms."""
    place, size = random.randrange(PERIOD), random.randrange(load.size)
    leg, _ = load.greeted(stream, b"u", place, size)
    try:
        end = place + size
        while place < end:
            piece = load.pattern.piece(place, min(STEP, end - place))
            send(leg, piece)
            place += len(piece)
        if read(leg, 8) != struct.pack(">Q", size):
            raise Wrong("another count than was sent")
        finish(leg)
    finally:
        hang_up(leg)
    return "finished"


def echo(load: Load, stream: Stream, random: Random) -> str:
    """Send words of all sizes, each after the answer to the one before."""
    leg, _ = load.greeted(stream, b"e", 0, 0)
    try:
        _echo(load, leg, random, rounds=random.randrange(20, 400), most=4000)
    finally:
        hang_up(leg)
    return "left"


def terminal(load: Load, stream: Stream, random: Random) -> str:
    """Type at a terminal that shows what is typed."""
    leg = load.leg(stream.host, "shell")
    try:
        if (said := read(leg, len(GREETING))) != GREETING:
            raise Wrong(f"no greeting: {said!r}")
        stream.established = load.now()
        _echo(load, leg, random, rounds=random.randrange(20, 200), most=60)
    finally:
        hang_up(leg)
    return "left"


def _echo(load: Load, leg: ClientConnection, random: Random, rounds: int, most: int) -> None:
    place = 0
    for _ in range(rounds):
        size = random.randrange(1, most)
        asked = load.now()
        send(leg, load.pattern.piece(place, size))
        place = load.pattern.check(place, read(leg, size))
        load.tally.echoed(load.now() - asked)
        load.tally.moved(2 * size)
        if load.stopped.wait(0.01):
            return


def abort(load: Load, stream: Stream, random: Random) -> str:
    """Hang up in the middle of a download without a word; the target's connection must end."""
    leg, number = load.greeted(stream, b"d", 0, 1 << 40)
    try:
        place, end = 0, random.randrange(MIB)
        while place < end:
            came = receive(leg)
            place = load.pattern.check(place, came.encode() if isinstance(came, str) else came)
            load.tally.moved(len(came))
    finally:
        hang_up(leg)
    until(lambda: not load.target.serves(number), what="the end of an aborted stream's connection to its target")
    return "aborted"


def refused(load: Load, stream: Stream, random: Random) -> str:
    """Ask for what isn't there or isn't allowed: each must be refused in its own words."""
    host = stream.host
    asked = (
        (lambda: load.ask(host, "nothing"), ("no_such_target",)),
        (lambda: load.ask("host-3", "log"), ("host_offline",)),
        (lambda: load.ask(host, "log", "srk_wrong"), ("no_key", "too_many")),  # the latter where they come often
        (lambda: load.ask(host, "port/1"), ("target_refused",)),
    )
    ask, expected = random.choice(asked)
    if random.random() < 0.2:
        return _bad_token(load)
    status, told = ask()
    if told.get("code") not in expected:
        raise Failed(f"platform: {status} {told.get('code')} instead of {' or '.join(expected)}")
    return f"refused: {told['code']}"


def _bad_token(load: Load) -> str:
    try:
        hang_up(dial(load.chain.leg_url("client", "nonsense"), V1))
    except Failed as error:
        if str(error) != "relay: 401":
            raise
        return "refused: token"
    raise Wrong("a leg without a token was let in")


def follow(load: Load, host: str) -> None:
    """Follow the log for ever: leave now and then or be cut, and go on at the very byte."""
    lines, at = Lines(), Place()
    load.followers.append(lines)
    while not load.stopped.is_set():
        if not load.one("log", host, lambda stream: _followed(load, stream, lines, at)):
            load.stopped.wait(0.1)


class Place:
    """Where a follower stands: a place, and the bytes since; none before the first."""

    def __init__(self) -> None:
        self.place: str | None = None
        self.after = 0

    @property
    def terms(self) -> dict[str, object]:
        return {"lines": 1} if self.place is None else {"place": self.place, "after": self.after}

    def told(self, message: str) -> None:
        """Take a control message; raises `Wrong` if it says that lines are missing."""
        said = json.loads(message)
        if "place" in said:
            self.place, self.after = said["place"], 0
        if said.get("lost") or said.get("skipped"):
            raise Wrong(f"the agent says: {message}")


def _followed(load: Load, stream: Stream, lines: Lines, at: Place) -> str:
    before = lines.count
    leg = load.leg(stream.host, "log", V1, **at.terms)
    try:
        while stream.established is None or (not load.stopped.is_set() and load.now() - stream.established < FOLLOWED):
            came = receive(leg)
            if stream.established is None:
                stream.established = load.now()
            if isinstance(came, str):
                at.told(came)
                continue
            at.after += len(came)
            load.tally.moved(len(came))
            lines.check(came)
    finally:
        hang_up(leg)
        load.tally.lines += lines.count - before
    return "left"


KINDS: dict[str, Callable[[Load, Stream, Random], str]] = {
    "down": down,
    "up": up,
    "echo": echo,
    "terminal": terminal,
    "abort": abort,
    "refused": refused,
}
"""But for logs, which are one follower for each host."""


def start(load: Load) -> None:
    """Start a worker of each kind for each host."""
    for host in HOSTS:
        for name in KINDS:
            load.start(work, load, name, host)
        load.start(follow, load, host)


def work(load: Load, name: str, host: str) -> None:
    """Run streams of a kind, one after the other, until the load is stopped."""
    random = Random(f"{load.seed} {name} {host}")
    while not load.stopped.is_set():
        well = once(load, name, host, random)
        load.stopped.wait(random.uniform(0.0, 0.3) if well else 0.1)


def once(load: Load, name: str, host: str, random: Random) -> bool:
    """Run one stream of a kind; whether all was well."""
    return load.one(name, host, lambda stream: KINDS[name](load, stream, random))
