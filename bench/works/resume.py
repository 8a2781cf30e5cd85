"""What it costs that a stream outlives its legs, beside the same stream that doesn't."""

import http.client
import json
import socket
import subprocess
import time
from functools import partial
from urllib.parse import urlsplit

from attrs import frozen

from bench.chain import Chain
from bench.fleet import HOST, Fleet
from bench.legs import End, Pair, Socket, dial, upgrade
from bench.processes import Bench, Others, Program, cpu_seconds
from bench.pump import flow
from bench.sampling import Plan, Row, Sample, interleave
from bench.works.resting import Resting
from bench.works.work import Table, Target, Work
from streamrelay.protocol.control import SUBPROTOCOL
from streamrelay.resume.outgoing import WINDOW

SECONDS = 1.5
FAR_SECONDS = 6.0
TRIP = 0.1
"""Seconds of a round trip from the user to the host, half of it on each side of the relay."""
ECHOES = 8
"""Round trips of a byte, the first of which has the stream be opened."""
IDLE = 1000
FIRST = 20
SETTLE = 2.0
"""Seconds before memory is read."""


class Piped(Chain):
    """Streams of ``streamrelay connect`` on standard input and output, each a program of its own with `options`."""

    name = "streamrelay"

    def __init__(self, tls: bool = True, trip: float = 0.0) -> None:
        super().__init__(trip)
        self.options: tuple[str, ...] = ()
        self._tls = tls
        self._users: list[subprocess.Popen[bytes]] = []

    def compose(self, bench: Bench) -> None:
        self.fleet = Fleet(bench, self.aim, self._tls, reach=lambda port: self.reach(bench, port))
        self.parts = self.fleet.parts()

    def pair(self, agent_tls: bool = False, client_tls: bool = False, source: str = "") -> Pair:
        mine, theirs = socket.socketpair()
        command = [*self.fleet.connect(), *self.options]
        with theirs:
            user = subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=subprocess.DEVNULL)
        self._users.append(user)
        return Pair(End(self.far.accept(), False), End(mine, False, user))

    def shares(self) -> dict[str, float]:
        return {**super().shares(), "user": sum(cpu_seconds(user.pid) for user in self._users)}

    def cpu(self) -> float:
        return sum(self.shares().values())

    def end_users(self) -> None:
        while self._users:
            user = self._users.pop()
            user.terminate()
            user.wait()

    def version(self) -> str:
        return ""

    def stop(self) -> None:
        self.end_users()
        super().stop()


@frozen
class Mode:
    """A way to run streams."""

    name: str
    options: tuple[str, ...]


RESUMING = Mode("resuming", ())
ENDING = Mode("ends with its leg", ("--no-resume",))


def _bulk(mode: Mode, chain: Piped, plan: Plan, from_client: bool, seconds: float) -> Sample:
    chain.options = mode.options
    pair = chain.pair()
    try:
        trip = _trip(pair)
        before = chain.shares()
        got = flow(chain, [pair], 65536, seconds=plan.seconds(seconds), from_client=from_client)
        after = chain.shares()
    finally:
        pair.close()
        chain.end_users()
    gigabytes = got.payload / 1e9
    figures = {name: (after[name] - before[name]) / gigabytes for name in ("host", "public", "user")}
    figures["both"] = figures["host"] + figures["public"]
    figures["speed"] = got.payload / got.wall / 1e6
    figures["trip"] = 1e3 * trip
    figures["slowness"] = WINDOW / trip / (got.payload / got.wall)
    return Sample(figures, got.others / got.wall)


def _trip(pair: Pair) -> float:
    """Return the seconds in which a byte comes from the user to the host and another one back, on an idle stream: what
    delays them is no link, and adds some."""
    user, host = pair.client.socket, pair.agent.socket
    trips = []
    for _ in range(ECHOES):
        began = time.monotonic()
        for source, sink in ((user, host), (host, user)):
            source.sendall(b".")
            if not sink.recv(1):
                raise ConnectionError("a stream has ended")
        trips.append(time.monotonic() - began)
    return min(trips)


