"""docs/security.rst, "Attacks": the tests that it names exist, and every test of the attacks stands in it."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[2]


class Table(SynchronousTestCase):
    """An auditor may follow the table."""

    def setUp(self) -> None:
        text = (ROOT / "docs" / "security.rst").read_text()
        section = text[text.index("\nAttacks\n=====") : text.index("Not done yet\n====")]
        self.named = {tuple(name.split(".")) for name in re.findall(r"``(test_[\w.]+|nothing_leaked)``", section)}

    def test_exist(self) -> None:
        """Every module, class and test that the table names is there."""
        self.assertGreater(len(self.named), 30)
        for module, *names in self.named:
            source = "".join(path.read_text() for path in sorted((ROOT / "tests").rglob(f"{module}.py")))
            for name in names:
                self.assertTrue(re.search(rf"\b(?:class|def) {name}\b", source), f"{module}.{name}")

    def test_complete(self) -> None:
        """Every class of the attack suite is named, by itself or by one of its tests."""
        known = {names[:2] for names in self.named}
        for path in sorted((ROOT / "tests" / "live").rglob("test_attacks_*.py")):
            for name in re.findall(r"^class (\w+)", path.read_text(), re.MULTILINE):
                self.assertIn((path.stem, name), known)
