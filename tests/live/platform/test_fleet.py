"""A fleet of which one program after the other breaks, while streams are opened by the dozen a second."""

import asyncio

from tests.documented import RELAY_DIAL
from tests.fleet.chain import HOSTS, TARGETS, FleetChain
from tests.fleet.run import SMALL, Run, listening, ports_of
from tests.live.support.case import LiveTest


class Fleet(LiveTest):
    """The run that ``python -m tests.fleet`` makes longer."""

    def test_breaks(self) -> None:
        """While a server of NATS is killed, a relay drains and one is killed, every stream opens in one request; none
        but those of the killed relay are cut, no byte is lost, and relays that are ready share them evenly."""
        sockets = listening()
        for each in sockets:
            self.addCleanup(each.close)
        chain = self.start_chain(FleetChain(self.folder, ports_of(sockets)))
        run = Run(chain, sockets, SMALL)
        tally = asyncio.run(run.run())
        self.assertEqual(tally.judge(run.even), [])
        self.assertEqual(len(tally.streams), sum(phase.count for phase in SMALL))
        self.assertGreater(len(run.reached), 0.9 * len(HOSTS) * TARGETS)  # some died with their relay before that
        for program in chain.programs:
            self.assertNotIn("Traceback", program.log, program.name)
        for kept in tally.phases():
            self.assertLess(kept.longest / tally.slowness, RELAY_DIAL, "a stream has waited for a time to be over")
            print(
                f"figure: fleet: {kept.name}: {kept.at_once} of {kept.streams} streams in one request, median "
                f"{kept.p50:.3f} s, longest {kept.longest:.3f} s, machine {tally.slowness:.1f} times slower"
            )
