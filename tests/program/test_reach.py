"""reach.py: a Python that another user can't read."""

import os
import pwd

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.program import reach
from streamrelay.program.reach import first_closed, warn_of_reach
from tests.fakes.files import folder
from tests.fakes.logs import Heard


class Reach(SynchronousTestCase):
    """A directory that root has closed."""

    def test_named(self) -> None:
        """Whoever is to be become, and can't enter a directory of this Python, is named with it; else nobody is."""
        if os.geteuid() != 0:  # who isn't root becomes nobody
            heard = Heard(self)
            self.patch(reach, "_tried_as", lambda uid, gid: "/x")
            warn_of_reach(4711, 4711)
            self.assertEqual(heard.lines, [])
            return
        nobody = pwd.getpwnam("nobody")
        where = folder(self)
        where.chmod(0o755)
        inner = where / "lib" / "python"
        inner.mkdir(parents=True)
        self.patch(reach, "_places", lambda: iter([inner]))
        for mode, said in ((0o755, ""), (0o700, f"user {nobody.pw_uid} can't read {where}/lib: "), (0o711, "")):
            (where / "lib").chmod(mode)
            heard = Heard(self)
            warn_of_reach(nobody.pw_uid, nobody.pw_gid)
            self.assertIn(said, heard.text)
            self.assertEqual(len(heard.lines), bool(said))
        heard = Heard(self)
        warn_of_reach(None, None)
        self.assertEqual(heard.lines, [])

    def test_own(self) -> None:
        """Who runs it can read all of it."""
        self.assertEqual(first_closed(reach._places()), "")
