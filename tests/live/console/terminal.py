"""A terminal in the console, by its text: what tests of it share."""

import re
from typing import Any

from tests.live.console.console import ConsoleTest
from tests.live.support.waiting import until


class TerminalTest(ConsoleTest):
    """Tests that read the terminal which is shown."""

    def rows(self, page: Any) -> str:
        """What the terminal shows, in one piece of text."""
        rows = page.locator(".panel:not([hidden]) .xterm-rows > div").all_inner_texts()
        return "\n".join(row.replace("\xa0", " ").rstrip() for row in rows)

    def shows(self, page: Any, pattern: str) -> re.Match[str]:
        """Until the terminal shows something."""
        found: re.Match[str] = until(lambda: re.search(pattern, self.rows(page)), what=f"{pattern!r} on the terminal")
        return found
