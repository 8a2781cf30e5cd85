"""What docs/ repeat of the code, compared with it: close codes, exit codes, error codes, limits, the library."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec.inspect
import msgspec.structs
from attrs import NOTHING, fields
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent import catalogue
from streamrelay.agent import goodbye as agent_goodbye
from streamrelay.agent.targets.container import api, hijack
from streamrelay.bus import nats_client
from streamrelay.client import options, platform_api, statuses
from streamrelay.datapath.channel import READ
from streamrelay.datapath.connection import HIGH
from streamrelay.net import http_client, lookups, retry
from streamrelay.platform import Opened, Platform, opening, refusals, tap
from streamrelay.platform.auth import jwks, sessions, throttle, webhook
from streamrelay.platform.fleet import inventory
from streamrelay.platform.http import assets, bounded_request, limits, responses
from streamrelay.platform.http.room import Room
from streamrelay.protocol import relay_state, requests
from streamrelay.protocol.close import EXPLAIN
from streamrelay.protocol.control import CONTROL_BURST, CONTROL_RATE, MAX_CONTROL
from streamrelay.protocol.limits import CONNECT_TIME, HANDSHAKE_TIME, MAX_HANDSHAKE, MOST_TARGETS, SUMMONS_LIFE
from streamrelay.protocol.summons import VIEWERS, HostInfo, Refusal, StreamInfo, Summons
from streamrelay.protocol.terminals import TerminalInfo
from streamrelay.relay import goodbye as relay_goodbye
from streamrelay.relay.config import RelayConfig
from streamrelay.relay.rendezvous import Rendezvous

DOCS = Path(__file__).resolve().parents[2] / "docs"
BORDER = re.compile(r" *=+( +=+)+ *\Z")


def kib(size: int) -> str:
    return f"{size // 1024} KiB"


def most_links() -> int:
    """The most legs of each role that a summons may ask for."""
    about: Any = msgspec.inspect.type_info(Summons)
    [found] = [each for each in about.fields if each.name == "links"]
    return int(found.type.le)


LIMITS = {
    "bytes that wait in one direction of a stream": f"{kib(READ + HIGH)} in each process",
    "opening request of a leg": f"{kib(MAX_HANDSHAKE)}, {HANDSHAKE_TIME:g} s",
    "dials of one relay by an agent or a client": (
        f"{retry.AT_ONCE} at once, {CONNECT_TIME:g} s each, their turn included"
    ),
    "streams known to a relay at once": f"{Rendezvous().most}",
    "relays on the bus that a platform knows": (
        f"{relay_state.MOST_RELAYS}; heard in the last {relay_state.SILENCE:g} s, or not picked"
    ),
    "relays tried for one stream": (
        f"{opening.MOST_RELAYS}, within {opening.AGAIN_TIME:g} s; {opening.DIAL_TIME:g} s each, "
        f"the last {CONNECT_TIME:g} s"
    ),
    "legs of one stream": f"1 of each role; up to {most_links()} with ``links``",
    "a stream's idle time, lifetime, bytes": "none unless set",
    "control messages of a leg": f"{kib(MAX_CONTROL)} each; {CONTROL_BURST} at once, {CONTROL_RATE} a second",
    "a summons": f"{kib(requests.LONGEST)}, {SUMMONS_LIFE} s",
    "a request to the API": f"a head and a body of {kib(bounded_request.MAX_BODY)} each, {limits.REQUEST_TIME:g} s",
    "bad credentials of an address": (
        f"{throttle.BURST} at once, then one in {throttle.EVERY:g} s; "
        f"{throttle.ADDRESSES} addresses (IPv6: /64) are remembered"
    ),
    "sessions of a key at the console": f"{sessions.EACH}, then the oldest ends",
    "questions to your own system": f"{webhook.AT_ONCE} at once; {kib(http_client.MAX_BODY)} for an answer",
    "fetches of an issuer's keys": (
        f"one in {jwks.RETRY:g} s; {jwks.FETCH_TIME:g} s, {kib(http_client.MAX_BODY)}, {jwks.MAX_KEYS} keys"
    ),
    "an answer of the API or a page": (
        f"{kib(assets.PIECE)} at once; {limits.IDLE_TIME} s in which nothing of it is taken"
    ),
    "a host to be listed": (
        f"must answer within {nats_client.FIRST:g} s (or {nats_client.QUIET:g} s after the one before, if it is new); "
        f"{MOST_TARGETS} targets"
    ),
    "hosts that a platform knows": f"{inventory.MOST_HOSTS}, whether up or down",
    "the answers of all hosts with their streams": (
        f"{nats_client.LONGEST:g} s and one for each {nats_client.A_SECOND} of them, {nats_client.MOST_BYTES >> 20} MiB"
        "; else a list says that it isn't whole"
    ),
    "names of targets looked up at once": (
        f"{lookups.MOST}, of them {lookups.EACH} for one user; over that the agent is busy"
    ),
    "a message of the bus, a line of it": (
        f"{nats_client.MOST_MESSAGE >> 20} MiB, {kib(nats_client.MOST_LINE)}; "
        "over that agent and platform cut the connection"
    ),
    "an answer of a container's API": (
        f"{api.MAX_ANSWER >> 20} MiB, {CONNECT_TIME:g} s; {kib(hijack.MAX_REFUSAL)} of a refusal; "
        "a log has no bound and is never held"
    ),
    "an answer to the native client": (f"{platform_api.REQUEST_TIME:g} s, {platform_api.MAX_ANSWER >> 20} MiB"),
}
"""The rows of operations.rst, "Limits"."""


def table(page: str, *head: str) -> list[list[str]]:
    """The rows of the simple table with this head; a row whose first cell is empty goes on with the one before."""
    lines = (DOCS / page).read_text().splitlines()
    for at, border in enumerate(lines[:-1]):
        if BORDER.match(border):
            starts = [match.start() for match in re.finditer("=+", border)]
            ends = [*starts[1:], None]
            if cells(lines[at + 1], starts, ends) == list(head):
                return list(rows(lines[at + 3 :], starts, ends))
    raise AssertionError(f"{page} has no table with the head {head}")


def cells(line: str, starts: list[int], ends: list[int | None]) -> list[str]:
    return [line[start:end].strip() for start, end in zip(starts, ends, strict=True)]


def rows(lines: list[str], starts: list[int], ends: list[int | None]) -> Iterator[list[str]]:
    row: list[str] = []
    for line in lines:
        found = cells(line, starts, ends)
        if BORDER.match(line) or found[0]:
            if row:
                yield row
            row = found
        else:
            row = [f"{before} {more}".strip() for before, more in zip(row, found, strict=True)]
        if BORDER.match(line):
            return


def literals(text: str) -> list[str]:
    return re.findall(r"``([^`]+)``", text)


def section(page: str, title: str) -> str:
    """What stands below a title, up to the next one of whatever rank."""
    lines = (DOCS / page).read_text().splitlines()
    titles = [at for at in range(len(lines) - 1) if lines[at] and re.fullmatch(r"([=-])\1{3,}", lines[at + 1])]
    begin = next(at for at in titles if lines[at] == title)
    end = next((at for at in titles if at > begin), len(lines))
    return "\n".join(lines[begin + 2 : end])


class Codes(SynchronousTestCase):
    """Numbers and words for programs."""

    def test_close_codes(self) -> None:
        """protocol.rst and javascript.rst have all close codes, in the words in which programs say them."""
        own = {str(int(code)): words for code, words in EXPLAIN.items()}
        self.assertEqual(
            {code: words for code, words, _ in table("protocol.rst", "code", "meaning", "who says it")}, own
        )
        told = {code: words for code, words, _ in table("javascript.rst", "code", "words", "transient")}
        del told["1006"]  # never sent
        self.assertEqual(told, own)

    def test_exit_codes(self) -> None:
        """operations.rst has the exit codes of the command's help in its words, and in brackets the answers."""
        text = section("operations.rst", "Exit codes")
        told = dict(re.findall(r"^(\d+) +(\S.*)$", text, re.M))
        brackets = re.compile(r" \([0-9A-Z][^a-z]*\)$| \(API status \d+\)$")
        words = [(code, brackets.sub("", each)) for code, each in told.items()]
        self.assertEqual(words, re.findall(r"^ *(\d+)  (.+)$", options.EXIT, re.M))
        answered = [(code, status) for code, each in told.items() for status in re.findall(r"\b[45]\d\d\b", each)]
        answers = {int(status): int(code) for code, status in answered}
        self.assertEqual(answers, {status: code for status, code in statuses.BY_STATUS.items() if status > 0})
        for numbers in (statuses.BY_STATUS, statuses.BY_CODE):
            for number, code in numbers.items():
                if number > 0:
                    self.assertIn(str(int(number)), told[str(code)], number)

    def test_refusals(self) -> None:
        """protocol.rst has the codes of an agent's refusals."""
        text = section("protocol.rst", "Answers")
        own = {value for name, value in vars(Refusal).items() if name.isupper()}
        names = {line[:23].strip() for line in text.splitlines()}
        self.assertEqual({name[2:-2] for name in names if re.fullmatch(r"``\w+``", name)}, own)

    def test_api(self) -> None:
        """protocol.rst has each error of the API, with its status, and no other."""
        told = {
            (int(status), literals(code)[0]) for status, code, _ in table("protocol.rst", "status", "``code``", "when")
        }
        self.assertEqual(told, set(errors()))


