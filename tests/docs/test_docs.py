"""README, NEWS and docs/: they read as they were meant."""

from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

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
