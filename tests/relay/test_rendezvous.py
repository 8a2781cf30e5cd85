"""rendezvous.py: who matches whom."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import Refused
from streamrelay.relay.rendezvous import OTHER, Rendezvous
from tests.documented import STREAMS_KNOWN
from tests.examples import examples

Leg = tuple[str, int]


class Matching(SynchronousTestCase):
    """Legs of one stream."""

    def setUp(self) -> None:
        self.here: Rendezvous[str] = Rendezvous(most=3)

    def admit(self, stream: str, role: str, links: int = 1, until: float = 30.0) -> None:
        self.here.admit(stream, role, links, until)

    def status(self, stream: str, role: str, links: int = 1) -> int:
        refusal: Refused = self.assertRaises(Refused, self.admit, stream, role, links)
        return refusal.status

    def test_second_meets_first(self) -> None:
        """Whichever leg is first waits, and the other one meets it; then nobody waits."""
        for stream, first in (("a", "client"), ("b", "agent")):
            second = OTHER[first]
            self.admit(stream, first)
            self.assertIsNone(self.here.meet(stream, first, "one"))
            self.assertEqual(self.here.waiting, 1)
            self.admit(stream, second)
            self.assertEqual(self.here.meet(stream, second, "two"), "one")
            self.assertEqual(self.here.waiting, 0)

    def test_most(self) -> None:
        """So many streams are known at once as the documents say; one more is refused with 503."""
        self.here = Rendezvous()
        self.admit("first", "client")
        self.here.meetings.update({str(number): self.here.meetings["first"] for number in range(STREAMS_KNOWN - 2)})
        self.admit("last", "client")
        self.assertEqual(self.status("one-more", "client"), 503)

    def test_lost_while_waiting(self) -> None:
        """A leg that is lost while it waits waits no longer, and the next one that comes for it alone is told so."""
        for number in range(2):
            self.admit("a", "client", 2)
            self.assertIsNone(self.here.meet("a", "client", f"client {number}"))
            self.assertFalse(self.here.is_late("a", "client"))
        self.here.lose("a", "client", "client 0")
        self.assertEqual(self.here.waiting, 1)
        for number, met in enumerate(("client 1", None)):
            self.admit("a", "agent", 2)
            self.assertEqual(self.here.meet("a", "agent", f"agent {number}"), met)
        self.assertEqual([self.here.is_late("a", "agent") for _ in range(2)], [True, False])

    def test_expected(self) -> None:
        """A leg is expected from when another one is admitted that it may meet, until it is admitted itself."""
        self.assertFalse(self.here.is_expected("a", "client"))
        self.admit("a", "agent")
        self.assertEqual([self.here.is_expected("a", role) for role in ("client", "agent")], [True, False])
        self.admit("a", "client")
        self.assertFalse(self.here.is_expected("a", "client"))

    def test_streams_are_apart(self) -> None:
        """Legs of different streams never meet."""
        self.admit("a", "client")
        self.admit("b", "agent")
        self.assertIsNone(self.here.meet("a", "client", "one"))
        self.assertIsNone(self.here.meet("b", "agent", "two"))

    def test_once(self) -> None:
        """A token admits one leg of its role, and none after it, even when that one has left."""
        self.admit("a", "client")
        self.assertEqual(self.status("a", "client"), 401)
        self.here.leave("a")
        self.here.forget(29.0)
        self.assertEqual(self.status("a", "client"), 401)
        self.admit("a", "agent")

    def test_links(self) -> None:
        """A stream of N links admits N legs of each role, paired in the order in which they came."""
        for leg in ("c1", "c2"):
            self.admit("a", "client", links=2)
            self.here.meet("a", "client", leg)
        self.assertEqual(self.status("a", "client", 2), 401)
        for expected in ("c1", "c2"):
            self.admit("a", "agent", links=16)
            self.assertEqual(self.here.meet("a", "agent", "agent"), expected)
        self.assertEqual(self.status("a", "agent", 2), 401)

    def test_fewer_links(self) -> None:
        """Of both tokens the one with fewer links counts, and an agent's second leg waits for the client's token."""
        self.admit("a", "agent", links=16)
        self.assertEqual(self.status("a", "agent", 16), 401)
        self.admit("a", "client", links=2)
        self.admit("a", "agent", links=16)
        self.assertEqual(self.status("a", "agent", 16), 401)
        self.admit("a", "client", links=2)
        self.assertEqual(self.status("a", "client", 2), 401)
        self.admit("b", "agent", links=16)
        self.admit("b", "client", links=1)
        self.assertEqual(self.status("b", "agent", 16), 401)
        self.assertEqual(self.status("b", "client", 1), 401)

    def test_links_cannot_grow(self) -> None:
        """A later token can't add links to a stream that is known."""
        self.admit("a", "client", links=1)
        self.assertEqual(self.status("a", "client", 32), 401)

    def test_withdraw(self) -> None:
        """A leg that waits no longer is met by nobody; to withdraw twice changes nothing."""
        self.admit("a", "client")
        self.here.meet("a", "client", "one")
        self.here.withdraw("a", "client", "one")
        self.here.withdraw("a", "client", "one")
        self.admit("a", "agent")
        self.assertIsNone(self.here.meet("a", "agent", "two"))

    def test_full(self) -> None:
        """When too many streams are known a new one is turned away with 503, and legs of known ones come in."""
        for stream in "abc":
            self.admit(stream, "client")
        self.assertEqual(self.status("d", "client"), 503)
        self.admit("a", "agent")

    def test_forgotten(self) -> None:
        """A stream is forgotten once nobody is in it and its tokens have expired, never before."""
        self.admit("a", "client", until=30.0)
        self.here.forget(100.0)
        self.assertEqual(set(self.here.meetings), {"a"})
        self.here.leave("a")
        self.here.forget(30.0)
        self.assertEqual(set(self.here.meetings), {"a"})
        self.here.forget(30.1)
        self.assertEqual(self.here.meetings, {})

    def test_longest_token_counts(self) -> None:
        """A stream is remembered until the last of its tokens has expired."""
        self.admit("a", "client", until=60.0)
        self.admit("a", "agent", until=30.0)
        self.here.leave("a")
        self.here.leave("a")
        self.here.forget(45.0)
        self.assertEqual(set(self.here.meetings), {"a"})

    @examples(150)
    @given(st.lists(st.tuples(st.sampled_from(["client", "agent"]), st.booleans()), max_size=12), st.integers(1, 3))
    def test_any_order(self, arrivals: list[tuple[str, bool]], links: int) -> None:
        """In every order of arrivals and departures a leg is paired at most once, with the other role, N at most."""
        here: Rendezvous[Leg] = Rendezvous()
        pairs: list[tuple[Leg, Leg]] = []
        waiting: dict[str, list[Leg]] = {"client": [], "agent": []}
        for number, (role, leaves) in enumerate(arrivals):
            leg = (role, number)
            try:
                here.admit("a", role, links, 30.0)
            except Refused:
                continue
            other = here.meet("a", role, leg)
            if other is not None:
                waiting[OTHER[role]].remove(other)
                pairs.append((leg, other))
                self.assertEqual(other[0], OTHER[role])
            elif leaves:
                here.withdraw("a", role, leg)
                here.leave("a")
            else:
                waiting[role].append(leg)
        legs = [leg for pair in pairs for leg in pair]
        self.assertEqual(len(legs), len(set(legs)))
        self.assertLessEqual(len(pairs), links)
        self.assertFalse(waiting["client"] and waiting["agent"])
        self.assertEqual(here.waiting, len(waiting["client"]) + len(waiting["agent"]))
