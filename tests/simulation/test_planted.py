"""Faults that are planted in the programs: the simulation finds each."""

import sys
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.datapath.deadline import Deadline
from streamrelay.datapath.socket_channel import SocketChannel
from streamrelay.datapath.splice import Half
from streamrelay.platform.fleet.heard import read_answer
from streamrelay.platform.fleet.inventory import Inventory
from streamrelay.platform.fleet.lookout import Lookout
from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.protocol.summons import HostAnswer
from streamrelay.relay import service
from streamrelay.relay.leg import Waiting
from streamrelay.relay.rendezvous import OTHER, Meeting, Rendezvous
from streamrelay.relay.service import Relay
from streamrelay.websocket.connection import CLOSING, FramedConnection
from streamrelay.websocket.frames import CLOSE
from tests.simulation.campaign import campaign
from tests.simulation.plan import plan

MOST = 10_000
"""Schedules within which each must be found."""


class Planted(SynchronousTestCase):
    """Production classes with one fault each."""

    def found(self, kind: str = "") -> str:
        """What the simulation says of the first schedule that fails; `kind`: of those that have such a fault."""
        seeds = (seed for seed in range(MOST) if not kind or any(kind == fault.kind for fault in plan(seed).faults))
        tally = campaign(seeds, lambda tally: not tally.failed)
        self.flushLoggedErrors()
        print(
            f"figure: simulation: {self.id().rpartition('.')[2]}: found after {tally.schedules} schedules",
            file=sys.stderr,
        )
        self.assertTrue(tally.failed, f"nothing was found in {tally}")
        return tally.failed[0][1].problem

    def plant(self, where: Any, name: str, work: Callable[..., Any]) -> None:
        self.patch(where, name, work)

    def test_lost_writer(self) -> None:
        """A channel that waits for room, and isn't told of it."""
        self.plant(SocketChannel, "_wait_to_write", lambda channel: None)
        self.assertIn("nobody waits for room there", self.found())

    def test_lost_producer(self) -> None:
        """A source that is paused and never resumed."""
        self.plant(Half, "drained", lambda half: None)
        self.assertIn("isn't over", self.found())

    def test_double_pairing(self) -> None:
        """A token that is good twice."""

        def admit(table: Rendezvous[Any], stream: str, role: str, links: int, until: float) -> None:
            meeting = table.meetings.setdefault(stream, Meeting({}, until))
            meeting.present += 1

        honest, met = Rendezvous.meet, dict[tuple[str, str], Any]()

        def meet(table: Rendezvous[Any], stream: str, role: str, leg: Any) -> Any:
            other = honest(table, stream, role, leg)
            if other is not None:
                met[stream, OTHER[role]] = other
            elif (other := met.get((stream, OTHER[role]))) is not None:
                table.withdraw(stream, role, leg)
            return other

        self.plant(Rendezvous, "admit", admit)
        self.plant(Rendezvous, "meet", meet)
        self.assertIn("a second time", self.found())

    def test_timer(self) -> None:
        """A timer of a leg's patience that isn't cancelled once it is met."""
        self.plant(Waiting, "timer_off", lambda waiting: None)
        self.assertIn("a delayed call is left", self.found())

    def test_deadline(self) -> None:
        """A deadline of a close that isn't cancelled."""
        self.plant(Deadline, "stop", lambda deadline: setattr(deadline, "_timer", None))
        self.assertIn("a delayed call is left", self.found())

    def test_byte_after_close(self) -> None:
        """A connection that says more after its close frame: another one, where the peer answers the first."""

        def send_close(connection: FramedConnection, payload: bytes) -> None:
            connection._writer.write_bytes(CLOSE, payload)
            connection._phase = CLOSING

        self.plant(FramedConnection, "_send_close", send_close)
        self.assertIn("bytes more after its close", self.found())

    def test_cut_by_drain(self) -> None:
        """A relay that ends its streams as soon as it drains."""
        honest = Relay.drain

        def drain(relay: Relay) -> Any:
            for admitted in tuple(relay.legs):
                admitted.leg.end(outcome(CloseCode.GOING_AWAY))
            return honest(relay)

        self.plant(Relay, "drain", drain)
        self.assertIn("was cut while a program drained", self.found("drain"))

    def test_namesake(self) -> None:
        """An agent that is started anew during a look, and counts as a second one beside what it was before."""
        honest = Lookout._come

        def come(lookout: Lookout, host: str, data: bytes) -> None:
            honest(lookout, host, data)
            answer = read_answer(data)
            if answer is not None and lookout._look is not None:
                lookout._look.heard(host, answer.agent)

        self.plant(Lookout, "_come", come)
        self.assertIn("a second agent is told of", self.found("stop"))

    def test_list(self) -> None:
        """A host that is back, and is still shown as down."""
        honest = Inventory.told

        def told(inventory: Inventory, host: str, answer: HostAnswer) -> None:
            if inventory.state(host) != "down":
                honest(inventory, host, answer)

        self.plant(Inventory, "told", told)
        self.plant(Inventory, "here", lambda inventory, host: None)
        self.assertIn("the list of hosts of platform", self.found())

    def test_token_kept(self) -> None:
        """A token that is remembered for ever, as its leg isn't counted out."""
        self.plant(Rendezvous, "leave", lambda table, stream: None)
        self.assertIn("meetings is", self.found())

    def test_token_logged(self) -> None:
        """A token that stands in the log."""
        self.plant(service, "fingerprint", lambda token: token)
        self.assertIn("a token is logged", self.found())
