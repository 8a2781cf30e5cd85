"""A model of what a fleet asks of NATS: one function for each thing that happens, from the constants of the code.

Flows are counted at the servers of NATS, each message once as it comes in and once for each who gets it. Bytes are all
of NATS' protocol, without TLS and TCP. Sizes are those of the simulated agents (bench/agents.py), five targets each.
"""

from math import log
from typing import Final

from attrs import frozen

from bench.agents import answer, host_name, opening, published, subjects
from streamrelay.bus.pulse import REST
from streamrelay.platform.fleet.look import FURTHER
from streamrelay.platform.fleet.lookout import KNOCK_EACH, KNOCKS, SPREAD, WHOLE_EACH
from streamrelay.protocol import codec, tokens
from streamrelay.protocol.limits import LOOK_EVERY, LOOKS_A_SECOND
from streamrelay.protocol.subjects import ALL_TARGETS, PLATFORM_INBOX, end_subject, event_subject
from streamrelay.protocol.summons import HostQuestion

INFO: Final = 890
"""Bytes of nats-server 2.15's first line and the ``PONG`` behind it, measured."""
ADVISORY: Final = 928
"""Bytes of its word that an agent has left it, measured."""
EARLIEST: Final = 0.5
LATEST: Final = 1.5
"""Least and greatest seconds between two of an agent's attempts at a server (`soon`)."""
PLATFORM: Final = 5
"""Subscriptions of a platform for its list of hosts and of relays."""
_NUMBER: Final = 5000
"""Number of the host whose messages are measured for all."""
_PING: Final = len(b"PING\r\n")


@frozen
class Flow:
    """Messages and bytes into NATS and out of it, in all or a second."""

    messages_in: float = 0.0
    messages_out: float = 0.0
    bytes_in: float = 0.0
    bytes_out: float = 0.0

    def __add__(self, other: "Flow") -> "Flow":
        return Flow(
            self.messages_in + other.messages_in,
            self.messages_out + other.messages_out,
            self.bytes_in + other.bytes_in,
            self.bytes_out + other.bytes_out,
        )

    def times(self, factor: float) -> "Flow":
        return Flow(*(factor * each for each in (self.messages_in, self.messages_out, self.bytes_in, self.bytes_out)))


def connections(hosts: int) -> int:
    """Return the connections of all agents and one platform."""
    return hosts + 1


def subscriptions(hosts: int) -> int:
    return hosts * len(subjects(host_name(_NUMBER))) + PLATFORM


def distinct_subjects(hosts: int) -> int:
    """Return how many subjects there are in NATS' tables, each once however many agents hear it."""
    shared = set(subjects(host_name(0))) & set(subjects(host_name(_NUMBER)))
    return hosts * (len(subjects(host_name(0))) - len(shared)) + len(shared) + PLATFORM


def pause(hosts: int, namesakes: bool = False) -> float:
    """Return the seconds from one look to the next at rest, which a pair of agents of one name keeps short."""
    return LOOK_EVERY if namesakes else max(LOOK_EVERY, hosts / LOOKS_A_SECOND)


def rest_spread(hosts: int, namesakes: bool = False) -> float:
    """Return the seconds over which the answers of a look at rest come."""
    return pause(hosts, namesakes) / 5 if hosts > LOOKS_A_SECOND else 0.0


def period(hosts: int, namesakes: bool = False) -> float:
    """Return the seconds from the beginning of one look at rest to the next one's."""
    return pause(hosts, namesakes) + rest_spread(hosts, namesakes) + FURTHER


def hurried_spread(hosts: int) -> float:
    """Return the seconds over which the answers of a look in a hurry come, where a platform knows of so many hosts."""
    return hosts / SPREAD if hosts > LOOKS_A_SECOND else 0.0


