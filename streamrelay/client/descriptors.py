"""The descriptors of standard input, output and error, before anything else may get their numbers."""

import os
import sys


def hold_standard_descriptors() -> None:
    """Take the numbers of standard input, output and error where they are closed, so that nothing else gets them.

    Input and output then fail as closed ones do; words for standard error go nowhere.
    """
    for number, name, mode in ((0, "stdin", os.O_WRONLY), (1, "stdout", os.O_RDONLY), (2, "stderr", os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # the lowest free number: those below are taken
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