def errors() -> Iterator[tuple[int, str]]:
    """Status and code of each `Refused` in the platform's source, and of what agents say."""
    for code, status in refusals.STATUS.items():
        yield status, code
    for path in (DOCS.parent / "streamrelay" / "platform").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) in ("Refused", "kind")  # `Authenticator.refuse` is given one of its kinds
                and isinstance(node.args[0], ast.Constant)
            ):
                status = int(str(node.args[0].value))
                codes = [each.value for each in node.keywords if each.arg == "code"]
                if not codes:
                    yield status, responses._TITLES[status].lower().replace(" ", "_")
                elif isinstance(codes[0], ast.Constant):
                    yield status, str(codes[0].value)


class Operations(SynchronousTestCase):
    """operations.rst"""

    def test_limits(self) -> None:
        """Each row of "Limits" says what the constants say."""
        self.assertEqual(dict(table("operations.rst", "what", "how much")), LIMITS)

    def test_signals(self) -> None:
        """How long a stop takes is what relay and agent take."""
        text = " ".join(section("operations.rst", "Stopping and restarting").split())
        taking = relay_goodbye.WIND_UP + relay_goodbye.GOODBYE
        self.assertIn(f"every leg is closed with 1001 and gets {taking:g} s to take it", text)
        self.assertIn(f"{agent_goodbye.GOODBYE:g} s later what is left is cut", text)
        self.assertIn(f"requests under way get {tap.FINISH:g} s", text)