def look(hosts: int, whole: bool, spread: float) -> Flow:
    """Return what one question to all agents is, and their answers."""
    question, inbox = codec.encode(HostQuestion(whole, spread)), _inbox()
    told = published(f"{inbox}.{host_name(_NUMBER)}", answer(_NUMBER, whole))
    asked = len(f"PUB {ALL_TARGETS} {inbox} {len(question)}\r\n\r\n") + len(question)
    return Flow(1 + hosts, 2 * hosts, asked + hosts * len(told), hosts * (_delivered(asked) + _delivered(len(told))))


def knock() -> Flow:
    host = host_name(_NUMBER)
    word = b'{"agents":[],"jti":"' + tokens.new_id().encode() + b'","exp":1796000000}'
    sent = len(f"PUB {end_subject(host)} {_inbox()}.{host} {len(word)}\r\n\r\n") + len(word)
    return Flow(1, 1, sent, _delivered(sent))


def knocks(hosts: int) -> float:
    """Return the knocks a second while somebody sees the list."""
    return min(KNOCKS, hosts / KNOCK_EACH)


def knock_round(hosts: int) -> float:
    """Return the seconds until each host was knocked at."""
    return max(KNOCK_EACH, hosts / KNOCKS)


def pings(hosts: int) -> Flow:
    """Return pings and their answers a second, which are no messages."""
    return Flow(0, 0, hosts * _PING / REST, hosts * _PING / REST)


def at_rest(hosts: int, namesakes: bool = False) -> Flow:
    """Return what flows a second while nothing happens and somebody sees the list."""
    spread = rest_spread(hosts, namesakes)
    whole = look(hosts, True, hurried_spread(hosts)).times(1 / WHOLE_EACH)
    looks = (whole + look(hosts, False, spread).times(1 - 1 / WHOLE_EACH)).times(1 / period(hosts, namesakes))
    return looks + knock().times(knocks(hosts)) + pings(hosts)


def arrivals(hosts: int) -> Flow:
    """Return what it takes that so many agents connect, each with its event ``up`` to a platform."""
    up = len(published(event_subject(host_name(_NUMBER), "up"), answer(_NUMBER, True)))
    return Flow(1, 1, len(opening(_NUMBER)), INFO + _delivered(up)).times(hosts)


def platform_start(hosts: int) -> Flow:
    """Return what a platform's start is, which knows nobody who is up: all answers come at once."""
    return look(hosts, True, 0.0)


def server_restart(hosts: int) -> Flow:
    """Return what it is when all agents and the platform connect anew: arrivals, and a look with a spread."""
    return arrivals(hosts) + look(hosts, True, hurried_spread(hosts))


def departures(hosts: int) -> Flow:
    """Return what it is that so many agents leave a server that stays: its word on each, and a knock at it."""
    return (Flow(0, 1, 0, ADVISORY) + knock()).times(hosts)


def attempts(hosts: int) -> float:
    """Return the attempts a second at a server that is down, and the connections a second when it is back."""
    return hosts * log(LATEST / EARLIEST) / (LATEST - EARLIEST)


def agent_minute(hosts: int) -> tuple[float, float]:
    """Return the bytes a minute that an agent sends and receives at rest, while somebody sees the list."""
    spread, every = rest_spread(hosts), 60 / period(hosts)
    shares = ((1 / WHOLE_EACH, True, hurried_spread(hosts)), (1 - 1 / WHOLE_EACH, False, spread))
    sent = received = 60 / REST * _PING
    for share, whole, over in shares:
        question = len(codec.encode(HostQuestion(whole, over)))
        told = published(f"{_inbox()}.{host_name(_NUMBER)}", answer(_NUMBER, whole))
        sent += share * every * len(told)
        received += share * every * _delivered(len(f"PUB {ALL_TARGETS} {_inbox()} {question}\r\n\r\n") + question)
    return sent, received + 60 * knocks(hosts) / hosts * knock().bytes_out


def _inbox() -> str:
    return f"{PLATFORM_INBOX}.{tokens.new_id()}"


def _delivered(published_bytes: int) -> int:
    """Return the bytes of a message as it is delivered: ``MSG``, and one or two digits of a subscription's number."""
    return published_bytes + len(" 1")
