"""The list of hosts: what many of them cost a platform and its bus, and how soon their pages see what changes."""

import time
from collections.abc import Iterator
from statistics import quantiles
from typing import Final

from bench import flows
from bench.agents import SITES, TARGETS, host_name
from bench.hosts import Hosts
from bench.processes import Others, Program
from bench.sampling import Plan, Row, say
from bench.works.work import Table, Work

COUNTS: Final = (1_000, 10_000)
PAGES: Final = 50
REST: Final = 60.0
"""Seconds of rest; where a look comes less often, the time from one to the next."""
SETTLE: Final = 8.0
"""Seconds after which what a start, or a change, leaves to do is done."""
RELAY: Final = "streamrelay"

Figures = dict[str, float]


def run(plan: Plan) -> list[Row]:
    """Measure each number of hosts; nothing is taken again for the load of others, as one takes minutes."""
    rows = {count: Row(f"{count:,} hosts", RELAY, {}, []) for count in (COUNTS[:1] if plan.quick else COUNTS)}
    for _ in range(min(plan.repetitions, 3)):
        for count, row in rows.items():
            others = Others()
            for name, value in _measure(plan, count).items():
                row.figures.setdefault(name, []).append(value)
            row.others.append(others.cores())
            figures = ", ".join(f"{name} {each[-1]:.4g}" for name, each in row.figures.items())
            say(f"  {row.case}: {figures}; others {row.others[-1]:.2f}")
    return list(rows.values())


def _measure(plan: Plan, count: int) -> Figures:
    hosts = Hosts(plan.bench, count)
    try:
        figures = {"start": hosts.start_platform(), "start cpu": _cpu(hosts.platform)}
        hosts.open_pages(PAGES)
        figures |= dict(_requests(hosts))
        hosts.pages.rest(SETTLE)
        figures |= _rest(hosts, max(plan.seconds(REST), flows.period(count)))
        figures |= _changes(hosts)
        figures |= _reconnect(hosts)
        return figures
    finally:
        hosts.stop()


