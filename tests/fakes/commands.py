"""The command line, up to what needs a network."""

import io
import os
import sys

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.main import main
from tests.fakes.files import folder


class Left(Exception):
    """The program has ended."""


class CommandCase(SynchronousTestCase):
    """A command whose output and status are caught."""

    def setUp(self) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", self.err)
        self.patch(os, "environ", {})
        self.where = folder(self)

        def leave(status: int) -> None:
            raise Left(status)

        self.patch(os, "_exit", leave)

    def run_command(self, *arguments: str) -> int:
        try:
            main(list(arguments))
        except Left as left:
            return int(left.args[0])
        except SystemExit as left:
            return int(left.code or 0)
        raise AssertionError("it did not end")
