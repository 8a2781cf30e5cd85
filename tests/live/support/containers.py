"""Real containers of podman and of Docker, each with its API on a socket; the image is made here, from no registry.

Debian: podman, runc, busybox-static; docker.io for Docker. Nothing of a podman or Docker that is there already is used.
"""

import atexit
import contextlib
import io
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.live.support.command_lines import present
from tests.live.support.processes import need_program, need_root
from tests.live.support.waiting import WAIT, until

LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")
"""Podman's own defaults are more than root may set where it lacks CAP_SYS_RESOURCE."""


def image() -> bytes:
    """busybox and nothing else, as a tar file."""
    busybox = need_program("busybox")
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as tar:
        tar.add(os.path.realpath(busybox), "bin/busybox")
        for applet in applets:
            if applet != "busybox":
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        for folder in ("proc", "dev", "tmp", "etc", "sys"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(entry)
    return output.getvalue()


class Containers:
    """What podman's and Docker's have in common: command lines."""

    client: tuple[str, ...] = ()
    options: tuple[str, ...] = ("--network=none",)
    remove: tuple[str, ...] = ("rm", "-f")

    def __init__(self, folder: Path) -> None:
        self.folder, self.socket = folder, folder / "api.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        raise NotImplementedError

    def serve(self, *command: str) -> None:
        """Run what serves the API, until it does."""
        with (self.folder / "service.log").open("wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)

        def is_there() -> bool:
            if self.process is not None and self.process.poll() is not None:
                lines = (self.folder / "service.log").read_text(errors="replace").strip().splitlines()
                raise SkipTest(f"{command[0]} can't run here: {lines[-1] if lines else 'it says nothing'}")
            return self.socket.exists()

        until(is_there, what=f"the API of {command[0]}")

    def prepare(self) -> None:
        """The image, and a look whether a container can run at all."""
        tar = self.folder / "image.tar"
        tar.write_bytes(image())
        self.command("import", str(tar), "streamrelay-test:1")
        done = self.command("run", "--rm", *self.options, "streamrelay-test:1", "/bin/echo", "runs", check=False)
        if done.stdout.strip() != "runs":
            raise SkipTest(f"{self.client[0]} can't run a container here: {done.stderr.strip()[-200:]}")

    def command(self, *arguments: str, check: bool = True) -> Any:
        done = subprocess.run([*self.client, *arguments], capture_output=True, text=True, timeout=WAIT)
        if check and done.returncode:
            raise AssertionError(f"{self.client[0]} {' '.join(arguments)}: {done.stderr}")
        return done

    def run(self, name: str, script: str, *options: str) -> str:
        """A container that runs a shell's script; its id. One of that name that was there is removed."""
        return self.make(name, script, "run", "-d", *options)

    def make(self, name: str, script: str, *command: str) -> str:
        """The same by another command than `run`, or with options of it."""
        self.command(*self.remove, name, check=False)
        options = (f"--name={name}", *self.options, "streamrelay-test:1", "/bin/sh", "-c", script)
        return str(self.command(*command, *options).stdout.strip())

    def processes(self, name: str) -> str:
        """The command lines in a container."""
        script = 'for process in /proc/[0-9]*; do tr "\\0" " " <$process/cmdline; echo; done'
        return str(self.command("exec", name, "/bin/sh", "-c", script).stdout)

    def stop(self) -> None:
        names = self.command("ps", "-aq", check=False).stdout.split() if self.client else ()
        if names:
            self.command(*self.remove, *names, check=False)
        if self.process is not None:
            self.process.terminate()
            self.process.wait(WAIT)
        self.end_rest()
        shutil.rmtree(self.folder, ignore_errors=True)

    def end_rest(self) -> None:
        """Nothing is left of Docker's but file systems, where it ended before it had them all unmounted."""
        for place in reversed(mounted_in(self.folder)):
            subprocess.run(("umount", "--lazy", place), check=True)


class Podman(Containers):
    """As root, with runc, in folders of its own."""

    options = ("--network=none", *LIMITS)
    remove = ("rm", "-f", "--time=0")  # without it a shell has ten seconds for a SIGTERM that it doesn't take

    def start(self) -> None:
        need_root("podman's containers")
        need_program("runc")
        where = (f"--{name}={self.folder / name}" for name in ("root", "runroot", "tmpdir"))
        more = ("--cgroup-manager=cgroupfs", "--storage-driver=vfs", "--runtime=runc", "--events-backend=file")
        self.client = (need_program("podman"), *where, *more)
        self.prepare()
        self.serve(*self.client, "system", "service", "--time=0", f"unix://{self.socket}")

    def end_rest(self) -> None:
        """A conmon stays for five minutes after a command that was run by the API, and then calls podman once more."""
        for pid, line in present():
            if str(self.folder).encode() in line:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        super().end_rest()


def mounted_in(folder: Path) -> list[str]:
    """Where file systems are mounted in a folder; podman leaves each container's /dev/shm behind."""
    places = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [place for place in places if place.startswith(f"{folder}/")]


class Docker(Containers):
    """A daemon of our own, which leaves the network alone."""

    def start(self) -> None:
        need_root("Docker's daemon")
        need_program("docker")
        self.client = ("docker", f"--host=unix://{self.socket}")
        self.serve(
            need_program("dockerd"),
            f"--host=unix://{self.socket}",
            *(f"--{name}={self.folder / name}" for name in ("data-root", "exec-root", "pidfile")),
            *("--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs"),
        )
        self.prepare()


_standing: dict[Callable[[Path], Containers], Containers | SkipTest] = {}


def standing(kind: Callable[[Path], Containers]) -> Containers:
    """The one that all tests use, or `SkipTest` that says why there is none."""
    if kind not in _standing:
        containers = kind(Path(tempfile.mkdtemp(prefix="streamrelay-ct-")))
        try:
            containers.start()
            _standing[kind] = containers
            atexit.register(containers.stop)
        except SkipTest as skip:
            containers.stop()
            _standing[kind] = skip
    found = _standing[kind]
    if isinstance(found, SkipTest):
        raise found
    return found