def _requests(hosts: Hosts) -> Iterator[tuple[str, float]]:
    """Yield p50 and p99 of each kind of request, in milliseconds."""
    far = [host_name(hosts.count * (900 + number % 90) // 1000) for number in range(200)]
    words = [f"{site}+{target.name.rpartition('/')[2]}" for site in SITES for target in TARGETS]
    kinds = {
        "first": ["/v1/hosts?limit=100"] * 200,
        "far": [f"/v1/hosts?limit=100&after={host}" for host in far],
        "search": [f"/v1/hosts?limit=100&q={words[number % len(words)]}" for number in range(100)],
        "whole": ["/v1/hosts"] * 20,
    }
    for kind, paths in kinds.items():
        cuts = quantiles(hosts.milliseconds(paths), n=100, method="inclusive")
        yield f"{kind} p50", cuts[49]
        yield f"{kind} p99", cuts[98]


def _rest(hosts: Hosts, seconds: float) -> Figures:
    before, cpu, bus, began = hosts.agents.told("count"), _cpu(hosts.platform), hosts.nats.cpu(), time.monotonic()
    hosts.pages.rest(seconds)
    after, took = hosts.agents.told("count"), time.monotonic() - began
    share = 60 / took / hosts.count
    return {
        "cpu": 100 * (_cpu(hosts.platform) - cpu) / took,
        "bus cpu": 100 * (hosts.nats.cpu() - bus) / took,
        "rss": _resident(hosts.platform) / 2**20,
        "bus rss": hosts.nats.resident() / 2**20,
        "sent": (after["sent"] - before["sent"]) * share,
        "received": (after["received"] - before["received"]) * share,
    }


def _changes(hosts: Hosts) -> Figures:
    """Have one host die, another stop, and the second come again; return the seconds until all pages were told."""
    dies, stops = hosts.count // 2, hosts.count // 2 + 1
    figures = {}
    for name, command, number, state in (
        ("dies", "abort", dies, "down"),
        ("stops", "stop", stops, "down"),
        ("comes", "come", stops, "up"),
    ):
        hosts.agents.told(f"{command} {number}")
        figures[name] = hosts.pages.seconds_until(f'"host":"{host_name(number)}","state":"{state}"')
    hosts.agents.told(f"come {dies}")
    hosts.pages.seconds_until(f'"host":"{host_name(dies)}","state":"up"')
    return figures


def _reconnect(hosts: Hosts) -> Figures:
    """Restart nats-server; return the seconds until the list is complete, and the CPU of that."""
    cpu, wrong, began = _cpu(hosts.platform), hosts.pages.wrong, time.monotonic()
    hosts.restart_nats()
    again = time.monotonic()
    while hosts.agents.told("count")["here"] < hosts.count:
        hosts.pages.rest(0.1)
    here = time.monotonic()
    while not hosts.is_complete():
        hosts.pages.rest(0.1)
    complete = time.monotonic()
    hosts.pages.rest(SETTLE)
    return {
        "down": again - began,
        "back": here - again,
        "complete": complete - again,
        "back cpu": _cpu(hosts.platform) - cpu,
        "wrong": hosts.pages.wrong - wrong,
    }


def _cpu(running: Program | None) -> float:
    return running.cpu() if running is not None else 0.0


def _resident(running: Program | None) -> int:
    return running.resident() if running is not None else 0


_KINDS: Final = {
    "first": "the first 100 hosts",
    "far": "100 hosts behind nine tenths of them",
    "search": "the first 100 hosts that have two words",
    "whole": "all hosts",
}

HOSTS = Work(
    "hosts",
    "The list of many hosts",
    f"So many simulated agents of {len(TARGETS)} targets each, in one process, with real connections to one "
    "nats-server, whose accounts are as ``streamrelay host`` writes them but for a user and permissions of each host; "
    f"no TLS, no NKEYs. One platform, and {PAGES} pages that see its list (``GET /v1/hosts/changes``). Agents, pages "
    "and all else share the machine's cores. *At rest* nothing happens but pings, knocks and looks; bytes are all of "
    "NATS' protocol. A restart of nats-server has all agents connect anew at once. docs/scaling.rst says what follows "
    "for more hosts. At most three repetitions, none of which is taken again: where other programs used cores "
    "meanwhile, times are longer by that.",
    run,
    (
        Table("start", "Seconds from a platform's start until its list is complete", 1),
        Table("start cpu", "CPU seconds of that, the program's own start among them", 2),
        *(
            Table(f"{kind} {part}", f"Milliseconds of GET /v1/hosts, {words}: {part}", 1)
            for kind, words in _KINDS.items()
            for part in ("p50", "p99")
        ),
        Table("cpu", "At rest: per cent of a core of the platform", 2),
        Table("bus cpu", "At rest: per cent of a core of nats-server", 2),
        Table("rss", "At rest: MiB of resident memory of the platform", 0),
        Table("bus rss", "At rest: MiB of resident memory of nats-server", 0),
        Table("sent", "At rest: bytes a minute that an agent sends", 0),
        Table("received", "At rest: bytes a minute that an agent receives", 0),
        Table("comes", "Seconds until all pages are told that a host has come", 2),
        Table("stops", "Seconds until they are told that one has stopped in order", 2),
        Table("dies", "Seconds until they are told that one has died", 2),
        Table("down", "Restart of nats-server: seconds from its SIGTERM until it listens again", 1),
        Table("back", "Restart of nats-server: seconds from then on until all agents are connected", 1),
        Table("complete", "Restart of nats-server: seconds from then on until the list is complete", 1),
        Table("back cpu", "Restart of nats-server: CPU seconds of the platform, until 8 s after that", 1),
        Table("wrong", "Restart of nats-server: times that a page is told of a host as down or silent", 0),
    ),
)
