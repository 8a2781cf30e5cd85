"""The machines: every state takes every input."""

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.relay import leg
from streamrelay.relay.leg import Leg


class Declared(SynchronousTestCase):
    """Automat's own list of transitions; it has no public one."""

    def setUp(self) -> None:
        self.transitions = leg.builder._automaton.allTransitions()
        self.inputs = {name for name in vars(Leg) if not name.startswith("_")}
        self.states = {state.name for start, _, end, _ in self.transitions for state in (start, end)}

    def test_every_pair(self) -> None:
        """Every pair of a state and an input of the leg is declared, once."""
        pairs = [(start.name, name) for start, name, _, _ in self.transitions]
        wanted = {(state, name) for state in self.states for name in self.inputs}
        self.assertEqual(set(pairs), wanted)
        self.assertEqual(len(pairs), len(wanted))

    def test_names(self) -> None:
        """The states and inputs are those of the drawn machine."""
        self.assertEqual(self.states, {"greeting", "waiting", "spliced", "closing", "closed"})
        self.assertEqual(self.inputs, {"open", "pair", "time_out", "end", "wind_up", "connection_lost"})

    def test_closed_is_the_end(self) -> None:
        """From every state a loss leads to closed, and nothing leads out of it."""
        ends = {(start.name, name): end.name for start, name, end, _ in self.transitions}
        self.assertEqual({ends[state, "connection_lost"] for state in self.states}, {"closed"})
        self.assertEqual({ends["closed", name] for name in self.inputs}, {"closed"})
