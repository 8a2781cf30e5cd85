"""docs/reliability.rst: its rows, their tests, and what these measured."""

import re

from twisted.trial.unittest import SynchronousTestCase

from tests.live.support.promise import in_time, kept
from tests.reliability.faults import FAULTS, ROWS
from tests.reliability.page import PAGE, ROOT, measured, page

LIVE = ROOT / "tests" / "live"
HELD = re.compile(r'\b(?:promised|in_time|kept)\(\s*"([^"]+)"')
"""How a test names the promise that it holds."""


class Page(SynchronousTestCase):
    """Whoever trusts the table may follow it."""

    def test_written(self) -> None:
        """The page is what the command writes of the faults and of what was measured."""
        self.assertEqual(PAGE.read_text(), page(measured()), "python -m tests.reliability --written")

    def test_rows(self) -> None:
        """Each row's test is there, in a module that holds this very promise, and no promise is without a row."""
        self.assertEqual(len(FAULTS), len(ROWS))
        for fault in ROWS:
            module, case, test = fault.test.rsplit(".", 2)
            source = (LIVE / f"{module.replace('.', '/')}.py").read_text()
            for there in (rf"^class {case}\b", rf"^    def {test}\("):
                self.assertTrue(re.search(there, source, re.MULTILINE), fault.test)
            self.assertIn(fault.name, HELD.findall(source), fault.test)
        held = {name for path in LIVE.rglob("test_*.py") for name in HELD.findall(path.read_text())}
        self.assertEqual(held, set(FAULTS))

    def test_measured(self) -> None:
        """Every promise was measured, and kept; nothing was measured that is none."""
        self.assertEqual(set(measured()), set(FAULTS))
        for fault in ROWS:
            seen = measured()[fault.name]
            if fault.seconds is None:
                self.assertTrue(seen["words"])
            else:
                self.assertLess(seen["fair"], fault.seconds + fault.slack, fault.name)

    def test_held(self) -> None:
        """A promise that is broken fails its test, and one without a time takes none."""
        self.assertIn("promised are 1", str(self.assertRaises(AssertionError, in_time, "relay killed", 1.5, 1.2)))
        self.assertRaises(AssertionError, kept, "relay killed", "it was killed")
        self.assertRaises(AssertionError, in_time, "client closes", 0.1, 0.1)
