"""The wheel: what is installed, and what is not."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes import folder

SOURCE = Path(__file__).parent.parent


class Wheel(SynchronousTestCase):
    """What setuptools builds of a copy of this tree: the very files that it puts into a wheel."""

    if importlib.util.find_spec("setuptools") is None:
        skip = "setuptools is not installed"

    def build(self) -> set[str]:
        where = folder(self)
        for name in ("streamrelay", "twisted"):
            shutil.copytree(SOURCE / name, where / name, ignore=shutil.ignore_patterns("__pycache__", "*.cache"))
        for name in ("setup.cfg", "pyproject.toml", "README.rst", "LICENSE"):
            shutil.copy(SOURCE / name, where)
        command = [sys.executable, "-c", "import setuptools; setuptools.setup()", "-q", "build", "--build-lib", "out"]
        done = subprocess.run(command, cwd=where, env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return {str(path.relative_to(where / "out")) for path in (where / "out").rglob("*") if path.is_file()}

    def test_files(self) -> None:
        """Every module, page and marker of the source is in the wheel, with the plugin, and nothing else is."""
        built = self.build()
        kinds = {".py", ".html", ".css", ".js", ".svg", ".typed"}
        wanted = {
            str(path.relative_to(SOURCE))
            for path in (SOURCE / "streamrelay").rglob("*")
            if path.suffix in kinds and path.is_file()
        }
        self.assertEqual(built, wanted | {"twisted/plugins/streamrelay_plugin.py"})
        for name in ("py.typed", "web/console.html", "web/console.css", "web/console.js", "targets/catalogue.py"):
            self.assertIn(f"streamrelay/{name}", built)

    def test_nothing_of_twisted(self) -> None:
        """No `__init__.py` stands under `twisted/`: it would overwrite Twisted's own."""
        self.assertEqual([path for path in self.build() if path.startswith("twisted") and "__init__" in path], [])
        self.assertEqual(list((SOURCE / "twisted").rglob("__init__.py")), [])
