"""targets/journal/boots.py and journal.py: the present boot, which may have an earlier clock than those before it."""

from pathlib import Path
from typing import Any

from streamrelay.agent.targets.journal import boots, journal
from streamrelay.agent.targets.journal.boots import boot_of, present_boot
from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.protocol.summons import Terms
from tests.agent.targets.journal.test_journal import FRESH, Case, FakeRun, cursor, entry
from tests.documented import PLACES_EVERY
from tests.fakes.connections import Ear
from tests.fakes.files import folder

NOW, BEFORE = "c" * 32, "b" * 32
MATCH = f"_BOOT_ID={NOW}"


class Boots(Case):
    """A journal that holds this machine's present boot, and one before it."""

    def setUp(self) -> None:
        super().setUp()
        Path(boots.BOOT_ID).write_text("cccccccc-cccc-cccc-cccc-cccccccccccc\n")

    def runs(self, run: FakeRun, has: str = "", hasnt: str = "--nothing") -> None:
        arguments = run.arguments
        self.assertTrue(set(has.split()) <= set(arguments), arguments)
        self.assertFalse([each for each in arguments if each.startswith(hasnt)], arguments)

    def opened(self, of_it: bytes, before: bytes = b"", terms: Terms = FRESH, **settings: Any) -> FakeRun:
        """Open the journal when the present boot has these last entries, and all boots those; the run that begins."""
        work = self.connect(terms, **settings)
        self.runs(self.last, f"{MATCH} --lines=1", "--unit")
        self.last.says(entry(9, boot=NOW))
        self.runs(self.last, "--field=_MACHINE_ID", "--unit")
        self.last.says(b"0123456789abcdef0123456789abcdef\n")  # it is of this machine alone
        self.last.ends()
        if not terms.place:
            self.runs(self.last, f"{MATCH} --unit=web.service --lines={settings.get('lines', 100)}")
            self.last.says(of_it)
            self.last.ends()
        if before:
            self.runs(self.last, "", MATCH)
            self.last.says(before)
        self.ear = Ear()
        self.connection = self.successResultOf(work)
        self.connection.join(self.ear, self.ear)
        return self.last

    def test_followed_by_itself(self) -> None:
        """When it has as many entries as are to come first it is followed by a match on its id, from there on."""
        run = self.opened(entry(5, boot=NOW) + entry(6, boot=NOW), lines=2)
        self.runs(run, f"{MATCH} --follow --no-tail --unit=web.service --cursor={cursor(5, NOW)}")
        run.says(entry(5, "five", NOW) + entry(6, "six", NOW))
        self.assertEqual(self.lines(), ["box web[12]: five", "box web[12]: six"])

    def test_after_those_before(self) -> None:
        """When it has fewer, those before it come first, without its own, and then it does, whatever its clock says."""
        run = self.opened(entry(5, boot=NOW), entry(900))
        self.runs(run, f"--unit=web.service --cursor={cursor(900)}", "--follow")
        self.runs(run, "", MATCH)
        run.says(entry(900, "old") + entry(5, "too early", NOW) + entry(901, "older"))
        run.ends()
        self.runs(self.last, f"{MATCH} --follow --cursor={cursor(5, NOW)}")
        self.last.says(entry(5, "five", NOW) + entry(6, "six", NOW))
        self.assertEqual([line.rpartition(" ")[2] for line in self.lines()], ["old", "older", "five", "six"])
        self.assertEqual([control.lost for control in self.controls()], [False, False])

    def test_before_all_others(self) -> None:
        """When its clock is so far behind that the last entries of all begin in its midst, all of its own come."""
        run = self.opened(entry(5, boot=NOW) + entry(6, boot=NOW), entry(6, boot=NOW))
        self.runs(run, f"{MATCH} --follow --cursor={cursor(5, NOW)}")

    def test_goes_on_in_the_boot_before(self) -> None:
        """A place in the boot before goes on there, then with all of the present one."""
        run = self.opened(entry(5, boot=NOW), entry(900))
        run.says(entry(900, "old"))
        self.reactor.advance(PLACES_EVERY)
        run = self.opened(b"", entry(900), Terms(place=self.controls()[-1].place, after=4))
        self.runs(run, f"--unit=web.service --cursor={cursor(900)}", "--follow")
        run.says(entry(900, "old") + entry(901, "older"))
        run.ends()
        self.runs(self.last, f"{MATCH} --follow --unit=web.service", "--cursor")
        self.last.says(entry(1, "one", NOW))
        self.reactor.advance(0)
        self.assertRegex(self.ear.data.decode(), r"\A-\d\d-\d\dT.* box web\[12\]: older\n.* box web\[12\]: one\n\Z")

    def test_goes_on_in_the_present_one(self) -> None:
        """A place in the present boot goes on in it alone: nothing of the boot before comes again."""
        run = self.opened(entry(5, boot=NOW), lines=1)
        run.says(entry(5, "five", NOW))
        self.reactor.advance(PLACES_EVERY)
        run = self.opened(b"", entry(5, boot=NOW), Terms(place=self.controls()[-1].place), lines=1)
        self.runs(run, f"{MATCH} --follow --cursor={cursor(5, NOW)}")

    def test_places_between(self) -> None:
        """Each place that is told goes on at the very byte, also the one where the present boot begins."""
        run = self.opened(entry(5, boot=NOW), entry(900))
        run.ends()
        self.last.says(entry(5, "five", NOW))
        self.reactor.advance(0)
        place = self.controls()[-1].place
        run = self.opened(b"", entry(5, boot=NOW), Terms(place=place, after=len(self.ear.data)))
        run.says(entry(5, "five", NOW) + entry(6, "six", NOW))
        self.assertEqual(self.lines(), ["box web[12]: six"])

    def test_paused_between(self) -> None:
        """A client without room isn't sent the present boot either."""
        run = self.opened(entry(5, boot=NOW), entry(900))
        self.connection.pause()
        run.ends()
        self.assertIsNot(self.last, run)
        self.assertFalse(self.last.reading)
        self.connection.resume()
        self.assertTrue(self.last.reading)

    def test_breaks_off(self) -> None:
        """A run through what was before that fails is no end of it."""
        run = self.opened(entry(5, boot=NOW), entry(900))
        run.ends(status=9)
        (over,) = self.ear.named("over")
        self.assertEqual(over[1], outcome(CloseCode.TARGET_RESET, "journalctl: it ended with status 9"))

    def test_another_machines(self) -> None:
        """A directory without anything of the present boot is followed without a match."""
        work = self.connect()
        self.last.ends()
        self.runs(self.last, "--lines=100", "_BOOT_ID")
        self.last.says(entry(1))
        self.successResultOf(work).join(self.ear, self.ear)
        self.runs(self.last, f"--follow --cursor={cursor(1)}", "_BOOT_ID")

    def test_several_machines(self) -> None:
        """A directory of several machines is followed without a match too, or the others' entries would not come."""
        work = self.connect()
        self.last.says(entry(9, boot=NOW))
        self.last.says(b"0123456789abcdef0123456789abcdef\nfedcba9876543210fedcba9876543210\n")
        self.last.ends()
        self.runs(self.last, "--lines=100", "_BOOT_ID")
        self.last.says(entry(1))
        self.successResultOf(work).join(self.ear, self.ear)
        self.runs(self.last, f"--follow --cursor={cursor(1)}", "_BOOT_ID")

    def test_nothing_yet(self) -> None:
        """Without a directory the journal is of this machine; what has no entry in this boot yet is followed."""
        known = folder(self) / "machine-id"
        known.write_text("0123456789abcdef0123456789abcdef\n")
        self.patch(journal, "MACHINE_ID", str(known))
        work = self.connect(directory="", lines=0)
        self.runs(self.last, f"{MATCH} --lines=1")
        self.last.ends()
        self.runs(self.last, "--lines=1", "_BOOT_ID")
        self.last.says(entry(900))
        self.successResultOf(work).join(self.ear, self.ear)
        self.last.says(entry(900))
        self.last.ends()
        self.runs(self.last, f"{MATCH} --follow", "--cursor")
        self.last.says(entry(1, "first", NOW))
        self.assertEqual(self.lines(), ["box web[12]: first"])

    def test_ids(self) -> None:
        """The id is read as the journal writes it, and that of an entry stands in its cursor."""
        self.assertEqual(present_boot(), NOW)
        self.assertEqual(boot_of(cursor(1)), BEFORE)
        for none in ("", "s=1;i=2", "b=../../x", "xb=" + BEFORE):
            self.assertEqual(boot_of(none), "")
        Path(boots.BOOT_ID).unlink()
        self.assertEqual(present_boot(), "")