def run_resume(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    for words, tls, trip, seconds in (
        ("plain", False, 0.0, SECONDS),
        ("TLS", True, 0.0, SECONDS),
        (_FAR, False, TRIP / 2, FAR_SECONDS),
    ):
        for chain in plan.started([partial(Piped, tls, trip)]):
            for way, back in (("from the host to the user", False), ("from the user to the host", True)):
                bulk = partial(_bulk, chain=chain, plan=plan, from_client=back, seconds=seconds)
                rows += interleave(plan, f"{words}, {way}", [RESUMING, ENDING], bulk)
            chain.stop()
    return rows


class _Idle:
    """Streams that are there and say nothing, in a fleet of their own."""

    def __init__(self, name: str, resume: bool, plan: Plan) -> None:
        self.name, self._resume, self._plan = name, resume, plan

    def measure(self, count: int) -> Sample:
        others = Others()
        (self._chain,) = self._plan.started([partial(Piped, False)])
        try:
            return self._measure(self._chain.fleet, count, others)
        finally:
            self._chain.stop()

    def _measure(self, fleet: Fleet, count: int, others: Others) -> Sample:
        self._api = http.client.HTTPConnection("127.0.0.1", fleet.platform_port, timeout=20)
        parts = {name: part for name, part in fleet.parts().items() if name in ("host", "public")}
        first, resting = Resting(), Resting()
        try:
            first.open(self, FIRST)  # what is loaded with these is not the others'
            before = _resident(parts)
            resting.open(self, count)
            resting.answer(SETTLE)
            after = _resident(parts)
        finally:
            first.close()
            resting.close()
            self._api.close()
        if len(resting.ends) < 2 * count:
            raise ConnectionError(f"{2 * count - len(resting.ends)} ends of streams were lost")
        figures = {name: (after[name] - before[name]) / count / 1024 for name in parts}
        return Sample({**figures, "both": sum(figures.values())}, others.cores())

    def pair(self, source: str = "") -> Pair:
        """Open one more stream, of another user each time, who may each have only so many."""
        fleet, api = self._chain.fleet, self._api
        body = json.dumps({"host": HOST, "target": "source", "resume": self._resume})
        key = fleet.key().read_text()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        api.request("POST", "/v1/streams", body, headers)
        answer = json.load(api.getresponse())
        if bool(answer.get("resume")) != self._resume:
            raise ConnectionError(f"not what was asked for: {answer}")
        client: Socket = dial(fleet.relay_port)
        end = upgrade(client, urlsplit(answer["url"]).path, SUBPROTOCOL)
        return Pair(End(self._chain.far.accept(), False), end)


def _resident(parts: dict[str, Program]) -> dict[str, int]:
    return {name: part.resident() for name, part in parts.items()}


def run_held(plan: Plan) -> list[Row]:
    count = 200 if plan.quick else IDLE
    subjects = [_Idle(mode.name, mode is RESUMING, plan) for mode in (RESUMING, ENDING)]
    return interleave(plan, f"{count:,} idle streams", subjects, lambda subject: subject.measure(count))


_KEPT = (
    "What resumes is read into some MiB of buffers in turn, as the last ones are still kept, and confirmed each 256 "
    "KiB; what does not is read into the same 64 KiB again and again. How much of the difference each is has not "
    "been measured."
)
_FAR = f"{TRIP * 1e3:.0f} ms away"
_WAYS = ("from the host to the user", "from the user to the host")

RESUME = Work(
    "resume",
    "Streams that resume",
    "One stream of ``streamrelay connect`` on standard input and output, which outlives its legs, or ends with them "
    f"(``--no-resume``), as fast as it goes. *{_FAR}*: a round trip from the user to the host; a stream that resumes "
    f"has at most a window of {WINDOW >> 20} MiB under way.",
    run_resume,
    (
        Table("both", "CPU seconds of agent and relay per GB"),
        Table("host", "of these: the agent's", spread=False),
        Table("public", "of these: the relay's", spread=False),
        Table("user", "CPU seconds of the user's program per GB", spread=False),
        Table("speed", "MB a second (wall time)", 0, spread=False),
        Table("trip", "Round trip of a byte while nothing else is sent, milliseconds", spread=False),
        Table("slowness", "Window by that round trip, divided by what was reached", spread=False),
    ),
    (),
    (
        *(
            Target(
                f"{words}, {way}: CPU of agent and relay",
                "both",
                f"{words}, {way}",
                1.1,
                ENDING.name,
                relay=RESUMING.name,
                why=_KEPT,
            )
            for words in ("plain", "TLS")
            for way in _WAYS
        ),
        *(
            Target(
                f"{_FAR}, {way}: window by round trip, divided by the speed",
                "slowness",
                case,
                1 / 0.9,
                relay=RESUMING.name,
            )
            for way in _WAYS
            for case in [f"{_FAR}, {way}"]
        ),
    ),
)

HELD = Work(
    "held",
    "Idle streams that resume",
    "Streams to a TCP port of the host, plain, each with its client's websocket at the relay, that say nothing. "
    "Two ends each, at the agent and at the relay.",
    run_held,
    (
        Table("both", "KiB of resident memory of agent and relay per stream", 1),
        Table("host", "of these: the agent's", 1, False),
        Table("public", "of these: the relay's", 1, False),
    ),
    (),
    (Target("memory of agent and relay", "both", f"{IDLE:,} idle streams", 1.2, ENDING.name, relay=RESUMING.name),),
)
