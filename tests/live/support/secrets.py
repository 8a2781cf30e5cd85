"""The search for secrets: what the live suite made that nobody else may see, and wherever it might have been seen.

Secrets are tokens, keys, passwords and cookies. The harness hands over each that it makes or sees (`Search.secret`),
and the bytes where none of them may stand (`Search.seen`): programs' whole output and log files, the command lines
of all processes, bodies and headers of HTTP answers, refusals of websockets, close reasons. Each process of a run puts
both into a file (tests.live.support.collection); tests.live.nothing_leaked searches all of them, at most `MOST` bytes,
at last.

What counts as a find: any 31 characters in a row of a secret, or its last 16, as they are, percent-encoded or in
base64 at any alignment; and whatever has the shape of a token, key or password, even if nobody handed it over.
"""

import base64
import binascii
import os
import re
import tempfile
import threading
import urllib.parse
from bisect import bisect
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from attrs import define, field, frozen

from streamrelay.protocol.tokens import Signer
from tests.live.support.collection import Collection, of_this_run, replay
from tests.live.support.command_lines import CommandLines
from tests.suite import guard

MOST: Final = 256 << 20
"""Bytes that are kept for the search; what comes beyond is counted as left out, and the search fails."""
LENGTH: Final = 16
"""Characters of a piece by which a secret is found."""
CHUNK: Final = 1 << 20
OVERLAP: Final = 20_000
"""Bytes of a chunk that are searched again with the next one: more than the longest token."""
STRANGER: Final = "stranger: command line"
"""Of a process that no test has started: no secret of the suite may be in it, and others' are none of ours."""
PERIOD: Final = 0.15
"""Seconds between two looks at the command lines of all processes."""

_RUN = re.compile(rb"[A-Za-z0-9_+/=-]{16,}")
_JWT = re.compile(rb"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{16,}")
_SHAPES: Final = {
    "something like a token": _JWT,
    "something like an API key": re.compile(rb"srk_[\w-]{43}"),
    "something like a NATS seed": re.compile(rb"S(?<!\wS)[UAONCX][A-Z2-7]{56}\b"),  # \bS, but S first: fast
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a password in a URL": re.compile(rb"(?:nats|tls|https?|wss?)://[^\s/:@]+:[^\s/:@]+@"),
}
_PEM = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----(.+?)-----END", re.DOTALL)
_PASSWORDS = (
    re.compile(rb"(?:nats|tls)://[^\s/:@]+:([^\s/:@]+)@"),
    re.compile(rb"(?:password|pass|token)\"?\s*[:=]\s*\"?([^\s\"',}]{8,})"),
    re.compile(rb"\b(S[UAONCX][A-Z2-7]{56})\b"),
)
_SETTINGS: Final = {".conf", ".toml", ".creds", ".nk", ".key", ".pem", ".seed"}


@frozen
class Find:
    """A secret where none may be. It never shows the secret itself."""

    kind: str
    source: str
    before: str
    """What stands before it in its line."""