class Protocol(SynchronousTestCase):
    """protocol.rst"""

    def test_handshakes(self) -> None:
        """How many unfinished handshakes of one address are let be is what the settings' defaults say."""
        text = " ".join((DOCS / "protocol.rst").read_text().split())
        relay = {each.name: each.default for each in msgspec.structs.fields(RelayConfig)}
        self.assertIn(f"may be undone (operations.rst, {relay['max_handshakes_per_address']})", text)
        self.assertIn(f"connections of one address over {Room().max_handshakes_per_address} whose request", text)


class Library(SynchronousTestCase):
    """library.rst"""

    def setUp(self) -> None:
        self.text = (DOCS / "library.rst").read_text()

    def test_settings(self) -> None:
        """All parameters of `Platform` are there, and those that have none have no default."""
        own = {each.name: each.default is NOTHING for each in fields(Platform) if each.init and each.name[0] != "_"}
        told = {
            literals(name)[0]: default == "required"
            for name, default, _ in table("library.rst", "setting", "default", "meaning")
        }
        self.assertEqual(told, own)

    def test_open(self) -> None:
        """`open` has the parameters that are shown, with their defaults."""
        [shown] = re.findall(r"^``await open\((.+)\)`` → ``Opened``$", self.text, re.M)
        own = [each for each in inspect.signature(Platform.open).parameters.values() if each.name != "self"]
        self.assertEqual(re.findall(r"(\w+)(?:=[^,]+)?(?:, |$)", shown), [each.name for each in own])
        for each in own:
            given = each.default is not inspect.Parameter.empty
            self.assertEqual(f"{each.name}=" in shown, given, each.name)
            if given and each.name != "terms":
                self.assertIn(f"{each.name}={each.default}", shown)

    def test_opened(self) -> None:
        """All fields of `Opened` are there, and all kinds and viewers that it may name."""
        told = {literals(name)[0]: meaning for name, meaning in table("library.rst", "``Opened``", "meaning")}
        self.assertEqual(set(told), set(Opened.__struct_fields__))
        kinds = {str(kind.__struct_config__.tag) for kind in catalogue.KINDS}
        self.assertEqual(set(literals(told["kind"])), kinds)
        self.assertEqual(set(literals(told["viewer"])), set(VIEWERS))

    def test_lists(self) -> None:
        """All fields of a host, of a stream and of a terminal are there."""
        for name, struct in (("hosts", HostInfo), ("streams", StreamInfo), ("terminals", TerminalInfo)):
            [words] = re.findall(rf"^``await {name}\(.*\)`` → list of .*\n((?:    .*\n)+)", self.text, re.M)
            for each in struct.__struct_fields__:
                self.assertIn(f"``{each}``", words)
