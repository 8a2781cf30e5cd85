"""README, NEWS and docs/: they read as they were meant."""

import re
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from streamrelay.client.commands import _BY_STATUS
from streamrelay.main import EXIT

ROOT = Path(__file__).resolve().parents[2]


class Pages(SynchronousTestCase):
    """Every page is well-formed."""

    def test_read(self) -> None:
        """docutils has nothing to say about any page: no table is cut off, no markup is left open."""
        try:
            from docutils.core import publish_doctree
            from docutils.utils import SystemMessage
        except ImportError as error:
            raise SkipTest("needs the package docutils") from error
        pages = [*ROOT.glob("*.rst"), *(ROOT / "docs").glob("*.rst")]
        self.assertGreater(len(pages), 6)
        settings = {"halt_level": 2, "report_level": 5, "file_insertion_enabled": False}
        for page in pages:
            try:
                publish_doctree(page.read_text(), str(page), settings_overrides=settings)
            except SystemMessage as fault:
                self.fail(str(fault))


class ExitStatus(SynchronousTestCase):
    """Exit statuses of the native client."""

    def setUp(self) -> None:
        section = (ROOT / "docs" / "operations.rst").read_text().partition("\nExit codes\n")[2]
        rows = re.findall(r"^(\d+) +(.+)$", section.partition("\nLogs\n")[0], re.M)
        self.codes = {int(code): words for code, words in rows}

    def test_one_table(self) -> None:
        """`--help` and docs/operations.rst tell the same statuses in the same words; docs add the API's in brackets."""
        told = {int(code): words for code, words in re.findall(r"^ *(\d+)  (.+)$", EXIT, re.M)}
        self.assertEqual(
            {
                code: re.sub(r" \([0-9A-Z][^a-z]*\)$| \(API status \d+\)$", "", words)
                for code, words in self.codes.items()
            },
            told,
        )

    def test_as_made(self) -> None:
        """The API's statuses stand where the command puts them."""
        numbers = {code: re.findall(r"\b[45]\d\d\b", words) for code, words in self.codes.items()}
        told = {int(status): code for code, statuses in numbers.items() for status in statuses}
        self.assertEqual(told, {status: code for status, code in _BY_STATUS.items() if status})
