"""One run: a chain, its load and its restarts, and what is left once all have stopped."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from attrs import define, field

from tests.live.support.waiting import WAIT, until
from tests.soak import kinds
from tests.soak.breaks import Breaks
from tests.soak.chain import HOSTS, GrowingLog, SoakChain
from tests.soak.load import MIB, Load
from tests.soak.pattern import Pattern
from tests.soak.summary import Summary, summary
from tests.soak.tally import Tally
from tests.soak.targets import Target
from tests.soak.watch import Watch


@define
class Options:
    """What is asked of a run."""

    seconds: float
    seed: int
    kill_every: float = 0.0
    stop_every: float = 0.0
    within: float = 2.0
    """Seconds from a program's return in which new streams must succeed."""
    restarts: int = 0
    """Restarts that there must be, however long they take."""
    drain: int = 3
    size: int = 16 * MIB
    """Most bytes of one bulk stream."""


@define(eq=False)
class Run:
    """A run in a folder, which keeps the programs' logs and the samples."""

    options: Options
    folder: Path
    tally: Tally = field(init=False)
    chain: SoakChain = field(init=False)
    pattern: Pattern = field(init=False)
    target: Target = field(init=False)
    load: Load = field(init=False)
    watch: Watch = field(init=False)
    log: GrowingLog = field(init=False)
    _begun: float = field(factory=time.monotonic)

    def __attrs_post_init__(self) -> None:
        self.tally = Tally(self.options.within)
        self.chain = SoakChain(self.folder, self.options.drain)
        self.pattern = Pattern(self.options.seed)
        self.target = Target(self.pattern, self.tally.bytes_wrong)
        self.load = self._load()
        self.watch = Watch(self.chain, self.folder / "samples.jsonl", self.now)
        self.log = GrowingLog(self.folder / "soak.log")

    def _load(self) -> Load:
        return Load(self.chain, self.tally, self.pattern, self.target, self.now, self.options.seed, self.options.size)

    def now(self) -> float:
        return time.monotonic() - self._begun

    def run(self, say: Callable[[str], None]) -> Summary:
        self.tally.say = say
        self.log.start()
        self.target.start()
        try:
            self.chain.start()
            self._warm_up()
            before = self._descriptors(None)
            self._under_load(say)
            self.load.settle()
            after = self._descriptors(before)
            for words in self.chain.tracebacks():
                self.tally.fault(words)
        finally:
            self.log.stop()
            self.chain.stop()
            self.target.close()
        self.tally.moved(self.target.taken)
        descriptors = {name: (before[name], after[name]) for name in before}
        return summary(self.options.seed, self.now(), self.tally, self.watch.samples, descriptors)

    def _warm_up(self) -> None:
        """Have a stream of each kind once, so that what is loaded at the first is no leak later."""
        short = self._load()
        short.size = MIB
        short.stopped.set()  # so that each says its first word and leaves
        for host in HOSTS:
            for name in kinds.KINDS:
                kinds.once(short, name, host, Random(0))
        self.load.settle()

    def _under_load(self, say: Callable[[str], None]) -> None:
        breaks = Breaks(self.load, self.options.kill_every, self.options.stop_every)
        self.watch.start()
        kinds.start(self.load)
        breaks.start()
        end = time.monotonic() + self.options.seconds
        while (rest := end - time.monotonic()) > 0 or len(self.tally.breaks) < self.options.restarts:
            time.sleep(min(max(rest, 0.1), 10.0))
            came = self.tally.bytes + self.target.taken
            say(
                f"{self.now():.0f} s: {came / 2**30:.2f} GiB, {len(self.tally.breaks)} restarts, "
                f"{len(self.tally.faults)} faults"
            )
        breaks.stop()
        self.log.stop()
        self._until_followed()
        self.load.stopped.set()
        self.log.grow()  # followers look whether they are to leave when something comes
        self.load.stop()
        self.watch.stop()

    def _until_followed(self) -> None:
        """Until each follower has come to the log's last line; a fault for one that doesn't."""
        last = self.log.next
        for number, lines in enumerate(self.load.followers, 1):
            try:
                until(lambda lines=lines: lines.next == last, what=f"line {last - 1}")
            except AssertionError as error:
                self.tally.bytes_wrong(f"follower {number} of the log: {error}; the next to come is {lines.next}")

    def _descriptors(self, before: dict[str, list[str]] | None) -> dict[str, list[str]]:
        """Return each program's once none has more than before, or they have been the same for a second."""
        looks: list[dict[str, list[str]]] = []
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            looks.append({name: program.descriptors() for name, program in self.chain.by_name.items()})
            if before is not None and not any(Counter(looks[-1][name]) - Counter(before[name]) for name in before):
                break
            if before is None and len(looks) > 9 and all(look == looks[-1] for look in looks[-10:]):
                break
            time.sleep(0.1)
        return looks[-1]
