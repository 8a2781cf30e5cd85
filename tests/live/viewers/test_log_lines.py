"""What `<stream-log>` makes of lines beyond their text, on a page: what was written over, what is selected, levels."""

from tests.live.viewers.test_log_viewer import LogViewerTest


class Redrawn(LogViewerTest):
    """Lines over which others have written."""

    def test_raw(self) -> None:
        """Rows are shown as a terminal would have ended them, and all that came by a switch; a filter finds the same."""
        self.begin_alone("one\n\x1b[31ma1: Waiting\nb2: Waiting\n")
        self.shows("b2: Waiting")
        self.append("\x1b[2A\x1b[2K\ra1: Complete\r\x1b[2B\x1b[m")
        self.assertEqual(self.shows("a1: Complete"), ["one", "a1: Complete", "b2: Waiting"])
        self.view.evaluate("log.filter('waiting')")
        self.until("() => rows().length === 1", what="the filter")
        self.append("\x1b[1Ab2: Waiting no more\n1%\r100%\n")
        self.until("() => rows()[0] === 'b2: Waiting no more'", what="the row that was written over")
        self.view.evaluate("log.filter('')")
        self.assertEqual(self.shows("100%")[1:], ["a1: Complete", "b2: Waiting no more", "100%"])
        red = "part('.list .row:nth-child(2) .text span').className"
        self.assertEqual(self.view.evaluate(red), "front-1")
        self.press("Raw")
        rows = self.shows("1%␍100%")
        self.assertEqual(rows[:3], ["one", "␛[31ma1: Waiting", "b2: Waiting"])
        self.assertIn("␛[2A␛[2K␍a1: Complete␍␛[2B␛[m␛[1Ab2: Waiting no more", rows)
        self.press("Raw")
        self.until("() => rows().length === 4", what="the rows as they are at the end")
        self.assert_content()
