"""entries.py: a line of a journal's entry."""

import json
import time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.targets.journal.entries import SHORT, read_entry
from tests.documented import JOURNAL_CUT
from tests.examples import examples


def entry(**fields: object) -> bytes:
    return json.dumps({"__CURSOR": "s=1", "__REALTIME_TIMESTAMP": "1700000000000001", **fields}).encode()


class Lines(SynchronousTestCase):
    """Whoever may write to the journal writes what they like."""

    def test_long(self) -> None:
        """Of a very long message, or name, the first part is shown, and nothing of the rest costs time."""
        for message in ("\x01" + "x" * (1 << 20), [1] * (1 << 19), ["\x1b" * (1 << 20)]):
            source = entry(MESSAGE=message, SYSLOG_IDENTIFIER="\x07" * 9999, _HOSTNAME="h" * 9999)
            began = time.process_time()
            line = read_entry(source).line().decode()
            self.assertLess(time.process_time() - began, 0.5)
            self.assertLess(len(line), 4 * (JOURNAL_CUT + 3 * SHORT))
            self.assertRegex(line, r" \(and \d+ characters more\)\n\Z")

    def test_odd_fields(self) -> None:
        """A field several times is its first; what is no field's is nothing."""
        for field, text in (
            (["a", "b"], "a"),
            ([[104, 105], "b"], "hi"),
            ([256], ""),
            ([1.5], ""),
            ([[]], ""),
            ([{}], ""),
            ([True, None], ""),
            ([], ""),
            (None, ""),
        ):
            self.assertTrue(read_entry(entry(MESSAGE=field)).line().decode().endswith(f"unknown: {text}\n"), field)

    @examples(300)
    @given(st.one_of(st.text(), st.lists(st.integers(0, 255)), st.lists(st.text())), st.text())
    def test_harmless(self, message: object, name: str) -> None:
        """Each entry is one line that does nothing to a terminal, nor to the order of letters."""
        line = read_entry(entry(MESSAGE=message, SYSLOG_IDENTIFIER=name)).line().decode()
        self.assertTrue(line.endswith("\n"))
        self.assertTrue(line[:-1].replace("\t", "").isprintable(), line)
