"""Folders and keys of one test."""

import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def no_room() -> Iterator[None]:
    """Files can be made and not written to, as on a full disk; the error is another: "File too large"."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
