"""sealed_places.py: by what places are sealed."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.targets import sealed_places
from streamrelay.agent.targets.sealed_places import seal, unseal
from tests.fakes.files import folder


class Keys(SynchronousTestCase):
    """The key of the seals, as each start of an agent finds it."""

    def setUp(self) -> None:
        self.addCleanup(sealed_places._key.cache_clear)
        self.machine = folder(self) / "machine-id"
        self.patch(sealed_places, "MACHINE_ID", str(self.machine))

    def start(self, machine: str = "") -> None:
        """An agent on this machine; without a name the machine has no id."""
        sealed_places._key.cache_clear()
        self.machine.unlink(missing_ok=True)
        if machine:
            Path(self.machine).write_text(machine)

    def test_machine(self) -> None:
        """A place is good after another start on the same machine, and on no other machine."""
        self.start("0123")
        sealed = seal("1.2", "log")
        self.start("0123")
        self.assertEqual(unseal(sealed, "log"), "1.2")
        self.start("4567")
        self.assertEqual(unseal(sealed, "log"), "")

    def test_without_an_id(self) -> None:
        """Without a machine-id, or with an empty one, a place is good until the agent ends: each has a secret of its
        own."""
        for content in ("", "\n"):
            self.start(content)
            sealed = seal("1.2", "log")
            self.assertEqual(unseal(sealed, "log"), "1.2")
            self.start(content)
            self.assertEqual(unseal(sealed, "log"), "")
