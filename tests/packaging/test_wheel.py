"""The wheel: what is installed, and what is not."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.fakes.files import folder

SOURCE = Path(__file__).resolve().parents[2]
THIRD_PARTY = "streamrelay/web/third-party/"


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
        """Every module, page and marker of the source is in the wheel, with the plugin, and nothing else of ours is."""
        built = {path for path in self.build() if not path.startswith(THIRD_PARTY)}
        kinds = {".py", ".html", ".css", ".js", ".ts", ".svg", ".typed"}
        wanted = {
            str(path.relative_to(SOURCE))
            for path in (SOURCE / "streamrelay").rglob("*")
            if path.suffix in kinds and path.is_file() and (SOURCE / THIRD_PARTY) not in path.parents
        }
        self.assertEqual(built, wanted | {"twisted/plugins/streamrelay_plugin.py"})
        for name in ("py.typed", "web/console.html", "web/streamrelay.d.ts", "agent/catalogue.py"):
            self.assertIn(f"streamrelay/{name}", built)

    def test_third_party(self) -> None:
        """The viewers of others are in it as their list says, file by file, each with its licence, and nothing else."""
        if not (SOURCE / THIRD_PARTY / "LIST.json").is_file():
            raise SkipTest("needs the third-party viewers (built with STREAMRELAY_VIEWERS=no)")
        built = {path.removeprefix(THIRD_PARTY) for path in self.build() if path.startswith(THIRD_PARTY)}
        packages = json.loads((SOURCE / THIRD_PARTY / "LIST.json").read_text())["packages"]
        listed = {f"{package['folder']}/{path}" for package in packages for path in package["files"]}
        self.assertEqual(built, listed | {"LIST.json"})
        for path in (
            "novnc/core/rfb.js",
            "novnc/vendor/pako/lib/zlib/inflate.js",
            "novnc/LICENSE.txt",
            "novnc/docs/LICENSE.MPL-2.0",
            "novnc/vendor/pako/LICENSE",
            "xterm/lib/xterm.mjs",
            "xterm/css/xterm.css",
            "xterm/LICENSE",
            "addon-fit/lib/addon-fit.mjs",
            "addon-fit/LICENSE",
            "addon-search/lib/addon-search.mjs",
            "addon-unicode-graphemes/lib/addon-unicode-graphemes.mjs",
            "addon-web-links/lib/addon-web-links.mjs",
            "spice-html5/src/main.js",
            "spice-html5/src/thirdparty/rsa.js",
            "spice-html5/spice.css",
            "spice-html5/COPYING",
            "spice-html5/COPYING.LESSER",
        ):
            self.assertIn(path, built)

    def test_nothing_of_twisted(self) -> None:
        """No `__init__.py` stands under `twisted/`: it would overwrite Twisted's own."""
        self.assertEqual([path for path in self.build() if path.startswith("twisted") and "__init__" in path], [])
        self.assertEqual(list((SOURCE / "twisted").rglob("__init__.py")), [])
