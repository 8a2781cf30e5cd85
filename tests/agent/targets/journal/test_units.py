"""targets/journal/units.py: units by glob, those too that come later."""

from streamrelay.agent.targets.journal.entries import read_entry
from streamrelay.agent.targets.journal.units import NONE_YET, is_of
from streamrelay.protocol.summons import Refusal
from tests.agent.targets.journal.test_journal import Case, cursor, entry

GLOB = "web-*"


class Globs(Case):
    """Units by glob."""

    def test_units_that_come_later(self) -> None:
        """All is asked for from the last entries of the glob on, and those of its units are shown, new ones too."""
        work = self.connect(unit=GLOB)
        self.assertTrue({f"--unit={GLOB}", "--lines=100"} <= set(self.last.arguments))
        self.last.says(entry(1))
        self.successResultOf(work).join(self.ear, self.ear)
        self.assertTrue({"--follow", f"--cursor={cursor(1)}"} <= set(self.last.arguments))
        self.assertFalse([each for each in self.last.arguments if each.startswith("--unit")])
        for number, unit in enumerate(("web-1.service", "other.service", "web-2.service", "my-web-1.service"), 1):
            self.last.says(entry(number, unit, _SYSTEMD_UNIT=unit))
        self.assertEqual(self.lines(), ["box web[12]: web-1.service", "box web[12]: web-2.service"])

    def test_none_yet(self) -> None:
        """A glob that means no unit yet is followed from the journal's last entry on; other complaints refuse it."""
        work = self.connect(unit=GLOB)
        self.last.ends(f"{NONE_YET}\n".encode(), 1)
        self.last.says(entry(7))
        self.successResultOf(work).join(self.ear, self.ear)
        self.last.says(entry(7, "of another", _SYSTEMD_UNIT="x.service"))
        self.last.says(entry(8, "new", _SYSTEMD_UNIT="web-9.service"))
        self.assertEqual(self.lines(), ["box web[12]: new"])
        work = self.connect(unit=GLOB)
        self.last.ends(b"Failed to add filter for units: Permission denied\n", 1)
        why = "journalctl: Failed to add filter for units: Permission denied"
        self.refused(work, Refusal.TARGET_REFUSED, why)

    def test_a_unit_is_left_to_journalctl(self) -> None:
        """A unit by its name is matched by journalctl, which has an index of them."""
        _, run = self.follow()
        self.assertIn("--unit=web.service", run.arguments)
        self.assertNotIn("UNIT", "".join(each for each in run.arguments if each.startswith("--output-fields")))

    def test_as_journalctl(self) -> None:
        """An entry is of the unit that wrote it, or of which systemd, a daemon of root's or a core dump tells."""
        core = "fc2e22bc6ee647b6b90729ab34a250b1"
        for fields, shown in (
            ({"_SYSTEMD_UNIT": "web-1.service"}, True),
            ({"_SYSTEMD_UNIT": "web.service"}, False),
            ({"_SYSTEMD_UNIT": ["web-1.service", "x"]}, False),
            ({}, False),
            ({"UNIT": "web-1.service", "_PID": "1"}, True),
            ({"UNIT": "web-1.service", "_PID": "77"}, False),
            ({"OBJECT_SYSTEMD_UNIT": "web-1.service", "_UID": "0"}, True),
            ({"OBJECT_SYSTEMD_UNIT": "web-1.service", "_UID": "1000"}, False),
            ({"COREDUMP_UNIT": "web-1.service", "_UID": "0", "MESSAGE_ID": core}, True),
            ({"COREDUMP_UNIT": "web-1.service", "_UID": "0"}, False),
            ({"COREDUMP_UNIT": "web-1.service", "_UID": "5", "MESSAGE_ID": core}, False),
            ({"_SYSTEMD_SLICE": "web-a.slice"}, True),
            ({"_SYSTEMD_SLICE": "web-a"}, False),
        ):
            self.assertEqual(is_of(read_entry(entry(1, "x", **fields)), GLOB), shown, fields)