@define(eq=False)
class Search:
    """Secrets, and the bytes that may hold none of them."""

    most: int = MOST
    counts: "Counter[str]" = field(factory=Counter)
    """Secrets by kind."""
    sources: "Counter[str]" = field(factory=Counter)
    """Bytes to search, by the kind of their source."""
    left_out: int = 0
    collection: Collection | None = None
    """Where bytes go instead, and secrets as well, for a search that is made later."""
    _secrets: set[str] = field(factory=set)
    _pieces: dict[bytes, str] = field(factory=dict)
    _runs: dict[bytes, str | None] = field(factory=dict)  # what was found in each run of characters
    _commands: set[bytes] = field(factory=set)
    _processes: CommandLines = field(factory=CommandLines)
    _starts: list[int] = field(factory=list)
    _names: list[str] = field(factory=list)
    _lock: Any = field(factory=threading.Lock)
    _spool: Any = field(factory=tempfile.TemporaryFile)
    _sampler: threading.Thread | None = None

    # -- secrets ---------------------------------------------------------------------------------------------

    def secret(self, kind: str, text: str) -> str:
        """Hand over a secret; it is given back."""
        with self._lock:
            if text not in self._secrets:
                self._secrets.add(text)
                if self.collection is not None:
                    self.collection.secret(kind, text)
                found = list(pieces(text))
                self._pieces.update(dict.fromkeys(found, kind))
                self.counts[kind] += bool(found)
        return text

    def token(self, url: str) -> None:
        """Hand over the token in a leg's URL."""
        role, _, token = urllib.parse.urlsplit(url).path.strip("/").rpartition("/")
        if role in ("client", "agent"):
            self.secret("token", token)

    def harvest(self, data: bytes) -> None:
        """Hand over the tokens in a message, and those within them: a summons holds the agent's token."""
        for found in _JWT.findall(data):
            self.secret("token", found.decode())
            claims = found.split(b".")[1]
            try:
                self.harvest(base64.urlsafe_b64decode(claims + b"=" * (-len(claims) % 4)))
            except binascii.Error:
                continue

    # -- where they may not be -------------------------------------------------------------------------------

    def seen(self, source: str, data: bytes | str) -> None:
        """Hand over bytes that anybody may see. A source is ``kind: more``."""
        raw = data.encode("utf-8", "replace") if isinstance(data, str) else data
        with self._lock:
            if self.collection is not None:
                self.collection.seen(source, raw)
                return
            end = self._spool.seek(0, os.SEEK_END)
            kept = raw[: max(0, self.most - end)]
            self.left_out += len(raw) - len(kept)
            self._starts.append(end)
            self._names.append(source)
            self._spool.write(kept + b"\n")
            self.sources[source.partition(":")[0]] += len(kept)

    def command(self, command: bytes, source: str = "command line") -> None:
        """Hand over a process' command line; the same one counts once."""
        if command not in self._commands:
            self._commands.add(command)
            self.seen(source, command.replace(b"\0", b" "))

    def answer(self, source: str, status: int, headers: Any, body: bytes) -> None:
        """Hand over an HTTP answer. The URL of an opened stream and cookies are secrets; all else is seen."""
        shown = []
        for name, value in headers:
            if name.lower() == "set-cookie":
                self.secret("cookie", value.partition("=")[2].partition(";")[0])
            else:
                shown.append(f"{name}: {value}")
        url = re.search(rb'"url":"(wss?://[^"]+/client/[^"]+)"', body) if status == 201 else None
        if url is not None:
            self.token(url[1].decode())
            body = body.replace(url[1], b"")
        self.seen(f"{source}: {status}", "\n".join(shown).encode("utf-8", "replace") + b"\n\n" + body)

    def collect(self, folder: Path) -> None:
        """Hand over what programs wrote in a folder that is about to go: their output and logs; keys of settings."""
        # By a walk, which bears folders that somebody else's child takes away meanwhile.
        for path in sorted(Path(where) / name for where, _, names in os.walk(folder) for name in names):
            try:
                if path.is_symlink() or not path.is_file() or "venv" in path.parts:
                    continue
                if path.suffix in _SETTINGS:
                    self._keys_of(path.read_bytes()[:CHUNK])
                elif path.suffix == ".out" or ".log" in path.name:
                    self._log(path)
            except OSError:
                continue

    def _log(self, path: Path) -> None:
        with path.open("rb") as file:
            while data := file.read(8 * CHUNK):
                self.seen(f"log: {path.name}", data)

    def _keys_of(self, text: bytes) -> None:
        for body in _PEM.findall(text):
            self.secret("private key", re.sub(rb"\s", b"", body).decode("ascii", "replace"))
        for pattern in _PASSWORDS:
            for found in pattern.findall(text):
                self.secret("password", found.decode("utf-8", "replace"))

    # -- processes -------------------------------------------------------------------------------------------

    def watch_processes(self) -> None:
        """From now on look at the command lines of all processes of the machine."""
        if self._sampler is None:
            self._sampler = threading.Thread(target=self._sample_for_ever, daemon=True)
            self._sampler.start()

    def _sample_for_ever(self) -> None:
        pause = threading.Event()
        while not pause.wait(PERIOD):
            if self.collection is None or self.collection.is_turn():
                self.sample()

    def sample(self) -> None:
        for process, command in self._processes.look():
            if command not in self._commands:
                self.command(command, "command line" if guard.bears_mark(process) else STRANGER)

    # -- the search ------------------------------------------------------------------------------------------

    def find(self) -> list[Find]:
        """Every secret in what was seen."""
        finds: dict[Find, None] = {}
        with self._lock:
            self._runs.clear()
            self._spool.seek(0)
            begin, kept = 0, b""
            while data := self._spool.read(CHUNK):
                chunk = kept + data
                for kind, position in self._look_at(chunk):
                    source = self._names[bisect(self._starts, begin + position) - 1]
                    if source == STRANGER and kind in _SHAPES:
                        continue  # somebody else's secret
                    line = chunk[max(0, position - 80) : position].rpartition(b"\n")[2]
                    finds[Find(kind, source, line.decode("utf-8", "replace"))] = None
                kept = chunk[-OVERLAP:]
                begin += len(chunk) - len(kept)
        return list(finds)

    def _look_at(self, chunk: bytes) -> Iterator[tuple[str, int]]:
        """Kinds of secrets and where they begin, or about where if they are percent-encoded."""
        yield from self._look(chunk)
        if b"%" in chunk:
            lines, position = chunk.split(b"\n"), 0
            for line in lines:
                if b"%" in line:
                    for kind, _ in self._look(urllib.parse.unquote_to_bytes(line)):
                        yield kind, position
                position += len(line) + 1

    def _look(self, text: bytes) -> Iterator[tuple[str, int]]:
        for match in _RUN.finditer(text):
            kind = self._kind_of(match[0])
            if kind is not None:
                yield kind, match.start()
        for kind, shape in _SHAPES.items():
            for match in shape.finditer(text):
                yield kind, match.start()

    def _kind_of(self, run: bytes) -> str | None:
        """The kind of the first secret in a run of characters, of which most are paths and names that come again."""
        if run not in self._runs:
            windows = (run[begin : begin + LENGTH] for begin in range(len(run) - LENGTH + 1))
            self._runs[run] = next(filter(None, map(self._pieces.get, windows)), None)
        return self._runs[run]


