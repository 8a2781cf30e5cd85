"""company.py: what is told of the others who are attached to the same terminal."""

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.client.company import Company
from streamrelay.protocol.control import Control, Person, decode_control


class Told(SynchronousTestCase):
    """Control messages of a kept terminal."""

    def setUp(self) -> None:
        self.said = list[str]()

    def company(self, verbose: bool = False, size: tuple[int, int] | None = (100, 30)) -> Company:
        return Company(self.said.append, verbose, lambda: size)

    def test_people(self) -> None:
        """Who is there is one line, and only for who wants to know; names do no harm to a terminal."""
        people = Control(people=(Person("ann"), Person("b\x1bob", view=True)), others=3)
        self.company().heard(people)
        self.assertEqual(self.said, [])
        self.company(verbose=True).heard(people)
        self.assertEqual(self.said, ["attached to this terminal: ann, b?ob (looks) and 3 more"])
        self.company(verbose=True).heard(Control(people=(Person("ann"),)))
        self.assertEqual(self.said[-1], "attached to this terminal: ann")

    def test_size(self) -> None:
        """A size that isn't this window's is told, as what is drawn doesn't fit; one that is isn't."""
        company = self.company()
        company.heard(decode_control(b'{"size":[100,30]}'))
        self.assertEqual(self.said, [])
        company.heard(decode_control(b'{"size":[80,24]}'))
        company.heard(decode_control(b'{"size":[80,24]}'))
        [line] = self.said
        self.assertEqual(
            line,
            "this terminal has 80 columns and 24 rows now, as somebody else's; this window has 100 columns and 30 rows",
        )
        self.company(size=None).heard(Control(size=(80, 24)))
        self.assertEqual(len(self.said), 1)

    def test_size_again(self) -> None:
        """Where two type in turn it is told once, until it is another size."""
        company = self.company()
        for size in ((80, 24), (100, 30), (80, 24), (90, 24), (80, 24)):
            company.heard(Control(size=size))
        self.assertEqual([line.split()[3] for line in self.said], ["80", "90", "80"])

    def test_others(self) -> None:
        """Whatever else is said is nothing to it."""
        self.company(verbose=True).heard(Control(exit=3, note="x"))
        self.assertEqual(self.said, [])
