"""Folders and keys of one test."""

import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.protocol.tokens import generate


def folder(case: SynchronousTestCase) -> Path:
    """An empty directory of the test's own."""
    path = tempfile.mkdtemp(prefix="streamrelay-test-")
    case.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return Path(path)


def key_pair(case: SynchronousTestCase) -> tuple[Path, Path]:
    """The files of a new platform's private and public key."""
    where = folder(case)
    generate(where / "platform.key", where / "platform.pub")
    return where / "platform.key", where / "platform.pub"
