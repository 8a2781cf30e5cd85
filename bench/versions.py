"""Versions of what is measured, as packages and programs tell them."""

import os
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from bench.processes import program


def version_of(package: str) -> str:
    with suppress(PackageNotFoundError):
        return version(package)
    return ""


def output_of(name: str, *arguments: str) -> str:
    found = program(name, "/usr/local/go/bin", os.path.expanduser("~/.cargo/bin"))
    environment = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(
        [found, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, timeout=20
    ).stdout