def pieces(text: str) -> Iterator[bytes]:
    """The pieces by which a secret is found; none if it is too short, or too plain to be told from other text."""
    secret = text.removeprefix("srk_").encode()
    if _JWT.fullmatch(secret):
        secret = secret.rpartition(b".")[2]  # the rest is no secret: who opens what
    for run in _RUN.findall(secret):
        for begin in (*range(0, len(run) - LENGTH + 1, LENGTH), len(run) - LENGTH):
            piece = run[begin : begin + LENGTH]
            if len(set(piece)) > 5:
                yield piece
    tail = secret[-3 * LENGTH // 2 :]
    if len(tail) >= LENGTH and len(set(tail)) > 5:
        for offset in range(3):
            aligned = tail[offset:]
            aligned = aligned[: len(aligned) // 3 * 3]
            yield base64.b64encode(aligned)[:LENGTH]
            yield base64.urlsafe_b64encode(aligned)[:LENGTH]


SUITE: Final = Search(collection=of_this_run())
"""The live suite's own."""


def gathered() -> Search:
    """The search with what all processes of the run have handed over."""
    if SUITE.collection is None:
        return SUITE
    search = Search()
    replay(SUITE.collection.folder, search.secret, search.seen)
    return search


def watch_minting(search: Search) -> None:
    """Hand over every token that this process signs from now on."""
    mint = Signer.mint

    def watched(self: Signer, *arguments: Any, **claims: Any) -> str:
        return search.secret("token", mint(self, *arguments, **claims))

    Signer.mint = watched  # type: ignore[method-assign]


watch_minting(SUITE)
