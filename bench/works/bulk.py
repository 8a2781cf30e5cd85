"""Bulk: bytes through one pair, by size of frame, direction and mask; many pairs; TLS."""

from functools import partial
from typing import Any

from bench.pump import Flow, flow
from bench.relay import Relay
from bench.relays import ALL, Gorilla, Streamrelay, TunedGorilla
from bench.sampling import Plan, Row, Sample, interleave
from bench.works.work import Plot, Table, Target, Work

SIZES = {"64 B": 64, "1 KiB": 1024, "16 KiB": 16384, "64 KiB": 65536, "1 MiB": 1 << 20}
SECONDS = 1.0
_CPU = "cpu"


def _sample(measured: Flow) -> Sample:
    gigabytes = measured.payload / 1e9
    figures = {
        _CPU: measured.relay / gigabytes,
        "speed": gigabytes / measured.wall,
        "load": measured.load / gigabytes,
        "load_share": measured.load / measured.wall,
    }
    return Sample(figures, measured.others / measured.wall)


def _measure(
    relay: Relay, plan: Plan, size: int, pairs: int = 1, tls: tuple[bool, bool] = (False, False), **options: Any
) -> Sample:
    opened = [relay.pair(*tls) for _ in range(pairs)]
    try:
        seconds = plan.seconds(SECONDS)
        return _sample(flow(relay, opened, size, seconds=seconds, from_client=relay.name == "websockify", **options))
    finally:
        for pair in opened:
            pair.close()


def run_bulk(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    relays = plan.started(ALL)
    websockets = [relay for relay in relays if relay.pairs_websockets]
    sizes = {name: SIZES[name] for name in ("1 KiB", "64 KiB")} if plan.quick else SIZES
    for name, size in sizes.items():
        rows += interleave(plan, f"{name}, one way, random masks", relays, partial(_measure, plan=plan, size=size))
    for name, size in sizes.items():
        rows += interleave(
            plan,
            f"{name}, one way, zero masks",
            websockets,
            partial(_measure, plan=plan, size=size, zero_mask=True),
        )
    for name, size in sizes.items():
        rows += interleave(
            plan,
            f"{name}, both ways, random masks",
            relays,
            partial(_measure, plan=plan, size=size, both=True),
        )
    for relay in relays:
        relay.stop()
    return rows


def run_active(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    relays = plan.started(kind for kind in ALL if kind.name != "websockify")
    for pairs in (1, 50) if plan.quick else (1, 50, 500):
        case = f"{pairs} pair{'s' * (pairs > 1)}"
        rows += interleave(plan, case, relays, partial(_measure, plan=plan, size=65536, pairs=pairs))
    for relay in relays:
        relay.stop()
    return rows


def run_tls(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    relays = plan.started((Streamrelay, Gorilla, TunedGorilla))
    cases = {
        "TLS on both legs, random masks": ((True, True), False),
        "TLS on both legs, zero masks": ((True, True), True),
        "TLS on the sending agent's leg, the client's plain, random masks": ((True, False), False),
        "the sending agent's leg plain, TLS on the client's, random masks": ((False, True), False),
    }
    for case, (tls, zero) in cases.items():
        rows += interleave(plan, case, relays, partial(_measure, plan=plan, size=65536, tls=tls, zero_mask=zero))
    for relay in relays:
        relay.stop()
    return rows


_TABLES = (
    Table(_CPU, "CPU seconds of the relay per GB of payload", better="least"),
    Table("speed", "GB of payload a second (wall time)", spread=False),
    Table("load", "CPU seconds of the load itself per GB", spread=False),
    Table("load_share", "Cores that the load itself used", spread=False),
)

_HAPROXY = (
    "HAProxy is the limit, not a peer: it passes bytes on unseen. A relay of websockets finds the frames, takes their "
    "masks off (the difference between random and zero masks is what that costs) and makes headers of its own."
)
_TUNED = (
    "Tuned, the relay in Go copies large pieces as this one does, without Python between the system calls; the usual "
    "one, ``io.Copy`` as documented, does not."
)
_TLS = (
    "Over TLS the relay calls OpenSSL once for each record of 16 KiB and copies through memory buffers; where the "
    "rest of the difference to Go's crypto/tls lies has not been measured."
)
_WHY = {"haproxy": _HAPROXY, "go, tuned": _TUNED, "go": ""}

BULK = Work(
    "bulk",
    "Bulk",
    "One pair, whose agent sends binary frames as fast as they are taken; or both of its ends do. Payload only is "
    "counted, by the byte (1 GB is 10\\ :sup:`9` bytes).",
    run_bulk,
    _TABLES,
    (
        Plot(
            _CPU,
            "Relay CPU seconds per GB, one way, random masks",
            tuple(f"{name}, one way, random masks" for name in SIZES),
            True,
        ),
        Plot(
            _CPU,
            "Relay CPU seconds per GB, both ways, random masks",
            tuple(f"{name}, both ways, random masks" for name in SIZES),
            True,
        ),
    ),
    tuple(
        Target(
            f"{size}, one way, random masks: CPU per GB against {against}",
            _CPU,
            f"{size}, one way, random masks",
            limit,
            against,
            why=_WHY[against],
        )
        for size, against, limit in (
            ("64 KiB", "go", 0.75),
            ("1 MiB", "go", 0.75),
            ("1 KiB", "go", 0.5),
            ("64 KiB", "go, tuned", 0.75),
            ("1 MiB", "go, tuned", 0.75),
            ("1 KiB", "go, tuned", 0.5),
            ("64 KiB", "haproxy", 1.15),
            ("1 MiB", "haproxy", 1.15),
        )
    ),
)

ACTIVE = Work(
    "active",
    "Many active pairs",
    "Frames of 64 KiB, random masks, through several pairs at once, each as fast as it goes.",
    run_active,
    _TABLES,
    (Plot(_CPU, "Relay CPU seconds per GB by number of active pairs"),),
    (Target("500 active pairs: CPU per GB against one", _CPU, "500 pairs", 1.25, base="1 pair"),),
)

TLS = Work(
    "tls",
    "TLS",
    "One pair, frames of 64 KiB one way. TLS 1.3 with the cipher that both prefer, an ECDSA P-256 certificate.",
    run_tls,
    _TABLES,
    (Plot(_CPU, "Relay CPU seconds per GB over TLS"),),
    tuple(
        Target(f"{case}: CPU per GB against {against}", _CPU, case, 1.0, against, why=_TLS)
        for against in ("go", "go, tuned")
        for case in ("TLS on both legs, random masks", "TLS on both legs, zero masks")
    ),
)
