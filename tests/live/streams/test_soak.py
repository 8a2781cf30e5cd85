"""A soak of seconds: all kinds of streams while one program after the other is killed or stopped."""

from tests.live.support.case import LiveTest
from tests.live.support.sockets import MIB
from tests.live.support.waiting import WAIT
from tests.soak.run import Options, Run


class Soak(LiveTest):
    """The run that ``python -m tests.soak`` makes longer."""

    def test_restarts(self) -> None:
        """Under load with restarts nothing is lost or doubled, streams of other programs go on, all recovers, and no
        descriptor is left."""
        options = Options(
            seconds=5.0, seed=1, kill_every=1.0, stop_every=2.5, restarts=3, drain=1, within=WAIT, size=MIB
        )
        run = Run(options, self.folder)
        told = run.run(lambda text: None)
        self.assertEqual(told.faults, [])
        self.assertEqual(set(told.streams), {"abort", "down", "echo", "log", "refused", "terminal", "up"})
        self.assertGreater(told.streams["down"]["finished"], 0)
        self.assertGreater(told.streams["up"]["finished"], 0)
        self.assertGreater(told.lines, 100)
        self.assertEqual({one.way for one in run.tally.breaks}, {"kill", "stop"})
        self.assertEqual({one.program for one in run.watch.samples}, set(run.chain.by_name))
        print(f"figure: soak: {told.bytes / 2**20:.0f} MiB compared through {len(run.tally.breaks)} restarts")
