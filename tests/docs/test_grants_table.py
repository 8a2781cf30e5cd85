"""docs/security.rst, "What a grant amounts to"."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.catalogue import KINDS
from streamrelay.agent.targets.container.container import Container
from tests.docs.test_twins import literals, table


class Table(SynchronousTestCase):
    """Whoever grants something looks here for what it is."""

    def setUp(self) -> None:
        self.rows = dict(table("security.rst", "kind", "what whoever holds it can do"))

    def test_kinds(self) -> None:
        """Each kind of target has a row, and no other has."""
        self.assertEqual(set(self.rows), {f"``{kind.__struct_config__.tag}``" for kind in KINDS})

    def test_shown(self) -> None:
        """A kind that shows different things has words on each of them."""
        [show] = [each.type for each in msgspec.structs.fields(Container) if each.name == "show"]
        told = literals(self.rows["``container``"])
        for word in show.__args__:
            self.assertIn(f'show = "{word}"', told)
