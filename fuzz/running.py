"""Runs of one target under atheris, and what they cost: speed, time, memory."""

import gc
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Final

from attrs import define, field

from fuzz import target as targets
from fuzz.target import Target

INSTRUMENTED: Final = [
    "streamrelay",
    "jwt",
    "tomllib",
    "fuzz.targets",
]
"""Modules whose branches guide the fuzzer."""
LONGEST: Final = 4096
"""Bytes of an input, except where a limit of ours is larger."""
GROWTH: Final = 16
"""MiB by which resident memory may grow between the first and the last tenth: atheris keeps the inputs it found."""
BLOCKS: Final = 10_000
"""Python's own blocks of memory by which it may grow."""
SLOW: Final = 1.0
"""Seconds of CPU that one input may take."""


@define(frozen=True)
class Sample:
    """What a run has cost so far."""

    runs: int
    seconds: float
    resident: float
    """MiB"""
    blocks: int

    def __str__(self) -> str:
        speed = self.runs / max(self.seconds, 0.001)
        return (
            f"{self.runs} executions in {self.seconds:.0f} s, {speed:.0f} exec/s, "
            f"{self.resident:.1f} MiB resident, {self.blocks} blocks"
        )


def grown(first: Sample, last: Sample) -> bool:
    """Whether memory has grown by more than noise."""
    return last.resident - first.resident > GROWTH or last.blocks - first.blocks > BLOCKS


@define(eq=False)
class Run:
    """A run of `most` executions or `seconds`, whichever comes first; 0 is no bound."""

    target: Target
    most: int
    seconds: float
    runs: int = 0
    slowest: float = 0.0
    samples: list[Sample] = field(factory=list)
    began: float = field(factory=time.monotonic)
    _next: int = field(init=False)
    _step: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._step = self._next = max(self.most // 10, 1) if self.most else 20_000

    def once(self, source: bytes) -> None:
        """One execution; ends the process when the run is over or has failed."""
        began = time.process_time()
        try:
            self.target.run(source)
        except BaseException:
            traceback.print_exc()
            self._fail(source, "it raised")
        took = time.process_time() - began
        self.slowest = max(self.slowest, took)
        if took > SLOW:
            self._fail(source, f"it took {took:.1f} s")
        self.runs += 1
        if self.runs == self._next:
            self._next += self._step
            self._sample()
        if self.runs == self.most or (self.seconds and time.monotonic() - self.began >= self.seconds):
            self._end()

    def _sample(self) -> None:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        resident = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        sample = Sample(self.runs, time.monotonic() - self.began, resident, sys.getallocatedblocks())
        self.samples.append(sample)
        print(f"{self.target.name}: {sample}", flush=True)

    def _end(self) -> None:
        if not self.samples or self.samples[-1].runs != self.runs:
            self._sample()
        first, last = self.samples[0], self.samples[-1]
        growth, blocks = last.resident - first.resident, last.blocks - first.blocks
        much = grown(first, last)
        print(
            f"{self.target.name}: {last}; slowest {self.slowest * 1000:.0f} ms; since execution {first.runs} memory "
            f"grew by {growth:.1f} MiB, {blocks} blocks{': too much' if much else ''}",
            flush=True,
        )
        os._exit(1 if much else 0)

    def _fail(self, source: bytes, how: str) -> None:
        path = targets.keep(self.target.name, source, "crash-")
        print(f"{self.target.name}: {how} at execution {self.runs + 1}: {path}", flush=True)
        os._exit(1)


def run(name: str, most: int, seconds: float, found: str | None) -> None:
    """Fuzz the target `name`; new inputs go to the directory `found`. It does not return."""
    try:
        import atheris
    except ImportError:
        raise SystemExit("fuzz: atheris is missing; run: pip install '.[fuzz]'") from None
    with atheris.instrument_imports(include=INSTRUMENTED):
        target = targets.find(name)
    with tempfile.TemporaryDirectory() as folder:
        work, seeds, words = Path(found or f"{folder}/found"), Path(folder, "seeds"), Path(folder, "words")
        kept = targets.CORPUS / name
        for path in (work, seeds, kept):
            path.mkdir(exist_ok=True, parents=True)
        for index, seed in enumerate(target.seeds):
            (seeds / str(index)).write_bytes(seed)
        words.write_text("".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in target.words))
        folders = [str(path) for path in (work, kept, seeds)]
        options = [f"-dict={words}", f"-max_len={getattr(target.module, 'LONGEST', LONGEST)}", "-len_control=20"]
        options += ["-rss_limit_mb=1024", "-timeout=60", f"-artifact_prefix={kept}/crash-", "-verbosity=0"]
        atheris.Setup([sys.argv[0], *options, *folders], Run(target, most, seconds).once)
        atheris.Fuzz()
